"""The journal in a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import asyncpg
import trio

from storage.conflicts import find_conflict
from storage.errors import Conflict, StorageUnavailable, Unstorable
from storage.net_changes import NetChanges
from storage.postgres import statements as sql
from storage.postgres.connection import Connection
from storage.postgres.keeping import rooms_keeping
from storage.postgres.pool import PostgresPool
from storage.postgres.projections import apply, apply_guarded, no_fault
from storage.postgres.rows import columns_of, entry_of, item_of, message_of, sent_of, snapshot_of
from storage.records import Append, Entry, ItemRecord, MessageRecord, RoomSnapshot, Sent

MAX_SEQ = 2**63 - 1

FAULT_POINTS = ("before_entries", "after_entries", "before_projections", "before_commit", "after_commit")
"""Where a test may have the process end in the middle of an append."""


class PostgresJournal:
    """The `Journal` port over a `PostgresPool`."""

    __slots__ = ("_fault", "_pool")

    def __init__(self, pool: PostgresPool, *, fault: Callable[[str], None] = no_fault) -> None:
        """Take the pool; `fault` is called with each of FAULT_POINTS while an append passes it."""
        self._pool = pool
        self._fault = fault

    async def append(self, appends: Sequence[Append]) -> None:
        """Commit all of it durably, or nothing; a caller that is cancelled cannot know which."""
        if not appends:
            await trio.lowlevel.checkpoint()
            return
        entries = _in_order(appends)
        net = NetChanges(appends)

        async def write(connection: Connection) -> None:
            self._fault("before_entries")
            await _insert(connection, appends, entries)
            self._fault("after_entries")
            self._fault("before_projections")
            await apply(connection, net)
            self._fault("before_commit")

        await self._pool.write(write)
        self._fault("after_commit")

    async def load_room(self, room: str) -> RoomSnapshot | None:
        """Return row, members, held items and head of one room, read in one statement.

        An append that was cancelled or ran into its deadline may still be under way; it is waited for.
        """
        await self._pool.settle()
        rows = await self._pool.fetch(sql.LOAD_ROOM, room)
        return snapshot_of(room, rows[0]) if rows else None

    async def project(self, append: Append, *, repair: bool = False) -> None:
        """Write the projections of entries that are committed already: always current here, unless `repair` says no.

        Raises StorageUnavailable if those of the entries before them are not.
        """

        async def write(connection: Connection) -> None:
            if repair:
                await apply(connection, NetChanges([append]))
            elif await apply_guarded(connection, [append]):
                raise StorageUnavailable(f"{append.room} is not projected up to {append.entries[0].seq - 1}")

        await self._pool.write(write)

    async def behind(self) -> list[str]:
        """Return no room: entries and projections are one transaction."""
        await trio.lowlevel.checkpoint()
        return []

    async def rooms(self, *, after: str = "", limit: int) -> list[str]:
        """Return the first `limit` rooms that have entries, by id, above `after`."""
        rows = await self._pool.fetch(sql.ROOMS, after, max(limit, 0))
        return [cast("str", row[0]) for row in rows]

    async def read(self, room: str, *, after: int, upto: int | None = None, limit: int) -> list[Entry]:
        """Return entries with `after < seq <= upto`, ascending, the first `limit` of them."""
        top = MAX_SEQ if upto is None else upto
        rows = await self._pool.fetch(sql.ENTRIES_AFTER, room, after, top, max(limit, 0))
        return [entry_of(row) for row in rows]

    async def read_back(self, room: str, *, before: int | None = None, limit: int) -> list[Entry]:
        """Return the last `limit` entries with `seq < before`, ascending."""
        top = MAX_SEQ if before is None else max(before, 1) - 1
        rows = await self._pool.fetch(sql.ENTRIES_UPTO, room, top, max(limit, 0))
        return [entry_of(row) for row in reversed(rows)]

    async def find_sent(self, room: str, keys: Sequence[tuple[str, str]]) -> list[Sent]:
        """Return what is remembered of the posts under these keys, those of an append still under way included."""
        await self._pool.settle()
        asked = list(dict.fromkeys(keys))
        rows = await self._pool.fetch(sql.SENT, room, [sender for sender, _ in asked], [key for _, key in asked])
        return [sent_of(row) for row in rows]

    async def written_in(self, rooms: Sequence[str], sender: str) -> list[str]:
        """Return those of these rooms that have posts by this sender."""
        rows = await self._pool.fetch(sql.WRITTEN_IN, list(dict.fromkeys(rooms)), sender)
        return [cast("str", row[0]) for row in rows]

    async def rewrite(self, entries: Sequence[Entry]) -> None:
        """Replace body and digest of entries that are there, but not of those whose text was trimmed."""
        rows = sorted((entry.room, entry.seq, entry.body, entry.digest) for entry in entries)

        async def write(connection: Connection) -> None:
            await connection.executemany(sql.REWRITE, rows)

        if rows:
            await self._pool.write(write)

    async def message(self, message: str) -> MessageRecord | None:
        """Return one message by id, tombstones included."""
        found = await self.messages_by_id([message])
        return found[0] if found else None

    async def messages_by_id(self, ids: Sequence[str]) -> list[MessageRecord]:
        """Return the messages with these ids; unknown ids are left out."""
        rows = await self._pool.fetch(sql.MESSAGES_BY_ID, list(dict.fromkeys(ids)))
        return [message_of(row) for row in rows]

    async def messages(
        self, room: str, *, before: int | None = None, after: int | None = None, upto: int | None = None, limit: int
    ) -> list[MessageRecord]:
        """Return the last `limit` messages below `before`, or the first above `after`, ascending by creation seq."""
        if before is not None and after is not None:
            raise ValueError("give before or after, not both")
        top = MAX_SEQ if upto is None else upto
        if after is not None:
            rows = await self._pool.fetch(sql.MESSAGES_AFTER, room, after, top, max(limit, 0))
            return [message_of(row) for row in rows]
        if before is not None:
            top = min(top, max(before, 1) - 1)
        rows = await self._pool.fetch(sql.MESSAGES_UPTO, room, top, max(limit, 0))
        return [message_of(row) for row in reversed(rows)]

    async def latest_messages(self, places: Sequence[tuple[str, int | None]]) -> list[MessageRecord]:
        """Return the newest message of each room, or the newest at or below a seq."""
        asked = list(dict.fromkeys(places))
        tops = [MAX_SEQ if upto is None else upto for _, upto in asked]
        rows = await self._pool.fetch(sql.LATEST_MESSAGES, [room for room, _ in asked], tops)
        return [message_of(row) for row in rows]

    async def items_by_key(self, room: str, keys: Sequence[tuple[str, str]]) -> list[ItemRecord]:
        """Return the items of a room with these (kind, key), after an append still under way."""
        await self._pool.settle()
        asked = list(dict.fromkeys(keys))
        rows = await self._pool.fetch(sql.ITEMS_BY_KEY, room, [kind for kind, _ in asked], [key for _, key in asked])
        return [item_of(row) for row in rows]

    async def rooms_keeping(self, rooms: Sequence[str], items: Sequence[tuple[str, str]]) -> list[str]:
        """Return those of these rooms that have an item of one of these (kind, beginning of the key)."""
        return await rooms_keeping(self._pool, rooms, items)

    async def due(self, *, room: str | None = None, before: int, limit: int) -> list[ItemRecord]:
        """Return the first `limit` timers with `due_at <= before`, of one room or of all."""
        if room is None:
            rows = await self._pool.fetch(sql.DUE, before, max(limit, 0))
        else:
            rows = await self._pool.fetch(sql.DUE_OF_ROOM, before, max(limit, 0), room)
        return [item_of(row) for row in rows]


def _in_order(appends: Sequence[Append]) -> list[Entry]:
    """Return all entries by room and seq: two writers that want the same ones wait for each other, not in a circle."""
    for append in appends:
        for entry in append.entries:
            if entry.room != append.room:
                raise Unstorable(f"an entry of {entry.room} in an append of {append.room}")
    return sorted((entry for append in appends for entry in append.entries), key=lambda entry: (entry.room, entry.seq))


def _first_seqs(appends: Sequence[Append]) -> dict[str, int] | None:
    """Return where each room's appends begin; None if some do not build on each other."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for append in appends:
        for entry in append.entries:
            first.setdefault(append.room, entry.seq)
            if entry.seq != last.get(append.room, entry.seq - 1) + 1 or entry.seq < 1:
                return None
            last[append.room] = entry.seq
    return first


