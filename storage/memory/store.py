"""What the memory backend holds, and how the changes of an append are applied to it.

It owns the indexes and keeps them in step with the records. It is strict about what may be stored, as strict as the
strictest database, so that a test in RAM finds what would fail in production.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from storage.account_records import AvatarRecord, ContactRecord, CredentialRecord, SessionRecord
from storage.errors import Conflict
from storage.net_changes import furthest
from storage.records import (
    TRIMMED,
    Append,
    Change,
    DropItem,
    DropItems,
    DropMember,
    DropMessage,
    Entry,
    ItemRecord,
    MemberRecord,
    MessageRecord,
    PutItem,
    PutMark,
    PutMember,
    PutMessage,
    PutRoom,
    ReadMark,
    RoomRecord,
    Trim,
    UserRecord,
)


class MemoryStore:
    """One database in RAM, shared by its journal and its directory."""

    __slots__ = (
        "avatars",
        "blocks",
        "contacts",
        "credentials",
        "credentials_by_digest",
        "entries",
        "facts",
        "items",
        "members",
        "message_order",
        "messages",
        "name_keys",
        "read_marks",
        "rooms",
        "rooms_of",
        "sent",
        "sessions",
        "sessions_by_family",
        "sessions_of",
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
        self.sessions: dict[str, SessionRecord] = {}
        self.sessions_by_family: dict[bytes, str] = {}
        self.sessions_of: dict[str, set[str]] = {}  # user -> sessions
        self.credentials: dict[str, CredentialRecord] = {}
        self.credentials_by_digest: dict[tuple[str, bytes], str] = {}  # (kind, digest) -> credential
        self.contacts: dict[str, dict[str, ContactRecord]] = {}  # user -> other -> record, which is there twice
        self.blocks: dict[str, dict[str, int]] = {}  # user -> other -> since when
        self.avatars: dict[str, AvatarRecord] = {}
        self.read_marks: dict[str, dict[str, ReadMark]] = {}  # user -> room -> mark
        self.rooms: dict[str, RoomRecord] = {}
        self.members: dict[str, dict[str, MemberRecord]] = {}  # room -> user -> record
        self.rooms_of: dict[str, set[str]] = {}  # user -> rooms
        self.entries: dict[str, list[Entry]] = {}  # room -> entries, where entries[i].seq == i + 1
        self.sent: dict[tuple[str, str, str], Entry] = {}  # (room, sender, client_msg_id) -> entry
        self.messages: dict[str, MessageRecord] = {}
        self.message_order: dict[str, list[tuple[int, str]]] = {}  # room -> sorted (seq, message)
        self.items: dict[str, dict[tuple[str, str], ItemRecord]] = {}  # room -> (kind, key) -> item

    def head(self, room: str) -> int:
        """Return the seq of the room's last entry, 0 if it has none."""
        return len(self.entries.get(room, ()))

    def add_user(self, user: UserRecord) -> None:
        """Add a new account. Raises Conflict `username` or `email`."""
        if user.id in self.users:
            raise Conflict("username")
        self.put_user(user)

    def put_user(self, user: UserRecord) -> None:
        """Add or replace an account. Raises Conflict `username` or `email` where another one has them."""
        if self.users_by_name.get(user.name_key, user).id != user.id:
            raise Conflict("username")
        if user.email is not None and self.users_by_email.get(user.email, user).id != user.id:
            raise Conflict("email")
        old = self.users.get(user.id)
        if old is not None and old.name_key != user.name_key:
            del self.users_by_name[old.name_key]
            del self.name_keys[bisect_left(self.name_keys, old.name_key)]
        if old is not None and old.email is not None:
            del self.users_by_email[old.email]
        if user.name_key not in self.users_by_name:
            insort(self.name_keys, user.name_key)
        self.users[user.id] = self.users_by_name[user.name_key] = user
        if user.email is not None:
            self.users_by_email[user.email] = user

    def put_session(self, session: SessionRecord) -> None:
        """Add or replace a session, whose family must be free."""
        self.drop_session(session.id)
        self.sessions[session.id] = session
        self.sessions_by_family[session.family] = session.id
        self.sessions_of.setdefault(session.user, set()).add(session.id)

    def drop_session(self, session: str) -> None:
        """Delete a session if it is there."""
        old = self.sessions.pop(session, None)
        if old is not None:
            del self.sessions_by_family[old.family]
            self.sessions_of[old.user].discard(session)
            if not self.sessions_of[old.user]:
                del self.sessions_of[old.user]

    def put_credential(self, credential: CredentialRecord) -> None:
        """Add or replace a credential, whose digest must be free."""
        self.drop_credential(credential.id)
        self.credentials[credential.id] = credential
        self.credentials_by_digest[credential.kind, credential.digest] = credential.id

    def drop_credential(self, credential: str) -> None:
        """Delete a credential if it is there."""
        old = self.credentials.pop(credential, None)
        if old is not None:
            del self.credentials_by_digest[old.kind, old.digest]

    def move_mark(self, mark: ReadMark) -> bool:
        """Move a read marker forward; False where it is as far already."""
        marks = self.read_marks.setdefault(mark.user, {})
        there = marks.get(mark.room)
        moved = mark if there is None else furthest(there, mark)
        marks[mark.room] = moved
        return moved != there

    def apply(self, append: Append) -> None:
        """Add entries, which must be without conflict, and apply the changes."""
        for entry in append.entries:
            self.entries.setdefault(append.room, []).append(entry)
            if entry.sender is not None and entry.client_msg_id is not None:
                self.sent[append.room, entry.sender, entry.client_msg_id] = entry
        self.project(append.changes)

    def rewrite(self, entry: Entry) -> None:
        """Replace body and digest of the entry in this place, if it is there and has a body."""
        entries = self.entries.get(entry.room, [])
        if not 1 <= entry.seq <= len(entries) or not entries[entry.seq - 1].body:
            return
        old = entries[entry.seq - 1]
        new = replace(old, body=entry.body, digest=entry.digest)
        entries[entry.seq - 1] = new
        if old.sender is not None and old.client_msg_id is not None:
            self.sent[old.room, old.sender, old.client_msg_id] = new

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
            case PutItem(item=item):
                self.items.setdefault(item.room, {})[item.kind, item.key] = item
            case DropItem(room=room_id, kind=kind, key=key):
                self.items.get(room_id, {}).pop((kind, key), None)
            case DropItems(room=room_id, kind=kind, prefix=prefix):
                self._drop_items(room_id, lambda item: item.kind == kind and item.key.startswith(prefix))
            case PutMark(mark=mark):
                self.move_mark(mark)
            case Trim(room=room_id, upto=upto):
                self._trim(room_id, upto)

    def _put_message(self, message: MessageRecord) -> None:
        self._drop_message(message.id)
        self.messages[message.id] = message
        insort(self.message_order.setdefault(message.room, []), (message.seq, message.id))

    def _drop_message(self, message: str) -> None:
        old = self.messages.pop(message, None)
        if old is not None:
            self.message_order[old.room].remove((old.seq, old.id))

    def _drop_items(self, room: str, is_dropped: Callable[[ItemRecord], bool]) -> None:
        items = self.items.get(room, {})
        for name in [name for name, item in items.items() if is_dropped(item)]:
            del items[name]

    def _trim(self, room: str, upto: int) -> None:
        for _, message in [place for place in self.message_order.get(room, []) if place[0] <= upto]:
            self._drop_message(message)
        self._drop_items(room, lambda item: 0 < item.seq <= upto)
        entries = self.entries.get(room, [])
        for place, entry in enumerate(entries[: max(upto, 0)]):
            if entry.type in TRIMMED:
                entries[place] = replace(entry, body=b"")
