"""The journal between two programs, and between two statements of one append."""

from __future__ import annotations

import asyncio

import pytest
import trio
from msgspec.structs import replace

from storage.asyncio_seam import AsyncioSeam
from storage.errors import Conflict, StorageUnavailable
from storage.postgres import PostgresJournal, PostgresPool, PostgresSettings
from storage.postgres.connection import Connection
from storage.postgres.journal import FAULT_POINTS
from storage.postgres.pool import open_pool
from tests.storage.postgres.waiting import until_waiting
from tests.storage.samples import a_change, a_post, appended, posts


async def test_of_two_programs_one_wins_each_seq(
    pool: PostgresPool, seam: AsyncioSeam, settings: PostgresSettings
) -> None:
    """The fence between nodes is the database's: each append is written whole by one and refused to the other."""
    rooms = ("r_1", "r_2", "r_3")
    won: dict[str, list[tuple[int, str]]] = {room: [] for room in rooms}
    lost: list[Conflict] = []

    async def write(journal: PostgresJournal, sender: str) -> None:
        for seq in range(1, 31, 2):
            for room in rooms:
                pair = [a_post(room, number, sender=sender, client_msg_id=f"c{number}") for number in (seq, seq + 1)]
                try:
                    await journal.append([appended(*pair)])
                except Conflict as conflict:
                    lost.append(conflict)
                else:
                    won[room] += [(seq, sender), (seq + 1, sender)]

    async with open_pool(seam, settings) as other, trio.open_nursery() as nursery:
        nursery.start_soon(write, PostgresJournal(pool), "u_0001")
        nursery.start_soon(write, PostgresJournal(other), "u_0002")
    assert lost
    assert {conflict.kind for conflict in lost} == {"seq"}
    for room in rooms:
        entries = await PostgresJournal(pool).read(room, after=0, limit=100)
        assert [(entry.seq, entry.sender) for entry in entries] == sorted(won[room])
        assert [entry.seq for entry in entries] == list(range(1, 31))


async def test_two_programs_with_many_rooms_never_wait_in_a_circle(
    pool: PostgresPool, seam: AsyncioSeam, settings: PostgresSettings
) -> None:
    """Whatever the order in which each of them names its rooms, nobody is the victim of a deadlock.

    A third one holds up both in the middle of their entries, where each would have what the other wants next.
    """
    rooms = [f"r_{number}" for number in range(9)]
    outcomes: list[str] = []
    held, may_end = trio.Event(), asyncio.Event()

    async def hold(connection: Connection) -> None:
        await connection.execute("INSERT INTO entries VALUES ('r_4', 1, 0, '', '', '')")
        held.set()
        await may_end.wait()
        await connection.execute("DELETE FROM entries")

    async def write(journal: PostgresJournal, order: list[str]) -> None:
        try:
            await journal.append([posts(room, 1, 1) for room in order])
        except Conflict as conflict:
            outcomes.append(conflict.kind)
        else:
            outcomes.append("won")

    async with open_pool(seam, settings) as other, trio.open_nursery() as nursery:
        nursery.start_soon(pool.write, hold)
        await held.wait()
        nursery.start_soon(write, PostgresJournal(pool), rooms)
        await until_waiting(pool, 1)
        nursery.start_soon(write, PostgresJournal(other), rooms[::-1])
        await until_waiting(pool, 2)
        may_end.set()
    assert sorted(outcomes) == ["seq", "won"]


async def test_a_conflict_costs_no_connection(pool: PostgresPool) -> None:
    """The one that was used is as good as before, and nothing of the append stays."""
    journal = PostgresJournal(pool)
    await journal.append([posts("r_1", 1, 2)])
    for _ in range(5):
        with pytest.raises(Conflict):
            await journal.append([posts("r_0", 1, 1), posts("r_1", 2, 3)])
        with pytest.raises(Conflict):
            await journal.append([posts("r_0", 1, 1), posts("r_1", 4, 4)])
    assert await journal.load_room("r_0") is None
    assert pool.statistics().opened == 1
    assert pool.statistics().last_error is None


@pytest.mark.parametrize("point", FAULT_POINTS)
async def test_an_append_that_ends_anywhere_is_whole_or_absent(pool: PostgresPool, point: str) -> None:
    """Entries and projections are one transaction, and it is there once it is committed."""
    passed: list[str] = []

    def fault(name: str) -> None:
        passed.append(name)
        if name == point:
            raise KeyError(name)

    await PostgresJournal(pool).append([posts("r_1", 1, 1)])
    with pytest.raises(KeyError):
        await PostgresJournal(pool, fault=fault).append([posts("r_1", 2, 4)])
    assert passed == list(FAULT_POINTS[: FAULT_POINTS.index(point) + 1])
    snapshot = await PostgresJournal(pool).load_room("r_1")
    assert snapshot is not None
    assert snapshot.room is not None
    expected = 4 if point == "after_commit" else 1
    assert snapshot.head_seq == snapshot.room.applied_seq == expected
    assert len(await PostgresJournal(pool).messages("r_1", limit=9)) == expected


async def test_entries_without_projections_are_projected_in_order(pool: PostgresPool) -> None:
    """They cannot be here, unless somebody took them away; then what is missing before is said."""
    journal = PostgresJournal(pool)
    await journal.append([posts("r_1", 1, 6)])
    await pool.read(lambda connection: connection.execute("DELETE FROM rooms"))
    snapshot = await journal.load_room("r_1")
    assert snapshot is not None
    assert (snapshot.room, snapshot.head_seq) == (None, 6)
    with pytest.raises(StorageUnavailable, match="r_1 is not projected up to 3"):
        await journal.project(posts("r_1", 4, 6))
    await journal.project(posts("r_1", 1, 3))
    await journal.project(posts("r_1", 4, 6))
    snapshot = await journal.load_room("r_1")
    assert snapshot is not None
    assert snapshot.room is not None
    assert snapshot.room.applied_seq == 6


async def test_an_append_with_a_lowest_or_highest_seq_is_a_conflict_like_any_other(pool: PostgresPool) -> None:
    """No arithmetic overflows on its way."""
    journal = PostgresJournal(pool)
    for seq in (-(2**63), 2**63 - 1, 0):
        with pytest.raises(Conflict) as caught:
            await journal.append([appended(replace(a_change("r_1", seq), ts=0))])
        assert caught.value.kind == "seq"