async def _insert(connection: Connection, appends: Sequence[Append], entries: list[Entry]) -> None:
    if not entries:
        return
    first = _first_seqs(appends)
    tag = ""
    if first is not None:
        try:
            tag = await connection.execute(
                sql.INSERT_ENTRIES, *columns_of(Entry, entries), list(first.keys()), list(first.values())
            )
        except asyncpg.UniqueViolationError as error:
            raise await _explain(connection, appends) from error
    if tag != f"INSERT 0 {len(entries)}":
        raise await _explain(connection, appends)


async def _explain(connection: Connection, appends: Sequence[Append]) -> Conflict | StorageUnavailable:
    # What was inserted is undone first: the guilty one is found by comparing with what others have committed.
    await connection.execute("ROLLBACK")
    rooms = list({append.room for append in appends})
    heads = {row[0]: cast("int | None", row[1]) or 0 for row in await connection.fetch(sql.HEADS, rooms)}
    keys = [
        (entry.room, entry.sender, entry.client_msg_id)
        for append in appends
        for entry in append.entries
        if entry.sender is not None and entry.client_msg_id is not None
    ]
    columns = [[key[place] for key in keys] for place in range(3)]
    sent = {tuple(row) for row in await connection.fetch(sql.ALREADY_SENT, *columns)}
    conflict = find_conflict(
        appends, head_of=lambda room: heads[room], is_sent=lambda room, sender, key: (room, sender, key) in sent
    )
    return conflict or StorageUnavailable("another writer was at the same rooms: nothing was written, try again")
