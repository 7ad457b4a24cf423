"""Writing projections late, twice, or by two at once: where they are due and nowhere else."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
import trio
from msgspec.structs import replace

from storage.net_changes import NetChanges
from storage.postgres import PostgresDirectory, PostgresJournal, PostgresPool
from storage.postgres import statements as sql
from storage.postgres.connection import Connection, Row
from storage.postgres.projections import apply, apply_guarded, move_mark, read_mark
from storage.records import (
    TRIMMED,
    Append,
    Change,
    DropItem,
    DropItems,
    DropMember,
    PutItem,
    PutMark,
    PutMember,
    PutRoom,
    ReadMark,
    RoomRecord,
    Trim,
)
from tests.storage.postgres.waiting import until_waiting
from tests.storage.samples import a_change, a_member, a_post, a_room, an_item, appended, joined, posts


async def project(pool: PostgresPool, *appends: Append) -> list[str]:
    """Write what is due and return the rooms with a hole."""
    return await pool.write(partial(apply_guarded, appends=appends))


async def applied(pool: PostgresPool, room: str = "r_1") -> int | None:
    """Return the seq that a room's row is at."""
    row = await PostgresDirectory(pool).room(room)
    return None if row is None else row.applied_seq


async def members(pool: PostgresPool, room: str = "r_1") -> list[str]:
    """Return the members of a room."""
    page = await PostgresDirectory(pool).members(room, cursor=None, limit=100)
    return [member.user for member in page.items]


async def test_a_new_room_is_projected_from_its_first_entry(pool: PostgresPool) -> None:
    """There is no row to compare with, and none is needed."""
    assert await project(pool, joined("r_1", 1, "u_1"), posts("r_2", 1, 3)) == []
    assert (await applied(pool), await applied(pool, "r_2")) == (1, 3)
    assert await members(pool) == ["u_1"]
    assert len(await PostgresJournal(pool).messages("r_2", limit=9)) == 3


async def test_a_room_that_is_behind_is_brought_forward(pool: PostgresPool) -> None:
    """By one append or by several in a row."""
    await project(pool, joined("r_1", 1, "u_1"))
    assert await project(pool, joined("r_1", 2, "u_2"), joined("r_1", 3, "u_3")) == []
    assert await applied(pool) == 3
    assert await members(pool) == ["u_1", "u_2", "u_3"]


async def test_a_room_that_is_current_or_ahead_is_left_as_it_is(pool: PostgresPool) -> None:
    """What comes late or twice changes nothing."""
    first, second = joined("r_1", 1, "u_1"), joined("r_1", 2, "u_2")
    leaves = appended(a_change("r_1", 3), changes=(DropMember("r_1", "u_1"),))
    await project(pool, first, second, leaves)
    for late in ([first], [first, second], [second], [first, second, leaves]):
        assert await project(pool, *late) == []
        assert await applied(pool) == 3
        assert await members(pool) == ["u_2"]


async def test_of_appends_that_are_known_in_part_the_rest_is_written(pool: PostgresPool) -> None:
    """Whether the line is between two appends or within one."""
    await project(pool, joined("r_1", 1, "u_1"), joined("r_1", 2, "u_2"))
    straddling = appended(
        a_change("r_1", 2), a_change("r_1", 3), changes=(DropMember("r_1", "u_1"), PutMember(a_member(user="u_3")))
    )
    assert await project(pool, joined("r_1", 1, "u_9"), straddling, joined("r_1", 4, "u_4")) == []
    assert await applied(pool) == 4
    assert await members(pool) == ["u_2", "u_3", "u_4"]


async def test_a_hole_is_reported_and_nothing_is_written_over_it(pool: PostgresPool) -> None:
    """Other rooms are written all the same, and so is what comes before the hole."""
    await project(pool, joined("r_1", 1, "u_1"))
    holes = await project(
        pool,
        *(joined("r_1", 3, "u_3"), joined("r_1", 4, "u_4")),
        joined("r_2", 2, "u_2"),
        *(joined("r_3", 1, "u_1"), joined("r_3", 3, "u_3")),
        joined("r_4", 1, "u_1"),
    )
    assert holes == ["r_1", "r_2", "r_3"]
    assert [await applied(pool, f"r_{number}") for number in (1, 2, 3, 4)] == [1, None, 1, 1]
    assert [await members(pool, f"r_{number}") for number in (1, 2, 3, 4)] == [["u_1"], [], ["u_1"], ["u_1"]]


async def test_nothing_due_is_nothing_written(pool: PostgresPool) -> None:
    """No appends at all, too."""
    assert await project(pool) == []
    assert await applied(pool) is None


@pytest.mark.parametrize("known", [False, True], ids=["a new room", "a known room"])
async def test_who_is_late_waits_for_the_other_and_changes_nothing(pool: PostgresPool, known: bool) -> None:
    """Two who project at once look at the row one after the other, also where there was none to lock."""
    first = 2 if known else 1
    if known:
        await project(pool, joined("r_1", 1, "u_1"))
    older = joined("r_1", first, "u_old")
    newer = appended(a_change("r_1", first), a_change("r_1", first + 1), changes=(PutMember(a_member(user="u_new")),))
    written, may_commit = trio.Event(), asyncio.Event()

    async def write_slowly(connection: Connection) -> None:
        await apply_guarded(connection, [newer])
        written.set()
        await may_commit.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.write, write_slowly)
        await written.wait()
        nursery.start_soon(project, pool, older)
        await until_waiting(pool, 1)
        may_commit.set()
    assert await applied(pool) == first + 1
    assert await members(pool) == (["u_1"] if known else []) + ["u_new"]


