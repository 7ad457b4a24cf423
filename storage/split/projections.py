"""Writes what committed entries amount to: messages first, in MongoDB, then members, rooms and the mark, in PostgreSQL.

The room's row comes last because its `applied_seq` says that everything is there. All of it may be repeated, may come
late and may be tried by two processes at once: newer rows stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from storage.mongo.messages import Messages
from storage.net_changes import NetChanges
from storage.postgres import statements as sql
from storage.postgres.connection import Connection
from storage.postgres.pool import PostgresPool
from storage.postgres.projections import apply, apply_guarded, move_mark, read_mark
from storage.postgres.rows import snapshot_of
from storage.records import Append, Change, DropMessage, MemberRecord, PutMessage, RoomRecord

APPLIED = "SELECT id, applied_seq FROM rooms WHERE id = ANY ($1::text[])"


class Projections:
    """The rows in both databases."""

    __slots__ = ("_fault", "_messages", "_pool")

    def __init__(self, messages: Messages, pool: PostgresPool, *, fault: Callable[[str], None]) -> None:
        self._messages = messages
        self._pool = pool
        self._fault = fault

    async def write(self, appends: Sequence[Append], *, mark: int | None) -> list[str]:
        """Write what is due, and the mark; return the rooms that are not due because what is before them is missing.

        Raises StorageUnavailable when it is not known that all of it is written, Unstorable when it cannot be.
        """
        firsts: dict[str, int] = {}
        for append in appends:
            firsts.setdefault(append.room, append.entries[0].seq)
        messages = NetChanges(appends).messages.values()
        await self._messages.put([message for message in messages if message is not None], firsts=firsts)
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
        await self._messages.mend(NetChanges([append]).messages)
        net = NetChanges([_without_messages(append)])
        await self._pool.write(lambda connection: apply(connection, net))

    async def load(self, room: str) -> tuple[RoomRecord | None, tuple[MemberRecord, ...]]:
        """Return the row and the members of a room, as of one moment. Raises StorageUnavailable."""
        rows = await self._pool.fetch(sql.LOAD_ROOM, room)
        found = snapshot_of(room, rows[0]) if rows else None
        return (None, ()) if found is None else (found.room, found.members)

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
