"""Conflicts: what must not be appended, and what becomes of that which shared a call with it."""

from __future__ import annotations

import pytest

from storage.errors import Conflict
from storage.ports import Journal
from storage.records import Entry
from tests.storage.contract.backends import Stores
from tests.storage.contract.test_append import read_all
from tests.storage.samples import a_change, a_member, a_post, appended, joined, posts


async def test_a_taken_seq_is_a_conflict_that_names_the_room(journal: Journal) -> None:
    """Guarantee: a second writer of a room fails, loudly. Rooms rely on it: it is the fence against a fork."""
    await journal.append([posts("r_1", 1, 2)])
    with pytest.raises(Conflict) as caught:
        await journal.append([appended(a_post("r_1", 2, client_msg_id="other", text="other"))])
    assert (caught.value.kind, caught.value.room) == ("seq", "r_1")
    assert await journal.read("r_1", after=1, limit=10) == [a_post("r_1", 2)]


async def test_a_new_room_starts_at_one(journal: Journal) -> None:
    """Guarantee: there is no hole before a room's first entry. Clients count from zero and would wait for ever."""
    for first in (0, -1, 2, 4):
        with pytest.raises(Conflict) as caught:
            await journal.append([appended(a_post("r_1", first))])
        assert (caught.value.kind, caught.value.room) == ("seq", "r_1"), first
        assert await journal.load_room("r_1") is None


async def test_a_hole_is_a_conflict(journal: Journal) -> None:
    """Guarantee: a room's journal is gapless whatever is appended. Clients take a missing seq for a lost frame."""
    await journal.append([posts("r_1", 1, 2)])
    for seqs in ((4,), (5, 6), (3, 5), (4, 3), (3, 3), (2, 3)):
        entries = [a_post("r_1", seq, client_msg_id=f"x{place}") for place, seq in enumerate(seqs)]
        with pytest.raises(Conflict) as caught:
            await journal.append([appended(*entries)])
        assert (caught.value.kind, caught.value.room) == ("seq", "r_1"), seqs
        assert await read_all(journal, "r_1") == [1, 2]


async def test_a_repeated_post_is_a_conflict(journal: Journal) -> None:
    """Guarantee: (room, sender, client_msg_id) is unique without expiry. It is what makes a retry exactly-once."""
    await journal.append([posts("r_1", 1, 3)])
    with pytest.raises(Conflict) as caught:
        await journal.append([appended(a_post("r_1", 4, client_msg_id="c2"))])
    assert (caught.value.kind, caught.value.room) == ("client_msg_id", "r_1")
    assert await read_all(journal, "r_1") == [1, 2, 3]


async def test_a_post_repeated_within_one_append_is_a_conflict(journal: Journal) -> None:
    """Guarantee: a repeat is noticed in the same commit too. A client's two sockets may send in the same instant."""
    twice = appended(a_post("r_1", 1, client_msg_id="same"), a_post("r_1", 2, client_msg_id="same"))
    with pytest.raises(Conflict) as caught:
        await journal.append([posts("r_2", 1, 1), twice])
    assert (caught.value.kind, caught.value.room) == ("client_msg_id", "r_1")
    assert await journal.load_room("r_2") is None


async def test_the_same_client_msg_id_of_another_sender_or_room_is_no_repeat(journal: Journal) -> None:
    """Guarantee: the key is unique per room and sender only. Clients count from one, each for itself."""
    await journal.append([appended(a_post("r_1", 1, client_msg_id="same"))])
    await journal.append(
        [
            appended(a_post("r_1", 2, client_msg_id="same", sender="u_0002")),
            appended(a_post("r_2", 1, client_msg_id="same")),
        ]
    )
    assert await read_all(journal, "r_1") == [1, 2]
    assert await read_all(journal, "r_2") == [1]


async def test_entries_that_are_no_posts_never_repeat_each_other(journal: Journal) -> None:
    """Guarantee: without a client_msg_id nothing is unique but the seq. Most entries are of this kind."""
    await journal.append([appended(a_change("r_1", 1), a_change("r_1", 2))])
    await journal.append([appended(a_change("r_1", 3))])
    assert await read_all(journal, "r_1") == [1, 2, 3]


@pytest.mark.parametrize("guilty", [0, 1, 2])
async def test_a_hole_in_one_room_leaves_nothing_of_the_whole_call(stores: Stores, guilty: int) -> None:
    """Guarantee: an append of several rooms that one of them must not make is not made, projections included.

    The journal actor relies on it when it tries the rooms of a failed commit again, one by one.
    """
    await stores.journal.append([posts("r_0", 1, 1), posts("r_1", 1, 1), posts("r_2", 1, 1)])
    appends = [joined(f"r_{number}", 2, "u_0007") for number in range(3)]
    appends[guilty] = appended(a_post(f"r_{guilty}", 3))
    with pytest.raises(Conflict) as caught:
        await stores.journal.append(appends)
    assert (caught.value.room, caught.value.written) == (f"r_{guilty}", 0)
    for number in range(3):
        await assert_only_the_first(stores, f"r_{number}")
        assert await stores.journal.message(f"m_r_{number}_000003") is None
    assert (await stores.directory.rooms_of("u_0007", cursor=None, limit=10)).items == ()


