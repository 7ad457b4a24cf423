"""What the memory backend holds, and how the changes of an append are applied to it.

It owns the indexes and keeps them in step with the records. It is strict about what may be stored, as strict as the
strictest database, so that a test in RAM finds what would fail in production.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable

from storage.records import (
    Append,
    Change,
    DropMember,
    DropMessage,
    Entry,
    MemberRecord,
    MessageRecord,
    PutMember,
    PutMessage,
    PutRoom,
    RoomRecord,
    UserRecord,
)


class MemoryStore:
    """One database in RAM, shared by its journal and its directory."""

    __slots__ = (
        "entries",
        "facts",
        "members",
        "message_order",
        "messages",
        "name_keys",
        "rooms",
        "rooms_of",
        "sent",
        "users",
        "users_by_email",
        "users_by_name",
    )

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}
        self.users: dict[str, UserRecord] = {}
        self.users_by_name: dict[str, UserRecord] = {}
        self.users_by_email: dict[str, UserRecord] = {}
        self.name_keys: list[str] = []  # sorted
        self.rooms: dict[str, RoomRecord] = {}
        self.members: dict[str, dict[str, MemberRecord]] = {}  # room -> user -> record
        self.rooms_of: dict[str, set[str]] = {}  # user -> rooms
        self.entries: dict[str, list[Entry]] = {}  # room -> entries, where entries[i].seq == i + 1
        self.sent: dict[tuple[str, str, str], Entry] = {}  # (room, sender, client_msg_id) -> entry
        self.messages: dict[str, MessageRecord] = {}
        self.message_order: dict[str, list[tuple[int, str]]] = {}  # room -> sorted (seq, message)

    def head(self, room: str) -> int:
        """Return the seq of the room's last entry, 0 if it has none."""
        return len(self.entries.get(room, ()))

    def put_user(self, user: UserRecord) -> None:
        """Add an account, whose name and address must be free."""
        self.users[user.id] = user
        self.users_by_name[user.name_key] = user
        insort(self.name_keys, user.name_key)
        if user.email is not None:
            self.users_by_email[user.email] = user

    def apply(self, append: Append) -> None:
        """Add entries, which must be without conflict, and apply the changes."""
        for entry in append.entries:
            self.entries.setdefault(append.room, []).append(entry)
            if entry.sender is not None and entry.client_msg_id is not None:
                self.sent[append.room, entry.sender, entry.client_msg_id] = entry
        self.project(append.changes)

    def project(self, changes: Iterable[Change]) -> None:
        """Apply the changes."""
        for change in changes:
            self._change(change)

    def _change(self, change: Change) -> None:
        match change:
            case PutRoom(room=room):
                self.rooms[room.id] = room
            case PutMember(member=member):
                self.members.setdefault(member.room, {})[member.user] = member
                self.rooms_of.setdefault(member.user, set()).add(member.room)
            case DropMember(room=room_id, user=user):
                self.members.get(room_id, {}).pop(user, None)
                self.rooms_of.get(user, set()).discard(room_id)
            case PutMessage(message=message):
                self._put_message(message)
            case DropMessage(message=message_id):
                self._drop_message(message_id)

    def _put_message(self, message: MessageRecord) -> None:
        self._drop_message(message.id)
        self.messages[message.id] = message
        insort(self.message_order.setdefault(message.room, []), (message.seq, message.id))

    def _drop_message(self, message: str) -> None:
        old = self.messages.pop(message, None)
        if old is not None:
            self.message_order[old.room].remove((old.seq, old.id))
