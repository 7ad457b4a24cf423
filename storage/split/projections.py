"""Writes what committed entries amount to: in MongoDB first what is trimmed and then messages, in PostgreSQL the rest.

The room's row comes last because its `applied_seq` says that everything is there. All of it may be repeated, may come
late and may be tried by two processes at once: newer rows stay. Texts go before messages, so that an entry still has
its text for as long as its message is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from storage.mongo.messages import Messages
from storage.mongo.trims import Trims
from storage.net_changes import NetChanges
from storage.postgres import statements as sql
from storage.postgres.connection import Connection
from storage.postgres.keeping import rooms_keeping
from storage.postgres.pool import PostgresPool
from storage.postgres.projections import apply, apply_guarded, move_mark, read_mark
from storage.postgres.rows import item_of, snapshot_of
from storage.records import Append, Change, DropMessage, ItemRecord, PutMessage, RoomSnapshot

APPLIED = "SELECT id, applied_seq FROM rooms WHERE id = ANY ($1::text[])"


class Projections:
    """The rows in both databases."""

    __slots__ = ("_fault", "_messages", "_pool", "_trims")

    def __init__(self, messages: Messages, trims: Trims, pool: PostgresPool, *, fault: Callable[[str], None]) -> None:
        self._messages = messages
        self._trims = trims
        self._pool = pool
        self._fault = fault

    async def write(self, appends: Sequence[Append], *, mark: int | None) -> list[str]:
        """Write what is due, and the mark; return the rooms that are not due because what is before them is missing.

        Raises StorageUnavailable when it is not known that all of it is written, Unstorable when it cannot be.
        """
        firsts: dict[str, int] = {}
        for append in appends:
            firsts.setdefault(append.room, append.entries[0].seq)
        net = NetChanges(appends)
        for room, upto in net.trimmed.items():
            await self._trims.forget_texts(room, upto)
        self._fault("after_texts")
        for room, upto in net.trimmed.items():
            await self._trims.forget_messages(room, upto)
        self._fault("after_trim")
        messages = [message for message in net.messages.values() if message is not None]
        await self._messages.put(messages, firsts=firsts)
        self._fault("after_messages")
        rest = [_without_messages(append) for append in appends]

        async def write(connection: Connection) -> list[str]:
            holes = await apply_guarded(connection, rest, fault=self._fault)
            self._fault("before_mark")
            if mark is not None and not holes:
                await move_mark(connection, mark)
            self._fault("before_projection_commit")
            return holes

        return await self._pool.write(write)

    async def mend(self, append: Append) -> None:
        """Write all of it whatever is there. Raises as `write`."""
        whole = NetChanges([append])
        for room, upto in whole.trimmed.items():
            await self._trims.forget_texts(room, upto, wholly=True)
            await self._trims.forget_messages(room, upto)
        await self._messages.mend(whole.messages)
        net = NetChanges([_without_messages(append)])
        await self._pool.write(lambda connection: apply(connection, net))

    async def load(self, room: str) -> RoomSnapshot:
        """Return the row, the members and the held items of a room, as of one moment. Raises StorageUnavailable."""
        rows = await self._pool.fetch(sql.LOAD_ROOM, room)
        found = snapshot_of(room, rows[0]) if rows else None
        return found or RoomSnapshot(None, (), 0)

    async def items_by_key(self, room: str, keys: Sequence[tuple[str, str]]) -> list[ItemRecord]:
        """Return the items of a room with these (kind, key). Raises StorageUnavailable."""
        asked = list(dict.fromkeys(keys))
        rows = await self._pool.fetch(sql.ITEMS_BY_KEY, room, [kind for kind, _ in asked], [key for _, key in asked])
        return [item_of(row) for row in rows]

    async def rooms_keeping(self, rooms: Sequence[str], items: Sequence[tuple[str, str]]) -> list[str]:
        """Return those of these rooms that have an item of one of these kinds. Raises StorageUnavailable."""
        return await rooms_keeping(self._pool, rooms, items)

    async def due(self, *, room: str | None, before: int, limit: int) -> list[ItemRecord]:
        """Return the first `limit` timers with `due_at <= before`, of one room or of all. Raises StorageUnavailable."""
        if room is None:
            rows = await self._pool.fetch(sql.DUE, before, max(limit, 0))
        else:
            rows = await self._pool.fetch(sql.DUE_OF_ROOM, before, max(limit, 0), room)
        return [item_of(row) for row in rows]

    async def applied(self, rooms: Sequence[str]) -> dict[str, int]:
        """Return the seq up to which each of these rooms is projected; those that never were are left out."""
        rows = await self._pool.fetch(APPLIED, list(rooms))
        return dict(rows)  # type: ignore[arg-type]

    async def mark(self) -> int:
        """Return the commit up to which everything is projected. Raises StorageUnavailable."""
        return await self._pool.read(read_mark)


def _without_messages(append: Append) -> Append:
    changes: tuple[Change, ...] = tuple(
        change for change in append.changes if not isinstance(change, PutMessage | DropMessage)
    )
    return replace(append, changes=changes)