async def assert_only_the_first(stores: Stores, room: str) -> None:
    """Check that a room is as its first post, made without members, has left it."""
    snapshot = await stores.journal.load_room(room)
    assert snapshot is not None
    assert snapshot.room is not None
    assert (snapshot.head_seq, snapshot.room.applied_seq, snapshot.members) == (1, 1, ())


TAKEN, REPEATED = a_post("r_1", 1, client_msg_id="other", text="other"), a_post("r_1", 2, client_msg_id="c1")


@pytest.mark.parametrize(("entry", "kind"), [(TAKEN, "seq"), (REPEATED, "client_msg_id")], ids=["seq", "client_msg_id"])
@pytest.mark.parametrize("guilty", [0, 1, 2])
async def test_after_a_conflict_the_innocent_may_be_tried_again(
    stores: Stores, guilty: int, entry: Entry, kind: str
) -> None:
    """Guarantee: what shared a call with a conflict is whole or absent, and tried again as it is it counts once.

    With transactions nothing of the call is there. The journal actor relies on it: one room's fault is no other's.
    """
    await stores.journal.append([posts("r_0", 1, 1), posts("r_1", 1, 1), posts("r_2", 1, 1)])
    innocent = [joined("r_0", 2, "u_0007"), joined("r_2", 2, "u_0007")]
    with pytest.raises(Conflict) as caught:
        await stores.journal.append([*innocent[:guilty], appended(entry), *innocent[guilty:]])
    assert (caught.value.kind, caught.value.room, caught.value.written) == (kind, "r_1", 0)
    await assert_only_the_first(stores, "r_1")
    for room in ("r_0", "r_2"):
        snapshot = await stores.journal.load_room(room)
        assert snapshot is not None
        assert snapshot.room is not None
        assert snapshot.head_seq == snapshot.room.applied_seq == 1 + len(snapshot.members)
        if stores.whole:
            await assert_only_the_first(stores, room)

    await stores.journal.append(innocent)
    for room in ("r_0", "r_2"):
        assert await read_all(stores.journal, room) == [1, 2]
        snapshot = await stores.journal.load_room(room)
        assert snapshot is not None
        assert snapshot.room is not None
        assert (snapshot.head_seq, snapshot.room.applied_seq) == (2, 2)
        assert snapshot.members == (a_member(room, "u_0007", seq=2),)
    pairs = (await stores.directory.rooms_of("u_0007", cursor=None, limit=10)).items
    assert [room.id for room, _ in pairs] == ["r_2", "r_0"]


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_of_a_guilty_room_the_first_entries_are_there_as_many_as_the_conflict_tells(
    stores: Stores, place: int
) -> None:
    """Guarantee: `written` is the truth, it is a prefix, and with transactions it is 0. The room reloads by it."""
    await stores.journal.append([posts("r_1", 1, 2)])
    entries = [a_post("r_1", seq, client_msg_id="c1" if seq == 3 + place else None) for seq in (3, 4, 5)]
    for _ in range(2):
        with pytest.raises(Conflict) as caught:
            await stores.journal.append([appended(*entries)])
        assert (caught.value.kind, caught.value.room) == ("client_msg_id", "r_1")
        assert caught.value.written == (0 if stores.whole else place)
        stored = await stores.journal.read("r_1", after=2, limit=10)
        assert stored == entries[: caught.value.written]
    assert await stores.journal.message(entries[-1].message_id or "") is None


async def test_what_is_there_already_is_there_once(journal: Journal) -> None:
    """Guarantee: the very same append again is a conflict or counts as written, and changes nothing.

    Who does not know how an append ended may try it again, and does not do harm.
    """
    await journal.append([posts("r_1", 1, 3)])
    for again in (posts("r_1", 1, 3), posts("r_1", 3, 3)):
        refused = None
        try:
            await journal.append([again])
        except Conflict as conflict:
            refused = conflict.kind, conflict.room, conflict.written
        assert refused in (None, ("seq", "r_1", 0))
        assert await read_all(journal, "r_1") == [1, 2, 3]
        assert len(await journal.messages("r_1", limit=10)) == 3
    await journal.append([posts("r_1", 4, 4)])
    assert await read_all(journal, "r_1") == [1, 2, 3, 4]


async def test_the_journal_goes_on_after_a_conflict(journal: Journal) -> None:
    """Guarantee: a refused append harms nobody after it. Conflicts are part of the day: every retry may be one."""
    await journal.append([posts("r_1", 1, 1)])
    for _ in range(3):
        with pytest.raises(Conflict):
            await journal.append([appended(a_post("r_1", 1, client_msg_id="other", text="other"))])
    await journal.append([posts("r_1", 2, 2)])
    assert await read_all(journal, "r_1") == [1, 2]
