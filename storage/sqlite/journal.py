"""The journal in a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import trio
from msgspec.structs import astuple

from storage.conflicts import find_conflict
from storage.errors import Conflict, Unstorable
from storage.listing import prefix_end
from storage.net_changes import NetChanges
from storage.records import Append, Entry, ItemRecord, MessageRecord, RoomSnapshot, Sent
from storage.sqlite import statements as sql
from storage.sqlite.database import Database
from storage.sqlite.projections import apply
from storage.sqlite.rows import Row, bound, entry_of, item_of, member_of, message_of, room_of, sent_of
from storage.storable import check_items

MAX_SEQ = 2**63 - 1
UNIQUE = (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE)


class SqliteJournal:
    """The `Journal` port over a `Database`."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, appends: Sequence[Append]) -> None:
        """Commit all of it durably, or nothing; a caller that is cancelled cannot know which."""
        rows = _rows_of(appends)
        check_items(change for append in appends for change in append.changes)
        net = NetChanges(appends)

        def write(connection: sqlite3.Connection) -> None:
            _insert(connection, rows, appends)
            apply(connection, net)

        await self._database.write(write)

    async def load_room(self, room: str) -> RoomSnapshot | None:
        """Return row, members, held items and head of one room, read in one transaction.

        An append that was cancelled or ran into its deadline may still be under way; it is waited for.
        """
        await self._database.settle()

        def read(connection: sqlite3.Connection) -> RoomSnapshot | None:
            row = connection.execute(sql.ROOM, (room,)).fetchone()
            head = _head(connection, room)
            if row is None and not head:
                return None
            members = connection.execute(sql.ALL_MEMBERS, (room,)).fetchall()
            held = connection.execute(sql.HELD_ITEMS, (room,)).fetchall()
            return RoomSnapshot(
                room=None if row is None else room_of(row),
                members=tuple(map(member_of, members)),
                head_seq=head,
                items=tuple(map(item_of, held)),
            )

        return await self._database.read(read, snapshot=True)

    async def project(self, append: Append, *, repair: bool = False) -> None:
        """Write the projections of entries that are committed already: always current here, unless `repair` says no."""
        check_items(append.changes)
        net = NetChanges([append])
        last_seq = append.entries[-1].seq

        def write(connection: sqlite3.Connection) -> None:
            row = connection.execute(sql.ROOM, (append.room,)).fetchone()
            if repair or row is None or room_of(row).applied_seq < last_seq:
                apply(connection, net)

        await self._database.write(write)

    async def behind(self) -> list[str]:
        """Return no room: entries and projections are one transaction."""
        await trio.lowlevel.checkpoint()
        return []

    async def rooms(self, *, after: str = "", limit: int) -> list[str]:
        """Return the first `limit` rooms that have entries, by id, above `after`."""
        rows = await self._fetch(sql.ROOMS, (after, max(limit, 0)))
        return [str(room) for (room,) in rows]

    async def read(self, room: str, *, after: int, upto: int | None = None, limit: int) -> list[Entry]:
        """Return entries with `after < seq <= upto`, ascending, the first `limit` of them."""
        bounds = (room, after, MAX_SEQ if upto is None else upto, max(limit, 0))
        rows = await self._fetch(sql.ENTRIES_AFTER, bounds)
        return [entry_of(row) for row in rows]

    async def read_back(self, room: str, *, before: int | None = None, limit: int) -> list[Entry]:
        """Return the last `limit` entries with `seq < before`, ascending."""
        top = MAX_SEQ if before is None else max(before, 1) - 1
        rows = await self._fetch(sql.ENTRIES_UPTO, (room, top, max(limit, 0)))
        return [entry_of(row) for row in reversed(rows)]

    async def find_sent(self, room: str, keys: Sequence[tuple[str, str]]) -> list[Sent]:
        """Return what is remembered of the posts under these keys, those of an append still under way included."""
        await self._database.settle()

        def read(connection: sqlite3.Connection) -> list[Sent]:
            found = (connection.execute(sql.SENT, (room, *key)).fetchone() for key in dict.fromkeys(keys))
            return [sent_of(row) for row in found if row is not None]

        return await self._database.read(read, snapshot=True)

    async def written_in(self, rooms: Sequence[str], sender: str) -> list[str]:
        """Return those of these rooms that have posts by this sender."""

        def read(connection: sqlite3.Connection) -> list[str]:
            return [room for room in dict.fromkeys(rooms) if connection.execute(sql.WROTE, (room, sender)).fetchone()]

        return await self._database.read(read, snapshot=True)

    async def rewrite(self, entries: Sequence[Entry]) -> None:
        """Replace body and digest of entries that are there, but not of those whose text was trimmed."""
        rows = [(entry.body, entry.digest, entry.room, entry.seq) for entry in entries]
        await self._database.write(lambda connection: connection.executemany(sql.REWRITE, rows))

    async def message(self, message: str) -> MessageRecord | None:
        """Return one message by id, tombstones included."""
        rows = await self._fetch(sql.MESSAGE, (message,))
        return message_of(rows[0]) if rows else None

    async def messages_by_id(self, ids: Sequence[str]) -> list[MessageRecord]:
        """Return the messages with these ids; unknown ids are left out."""

        def read(connection: sqlite3.Connection) -> list[MessageRecord]:
            found = (connection.execute(sql.MESSAGE, (message,)).fetchone() for message in dict.fromkeys(ids))
            return [message_of(row) for row in found if row is not None]

        return await self._database.read(read, snapshot=True)

    async def messages(
        self, room: str, *, before: int | None = None, after: int | None = None, upto: int | None = None, limit: int
    ) -> list[MessageRecord]:
        """Return the last `limit` messages below `before`, or the first above `after`, ascending by creation seq."""
        if before is not None and after is not None:
            raise ValueError("give before or after, not both")
        top = MAX_SEQ if upto is None else upto
        if after is not None:
            rows = await self._fetch(sql.MESSAGES_AFTER, (room, after, top, max(limit, 0)))
            return [message_of(row) for row in rows]
        if before is not None:
            top = min(top, max(before, 1) - 1)
        rows = await self._fetch(sql.MESSAGES_UPTO, (room, top, max(limit, 0)))
        return [message_of(row) for row in reversed(rows)]

    async def latest_messages(self, places: Sequence[tuple[str, int | None]]) -> list[MessageRecord]:
        """Return the newest message of each room, or the newest at or below a seq."""

        def read(connection: sqlite3.Connection) -> list[MessageRecord]:
            asked = ((room, MAX_SEQ if upto is None else upto, 1) for room, upto in dict.fromkeys(places))
            found = (connection.execute(sql.MESSAGES_UPTO, values).fetchone() for values in asked)
            return [message_of(row) for row in found if row is not None]

        return await self._database.read(read, snapshot=True)

    async def items_by_key(self, room: str, keys: Sequence[tuple[str, str]]) -> list[ItemRecord]:
        """Return the items of a room with these (kind, key), after an append still under way."""
        await self._database.settle()

        def read(connection: sqlite3.Connection) -> list[ItemRecord]:
            found = (connection.execute(sql.ITEM, (room, *key)).fetchone() for key in dict.fromkeys(keys))
            return [item_of(row) for row in found if row is not None]

        return await self._database.read(read, snapshot=True)

    async def rooms_keeping(self, rooms: Sequence[str], items: Sequence[tuple[str, str]]) -> list[str]:
        """Return those of these rooms that have an item of one of these (kind, beginning of the key)."""
        wanted = [(kind, prefix, bound(prefix_end(prefix))) for kind, prefix in items]

        def read(connection: sqlite3.Connection) -> list[str]:
            def keeps(room: str) -> bool:
                return any(connection.execute(sql.KEEPS, (room, *one)).fetchone() for one in wanted)

            return [room for room in dict.fromkeys(rooms) if keeps(room)]

        return await self._database.read(read, snapshot=True)

    async def due(self, *, room: str | None = None, before: int, limit: int) -> list[ItemRecord]:
        """Return the first `limit` timers with `due_at <= before`, of one room or of all."""
        if room is None:
            rows = await self._fetch(sql.DUE, (before, max(limit, 0)))
        else:
            rows = await self._fetch(sql.DUE_OF_ROOM, (before, room, max(limit, 0)))
        return [item_of(row) for row in rows]

    async def _fetch(self, statement: str, values: Row) -> list[Row]:
        return await self._database.read(lambda connection: connection.execute(statement, values).fetchall())


