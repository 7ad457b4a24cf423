"""The event catalogue: one type per durable event, and the one place where an event becomes bytes.

An event's bytes are made once, when its entry is made: what is stored is what is broadcast and what catch-up replays.
Adding an event is adding a struct here, its rule in `justchat.rooms.state`, and its row changes in
`justchat.rooms.project`.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from justchat.wire.times import rfc3339


class RoomSettings(Struct, frozen=True):
    """A room's settings that members may see."""

    slow_mode_seconds: int = 0
    retention_days: int | None = None
    history_visibility: str = "shared"
    read_only: bool = False
    archived: bool = False


class MemberView(Struct, frozen=True):
    """A member as events name it."""

    user: str
    role: str


class Message(Struct, frozen=True, omit_defaults=True):
    """A message as REST and events show it. `body` of a deleted message is empty."""

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


class RoomCreated(Struct, frozen=True):
    """Seq 1 of every room: who made it, how it is set up and who is in it."""

    kind: str
    visibility: str
    name: str
    topic: str
    epoch: str
    settings: RoomSettings
    members: tuple[MemberView, ...]


class RoomChanges(Struct, frozen=True, omit_defaults=True):
    """The fields of a room that a change touched; the others are absent."""

    name: str | None = None
    topic: str | None = None
    visibility: str | None = None


class RoomUpdated(Struct, frozen=True):
    """Name, topic or visibility changed: the touched fields before and after."""

    old: RoomChanges
    new: RoomChanges


class RoomDeleted(Struct, frozen=True):
    """The room is gone; nothing follows."""


class MemberJoined(Struct, frozen=True):
    """A user joined on their own."""

    user: str
    role: str


class MemberLeft(Struct, frozen=True):
    """A user left on their own."""

    user: str


class MemberAdded(Struct, frozen=True):
    """The actor added a user."""

    user: str
    role: str


class MemberRemoved(Struct, frozen=True):
    """The actor removed a user: the last event of this room that the user receives."""

    user: str


class MemberRoleChanged(Struct, frozen=True):
    """The actor gave a member another role."""

    user: str
    old: str
    new: str


class MessageCreated(Struct, frozen=True):
    """A message was posted. On the wire its `data` is the message itself."""

    message: Message


class MessageDeleted(Struct, frozen=True):
    """A message became a tombstone; its seq and number stay."""

    id: str
    message_seq: int
    msg_no: int


Event = (
    RoomCreated
    | RoomUpdated
    | RoomDeleted
    | MemberJoined
    | MemberLeft
    | MemberAdded
    | MemberRemoved
    | MemberRoleChanged
    | MessageCreated
    | MessageDeleted
)

EVENTS: Final[dict[str, type[Event]]] = {
    "room.created": RoomCreated,
    "room.updated": RoomUpdated,
    "room.deleted": RoomDeleted,
    "member.joined": MemberJoined,
    "member.left": MemberLeft,
    "member.added": MemberAdded,
    "member.removed": MemberRemoved,
    "member.role_changed": MemberRoleChanged,
    "message.created": MessageCreated,
    "message.deleted": MessageDeleted,
}
_NAMES: Final = {struct: name for name, struct in EVENTS.items()}


class EventFrame(Struct, frozen=True):
    """An event as it stands on the wire and in the journal. Field order is the order of the bytes."""

    type: str
    room: str
    seq: int
    ts: str
    actor: str
    data: msgspec.Raw


_encoder = msgspec.json.Encoder()
_frame_decoder = msgspec.json.Decoder(EventFrame)
_message_decoder = msgspec.json.Decoder(Message)
_data_decoders = {name: msgspec.json.Decoder(struct) for name, struct in EVENTS.items()}


def event_name(event: Event) -> str:
    """Name an event as the wire does, such as `message.created`."""
    return _NAMES[type(event)]


def encode_event(event: Event, *, room: str, seq: int, ts: int, actor: str) -> bytes:
    """Make the bytes of an event. `ts` is milliseconds since the epoch."""
    content: Struct = event.message if isinstance(event, MessageCreated) else event
    return _encoder.encode(
        EventFrame(_NAMES[type(event)], room, seq, rfc3339(ts), actor, msgspec.Raw(_encoder.encode(content)))
    )


def decode_event(body: bytes) -> Event:
    """Read an event back from the bytes that `encode_event` made. Raises msgspec.ValidationError on anything else."""
    try:
        frame = _frame_decoder.decode(body)
        if frame.type == "message.created":
            return MessageCreated(_message_decoder.decode(frame.data))
        return _data_decoders[frame.type].decode(frame.data)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError) as error:
        raise msgspec.ValidationError(f"not an event: {error}") from error


def encode_message(message: Message) -> bytes:
    """Make the bytes of a message as projections keep it and REST shows it."""
    return _encoder.encode(message)


def decode_message(doc: bytes) -> Message:
    """Read a message back from `encode_message`'s bytes."""
    return _message_decoder.decode(doc)
