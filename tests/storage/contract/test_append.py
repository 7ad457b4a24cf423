"""Appending: the commit point that the whole product rests on."""

from __future__ import annotations

import pytest
import trio
from msgspec.structs import replace

from storage.errors import Conflict, Unstorable
from storage.ports import Journal
from storage.records import Append, DropMember, PutMember, PutMessage, PutRoom
from tests.storage.contract.backends import Stores
from tests.storage.samples import a_change, a_member, a_message, a_post, a_room, appended, joined, posts

MAX_INT, MIN_INT = 2**63 - 1, -(2**63)


async def read_all(journal: Journal, room: str) -> list[int]:
    """Return the seqs of a room."""
    return [entry.seq for entry in await journal.read(room, after=0, limit=1000)]


async def test_an_entry_is_read_back_as_it_was_written(journal: Journal) -> None:
    """Guarantee: every field of an entry survives, its body byte for byte.

    Catch-up replays the stored bytes, and a client must not be able to tell them from what it would have got live.
    """
    post, change = a_post("r_1", 1, text="héllo 👩‍👩‍👧 \U0001f9d1"), a_change("r_1", 2)
    await journal.append([appended(post, change)])
    assert await journal.read("r_1", after=0, limit=10) == [post, change]


async def test_one_call_may_hold_several_appends_of_a_room_in_the_order_of_seq(journal: Journal) -> None:
    """Guarantee: appends of one call build on each other, in their order. Group commit relies on it."""
    await journal.append([posts("r_1", 1, 2), posts("r_2", 1, 1), posts("r_1", 3, 3)])
    assert await read_all(journal, "r_1") == [1, 2, 3]
    with pytest.raises(Conflict) as caught:
        await journal.append([posts("r_1", 5, 5), posts("r_1", 4, 4)])
    assert (caught.value.kind, caught.value.room) == ("seq", "r_1")
    assert await read_all(journal, "r_1") == [1, 2, 3]


async def test_an_append_of_nothing_does_nothing(journal: Journal) -> None:
    """Guarantee: nothing to commit is no error. A batch whose every command was refused ends like this."""
    await journal.append([])
    assert await journal.load_room("r_1") is None


async def test_changes_are_applied_in_their_order(stores: Stores) -> None:
    """Guarantee: of several changes of one row the last one counts. A join, a kick and a join may share a commit."""
    member, owner = a_member(seq=1), a_member(seq=2, role="owner")
    drop = DropMember("r_1", "u_0001")
    put, put_owner = PutMember(member), PutMember(owner)
    await stores.journal.append([appended(a_change("r_1", 1), changes=(put, drop))])
    assert await stores.directory.member("r_1", "u_0001") is None
    await stores.journal.append([appended(a_change("r_1", 2), changes=(drop, put, put_owner))])
    assert await stores.directory.member("r_1", "u_0001") == owner
    await stores.journal.append([appended(a_change("r_1", 3), changes=(drop, drop))])
    assert await stores.directory.member("r_1", "u_0001") is None
    await stores.journal.append(
        [
            appended(a_change("r_1", 4), changes=(put_owner,)),
            appended(a_change("r_1", 5), changes=(drop,)),
            appended(a_change("r_1", 6), changes=(put,)),
        ]
    )
    assert await stores.directory.member("r_1", "u_0001") == member


async def test_a_projection_is_there_as_soon_as_its_append_returns(stores: Stores) -> None:
    """Guarantee: who wrote reads what it wrote. A REST client posts, and its next GET must show the post."""
    entry = a_post("r_1", 1)
    await stores.journal.append([appended(entry, changes=(PutMember(a_member()),))])
    assert await stores.journal.message("m_r_1_000001") == a_message(entry)
    assert await stores.directory.room("r_1") == a_room("r_1", seq=1)
    assert await stores.directory.member("r_1", "u_0001") == a_member()


