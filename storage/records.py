"""The records that storage keeps: plain frozen values, shared by every backend.

Times are integers, milliseconds since the Unix epoch, UTC. Identifiers are opaque prefixed strings made by the caller
(`u_…`, `r_…`, `m_…`). Nothing here knows a rule of chat: what a role may do or what an entry means is decided above.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class UserRecord(Struct, frozen=True):
    """One account. `name_key` is the folded username and unique; `password_hash` never leaves storage and accounts.

    `rev` counts its changes, of which `last_seen_at` is none. `state` is `active`, `leaving` or `erasing` while what
    the account leaves behind is cleared up; and `gone` after that. `avatar` is the id of the picture, if there is one.
    """

    id: str
    username: str
    name_key: str
    display_name: str
    email: str | None
    password_hash: str
    role: str
    created_at: int
    disabled: bool = False
    rev: int = 1
    state: str = "active"
    bio: str = ""
    avatar: str | None = None
    email_verified: bool = False
    last_seen_at: int | None = None


class RoomRecord(Struct, frozen=True):
    """A room's settings as of `applied_seq`: the projection of its journal up to and including that entry.

    `epoch` changes only when a journal was restored or truncated. `deleted_at` marks a tombstone: the row stays so that
    the journal stays explainable, and every listing leaves it out.
    """

    id: str
    kind: str
    visibility: str
    name: str
    name_key: str
    topic: str
    created_by: str
    created_at: int
    epoch: str
    settings: bytes
    applied_seq: int
    last_msg_no: int
    deleted_at: int | None = None


class MemberRecord(Struct, frozen=True):
    """One membership: `joined_seq` is the seq of the entry that made the user a member (this time)."""

    room: str
    user: str
    role: str
    joined_seq: int
    joined_at: int


class MessageRecord(Struct, frozen=True):
    """A message as it reads now: `doc` is the public JSON object, the other fields are what lookups need.

    `seq` is that of the entry that created it, `applied_seq` that of the entry that last changed it.
    """

    id: str
    room: str
    seq: int
    msg_no: int
    author: str
    deleted: bool
    doc: bytes
    applied_seq: int


class ItemRecord(Struct, frozen=True):
    """Something small that belongs to a room: a ban, an invite, a reaction, an earlier revision, a timer.

    `kind` and `key` name it within its room, `doc` is JSON whose form depends on the kind. A `held` item is part of the
    room's state and loaded with it. `due_at` makes it a timer. `seq` is that of the message that it hangs on, without
    which it means nothing; 0 for what hangs on the room itself.
    """

    room: str
    kind: str
    key: str
    doc: bytes
    held: bool = False
    due_at: int | None = None
    seq: int = 0


class ReadMark(Struct, frozen=True):
    """How far somebody has read a room: up to `seq`, where its messages were numbered up to `msg_no`.

    It only moves forward, so that writing one again, or late, is harmless: of two each field's larger one counts.
    """

    user: str
    room: str
    seq: int
    msg_no: int


class Entry(Struct, frozen=True):
    """One durable change of one room: the unit of the journal.

    `body` is the event exactly as it goes on the wire and as catch-up replays it; it is made once and never re-encoded.
    The other fields repeat what an index needs. `sender` and `client_msg_id` are set together, on posts only, and are
    unique per room without expiry; `digest` fingerprints what was sent, so that a repeat with another body is told
    apart.
    """

    room: str
    seq: int
    ts: int
    type: str
    actor: str
    body: bytes
    sender: str | None = None
    client_msg_id: str | None = None
    digest: bytes | None = None
    message_id: str | None = None
    msg_no: int | None = None


class PutRoom(Struct, frozen=True, tag="room"):
    """Replace the room's row by this one (whole row, so replaying it is harmless)."""

    room: RoomRecord


class PutMember(Struct, frozen=True, tag="member"):
    """Insert or replace one membership."""

    member: MemberRecord


class DropMember(Struct, frozen=True, tag="drop_member"):
    """Delete one membership if it is there."""

    room: str
    user: str


class PutMessage(Struct, frozen=True, tag="message"):
    """Insert or replace one message's current text."""

    message: MessageRecord


class DropMessage(Struct, frozen=True, tag="drop_message"):
    """Delete one message's row if it is there: a repair, for messages are otherwise kept as tombstones."""

    room: str
    message: str


class PutItem(Struct, frozen=True, tag="item"):
    """Insert or replace one item."""

    item: ItemRecord


class DropItem(Struct, frozen=True, tag="drop_item"):
    """Delete one item if it is there."""

    room: str
    kind: str
    key: str


class DropItems(Struct, frozen=True, tag="drop_items"):
    """Delete the items of a kind whose keys begin with `prefix`."""

    room: str
    kind: str
    prefix: str


class PutMark(Struct, frozen=True, tag="mark"):
    """Move a read marker forward, unless it is as far already."""

    mark: ReadMark


class Trim(Struct, frozen=True, tag="trim"):
    """Forget what was said at or below `upto`: messages, the items that hang on them, and their text in the journal.

    The entries stay, so that the order has no gap and a repeated post is still known; `body` of those whose types are
    in `TRIMMED` is empty from then on.
    """

    room: str
    upto: int


TRIMMED = ("message.created", "message.updated")
"""Types of entries that hold the text of messages. No such entry is made with an empty body."""

OVERALL = "audit"
"""The kind of items that is listed over all rooms."""

Change = PutRoom | PutMember | DropMember | PutMessage | DropMessage | PutItem | DropItem | DropItems | PutMark | Trim


class Append(Struct, frozen=True):
    """One room's share of a commit: entries with consecutive `seq`, and the projections of exactly these entries.

    `changes` ends with the room's own `PutRoom`, whose `applied_seq` is the last entry's seq.
    """

    room: str
    entries: tuple[Entry, ...]
    changes: tuple[Change, ...]


class Sent(Struct, frozen=True):
    """What is remembered of a post for ever, so that its repeat gets the same answer."""

    sender: str
    client_msg_id: str
    seq: int
    msg_no: int
    message_id: str
    digest: bytes


class RoomSnapshot(Struct, frozen=True):
    """What an activating room loads: row, memberships, held items and the journal's true head, read as of one moment.

    In a store whose journal is a database of its own, a process may have ended after a commit and before its
    projections: `head_seq` is then above `room.applied_seq`, and `room` is None if there has never been a projection.
    """

    room: RoomRecord | None
    members: tuple[MemberRecord, ...]
    head_seq: int
    items: tuple[ItemRecord, ...] = ()


class Page(Struct, Generic[T], frozen=True):
    """One page of a listing; `next_cursor` is None on the last one."""

    items: tuple[T, ...]
    next_cursor: str | None = None
