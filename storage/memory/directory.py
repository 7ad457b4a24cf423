"""The directory in RAM."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice

import trio
from msgspec.structs import replace

from storage.errors import Conflict
from storage.listing import check_listed, item_position, name_position, page_of, parse_name_position
from storage.memory.store import MemoryStore
from storage.records import DropItem, ItemRecord, MemberRecord, Page, PutItem, RoomRecord, UserRecord
from storage.storable import check, check_changes, check_text


class MemoryDirectory:
    """The `Directory` port over a `MemoryStore`."""

    __slots__ = ("_store",)

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def probe(self) -> None:
        """Answer: RAM is always there."""
        await trio.lowlevel.checkpoint()

    async def fact(self, name: str) -> str | None:
        """Return a fact about the site."""
        await trio.lowlevel.checkpoint()
        return self._store.facts.get(name)

    async def set_fact(self, name: str, value: str | None) -> None:
        """Remember a fact, or forget it."""
        await trio.lowlevel.checkpoint()
        for text in (name, value or ""):
            check_text(text)
        if value is None:
            self._store.facts.pop(name, None)
        else:
            self._store.facts[name] = value

    async def create_user(self, user: UserRecord) -> None:
        """Store a new account. Raises Conflict `username` or `email`."""
        await trio.lowlevel.checkpoint()
        check(user)
        self._store.add_user(user)

    async def change_user(self, user: UserRecord) -> None:
        """Replace an account whose `rev` is one less. Raises Conflict `rev`, `username` or `email`."""
        await trio.lowlevel.checkpoint()
        check(user)
        old = self._store.users.get(user.id)
        if old is None or old.rev != user.rev - 1:
            raise Conflict("rev")
        self._store.put_user(replace(user, created_at=old.created_at, last_seen_at=old.last_seen_at))

    async def put_user(self, user: UserRecord) -> None:
        """Store an account just as it is. Raises Conflict `username` or `email`."""
        await trio.lowlevel.checkpoint()
        check(user)
        self._store.put_user(user)

    async def users_in_state(self, state: str, *, limit: int) -> list[UserRecord]:
        """Return the first `limit` accounts in a state other than `active`, by id."""
        await trio.lowlevel.checkpoint()
        if state == "active":
            return []
        found = sorted(user.id for user in self._store.users.values() if user.state == state)[: max(limit, 0)]
        return [self._store.users[user] for user in found]

    async def user(self, user: str) -> UserRecord | None:
        """Return one account by id."""
        await trio.lowlevel.checkpoint()
        return self._store.users.get(user)

    async def user_by_login(self, *, name_key: str | None = None, email: str | None = None) -> UserRecord | None:
        """Return one account by folded username or by folded e-mail address; exactly one of the two is given."""
        if (name_key is None) == (email is None):
            raise ValueError("give name_key or email, and not both")
        await trio.lowlevel.checkpoint()
        if name_key is not None:
            return self._store.users_by_name.get(name_key)
        return self._store.users_by_email.get(email or "")

    async def users(self, *, ids: Sequence[str] = (), name_keys: Sequence[str] = ()) -> list[UserRecord]:
        """Return the accounts with these ids or these folded names, each once; unknown ones are left out."""
        await trio.lowlevel.checkpoint()
        store = self._store
        found = [store.users.get(user) for user in ids]
        found += [store.users_by_name.get(name_key) for name_key in name_keys]
        return list({user.id: user for user in found if user is not None}.values())

    async def search_users(
        self, prefix: str, *, after: str | None = None, limit: int, disabled: bool = False
    ) -> list[UserRecord]:
        """Return accounts whose `name_key` starts with this folded prefix, above `after`, by name."""
        await trio.lowlevel.checkpoint()
        above = (user for user in self._users_from(prefix) if after is None or user.name_key > after)
        found = (user for user in above if not user.disabled or (disabled and user.state == "active"))
        return list(islice(found, max(limit, 0)))

    async def all_users(self, *, after: str = "", limit: int) -> list[UserRecord]:
        """Return the first `limit` accounts by id, above `after`, disabled ones included."""
        await trio.lowlevel.checkpoint()
        found = sorted(user for user in self._store.users if user > after)[: max(limit, 0)]
        return [self._store.users[user] for user in found]

    async def room(self, room: str) -> RoomRecord | None:
        """Return one room's row, tombstones included."""
        await trio.lowlevel.checkpoint()
        return self._store.rooms.get(room)

    async def rooms(self, ids: Sequence[str]) -> list[RoomRecord]:
        """Return the rows of these rooms, each once; unknown ids are left out."""
        await trio.lowlevel.checkpoint()
        return [self._store.rooms[room] for room in dict.fromkeys(ids) if room in self._store.rooms]

    async def all_rooms(self, *, after: str = "", limit: int) -> list[RoomRecord]:
        """Return the first `limit` rooms' rows by id, above `after`, tombstones included."""
        await trio.lowlevel.checkpoint()
        found = sorted(room for room in self._store.rooms if room > after)[: max(limit, 0)]
        return [self._store.rooms[room] for room in found]

    async def member(self, room: str, user: str) -> MemberRecord | None:
        """Return one membership."""
        await trio.lowlevel.checkpoint()
        return self._store.members.get(room, {}).get(user)

    async def memberships(self, user: str, rooms: Sequence[str]) -> list[MemberRecord]:
        """Return a user's memberships in these rooms, each once."""
        await trio.lowlevel.checkpoint()
        members = (self._store.members.get(room, {}).get(user) for room in dict.fromkeys(rooms))
        return [member for member in members if member is not None]

    async def members(self, room: str, *, cursor: str | None, limit: int) -> Page[MemberRecord]:
        """Return members of a room by user id."""
        await trio.lowlevel.checkpoint()
        members = self._store.members.get(room, {})
        users = sorted(user for user in members if cursor is None or user > cursor)
        return page_of([members[user] for user in users[: max(limit, 0) + 1]], limit, lambda member: member.user)

    async def rooms_of(self, user: str, *, cursor: str | None, limit: int) -> Page[tuple[RoomRecord, MemberRecord]]:
        """Return living rooms that the user is a member of, newest room first."""
        await trio.lowlevel.checkpoint()
        store = self._store
        rooms = sorted((r for r in store.rooms_of.get(user, ()) if cursor is None or r < cursor), reverse=True)
        living = (store.rooms[r] for r in rooms if r in store.rooms and store.rooms[r].deleted_at is None)
        found = [(room, store.members[room.id][user]) for room in islice(living, max(limit, 0) + 1)]
        return page_of(found, limit, lambda pair: pair[0].id)

    async def public_rooms(self, prefix: str, *, cursor: str | None, limit: int) -> Page[RoomRecord]:
        """Return living public rooms whose `name_key` starts with this folded prefix, in name order."""
        await trio.lowlevel.checkpoint()
        start = parse_name_position(cursor) if cursor is not None else ("", "")
        found = sorted(
            (room for room in self._store.rooms.values() if _is_listed(room, prefix) and _place(room) > start),
            key=_place,
        )
        return page_of(found[: max(limit, 0) + 1], limit, name_position)

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
        await trio.lowlevel.checkpoint()
        rooms = self._store.items.values() if room is None else [self._store.items.get(room, {})]
        of_kind = [item for items in rooms for item in items.values() if item.kind == kind]
        found = sorted((item for item in of_kind if item.key.startswith(prefix)), key=item_position, reverse=newest)
        if cursor is not None:
            found = [item for item in found if (item.key < cursor if newest else item.key > cursor)]
        return page_of(found[: max(limit, 0) + 1], limit, item_position)

    async def all_items(self, room: str, *, after: tuple[str, str] = ("", ""), limit: int) -> list[ItemRecord]:
        """Return the first `limit` items of a room by kind and key, above these."""
        await trio.lowlevel.checkpoint()
        items = self._store.items.get(room, {})
        return [items[name] for name in sorted(name for name in items if name > after)[: max(limit, 0)]]

    async def keep(self, changes: Sequence[PutItem | DropItem]) -> None:
        """Write items that follow from no entry."""
        await trio.lowlevel.checkpoint()
        check_changes(changes)
        self._store.project(changes)

    def _users_from(self, prefix: str) -> Iterator[UserRecord]:
        names = self._store.name_keys
        for place in range(bisect_left(names, prefix), len(names)):
            if not names[place].startswith(prefix):
                return
            yield self._store.users_by_name[names[place]]


def _is_listed(room: RoomRecord, prefix: str) -> bool:
    return room.visibility == "public" and room.deleted_at is None and room.name_key.startswith(prefix)


def _place(room: RoomRecord) -> tuple[str, str]:
    return room.name_key, room.id