async def test_putting_a_row_again_is_harmless(stores: Stores) -> None:
    """Guarantee: changes replace whole rows. Replaying the journal into the projections relies on it."""
    entry = a_post("r_1", 1)
    edited = replace(a_message(entry, doc=b'{"body":"edited"}', deleted=True), applied_seq=2)
    await stores.journal.append([appended(entry)])
    for seq in (2, 3):
        changes = (PutMessage(edited), PutMember(a_member(role="admin")), PutRoom(a_room("r_1", name="new")))
        await stores.journal.append([appended(a_change("r_1", seq), changes=changes)])
    assert await stores.journal.message(edited.id) == edited
    assert await stores.journal.messages("r_1", limit=10) == [edited]
    members = await stores.directory.members("r_1", cursor=None, limit=10)
    assert members.items == (a_member(role="admin"),)


async def test_integers_keep_all_64_bits(stores: Stores) -> None:
    """Guarantee: no integer is rounded or cut on its way. Seqs and times are compared for equality everywhere."""
    for place, number in enumerate((0, -1, MAX_INT, MIN_INT, 2**53 + 1)):
        name = f"r_{place}"
        entry = replace(a_post(name, 1), ts=number, msg_no=number)
        room = replace(a_room(name), created_at=number, applied_seq=number, last_msg_no=number, deleted_at=number)
        member = replace(a_member(name), joined_seq=number, joined_at=number)
        message = replace(a_message(entry), msg_no=number, seq=number)
        changes = (PutMember(member), PutMessage(message), PutRoom(room))
        await stores.journal.append([Append(name, (entry,), changes)])
        assert await stores.journal.read(name, after=0, limit=1) == [entry]
        assert await stores.directory.room(name) == room
        assert await stores.directory.member(name, "u_0001") == member
        assert await stores.journal.message(message.id) == message


TEXTS = (
    "",
    " ",
    "'; DROP TABLE users; --",
    '"',
    "\\",
    "%_[]*?",
    "\r\n\t\x01\x7f",
    "👩‍👩‍👧‍👦",
    "\U0010ffff",
    "e\u0301é",
    "\ufeff\u202e",
)


async def test_text_is_kept_exactly(stores: Stores) -> None:
    """Guarantee: any text without NUL is kept as it is: not folded, not normalised, not trimmed.

    What a name or a body may hold is decided above; a store that changes it makes digests and lookups fail.
    """
    for place, text in enumerate(TEXTS):
        name = f"r_{place}"
        entry = replace(a_post(name, 1, client_msg_id=f"c{text}"), type=f"t{text}", body=text.encode())
        room = replace(a_room(name), topic=text, name=text)
        await stores.journal.append([Append(name, (entry,), (PutRoom(room),))])
        assert await stores.journal.read(name, after=0, limit=1) == [entry]
        assert await stores.directory.room(name) == room
        (sent,) = await stores.journal.find_sent(name, [("u_0001", f"c{text}")])
        assert sent.client_msg_id == f"c{text}"