async def test_a_fault_in_between_leaves_nothing(pool: PostgresPool) -> None:
    """Members, rooms and the mark are one transaction."""
    passed: list[str] = []

    def fault(point: str) -> None:
        passed.append(point)
        if point == "before_rooms":
            raise KeyError(point)

    async def write(connection: Connection) -> None:
        await move_mark(connection, 7)
        await apply_guarded(connection, [joined("r_1", 1, "u_1")], fault=fault)

    with pytest.raises(KeyError):
        await pool.write(write)
    assert passed == ["before_members", "before_rooms"]
    assert await applied(pool) is None
    assert await members(pool) == []
    assert await pool.read(read_mark) == 0


async def test_the_mark_never_moves_back(pool: PostgresPool) -> None:
    """Who is late has nothing to say."""
    assert await pool.read(read_mark) == 0
    for committed, expected in ((5, 5), (3, 5), (5, 5), (2**62, 2**62)):
        await pool.write(partial(move_mark, committed=committed))
        assert await pool.read(read_mark) == expected


async def test_unguarded_writing_replaces_whatever_is_there(pool: PostgresPool) -> None:
    """A repair, and what belongs to entries of the same transaction."""
    await project(pool, joined("r_1", 5 - 4, "u_1"), posts("r_1", 2, 5))
    mended: RoomRecord = replace(a_room("r_1", seq=3), topic="mended")
    net = NetChanges([Append("r_1", (), (DropMember("r_1", "u_1"), PutRoom(mended)))])
    await pool.write(partial(apply, net=net))
    assert await PostgresDirectory(pool).room("r_1") == mended
    assert await members(pool) == []


class Counted:
    """A connection that notes its statements; each is a round trip."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.statements: list[str] = []

    async def execute(self, query: str, *args: object) -> str:
        """Note it and run it."""
        self.statements.append(query)
        return await self._connection.execute(query, *args)

    async def executemany(self, command: str, args: list[Row]) -> None:
        """Note it and run it."""
        self.statements.append(command)
        await self._connection.executemany(command, args)


PIN = PutItem(an_item("a"))

COSTS: tuple[tuple[tuple[Change, ...], list[str]], ...] = (
    ((), [sql.PUT_ALL]),
    ((PutMember(a_member()),), [sql.PUT_ALL]),
    ((PIN, PutMember(a_member())), [sql.PUT_ALL_WITH_ITEMS]),
    ((PutMark(ReadMark("u_1", "r_1", 1, 1)),), [sql.PUT_ALL_WITH_ITEMS]),
    ((DropItem("r_1", "pin", "b"), PIN), [sql.DELETE_ITEM, sql.PUT_ALL_WITH_ITEMS]),
    ((DropItems("r_1", "pin", "b"), DropItems("r_1", "ban", "b")), [sql.SWEEP_BETWEEN, sql.PUT_ALL]),
    ((DropItems("r_1", "pin", ""), Trim("r_1", 0)), [sql.SWEEP_FROM, sql.TRIM, sql.PUT_ALL]),
)


@pytest.mark.parametrize(("changes", "expected"), COSTS)
async def test_items_cost_what_they_do_and_posts_nothing_more(
    pool: PostgresPool, changes: tuple[Change, ...], expected: list[str]
) -> None:
    """However many posts share a commit they are written in one round trip, and with what they put so they stay."""

    async def write(connection: Connection) -> list[str]:
        counted = Counted(connection)
        await apply(counted, NetChanges([appended(a_post("r_1", 1), changes=changes), posts("r_2", 1, 3)]))  # type: ignore[arg-type]
        return counted.statements

    assert await pool.write(write) == expected


async def test_a_guarded_room_gets_its_items_with_everything_else(pool: PostgresPool) -> None:
    """They are written where they are due and nowhere else, before the row that says so."""
    held = [an_item(key, held=True) for key in "abc"]
    await project(pool, appended(a_change("r_1", 1), changes=tuple(map(PutItem, held[:2]))))
    late = appended(a_change("r_1", 1), changes=(DropItems("r_1", "pin", ""),))
    hole = appended(a_change("r_1", 3), changes=(PutItem(held[2]),))
    assert await project(pool, late, hole) == ["r_1"]
    second = appended(a_change("r_1", 2), changes=(DropItem("r_1", "pin", "a"), PutItem(held[2])))
    assert await project(pool, late, second) == []
    snapshot = await PostgresJournal(pool).load_room("r_1")
    assert snapshot is not None
    assert snapshot.items == (held[1], held[2])


async def test_a_trim_writes_nothing_twice(pool: PostgresPool) -> None:
    """Each day's trim costs as much as that day brought, however long the room's history is."""
    await PostgresJournal(pool).append([posts("r_1", 1, 100)])

    async def trim(connection: Connection) -> list[str]:
        return [await connection.execute(sql.TRIM, "r_1", upto, TRIMMED) for upto in (90, 90, 80, 92, 92)]

    assert await pool.write(trim) == [f"UPDATE {entries}" for entries in (90, 0, 0, 2, 0)]
