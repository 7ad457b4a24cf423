"""Writes projections: the rows of rooms, members, messages, items and read markers that entries amount to.

`apply` writes them whatever is there. `apply_guarded` is for a store whose journal is another database, where writing
them may be late, repeated or tried by two at once: it writes where they are due and nowhere else. Both run inside the
caller's transaction. Rows go in the order of their keys, so that two who write the same ones never wait in a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import cast

from storage.listing import prefix_end
from storage.net_changes import NetChanges
from storage.postgres import statements as sql
from storage.postgres.connection import Connection
from storage.postgres.rows import columns_of
from storage.records import TRIMMED, Append, ItemRecord, MemberRecord, MessageRecord, ReadMark, RoomRecord

LOCK_ROUNDS = 3


def no_fault(_: str) -> None:
    """Do nothing: where a test has the process end."""


async def apply(connection: Connection, net: NetChanges) -> None:
    """Write all of it, in one round trip unless something is dropped."""
    await _drop(connection, net)
    members, messages, items, marks, rooms = _members(net), _messages(net), _items(net), _marks(net), _rooms(net)
    if items or marks:
        await connection.execute(
            sql.PUT_ALL_WITH_ITEMS,
            *columns_of(MemberRecord, members),
            *columns_of(MessageRecord, messages),
            *columns_of(ItemRecord, items),
            *columns_of(ReadMark, marks),
            *columns_of(RoomRecord, rooms),
        )
    elif members or messages:
        await connection.execute(
            sql.PUT_ALL,
            *columns_of(MemberRecord, members),
            *columns_of(MessageRecord, messages),
            *columns_of(RoomRecord, rooms),
        )
    elif rooms:
        await connection.execute(sql.PUT_ROOMS, *columns_of(RoomRecord, rooms))


async def apply_guarded(
    connection: Connection, appends: Sequence[Append], *, fault: Callable[[str], None] = no_fault
) -> list[str]:
    """Write what is due, and return the rooms that are not: their row is older than the entry before their appends.

    A room's appends stand in the order of their entries. Those that its row has seen are skipped; one that it has seen
    in part is written whole, for a change is a whole row as of the append's end. `fault` is called with
    "before_members" and "before_rooms".
    """
    applied = await _lock(connection, appends)
    due: list[Append] = []
    holes: dict[str, None] = {}
    for append in appends:
        seen = applied[append.room]
        if append.entries[-1].seq <= seen:
            continue
        if append.room in holes or append.entries[0].seq > seen + 1:
            holes[append.room] = None
            continue
        applied[append.room] = append.entries[-1].seq
        due.append(append)
    net = NetChanges(due)
    fault("before_members")
    await _drop(connection, net)
    if members := _members(net):
        await connection.execute(sql.PUT_MEMBERS, *columns_of(MemberRecord, members))
    if messages := _messages(net):
        await connection.execute(sql.PUT_MESSAGES, *columns_of(MessageRecord, messages))
    if items := _items(net):
        await connection.execute(sql.PUT_ITEMS, *columns_of(ItemRecord, items))
    if marks := _marks(net):
        await connection.execute(sql.MOVE_READ_MARKS, *columns_of(ReadMark, marks))
    fault("before_rooms")
    if rooms := _rooms(net):
        await connection.execute(sql.PUT_ROOMS, *columns_of(RoomRecord, rooms))
    return list(holes)


async def read_mark(connection: Connection) -> int:
    """Return the commit up to which everything is projected; 0 before the first."""
    row = await connection.fetchrow(sql.MARK)
    return 0 if row is None else cast("int", row[0])


async def move_mark(connection: Connection, committed: int) -> None:
    """Move the mark forward to this commit; a mark that is there already stays."""
    await connection.execute(sql.MOVE_MARK, committed)


async def _lock(connection: Connection, appends: Iterable[Append]) -> dict[str, int]:
    """Lock the rows of these rooms and return their `applied_seq`; 0 for those that have no row.

    A row that is not there cannot be locked, so one that is due is claimed: whoever inserts it has it, and whoever else
    wants to finds it when the first is done.
    """
    last = {append.room: append for append in appends}
    first = {append.room: append.entries[0].seq for append in reversed(list(appends))}
    applied = dict.fromkeys(last, 0)
    for _ in range(LOCK_ROUNDS):
        rows = await connection.fetch(sql.LOCK_ROOMS, sorted(last))
        found = {cast("str", row[0]): cast("int", row[1]) for row in rows}
        new = NetChanges([last[room] for room in sorted(last) if room not in found and first[room] == 1])
        if not new.rooms:
            return applied | found
        claimed = await connection.fetch(sql.CLAIM_ROOMS, *columns_of(RoomRecord, _rooms(new)))
        if len(claimed) == len(new.rooms):
            return applied | found
    raise RuntimeError("rooms come and go while they are projected")


async def _drop(connection: Connection, net: NetChanges) -> None:
    if net.swept or net.trimmed:
        await _sweep_and_trim(connection, net)
    members = sorted(key for key, member in net.members.items() if member is None)
    messages = sorted((key,) for key, message in net.messages.items() if message is None)
    if members:
        await connection.executemany(sql.DELETE_MEMBER, members)
    if messages:
        await connection.executemany(sql.DELETE_MESSAGE, messages)
    if items := sorted(key for key, item in net.items.items() if item is None):
        await connection.executemany(sql.DELETE_ITEM, items)


async def _sweep_and_trim(connection: Connection, net: NetChanges) -> None:
    swept = sorted((sweep.room, sweep.kind, sweep.prefix) for sweep in net.swept)
    bounded = [(*sweep, end) for sweep in swept if (end := prefix_end(sweep[2])) is not None]
    if bounded:
        await connection.executemany(sql.SWEEP_BETWEEN, bounded)
    if unbounded := [sweep for sweep in swept if prefix_end(sweep[2]) is None]:
        await connection.executemany(sql.SWEEP_FROM, unbounded)
    if net.trimmed:
        await connection.executemany(sql.TRIM, [(*trim, TRIMMED) for trim in sorted(net.trimmed.items())])


def _members(net: NetChanges) -> list[MemberRecord]:
    return [member for _, member in sorted(net.members.items()) if member is not None]


def _messages(net: NetChanges) -> list[MessageRecord]:
    return [message for _, message in sorted(net.messages.items()) if message is not None]


def _items(net: NetChanges) -> list[ItemRecord]:
    return [item for _, item in sorted(net.items.items()) if item is not None]


def _marks(net: NetChanges) -> list[ReadMark]:
    return [mark for _, mark in sorted(net.marks.items())]


def _rooms(net: NetChanges) -> list[RoomRecord]:
    return [room for _, room in sorted(net.rooms.items())]
