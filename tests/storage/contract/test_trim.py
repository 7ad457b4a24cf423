"""Trimming: the text of old messages is forgotten, and the order of a room is not."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest
from msgspec.structs import replace

from storage.errors import Conflict
from storage.memory import MemoryDirectory, MemoryJournal, MemoryStore
from storage.ports import Directory, Journal
from storage.records import TRIMMED, Append, Change, DropItem, DropItems, Entry, ItemRecord, PutItem, PutMessage, Trim
from tests.storage.contract.backends import Stores
from tests.storage.contract.test_items import changed, keys
from tests.storage.samples import a_change, a_message, a_post, an_item, appended, posts


def an_edit(room: str, seq: int) -> Entry:
    """Make the entry of an edit."""
    return replace(a_change(room, seq), type="message.updated")


def trimmed(*entries: Entry) -> list[Entry]:
    """Return entries as a trim leaves them."""
    return [replace(entry, body=b"") if entry.type in TRIMMED else entry for entry in entries]


async def bodies(journal: Journal, room: str = "r_1") -> list[bool]:
    """Tell for each entry whether its body is still there."""
    return [entry.body != b"" for entry in await journal.read(room, after=0, limit=100)]


async def test_a_trim_takes_messages_and_leaves_the_order(stores: Stores) -> None:
    """Guarantee: the messages up to there go, and the text of their entries; each entry stays in its place.

    History begins above, and a client that counts the entries of a room still finds no hole.
    """
    entries = [a_post("r_1", 1), a_change("r_1", 2), a_post("r_1", 3), an_edit("r_1", 4), a_post("r_1", 5)]
    await stores.journal.append([appended(*entries), posts("r_2", 1, 5)])
    last = a_change("r_1", 6)
    await stores.journal.append([appended(last, changes=(Trim("r_1", 4),))])
    assert await stores.journal.read("r_1", after=0, limit=9) == [*trimmed(*entries[:4]), entries[4], last]
    assert await stores.journal.read_back("r_1", before=4, limit=2) == trimmed(entries[1], entries[2])
    assert await stores.journal.messages("r_1", limit=9) == [a_message(entries[4])]
    assert await stores.journal.message("m_r_1_000003") is None
    assert await stores.journal.messages_by_id(["m_r_1_000001", "m_r_1_000005"]) == [a_message(entries[4])]
    assert await stores.journal.read("r_2", after=0, limit=9) == [a_post("r_2", seq) for seq in range(1, 6)]
    assert len(await stores.journal.messages("r_2", limit=9)) == 5


async def test_a_trim_takes_the_items_of_its_messages(stores: Stores) -> None:
    """Guarantee: what hangs on a message goes with it, what hangs on the room or a later message stays.

    Reactions, revisions, pins and timers of what is gone would be found by nobody any more.
    """
    await stores.journal.append([posts("r_1", 1, 5), posts("r_2", 1, 5)])
    seqs = {"room": 0, "first": 1, "last": 3, "next": 4, "below": -1}
    items = [an_item(key, seq=seq, held=key == "first", due_at=seq) for key, seq in seqs.items()]
    other = an_item("first", room="r_2", seq=1)
    await stores.journal.append([*changed(6, *map(PutItem, items)), *changed(6, PutItem(other), room="r_2")])
    await stores.journal.append(changed(7, Trim("r_1", 3), PutItem(an_item("floor", held=True))))
    assert await keys(stores.directory) == ["below", "floor", "next", "room"]
    assert await keys(stores.directory, room="r_2") == ["first"]
    snapshot = await stores.journal.load_room("r_1")
    assert snapshot is not None
    assert snapshot.items == (an_item("floor", held=True),)
    assert [item.key for item in await stores.journal.due(before=9, limit=9)] == ["below", "room", "next"]


async def test_what_was_trimmed_was_still_sent(stores: Stores) -> None:
    """Guarantee: a repeat of a forgotten post is known for what it is, and the fence stands.

    A client that was away for longer than messages are kept sends again what it had no answer to.
    """
    await stores.journal.append([posts("r_1", 1, 3)])
    sent = await stores.journal.find_sent("r_1", [("u_0001", "c2")])
    await stores.journal.append(changed(4, Trim("r_1", 3)))
    assert [one.seq for one in sent] == [2]
    assert await stores.journal.find_sent("r_1", [("u_0001", "c2")]) == sent
    for entry, kind in ((a_post("r_1", 5, client_msg_id="c2"), "client_msg_id"), (a_change("r_1", 2), "seq")):
        with pytest.raises(Conflict) as caught:
            await stores.journal.append([appended(entry)])
        assert (caught.value.kind, caught.value.written) == (kind, 0)
    await stores.journal.append([posts("r_1", 5, 5)])
    snapshot = await stores.journal.load_room("r_1")
    assert snapshot is not None
    assert snapshot.head_seq == 5
    assert await bodies(stores.journal) == [False, False, False, True, True]


async def test_trimming_again_and_further(stores: Stores) -> None:
    """Guarantee: a trim is harmless when it is repeated or comes late, and goes on where the last one ended.

    A room trims once a day, and what a former process left undone is done again.
    """
    seq = 12
    await stores.journal.append(
        [appended(*(an_edit("r_1", n) if n % 3 == 0 else a_post("r_1", n) for n in range(1, 13)))]
    )
    for upto, floor in ((2, 2), (2, 2), (1, 2), (3, 3), (8, 8), (4, 8), (0, 8), (-1, 8), (10, 10), (10, 10)):
        seq += 1
        await stores.journal.append(changed(seq, Trim("r_1", upto)))
        assert await bodies(stores.journal) == [n > floor for n in range(1, seq + 1)], upto
        left = await stores.journal.messages("r_1", limit=99)
        assert [message.seq for message in left] == [n for n in range(floor + 1, 13) if n % 3], upto


async def test_a_trim_and_what_it_trims_may_share_a_commit(stores: Stores) -> None:
    """Guarantee: what came before the trim is trimmed, what comes after is not, though all of it is one commit.

    Group commit puts posts, their reactions and the room's trim together as they come.
    """
    early, late = an_item("early", seq=1), an_item("late", seq=1)
    await stores.journal.append(
        [posts("r_1", 1, 3), *changed(4, PutItem(early), Trim("r_1", 2), PutItem(late)), posts("r_1", 5, 6)]
    )
    assert await bodies(stores.journal) == [False, False, True, True, True, True]
    assert [message.seq for message in await stores.journal.messages("r_1", limit=9)] == [3, 5, 6]
    assert await keys(stores.directory) == ["late"]
    await stores.journal.append([appended(a_post("r_1", 7), changes=(Trim("r_1", 6),)), *changed(8, Trim("r_1", 5))])
    assert await bodies(stores.journal) == [False, False, False, True, False, False, True, True]
    assert [message.seq for message in await stores.journal.messages("r_1", limit=9)] == [7]


async def test_an_item_that_moves_to_an_older_message_goes_with_that(stores: Stores) -> None:
    """Guarantee: an item hangs on the message that it was last put for, also where that happened in the same commit."""
    await stores.journal.append([posts("r_1", 1, 9)])
    await stores.journal.append(changed(10, PutItem(an_item("up", seq=2)), PutItem(an_item("down", seq=8))))
    moves = PutItem(an_item("up", seq=8)), PutItem(an_item("down", seq=2))
    await stores.journal.append(changed(11, *moves, Trim("r_1", 5)))
    assert await keys(stores.directory) == ["up"]


async def test_a_message_that_changes_after_a_trim_is_as_it_was_put(stores: Stores) -> None:
    """Guarantee: later messages are edited as ever."""
    entry = a_post("r_1", 3)
    await stores.journal.append([posts("r_1", 1, 2), appended(entry)])
    edited = replace(a_message(entry, doc=b"{}"), applied_seq=5)
    await stores.journal.append(
        [*changed(4, Trim("r_1", 2)), appended(an_edit("r_1", 5), changes=(PutMessage(edited),))]
    )
    assert await stores.journal.messages("r_1", limit=9) == [edited]
    assert await bodies(stores.journal) == [False, False, True, True, True]


KINDS, KEYS = ("pin", "ban"), ("", "a", "ab", "b", "\U0010ffff")


def random_change(random: Random, room: str, head: int) -> Change:
    """Make some change of items that a room with so many entries may come to."""
    kind, key = random.choice(KINDS), random.choice(KEYS)
    match random.randrange(8):
        case 0:
            return DropItem(room, kind, key)
        case 1:
            return DropItems(room, kind, key[:1])
        case 2:
            return Trim(room, random.randint(0, head))
    due_at = random.choice((None, random.randint(1, 9)))
    return PutItem(
        an_item(key, room=room, kind=kind, held=random.random() < 0.5, due_at=due_at, seq=random.randint(0, head))
    )


def random_appends(random: Random, room: str) -> list[Append]:
    """Make what one room appends: posts, edits and any changes."""
    appends = []
    for seq in range(1, 9):
        entry = an_edit(room, seq) if random.random() < 0.3 else a_post(room, seq)
        changes = tuple(random_change(random, room, seq) for _ in range(random.randrange(4)))
        appends.append(appended(entry, changes=changes))
    return appends


async def everything(journal: Journal, directory: Directory, room: str) -> tuple[object, ...]:
    """Return all that can be read of a room."""
    snapshot = await journal.load_room(room)  # the first: it waits for what is behind
    items: list[ItemRecord] = []
    for kind in KINDS:
        items += (await directory.items(kind, room=room, cursor=None, limit=99)).items
    return (
        snapshot,
        await journal.read(room, after=0, limit=99),
        await journal.messages(room, limit=99),
        items,
        sorted(await journal.due(room=room, before=9, limit=99), key=lambda item: (item.kind, item.key)),
    )


async def test_any_changes_leave_what_they_leave_one_by_one(stores: Stores) -> None:
    """Guarantee: it makes no difference which changes share a commit, an append or a call.

    What shares one is a matter of load, and no room may read anything else on a busy day.
    """
    memory = MemoryStore()
    one_by_one, of_memory = MemoryJournal(memory), MemoryDirectory(memory)
    for number, call in product(range(0, 9, 3), range(2)):
        rooms = {
            f"r_{n}": random_appends(Random(n), f"r_{n}")[call * 4 : call * 4 + 4] for n in range(number, number + 3)
        }
        batch = [append for appends in rooms.values() for append in appends]
        for append in batch:
            await one_by_one.append([append])
        await stores.journal.append(batch)
        for room in rooms:
            expected = await everything(one_by_one, of_memory, room)
            assert await everything(stores.journal, stores.directory, room) == expected, room
