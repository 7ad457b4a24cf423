"""Contacts, blocks, pictures and read markers in a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import astuple

from storage.account_records import AvatarRecord, BlockRecord, ContactRecord, pair_of
from storage.errors import Conflict
from storage.listing import contacts_page, page_of
from storage.records import Page, ReadMark
from storage.sqlite import account_statements as sql
from storage.sqlite.account_rows import avatar_of, block_of, contact_of, read_mark_of
from storage.sqlite.database import Database
from storage.sqlite.rows import Row
from storage.sqlite.statements import SEEN
from storage.storable import check, check_text, check_texts


class SqliteRelations:
    """The `Relations` port over a `Database`."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask_contact(self, user: str, other: str, *, at: int, most: int | None = None) -> ContactRecord:
        """Ask somebody to be a contact, or accept what they asked. Raises Conflict `full` or `awaited`."""
        asked = ContactRecord(*pair_of(user, other), user, at)
        check(asked)

        def write(connection: sqlite3.Connection) -> ContactRecord:
            (row,) = connection.execute(sql.ASK_CONTACT, astuple(asked)).fetchall()
            contact = contact_of(row)
            if most is not None:
                _expect(connection, sql.CONTACTS_MADE, user, most=most, or_else="full")
                if contact.asked_by == user:
                    _expect(connection, sql.CONTACTS_AWAITING, other, most=most, or_else="awaited")
            return contact

        return await self._database.write(write)

    async def contact(self, user: str, other: str) -> ContactRecord | None:
        """Return what two people are to each other."""
        rows = await self._fetch(sql.CONTACT, (min(user, other), max(user, other)))
        return contact_of(rows[0]) if rows else None

    async def drop_contact(self, user: str, other: str) -> bool:
        """Be contacts no longer, take a request back or reject one."""
        return await self._write(sql.DROP_CONTACT, min(user, other), max(user, other)) > 0

    async def contacts_of(self, user: str, *, cursor: str | None, limit: int) -> Page[ContactRecord]:
        """Return a user's contacts and requests, by the other's id."""
        values = (user, cursor or "", max(limit, 0) + 1)

        def read(connection: sqlite3.Connection) -> list[Row]:
            sides = (connection.execute(statement, values) for statement in (sql.CONTACTS_ABOVE, sql.CONTACTS_BELOW))
            return [row for side in sides for row in side.fetchall()]

        rows = await self._database.read(read, snapshot=True)
        return contacts_page(user, [contact_of(row) for row in rows], limit)

    async def all_contacts(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[ContactRecord]:
        """Return the first `limit` contacts and requests by `low` and `high`, above these."""
        return [contact_of(row) for row in await self._fetch(sql.ALL_CONTACTS, (*after, max(limit, 0)))]

    async def put_contacts(self, contacts: Sequence[ContactRecord]) -> None:
        """Store contacts just as they are."""
        await self._put(sql.PUT_CONTACT, contacts)

    async def block(self, user: str, other: str, *, at: int, most: int | None = None) -> bool:
        """Have `user` block `other`; they are contacts no longer. Raises Conflict `full`."""
        block = BlockRecord(user, other, at)
        check(block)

        def write(connection: sqlite3.Connection) -> bool:
            connection.execute(sql.DROP_CONTACT, (min(user, other), max(user, other)))
            is_new = connection.execute(sql.BLOCK, astuple(block)).rowcount == 1
            if is_new and most is not None:
                _expect(connection, sql.BLOCKS_MADE, user, most=most, or_else="full")
            return is_new

        return await self._database.write(write)

    async def unblock(self, user: str, other: str) -> bool:
        """Lift a block."""
        return await self._write(sql.UNBLOCK, user, other) > 0

    async def blocks_of(self, user: str, *, cursor: str | None, limit: int) -> Page[tuple[str, int]]:
        """Return whom a user blocks and since when, by id."""
        rows = await self._fetch(sql.BLOCKS_OF, (user, cursor or "", max(limit, 0) + 1))
        return page_of([(str(other), int(at or 0)) for other, at in rows], limit, lambda block: block[0])

    async def blocked_by(self, user: str, others: Sequence[str]) -> list[str]:
        """Return which of these block the user."""

        def read(connection: sqlite3.Connection) -> list[str]:
            asked = dict.fromkeys(others)
            return [other for other in asked if connection.execute(sql.IS_BLOCKED, (other, user)).fetchone()]

        return await self._database.read(read, snapshot=True)

    async def all_blocks(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[BlockRecord]:
        """Return the first `limit` blocks by `user` and `other`, above these."""
        return [block_of(row) for row in await self._fetch(sql.ALL_BLOCKS, (*after, max(limit, 0)))]

    async def put_blocks(self, blocks: Sequence[BlockRecord]) -> None:
        """Store blocks just as they are."""
        await self._put(sql.PUT_BLOCK, blocks)

    async def put_avatar(self, avatar: AvatarRecord) -> None:
        """Store a user's picture in place of the one before."""
        await self._put(sql.PUT_AVATAR, [avatar])

    async def avatar(self, user: str) -> AvatarRecord | None:
        """Return a user's picture."""
        rows = await self._fetch(sql.AVATAR, (user,))
        return avatar_of(rows[0]) if rows else None

    async def drop_avatar(self, user: str) -> None:
        """Delete a user's picture."""
        await self._write(sql.DROP_AVATAR, user)

    async def all_avatars(self, *, after: str = "", limit: int) -> list[AvatarRecord]:
        """Return the first `limit` pictures by user, above `after`."""
        return [avatar_of(row) for row in await self._fetch(sql.ALL_AVATARS, (after, max(limit, 0)))]

    async def drop_relations(self, user: str) -> None:
        """Delete all contacts and blocks of a user, in both directions, their picture and their read markers."""
        check_text(user)

        def write(connection: sqlite3.Connection) -> None:
            for statement in (
                sql.DROP_CONTACTS_ABOVE,
                sql.DROP_CONTACTS_BELOW,
                sql.DROP_BLOCKS_OF,
                sql.DROP_BLOCKS_ON,
                sql.DROP_AVATAR,
                sql.DROP_READ_MARKS_OF,
            ):
                connection.execute(statement, (user,))

        await self._database.write(write)

    async def mark_read(self, mark: ReadMark) -> bool:
        """Move a read marker forward; False where it is as far already."""
        check(mark)
        row = astuple(mark)
        return await self._database.write(lambda connection: connection.execute(sql.MOVE_READ_MARK, row).rowcount == 1)

    async def read_marks(self, user: str, rooms: Sequence[str]) -> list[ReadMark]:
        """Return how far a user has read these rooms."""

        def read(connection: sqlite3.Connection) -> list[ReadMark]:
            found = (connection.execute(sql.READ_MARK, (user, room)).fetchone() for room in dict.fromkeys(rooms))
            return [read_mark_of(row) for row in found if row is not None]

        return await self._database.read(read, snapshot=True)

    async def all_read_marks(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[ReadMark]:
        """Return the first `limit` read markers by user and room, above these."""
        return [read_mark_of(row) for row in await self._fetch(sql.ALL_READ_MARKS, (*after, max(limit, 0)))]

    async def put_read_marks(self, marks: Sequence[ReadMark]) -> None:
        """Store read markers just as they are."""
        await self._put(sql.PUT_READ_MARK, marks)

    async def drop_read_mark(self, user: str, room: str) -> None:
        """Delete a read marker."""
        await self._write(sql.DROP_READ_MARK, user, room)

    async def seen(self, users: Mapping[str, int]) -> None:
        """Remember when these users were last there; times only move forward."""
        check_texts(users)
        rows = list(users.items())
        await self._database.write(lambda connection: connection.executemany(SEEN, rows))

    async def _fetch(self, statement: str, values: Row) -> list[Row]:
        return await self._database.read(lambda connection: connection.execute(statement, values).fetchall())

    async def _write(self, statement: str, *texts: str) -> int:
        check_texts(texts)
        return await self._database.write(lambda connection: connection.execute(statement, texts).rowcount)

    async def _put(self, statement: str, records: Sequence[Struct]) -> None:
        for record in records:
            check(record)
        rows = [astuple(record) for record in records]
        await self._database.write(lambda connection: connection.executemany(statement, rows))


def _expect(connection: sqlite3.Connection, count: str, user: str, *, most: int, or_else: str) -> None:
    """Raise Conflict, which undoes what was written, where the user has more than `most` by now."""
    ((found,),) = connection.execute(count, (user,)).fetchall()
    if found > most:
        raise Conflict(or_else)