async def test_bodies_of_any_reasonable_size_are_kept(journal: Journal) -> None:
    """Guarantee: a body is bytes and nothing looks inside. Any limit is the edge's."""
    for seq, size in enumerate((0, 256, 1024, 5_000, 1_000_000), start=1):
        body = bytes(range(256)) * (size // 256)
        await journal.append([appended(replace(a_post("r_1", seq), body=body))])
        assert (await journal.read("r_1", after=seq - 1, limit=1))[0].body == body


POISON = (
    replace(a_post("r_1", 2), type="\ud800"),
    replace(a_post("r_1", 2), ts=MAX_INT + 1),
    replace(a_post("r_1", 2), msg_no=MIN_INT - 1),
)


async def test_a_value_that_no_store_can_hold_fails_its_own_call_only(journal: Journal) -> None:
    """Guarantee: poison that slipped past the edge is refused whole, and the store lives on.

    Without it one bad value would make every commit that it shares fail.
    """
    await journal.append([posts("r_1", 1, 1)])
    for entry in POISON:
        with pytest.raises(Unstorable):
            await journal.append([posts("r_2", 1, 1), appended(entry)])
        assert await read_all(journal, "r_1") == [1]
        assert await journal.load_room("r_2") is None
    await journal.append([posts("r_1", 2, 2)])
    assert await read_all(journal, "r_1") == [1, 2]


async def test_an_entry_of_another_room_than_its_append_is_refused(journal: Journal) -> None:
    """Guarantee: an append writes to its room alone, so that the room which a conflict names is the guilty one."""
    with pytest.raises(Unstorable):
        await journal.append([Append("r_1", (a_post("r_2", 1),), (PutRoom(a_room("r_1")),))])
    assert await read_all(journal, "r_2") == []


async def test_appends_of_many_tasks_all_arrive(journal: Journal) -> None:
    """Guarantee: rooms append at the same time without disturbing each other. Every room is its own task."""

    async def write(room: str) -> None:
        for seq in range(1, 6):
            await journal.append([posts(room, seq, seq)])

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(write, f"r_{number}")
    for number in range(10):
        assert await read_all(journal, f"r_{number}") == [1, 2, 3, 4, 5]


async def test_of_two_writers_of_one_room_one_wins_each_seq(journal: Journal) -> None:
    """Guarantee: the fence holds when both come at once. Two nodes may both believe that they own a room."""
    won: list[tuple[str, int]] = []
    lost: list[tuple[str, str | None]] = []

    async def write(sender: str) -> None:
        for seq in range(1, 11):
            try:
                await journal.append([appended(a_post("r_1", seq, sender=sender))])
            except Conflict as conflict:
                lost.append((conflict.kind, conflict.room))
            else:
                won.append((sender, seq))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write, "u_0001")
        nursery.start_soon(write, "u_0002")
    stored = [(entry.sender, entry.seq) for entry in await journal.read("r_1", after=0, limit=100)]
    assert sorted(won, key=lambda win: win[1]) == stored
    assert set(lost) == {("seq", "r_1")}
    assert [seq for _, seq in stored] == list(range(1, len(stored) + 1))


async def test_a_reader_during_writes_sees_row_members_and_head_of_one_moment(journal: Journal) -> None:
    """Guarantee: a snapshot is consistent. An activating room takes its head from it and decides the next seq."""
    seen: list[int] = []
    done = trio.Event()

    async def write() -> None:
        for seq in range(1, 31):
            await journal.append([joined("r_1", seq, f"u_{seq:04d}")])
        done.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        while not done.is_set():
            snapshot = await journal.load_room("r_1")
            if snapshot is not None:
                assert snapshot.room.applied_seq == snapshot.head_seq == len(snapshot.members)
                seen.append(snapshot.head_seq)
    assert seen == sorted(seen)
    snapshot = await journal.load_room("r_1")
    assert snapshot is not None
    assert snapshot.head_seq == 30


async def test_a_cancelled_append_is_whole_or_absent(journal: Journal) -> None:
    """Guarantee: who leaves in the middle leaves no half of an append behind. Connections drop at any moment."""
    for number in range(20):
        room = f"r_{number:02d}"
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(journal.append, [posts(room, 1, 3), posts(f"{room}b", 1, 2)])
                for _ in range(number % 7):
                    await trio.lowlevel.checkpoint()
                scope.cancel()
    await journal.append([posts("r_last", 1, 1)])  # whatever was still under way is before this one
    for number in range(20):
        snapshots = [await journal.load_room(room) for room in (f"r_{number:02d}", f"r_{number:02d}b")]
        heads = [snapshot.head_seq if snapshot is not None else 0 for snapshot in snapshots]
        assert heads in ([0, 0], [3, 2])
        assert len(await journal.messages(f"r_{number:02d}", limit=10)) == heads[0]
