"""What may be asked of a room about its messages."""

from __future__ import annotations

from msgspec import Struct


class PostMessage(Struct, frozen=True):
    """Post. `digest` fingerprints the content, so that a repeat with another content is told apart.

    Who is mentioned: `mentions` by id, `names` by folded name, members or not, and everybody with `mentions_all`.
    `expires_in` is milliseconds.
    """

    actor: str
    client_msg_id: str
    body: str
    digest: bytes
    reply_to: str | None = None
    thread_root: str | None = None
    mentions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    mentions_all: bool = False
    expires_in: int | None = None


class EditMessage(Struct, frozen=True):
    """Change a message's text. `rev`, if given, must be that of the text that the editor saw."""

    actor: str
    message: str
    body: str
    rev: int | None = None
    names: tuple[str, ...] = ()
    mentions_all: bool = False


class DeleteMessage(Struct, frozen=True):
    """Turn a message into a tombstone."""

    actor: str
    message: str


class BulkDelete(Struct, frozen=True):
    """Turn several messages into tombstones, in one event."""

    actor: str
    messages: tuple[str, ...]


class ExpireMessage(Struct, frozen=True):
    """Turn a message whose time is over into a tombstone."""

    actor: str
    message: str


class React(Struct, frozen=True):
    """React to a message."""

    actor: str
    message: str
    emoji: str


class Unreact(Struct, frozen=True):
    """Take a reaction back."""

    actor: str
    message: str
    emoji: str


class PinMessage(Struct, frozen=True):
    """Pin a message."""

    actor: str
    message: str


class UnpinMessage(Struct, frozen=True):
    """Pin a message no longer."""

    actor: str
    message: str


class TrimHistory(Struct, frozen=True):
    """Forget what was said at or below `upto`."""

    actor: str
    upto: int


MessageCommand = (
    PostMessage
    | EditMessage
    | DeleteMessage
    | BulkDelete
    | ExpireMessage
    | React
    | Unreact
    | PinMessage
    | UnpinMessage
    | TrimHistory
)
