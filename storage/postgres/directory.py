"""The directory in a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from msgspec.structs import asdict, astuple

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
from storage.postgres import directory_statements as sql
from storage.postgres.connection import Connection, Row
from storage.postgres.pool import PostgresPool
from storage.postgres.projections import apply
from storage.postgres.rows import item_of, member_of, room_of, user_of
from storage.postgres.users import write_user
from storage.records import Append, DropItem, ItemRecord, MemberRecord, Page, PutItem, RoomRecord, UserRecord
from storage.storable import check

ROOM_FIELDS = len(RoomRecord.__struct_fields__)

# By whether it is the newest first, and whether there is an end.
ITEMS = {
    (False, False): sql.ITEMS_FROM,
    (False, True): sql.ITEMS_BETWEEN,
    (True, False): sql.NEWEST_ITEMS_FROM,
    (True, True): sql.NEWEST_ITEMS_BETWEEN,
}
OVERALL_ITEMS = {
    (False, False): sql.OVERALL_ITEMS_FROM,
    (False, True): sql.OVERALL_ITEMS_BETWEEN,
    (True, False): sql.NEWEST_OVERALL_ITEMS_FROM,
    (True, True): sql.NEWEST_OVERALL_ITEMS_BETWEEN,
}


class PostgresDirectory:
    """The `Directory` port over a `PostgresPool`."""

    __slots__ = ("_pool",)

    def __init__(self, pool: PostgresPool) -> None:
        self._pool = pool

    async def probe(self) -> None:
        """Look into a table. Raises StorageUnavailable."""
        await self._pool.fetch(sql.PROBE)

    async def fact(self, name: str) -> str | None:
        """Return a fact about the site."""
        rows = await self._pool.fetch(sql.FACT, name)
        return cast("str", rows[0][0]) if rows else None

    async def set_fact(self, name: str, value: str | None) -> None:
        """Remember a fact durably, or forget it."""

        async def write(connection: Connection) -> None:
            if value is None:
                await connection.execute(sql.DELETE_FACT, name)
            else:
                await connection.execute(sql.PUT_FACT, name, value)

        await self._pool.write(write)

    async def create_user(self, user: UserRecord) -> None:
        """Store a new account. Raises Conflict `username` or `email`."""

        await self._write_user(sql.INSERT_USER, user, astuple(user))

    async def change_user(self, user: UserRecord) -> None:
        """Replace an account whose `rev` is one less. Raises Conflict `rev`, `username` or `email`."""
        values = [value for name, value in asdict(user).items() if name not in ("created_at", "last_seen_at")]
        if await self._write_user(sql.CHANGE_USER, user, values) != "UPDATE 1":
            raise Conflict("rev")

    async def put_user(self, user: UserRecord) -> None:
        """Store an account just as it is. Raises Conflict `username` or `email`."""
        await self._write_user(sql.PUT_USER, user, astuple(user))

    async def users_in_state(self, state: str, *, limit: int) -> list[UserRecord]:
        """Return the first `limit` accounts in a state other than `active`, by id."""
        rows = await self._pool.fetch(sql.USERS_IN_STATE, state, max(limit, 0))
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
        rows = await self._pool.fetch(sql.USERS, list(dict.fromkeys(ids)), list(dict.fromkeys(name_keys)))
        return list({row[0]: user_of(row) for row in rows}.values())

    async def search_users(
        self, prefix: str, *, after: str | None = None, limit: int, disabled: bool = False
    ) -> list[UserRecord]:
        """Return accounts whose `name_key` starts with this folded prefix, above `after`, by name."""
        low, end = key_range(prefix, after)
        if end is None:
            rows = await self._pool.fetch(sql.USERS_FROM, low, max(limit, 0), disabled)
        else:
            rows = await self._pool.fetch(sql.USERS_BETWEEN, low, max(limit, 0), disabled, end)
        return [user_of(row) for row in rows]

    async def all_users(self, *, after: str = "", limit: int) -> list[UserRecord]:
        """Return the first `limit` accounts by id, above `after`, disabled ones included."""
        rows = await self._pool.fetch(sql.ALL_USERS, after, max(limit, 0))
        return [user_of(row) for row in rows]

    async def room(self, room: str) -> RoomRecord | None:
        """Return one room's row, tombstones included."""
        rows = await self._pool.fetch(sql.ROOM, room)
        return room_of(rows[0]) if rows else None

    async def rooms(self, ids: Sequence[str]) -> list[RoomRecord]:
        """Return the rows of these rooms, each once; unknown ids are left out."""
        return [room_of(row) for row in await self._pool.fetch(sql.ROOMS_BY_ID, list(ids))]

    async def all_rooms(self, *, after: str = "", limit: int) -> list[RoomRecord]:
        """Return the first `limit` rooms' rows by id, above `after`, tombstones included."""
        rows = await self._pool.fetch(sql.ALL_ROOMS, after, max(limit, 0))
        return [room_of(row) for row in rows]

    async def member(self, room: str, user: str) -> MemberRecord | None:
        """Return one membership."""
        rows = await self._pool.fetch(sql.MEMBER, room, user)
        return member_of(rows[0]) if rows else None

    async def memberships(self, user: str, rooms: Sequence[str]) -> list[MemberRecord]:
        """Return a user's memberships in these rooms, each once."""
        return [member_of(row) for row in await self._pool.fetch(sql.MEMBERSHIPS, user, list(rooms))]

    async def members(self, room: str, *, cursor: str | None, limit: int) -> Page[MemberRecord]:
        """Return members of a room by user id."""
        rows = await self._pool.fetch(sql.MEMBERS_AFTER, room, cursor or "", max(limit, 0) + 1)
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
        form = (newest, end is not None)
        bounds = (start, max(limit, 0) + 1) if end is None else (start, max(limit, 0) + 1, end)
        if room is None:
            rows = await self._pool.fetch(OVERALL_ITEMS[form], *bounds)
        else:
            rows = await self._pool.fetch(ITEMS[form], room, kind, *bounds)
        return page_of([item_of(row) for row in rows], limit, item_position)

    async def all_items(self, room: str, *, after: tuple[str, str] = ("", ""), limit: int) -> list[ItemRecord]:
        """Return the first `limit` items of a room by kind and key, above these."""
        rows = await self._pool.fetch(sql.ALL_ITEMS, room, *after, max(limit, 0))
        return [item_of(row) for row in rows]

    async def keep(self, changes: Sequence[PutItem | DropItem]) -> None:
        """Write items durably that follow from no entry."""
        net = NetChanges([Append("", (), tuple(changes))])
        await self._pool.write(lambda connection: apply(connection, net))

    async def rooms_of(self, user: str, *, cursor: str | None, limit: int) -> Page[tuple[RoomRecord, MemberRecord]]:
        """Return living rooms that the user is a member of, newest room first."""
        if cursor is None:
            rows = await self._pool.fetch(sql.ROOMS_OF, user, max(limit, 0) + 1)
        else:
            rows = await self._pool.fetch(sql.ROOMS_OF_BELOW, user, cursor, max(limit, 0) + 1)
        found = [(room_of(row[:ROOM_FIELDS]), member_of(row[ROOM_FIELDS:])) for row in rows]
        return page_of(found, limit, lambda pair: pair[0].id)

    async def public_rooms(self, prefix: str, *, cursor: str | None, limit: int) -> Page[RoomRecord]:
        """Return living public rooms whose `name_key` starts with this folded prefix, in name order."""
        start = max((prefix, ""), parse_name_position(cursor or ""))
        end = prefix_end(prefix)
        if end is None:
            rows = await self._pool.fetch(sql.PUBLIC_ROOMS_FROM, *start, max(limit, 0) + 1)
        else:
            rows = await self._pool.fetch(sql.PUBLIC_ROOMS_BETWEEN, *start, end, max(limit, 0) + 1)
        return page_of([room_of(row) for row in rows], limit, name_position)

    async def _write_user(self, statement: str, user: UserRecord, values: Row) -> str:
        check(user)
        return await self._pool.write(lambda connection: write_user(connection, statement, values))

    async def _one_user(self, statement: str, key: str | None) -> UserRecord | None:
        rows: list[Row] = await self._pool.fetch(statement, key)
        return user_of(rows[0]) if rows else None
