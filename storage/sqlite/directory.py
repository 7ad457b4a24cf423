"""The directory in a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from msgspec.structs import astuple

from storage.errors import Conflict
from storage.listing import (
    check_listed,
    item_position,
    key_range,
    name_position,
    page_of,
    parse_name_position,
    prefix_end,
)
from storage.net_changes import NetChanges
from storage.records import Append, DropItem, ItemRecord, MemberRecord, Page, PutItem, RoomRecord, UserRecord
from storage.sqlite import statements as sql
from storage.sqlite.database import Database
from storage.sqlite.projections import apply
from storage.sqlite.rows import Row, Value, bound, item_of, member_of, room_of, user_of
from storage.sqlite.users import write_user
from storage.storable import check, check_changes

ROOM_COLUMNS = len(RoomRecord.__struct_fields__)


class SqliteDirectory:
    """The `Directory` port over a `Database`."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    async def probe(self) -> None:
        """Read one page of the file. Raises StorageUnavailable."""
        await self._fetch(sql.PROBE, ())

    async def fact(self, name: str) -> str | None:
        """Return a fact about the site."""
        rows = await self._fetch(sql.FACT, (name,))
        return str(rows[0][0]) if rows else None

    async def set_fact(self, name: str, value: str | None) -> None:
        """Remember a fact durably, or forget it."""

        def write(connection: sqlite3.Connection) -> None:
            if value is None:
                connection.execute(sql.DELETE_FACT, (name,))
            else:
                connection.execute(sql.PUT_FACT, (name, value))

        await self._database.write(write)

    async def create_user(self, user: UserRecord) -> None:
        """Store a new account. Raises Conflict `username` or `email`."""

        await self._write_user(sql.INSERT_USER, user, astuple(user))

    async def change_user(self, user: UserRecord) -> None:
        """Replace an account whose `rev` is one less. Raises Conflict `rev`, `username` or `email`."""
        *values, _ = astuple(user)  # without the last, which is last_seen_at
        if await self._write_user(sql.CHANGE_USER, user, values) == 0:
            raise Conflict("rev")

    async def put_user(self, user: UserRecord) -> None:
        """Store an account just as it is. Raises Conflict `username` or `email`."""
        await self._write_user(sql.PUT_USER, user, astuple(user))

    async def users_in_state(self, state: str, *, limit: int) -> list[UserRecord]:
        """Return the first `limit` accounts in a state other than `active`, by id."""
        rows = await self._fetch(sql.USERS_IN_STATE, (state, max(limit, 0)))
        return [user_of(row) for row in rows]

    async def user(self, user: str) -> UserRecord | None:
        """Return one account by id."""
        return await self._one_user(sql.USER, user)

    async def user_by_login(self, *, name_key: str | None = None, email: str | None = None) -> UserRecord | None:
        """Return one account by folded username or by folded e-mail address; exactly one of the two is given."""
        if (name_key is None) == (email is None):
            raise ValueError("give name_key or email, and not both")
        if name_key is not None:
            return await self._one_user(sql.USER_BY_NAME, name_key)
        return await self._one_user(sql.USER_BY_EMAIL, email)

    async def users(self, *, ids: Sequence[str] = (), name_keys: Sequence[str] = ()) -> list[UserRecord]:
        """Return the accounts with these ids or these folded names, each once; unknown ones are left out."""
        lookups = [(sql.USER, key) for key in ids] + [(sql.USER_BY_NAME, key) for key in name_keys]

        def read(connection: sqlite3.Connection) -> list[UserRecord]:
            rows = (connection.execute(statement, (key,)).fetchone() for statement, key in lookups)
            found = {row[0]: row for row in rows if row is not None}
            return [user_of(row) for row in found.values()]

        return await self._database.read(read, snapshot=True)

    async def search_users(
        self, prefix: str, *, after: str | None = None, limit: int, disabled: bool = False
    ) -> list[UserRecord]:
        """Return accounts whose `name_key` starts with this folded prefix, above `after`, by name."""
        low, end = key_range(prefix, after)
        rows = await self._fetch(sql.USERS_BY_PREFIX, (low, bound(end), disabled, max(limit, 0)))
        return [user_of(row) for row in rows]

    async def all_users(self, *, after: str = "", limit: int) -> list[UserRecord]:
        """Return the first `limit` accounts by id, above `after`, disabled ones included."""
        rows = await self._fetch(sql.ALL_USERS, (after, max(limit, 0)))
        return [user_of(row) for row in rows]

    async def room(self, room: str) -> RoomRecord | None:
        """Return one room's row, tombstones included."""
        rows = await self._fetch(sql.ROOM, (room,))
        return room_of(rows[0]) if rows else None

    async def rooms(self, ids: Sequence[str]) -> list[RoomRecord]:
        """Return the rows of these rooms, each once; unknown ids are left out."""
        rows = await self._each(sql.ROOM, [(room,) for room in dict.fromkeys(ids)])
        return [room_of(row) for row in rows]

    async def all_rooms(self, *, after: str = "", limit: int) -> list[RoomRecord]:
        """Return the first `limit` rooms' rows by id, above `after`, tombstones included."""
        rows = await self._fetch(sql.ALL_ROOMS, (after, max(limit, 0)))
        return [room_of(row) for row in rows]

    async def member(self, room: str, user: str) -> MemberRecord | None:
        """Return one membership."""
        rows = await self._fetch(sql.MEMBER, (room, user))
        return member_of(rows[0]) if rows else None

    async def memberships(self, user: str, rooms: Sequence[str]) -> list[MemberRecord]:
        """Return a user's memberships in these rooms, each once."""
        rows = await self._each(sql.MEMBER, [(room, user) for room in dict.fromkeys(rooms)])
        return [member_of(row) for row in rows]

    async def members(self, room: str, *, cursor: str | None, limit: int) -> Page[MemberRecord]:
        """Return members of a room by user id."""
        rows = await self._fetch(sql.MEMBERS_AFTER, (room, cursor or "", max(limit, 0) + 1))
        return page_of([member_of(row) for row in rows], limit, lambda member: member.user)

    async def items(
        self,
        kind: str,
        *,
        room: str | None = None,
        prefix: str = "",
        cursor: str | None,
        limit: int,
        newest: bool = False,
    ) -> Page[ItemRecord]:
        """Return items of a kind, of one room or of all, by key."""
        check_listed(kind, room)
        start, end = key_range(prefix, cursor, newest=newest)
        bounds = (start, bound(end), max(limit, 0) + 1)
        if room is None:
            rows = await self._fetch(sql.NEWEST_OVERALL_ITEMS if newest else sql.OVERALL_ITEMS, bounds)
        else:
            rows = await self._fetch(sql.NEWEST_ITEMS if newest else sql.ITEMS, (room, kind, *bounds))
        return page_of([item_of(row) for row in rows], limit, item_position)

    async def all_items(self, room: str, *, after: tuple[str, str] = ("", ""), limit: int) -> list[ItemRecord]:
        """Return the first `limit` items of a room by kind and key, above these."""
        rows = await self._fetch(sql.ALL_ITEMS, (room, *after, max(limit, 0)))
        return [item_of(row) for row in rows]

    async def keep(self, changes: Sequence[PutItem | DropItem]) -> None:
        """Write items durably that follow from no entry."""
        check_changes(changes)
        net = NetChanges([Append("", (), tuple(changes))])
        await self._database.write(lambda connection: apply(connection, net))

    async def rooms_of(self, user: str, *, cursor: str | None, limit: int) -> Page[tuple[RoomRecord, MemberRecord]]:
        """Return living rooms that the user is a member of, newest room first."""
        rows = await self._fetch(sql.ROOMS_OF, (user, bound(cursor), max(limit, 0) + 1))
        found = [(room_of(row[:ROOM_COLUMNS]), member_of(row[ROOM_COLUMNS:])) for row in rows]
        return page_of(found, limit, lambda pair: pair[0].id)

    async def public_rooms(self, prefix: str, *, cursor: str | None, limit: int) -> Page[RoomRecord]:
        """Return living public rooms whose `name_key` starts with this folded prefix, in name order."""
        start = max((prefix, ""), parse_name_position(cursor or ""))
        rows = await self._fetch(sql.PUBLIC_ROOMS, (*start, bound(prefix_end(prefix)), max(limit, 0) + 1))
        return page_of([room_of(row) for row in rows], limit, name_position)

    async def _write_user(self, statement: str, user: UserRecord, values: Sequence[Value]) -> int:
        check(user)
        return await self._database.write(lambda connection: write_user(connection, statement, user, values))

    async def _one_user(self, statement: str, key: str | None) -> UserRecord | None:
        rows = await self._fetch(statement, (key,))
        return user_of(rows[0]) if rows else None

    async def _each(self, statement: str, asked: Sequence[Row]) -> list[Row]:
        """Look up one row for each of these values, all as of one moment; those that are not there are left out."""

        def read(connection: sqlite3.Connection) -> list[Row]:
            rows = (connection.execute(statement, values).fetchone() for values in asked)
            return [row for row in rows if row is not None]

        return await self._database.read(read, snapshot=True)

    async def _fetch(self, statement: str, values: Row) -> list[Row]:
        return await self._database.read(lambda connection: connection.execute(statement, values).fetchall())
