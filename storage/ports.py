"""The two narrow ports. `Journal` is what happened in rooms; `Directory` is the accounts and the projections of rooms.

Backends implement both and enforce uniqueness, nothing else. They raise only the errors of `storage.errors`. Every read
that takes a `limit` returns at most that many rows. The storage actors implement the same ports around a backend,
adding deadlines, group commit and bounds, so a caller cannot tell (and must not care) which one it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from storage.records import (
    Append,
    DropItem,
    Entry,
    ItemRecord,
    MemberRecord,
    MessageRecord,
    Page,
    PutItem,
    RoomRecord,
    RoomSnapshot,
    Sent,
    UserRecord,
)


class Journal(Protocol):
    """The commit point: a gapless sequence of entries per room, with the messages they amount to."""

    async def append(self, appends: Sequence[Append]) -> None:
        """Commit all of it durably, or nothing.

        After a Conflict the innocent appends may be tried again just as they are: a store without transactions may have
        written some of them, and counts what is already there with the very same content as written.

        Raises:
            Conflict: `seq` when a room's next seq is taken or would leave a hole, `client_msg_id` for a repeated post.
                Of the guilty room's entries the first `written` are durable, none of the others.
            StorageUnavailable: known not written.
            OutcomeUnknown: cut off in mid-commit.
        """
        ...

    async def load_room(self, room: str) -> RoomSnapshot | None:
        """All that a room needs to wake up, consistent with each other; None where no such room was ever created.

        Members are in the order of their ids, items in that of kind and key.
        """
        ...

    async def project(self, append: Append, *, repair: bool = False) -> None:
        """Write the projections of entries that are committed already: what a former process left undone.

        Nothing is changed where the room's row is as new or newer; with `repair` it is written whatever is there.
        """
        ...

    async def behind(self) -> list[str]:
        """Rooms whose projections may be behind their journal, because a process ended between the two."""
        ...

    async def rooms(self, *, after: str = "", limit: int) -> list[str]:
        """The first `limit` rooms that have entries, by id, above `after`."""
        ...

    async def read(self, room: str, *, after: int, upto: int | None = None, limit: int) -> list[Entry]:
        """Entries with `after < seq <= upto`, ascending, the first `limit` of them."""
        ...

    async def read_back(self, room: str, *, before: int | None = None, limit: int) -> list[Entry]:
        """The last `limit` entries with `seq < before` (None: up to the head), ascending."""
        ...

    async def find_sent(self, room: str, keys: Sequence[tuple[str, str]]) -> list[Sent]:
        """What is remembered of the posts under these (sender, client_msg_id) keys; unknown keys are left out."""
        ...

    async def written_in(self, rooms: Sequence[str], sender: str) -> list[str]:
        """Which of these rooms have posts by this sender, trimmed ones included."""
        ...

    async def rewrite(self, entries: Sequence[Entry]) -> None:
        """Replace body and digest of the entries in these places, and nothing else of them; durable on return.

        An entry that is not there, or whose text was trimmed, stays as it is. This is no part of an append: whoever
        rewrites takes care that entries amount to the same rows as before. Raises StorageUnavailable, or
        OutcomeUnknown where some of it may be written; either may be tried again.
        """
        ...

    async def message(self, message: str) -> MessageRecord | None:
        """One message by id, tombstones included."""
        ...

    async def messages_by_id(self, ids: Sequence[str]) -> list[MessageRecord]:
        """The messages with these ids, in no promised order; unknown ids are left out."""
        ...

    async def messages(
        self, room: str, *, before: int | None = None, after: int | None = None, upto: int | None = None, limit: int
    ) -> list[MessageRecord]:
        """Messages of a room by creation seq, ascending: the last `limit` below `before`, or the first above `after`.

        At most one of `before` and `after` is given; with neither, the newest `limit`. `upto` (inclusive) clips both.
        """
        ...

    async def latest_messages(self, places: Sequence[tuple[str, int | None]]) -> list[MessageRecord]:
        """The newest message of each of up to a hundred rooms, or (room, seq) the newest at or below a seq.

        They are in no promised order, tombstones included; a room without one is left out.
        """
        ...

    async def items_by_key(self, room: str, keys: Sequence[tuple[str, str]]) -> list[ItemRecord]:
        """The items of a room with these (kind, key), as of its last append, in no promised order."""
        ...

    async def rooms_keeping(self, rooms: Sequence[str], items: Sequence[tuple[str, str]]) -> list[str]:
        """Which of these rooms have an item of one of these kinds whose key begins so: (kind, beginning)."""
        ...

    async def due(self, *, room: str | None = None, before: int, limit: int) -> list[ItemRecord]:
        """The first `limit` timers with `due_at <= before`, the earliest first: of one room, or of all."""
        ...


class Directory(Protocol):
    """Accounts, and what may be asked about rooms without waking them."""

    async def probe(self) -> None:
        """A cheap round trip that proves the store answers. Raises StorageUnavailable."""
        ...

    async def fact(self, name: str) -> str | None:
        """A fact about the site as a whole, such as that it is still being copied into; None where there is none."""
        ...

    async def set_fact(self, name: str, value: str | None) -> None:
        """Remember a fact durably, or forget it."""
        ...

    async def create_user(self, user: UserRecord) -> None:
        """Store a new account. Raises Conflict `username` or `email`."""
        ...

    async def change_user(self, user: UserRecord) -> None:
        """Replace an account whose `rev` is one less; its id, `created_at` and `last_seen_at` stay as they are.

        Raises Conflict `username` or `email`, and `rev` where somebody else was faster or there is no such account.
        """
        ...

    async def put_user(self, user: UserRecord) -> None:
        """Store an account just as it is, in place of the one with its id: for who copies a site.

        Raises Conflict `username` or `email`.
        """
        ...

    async def users_in_state(self, state: str, *, limit: int) -> list[UserRecord]:
        """The first `limit` accounts in a state other than `active`, by id."""
        ...

    async def user(self, user: str) -> UserRecord | None:
        """One account by id."""
        ...

    async def user_by_login(self, *, name_key: str | None = None, email: str | None = None) -> UserRecord | None:
        """One account by folded username or by folded e-mail address; exactly one of the two is given."""
        ...

    async def users(self, *, ids: Sequence[str] = (), name_keys: Sequence[str] = ()) -> list[UserRecord]:
        """The accounts with these ids or these folded names, in no promised order; unknown ones are left out."""
        ...

    async def search_users(
        self, prefix: str, *, after: str | None = None, limit: int, disabled: bool = False
    ) -> list[UserRecord]:
        """Accounts whose `name_key` starts with this folded prefix and is above `after`, by it.

        Those that are disabled are among them only with `disabled`, and then as long as they are in the state `active`.
        """
        ...

    async def all_users(self, *, after: str = "", limit: int) -> list[UserRecord]:
        """The first `limit` accounts by id, above `after`, disabled ones included."""
        ...

    async def room(self, room: str) -> RoomRecord | None:
        """One room's row, tombstones included."""
        ...

    async def rooms(self, ids: Sequence[str]) -> list[RoomRecord]:
        """The rows of these rooms, each once, tombstones included, in no promised order; unknown ids are left out."""
        ...

    async def all_rooms(self, *, after: str = "", limit: int) -> list[RoomRecord]:
        """The first `limit` rooms' rows by id, above `after`, tombstones included."""
        ...

    async def member(self, room: str, user: str) -> MemberRecord | None:
        """One membership."""
        ...

    async def memberships(self, user: str, rooms: Sequence[str]) -> list[MemberRecord]:
        """A user's memberships in these rooms, each once, in no promised order; rooms they are not in are left out."""
        ...

    async def members(self, room: str, *, cursor: str | None, limit: int) -> Page[MemberRecord]:
        """Members of a room by user id (that is, by age of the account)."""
        ...

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
        """Items of a kind, of one room or of all, by key: those whose keys begin with `prefix`.

        `newest` turns the order round. Over all rooms only items of the kind `OVERALL` are listed, whose keys have to
        be unique over all rooms; ValueError for others.
        """
        ...

    async def all_items(self, room: str, *, after: tuple[str, str] = ("", ""), limit: int) -> list[ItemRecord]:
        """The first `limit` items of a room by kind and key, above these."""
        ...

    async def keep(self, changes: Sequence[PutItem | DropItem]) -> None:
        """Write items durably that follow from no entry: what concerns a room and is for some eyes only.

        Raises StorageUnavailable, or OutcomeUnknown; either may be tried again.
        """
        ...

    async def rooms_of(self, user: str, *, cursor: str | None, limit: int) -> Page[tuple[RoomRecord, MemberRecord]]:
        """Living rooms that the user is a member of, newest room first."""
        ...

    async def public_rooms(self, prefix: str, *, cursor: str | None, limit: int) -> Page[RoomRecord]:
        """Living public rooms whose `name_key` starts with this folded prefix, in name order (id breaks ties)."""
        ...
