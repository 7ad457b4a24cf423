"""What happens to messages, and a message itself: behind the wire's `message.*`, `reaction.*` and `pin.*`."""

from __future__ import annotations

from msgspec import Struct


class ReactionCount(Struct, frozen=True):
    """How many people reacted with one emoji."""

    emoji: str
    count: int


class Message(Struct, frozen=True, omit_defaults=True):
    """A message as REST and events show it. `body` of a deleted message is empty, in events of an erased author's, too.

    `reply_count` and `reactions` are those of the moment: the message of a `message.created` has none yet.
    """

    id: str
    room: str
    seq: int
    msg_no: int
    rev: int
    author: str
    body: str
    created_at: str
    client_msg_id: str | None = None
    edited_at: str | None = None
    deleted: bool = False
    reply_to: str | None = None
    thread_root: str | None = None
    reply_count: int = 0
    mentions: tuple[str, ...] = ()
    mentions_all: bool = False
    reactions: tuple[ReactionCount, ...] = ()
    expires_at: str | None = None


class MessageCreated(Struct, frozen=True):
    """A message was posted. On the wire its `data` is the message itself."""

    message: Message


class MessageUpdated(Struct, frozen=True, omit_defaults=True):
    """A message was edited; `rev` counts its versions."""

    id: str
    message_seq: int
    msg_no: int
    rev: int
    body: str
    edited_at: str
    mentions: tuple[str, ...] = ()
    mentions_all: bool = False


class MessageGone(Struct, frozen=True, omit_defaults=True):
    """Which message went; the thread that it was a reply in has one less."""

    id: str
    message_seq: int
    msg_no: int
    thread_root: str | None = None


class MessageDeleted(MessageGone, frozen=True, omit_defaults=True):
    """A message became a tombstone; its seq and number stay. `author` is there if somebody else deleted it."""

    author: str | None = None


class MessageExpired(MessageGone, frozen=True, omit_defaults=True):
    """A message's time was over, and it became a tombstone."""


class MessagesBulkDeleted(Struct, frozen=True):
    """Several messages became tombstones at once."""

    messages: tuple[MessageGone, ...]


class ReactionAdded(Struct, frozen=True):
    """A user reacted to a message."""

    message: str
    message_seq: int
    user: str
    emoji: str


class ReactionRemoved(Struct, frozen=True):
    """A user took a reaction back."""

    message: str
    message_seq: int
    user: str
    emoji: str


class PinAdded(Struct, frozen=True):
    """A message was pinned."""

    message: str
    message_seq: int


class PinRemoved(Struct, frozen=True):
    """A message is not pinned any more."""

    message: str
    message_seq: int


class HistoryTrimmed(Struct, frozen=True):
    """What was said at or below `upto_seq` is kept no longer; nobody can read it any more."""

    upto_seq: int
