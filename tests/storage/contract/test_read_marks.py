"""Read markers: how far people have read, and the newest message of rooms, from which that is worked out."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import trio

from storage.account_ports import Relations
from storage.errors import Unstorable
from storage.ports import Journal
from storage.records import PutMark, ReadMark, Trim
from tests.storage.contract.backends import LASTING, Stores, each, open_stores
from tests.storage.contract.test_append import MAX_INT
from tests.storage.samples import a_change, a_message, a_post, appended, posts


async def test_a_read_marker_only_moves_forward(relations: Relations) -> None:
    """Guarantee: a repeat, and a marker that comes late, change nothing and say so."""
    assert await relations.read_marks("u_1", ["r_1"]) == []
    assert await relations.mark_read(ReadMark("u_1", "r_1", 5, 3))
    assert not await relations.mark_read(ReadMark("u_1", "r_1", 5, 3))
    assert not await relations.mark_read(ReadMark("u_1", "r_1", 4, 2))
    assert await relations.mark_read(ReadMark("u_1", "r_1", 7, 3))
    assert await relations.mark_read(ReadMark("u_1", "r_1", 6, 4))  # of each field the larger one counts
    assert await relations.read_marks("u_1", ["r_1"]) == [ReadMark("u_1", "r_1", 7, 4)]


async def test_of_fifty_markers_at_once_the_furthest_is_left(relations: Relations) -> None:
    """Guarantee: many devices of one user mark in any order, and none of them takes another's back."""
    seqs = list(range(1, 51))
    Random(7).shuffle(seqs)
    async with trio.open_nursery() as nursery:
        for seq in seqs:
            nursery.start_soon(relations.mark_read, ReadMark("u_1", "r_1", 2 * seq, seq))
    assert await relations.read_marks("u_1", ["r_1"]) == [ReadMark("u_1", "r_1", 100, 50)]


async def test_markers_are_of_one_user_in_one_room(relations: Relations) -> None:
    """Guarantee: several rooms are asked about at once, each once; others' markers and other rooms stay out of it."""
    marks = [ReadMark(user, room, 5, 3) for user in ("u_1", "u_2") for room in ("r_1", "r_2", "r_3")]
    for mark in marks:
        await relations.mark_read(mark)
    found = await relations.read_marks("u_1", ["r_3", "r_1", "r_9", "r_1"])
    assert sorted(found, key=lambda mark: mark.room) == [marks[0], marks[2]]
    assert await relations.read_marks("u_1", []) == []
    await relations.drop_read_mark("u_1", "r_1")
    await relations.drop_read_mark("u_1", "r_9")
    assert await relations.all_read_marks(limit=9) == marks[1:]
    await relations.drop_relations("u_1")
    assert await relations.all_read_marks(limit=9) == marks[3:]


async def test_all_markers_are_read_in_their_order_and_put_as_they_are(relations: Relations) -> None:
    """Guarantee: a copy gets all of them page by page, and may put one that is behind what is there."""
    marks = [ReadMark(user, room, 5, 3) for user in ("u_1", "u_2") for room in ("r_1", "r_2")]
    await relations.put_read_marks(marks[::-1])
    await relations.put_read_marks([])
    assert await relations.all_read_marks(limit=3) == marks[:3]
    assert await relations.all_read_marks(after=("u_1", "r_2"), limit=9) == marks[2:]
    assert await relations.all_read_marks(limit=0) == []
    back = ReadMark("u_1", "r_2", 1, 1)
    await relations.put_read_marks([back])
    assert await relations.all_read_marks(limit=9) == [marks[0], back, *marks[2:]]


async def test_an_append_moves_markers_and_never_back(stores: Stores) -> None:
    """Guarantee: with the post that pushes somebody out of a room's row goes what they have read; all or nothing."""
    marks = [ReadMark("u_1", "r_1", 1, 1), ReadMark("u_2", "r_1", 2, 2), ReadMark("u_1", "r_1", 3, 3)]
    await stores.relations.mark_read(ReadMark("u_2", "r_1", 9, 9))
    entries = [a_post("r_1", seq) for seq in (1, 2, 3)]
    await stores.journal.append([appended(*entries, changes=tuple(map(PutMark, marks)))])
    assert await stores.relations.all_read_marks(limit=9) == [marks[2], ReadMark("u_2", "r_1", 9, 9)]
    await stores.journal.append([appended(a_change("r_1", 4), changes=(PutMark(ReadMark("u_3", "r_1", 3, 3)),))])
    assert await stores.relations.read_marks("u_3", ["r_1"]) == [ReadMark("u_3", "r_1", 3, 3)]


async def test_a_marker_that_no_database_can_hold_is_refused(relations: Relations) -> None:
    """Guarantee: the same values everywhere, the largest seq among those that can be held."""
    for mark in (
        ReadMark("u\0", "r_1", 1, 1),
        ReadMark("u_1", "r\ud800", 1, 1),
        ReadMark("u_1", "r_1", MAX_INT + 1, 1),
    ):
        with pytest.raises(Unstorable):
            await relations.mark_read(mark)
        with pytest.raises(Unstorable):
            await relations.put_read_marks([mark])
    assert await relations.mark_read(ReadMark("u_1", "r_1", MAX_INT, MAX_INT))
    assert await relations.all_read_marks(limit=9) == [ReadMark("u_1", "r_1", MAX_INT, MAX_INT)]


async def test_the_newest_message_of_many_rooms_is_found_at_once(journal: Journal) -> None:
    """Guarantee: of each room one, also at or below a seq; rooms without any, and what was trimmed, are left out."""
    await journal.append([posts("r_1", 1, 3), appended(a_change("r_2", 1)), posts("r_3", 1, 2)])
    await journal.append([appended(a_change("r_1", 4)), appended(a_change("r_3", 3), changes=(Trim("r_3", 2),))])

    async def found(*places: tuple[str, int | None]) -> list[str]:
        latest = await journal.latest_messages(places)
        assert all(message == a_message(a_post(message.room, message.seq)) for message in latest)
        return sorted(message.id for message in latest)

    assert await found(("r_1", None), ("r_2", None), ("r_3", None), ("r_9", None)) == ["m_r_1_000003"]
    assert await found(("r_1", 4)) == ["m_r_1_000003"]
    assert await found(("r_1", 2)) == ["m_r_1_000002"]
    assert await found(("r_1", 0)) == []
    assert await found(("r_1", MAX_INT)) == ["m_r_1_000003"]
    assert await found() == []
    await journal.append([posts(f"r_{number:03d}", 1, 2) for number in range(100)])
    everywhere = await found(*((f"r_{number:03d}", None) for number in range(100)))
    assert everywhere == [f"m_r_{number:03d}_000002" for number in range(100)]


@pytest.mark.parametrize("kind", each(LASTING))
async def test_markers_are_there_after_closing_and_opening(tmp_path: Path, kind: str) -> None:
    """Guarantee: what somebody has read they have read, also after a restart."""
    mark = ReadMark("u_1", "r_1", 5, 3)
    async with open_stores(kind, tmp_path) as stores:
        await stores.relations.mark_read(mark)
    async with open_stores(kind, tmp_path) as stores:
        assert await stores.relations.read_marks("u_1", ["r_1"]) == [mark]
