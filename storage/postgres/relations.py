"""Contacts, blocks, pictures and read markers in a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from msgspec import Struct
from msgspec.structs import astuple

from storage.account_records import AvatarRecord, BlockRecord, ContactRecord, pair_of
from storage.errors import Conflict
from storage.listing import contacts_page, page_of
from storage.postgres import account_statements as sql
from storage.postgres.account_rows import avatar_of, block_of, contact_of, read_mark_of
from storage.postgres.connection import Connection
from storage.postgres.directory_statements import LOCK_USER, LOCK_USERS, SEEN
from storage.postgres.pool import PostgresPool
from storage.postgres.rows import columns_of
from storage.postgres.statements import MOVE_READ_MARKS
from storage.records import Page, ReadMark
from storage.storable import check, check_text, check_texts

LOCK = 0x4A757374_4C656176  # "JustLeav"


class PostgresRelations:
    """The `Relations` port over a `PostgresPool`."""

    __slots__ = ("_pool",)

    def __init__(self, pool: PostgresPool) -> None:
        self._pool = pool

    async def ask_contact(self, user: str, other: str, *, at: int, most: int | None = None) -> ContactRecord:
        """Ask somebody to be a contact, or accept what they asked. Raises Conflict `full` or `awaited`."""
        asked = ContactRecord(*pair_of(user, other), user, at)
        check(asked)

        async def write(connection: Connection) -> ContactRecord:
            if most is not None:
                # What both have is counted, so that others who would change it wait.
                await connection.execute(LOCK_USERS, [user, other])
            (row,) = await connection.fetch(sql.ASK_CONTACT, *astuple(asked))
            contact = contact_of(row)
            if most is not None:
                await _expect(connection, sql.CONTACTS_MADE, user, most=most, or_else="full")
                if contact.asked_by == user:
                    await _expect(connection, sql.CONTACTS_AWAITING, other, most=most, or_else="awaited")
            return contact

        return await self._pool.write(write)

    async def contact(self, user: str, other: str) -> ContactRecord | None:
        """Return what two people are to each other."""
        rows = await self._pool.fetch(sql.CONTACT, min(user, other), max(user, other))
        return contact_of(rows[0]) if rows else None

    async def drop_contact(self, user: str, other: str) -> bool:
        """Be contacts no longer, take a request back or reject one."""
        return await self._write(sql.DROP_CONTACT, min(user, other), max(user, other)) != "DELETE 0"

    async def contacts_of(self, user: str, *, cursor: str | None, limit: int) -> Page[ContactRecord]:
        """Return a user's contacts and requests, by the other's id."""
        rows = await self._pool.fetch(sql.CONTACTS_OF, user, cursor or "", max(limit, 0) + 1)
        return contacts_page(user, [contact_of(row) for row in rows], limit)

    async def all_contacts(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[ContactRecord]:
        """Return the first `limit` contacts and requests by `low` and `high`, above these."""
        return [contact_of(row) for row in await self._pool.fetch(sql.ALL_CONTACTS, *after, max(limit, 0))]

    async def put_contacts(self, contacts: Sequence[ContactRecord]) -> None:
        """Store contacts just as they are."""
        await self._put(sql.PUT_CONTACT, contacts)

    async def block(self, user: str, other: str, *, at: int, most: int | None = None) -> bool:
        """Have `user` block `other`; they are contacts no longer. Raises Conflict `full`."""
        block = BlockRecord(user, other, at)
        check(block)

        async def write(connection: Connection) -> bool:
            if most is not None:
                await connection.execute(LOCK_USER, user)
            await connection.execute(sql.DROP_CONTACT, min(user, other), max(user, other))
            is_new = await connection.execute(sql.BLOCK, *astuple(block)) == "INSERT 0 1"
            if is_new and most is not None:
                await _expect(connection, sql.BLOCKS_MADE, user, most=most, or_else="full")
            return is_new

        return await self._pool.write(write)

    async def unblock(self, user: str, other: str) -> bool:
        """Lift a block."""
        return await self._write(sql.UNBLOCK, user, other) != "DELETE 0"

    async def blocks_of(self, user: str, *, cursor: str | None, limit: int) -> Page[tuple[str, int]]:
        """Return whom a user blocks and since when, by id."""
        rows = await self._pool.fetch(sql.BLOCKS_OF, user, cursor or "", max(limit, 0) + 1)
        return page_of([cast("tuple[str, int]", tuple(row)) for row in rows], limit, lambda block: block[0])

    async def blocked_by(self, user: str, others: Sequence[str]) -> list[str]:
        """Return which of these block the user."""
        rows = await self._pool.fetch(sql.BLOCKED_BY, user, list(dict.fromkeys(others)))
        return [cast("str", row[0]) for row in rows]

    async def all_blocks(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[BlockRecord]:
        """Return the first `limit` blocks by `user` and `other`, above these."""
        return [block_of(row) for row in await self._pool.fetch(sql.ALL_BLOCKS, *after, max(limit, 0))]

    async def put_blocks(self, blocks: Sequence[BlockRecord]) -> None:
        """Store blocks just as they are."""
        await self._put(sql.PUT_BLOCK, blocks)

    async def put_avatar(self, avatar: AvatarRecord) -> None:
        """Store a user's picture in place of the one before."""
        await self._put(sql.PUT_AVATAR, [avatar])

    async def avatar(self, user: str) -> AvatarRecord | None:
        """Return a user's picture."""
        rows = await self._pool.fetch(sql.AVATAR, user)
        return avatar_of(rows[0]) if rows else None

    async def drop_avatar(self, user: str) -> None:
        """Delete a user's picture."""
        await self._write(sql.DROP_AVATAR, user)

    async def all_avatars(self, *, after: str = "", limit: int) -> list[AvatarRecord]:
        """Return the first `limit` pictures by user, above `after`."""
        return [avatar_of(row) for row in await self._pool.fetch(sql.ALL_AVATARS, after, max(limit, 0))]

    async def drop_relations(self, user: str) -> None:
        """Delete all contacts and blocks of a user, in both directions, their picture and their read markers."""
        check_text(user)

        async def write(connection: Connection) -> None:
            await connection.fetch(sql.ONE_AT_A_TIME, LOCK)
            for statement in (
                sql.DROP_CONTACTS_ABOVE,
                sql.DROP_CONTACTS_BELOW,
                sql.DROP_BLOCKS_OF,
                sql.DROP_BLOCKS_ON,
                sql.DROP_AVATAR,
                sql.DROP_READ_MARKS_OF,
            ):
                await connection.execute(statement, user)

        await self._pool.write(write)

    async def mark_read(self, mark: ReadMark) -> bool:
        """Move a read marker forward; False where it is as far already."""
        check(mark)
        columns = columns_of(ReadMark, [mark])
        return await self._pool.write(lambda connection: connection.execute(MOVE_READ_MARKS, *columns)) == "INSERT 0 1"

    async def read_marks(self, user: str, rooms: Sequence[str]) -> list[ReadMark]:
        """Return how far a user has read these rooms."""
        return [read_mark_of(row) for row in await self._pool.fetch(sql.READ_MARKS, user, list(dict.fromkeys(rooms)))]

    async def all_read_marks(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[ReadMark]:
        """Return the first `limit` read markers by user and room, above these."""
        return [read_mark_of(row) for row in await self._pool.fetch(sql.ALL_READ_MARKS, *after, max(limit, 0))]

    async def put_read_marks(self, marks: Sequence[ReadMark]) -> None:
        """Store read markers just as they are."""
        in_order = {(mark.user, mark.room): mark for mark in marks}
        await self._put(sql.PUT_READ_MARK, [in_order[key] for key in sorted(in_order)])

    async def drop_read_mark(self, user: str, room: str) -> None:
        """Delete a read marker."""
        await self._write(sql.DROP_READ_MARK, user, room)

    async def seen(self, users: Mapping[str, int]) -> None:
        """Remember when these users were last there; times only move forward."""
        check_texts(users)
        rows = sorted(users.items())  # so that two who write the same ones wait for each other and never in a circle
        await self._pool.write(lambda connection: connection.executemany(SEEN, rows))

    async def _write(self, statement: str, *texts: str) -> str:
        check_texts(texts)
        return await self._pool.write(lambda connection: connection.execute(statement, *texts))

    async def _put(self, statement: str, records: Sequence[Struct]) -> None:
        for record in records:
            check(record)
        rows = [astuple(record) for record in records]
        await self._pool.write(lambda connection: connection.executemany(statement, rows))


async def _expect(connection: Connection, count: str, user: str, *, most: int, or_else: str) -> None:
    """Raise Conflict, which undoes what was written, where the user has more than `most` by now."""
    ((found,),) = await connection.fetch(count, user)
    if cast("int", found) > most:
        raise Conflict(or_else)