def _rows_of(appends: Sequence[Append]) -> list[Row]:
    rows: list[Row] = []
    for append in appends:
        for entry in append.entries:
            if entry.room != append.room:
                raise Unstorable(f"an entry of {entry.room} in an append of {append.room}")
            rows.append(astuple(entry))
    return rows


def _insert(connection: sqlite3.Connection, rows: list[Row], appends: Sequence[Append]) -> None:
    if not _are_next(connection, appends):
        raise _explain(connection, appends)
    try:
        connection.executemany(sql.INSERT_ENTRY, rows)
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode not in UNIQUE:
            raise
        raise _explain(connection, appends) from error


def _are_next(connection: sqlite3.Connection, appends: Sequence[Append]) -> bool:
    """Tell whether each entry follows its predecessor; whether its own place is free is for the primary key to say."""
    heads: dict[str, int] = {}
    for append in appends:
        for entry in append.entries:
            before = entry.seq - 1
            head = heads.get(append.room)
            if head is None and before and connection.execute(sql.IS_ENTRY, (append.room, before)).fetchone() is None:
                return False
            if head not in (None, before):
                return False
            heads[append.room] = entry.seq
    return True


def _explain(connection: sqlite3.Connection, appends: Sequence[Append]) -> Conflict:
    # The state before: what was inserted so far is undone. The lock is taken again at once; should another writer have
    # come between, what it did is what we are in conflict with.
    connection.execute("ROLLBACK")
    connection.execute("BEGIN")

    def is_sent(room: str, sender: str, client_msg_id: str) -> bool:
        return connection.execute(sql.SENT, (room, sender, client_msg_id)).fetchone() is not None

    conflict = find_conflict(appends, head_of=lambda room: _head(connection, room), is_sent=is_sent)
    return conflict or Conflict("seq", room=appends[0].room)


def _head(connection: sqlite3.Connection, room: str) -> int:
    (head,) = connection.execute(sql.HEAD, (room,)).fetchone()
    return head or 0
