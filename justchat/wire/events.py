"""The event catalogue: every durable event, and the one place where an event becomes bytes.

An event's bytes are made once, when its entry is made: what is stored is what is broadcast and what catch-up replays.
Adding an event is adding a struct to `message_events` or `room_events`, its name here, its rule in
`justchat.rooms.evolve`, and its row changes in `justchat.rooms.project`.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from justchat.wire.message_events import (
    HistoryTrimmed,
    Message,
    MessageCreated,
    MessageDeleted,
    MessageExpired,
    MessageGone,
    MessagesBulkDeleted,
    MessageUpdated,
    PinAdded,
    PinRemoved,
    ReactionAdded,
    ReactionCount,
    ReactionRemoved,
)
from justchat.wire.room_events import (
    InviteCreated,
    InviteRevoked,
    MemberAdded,
    MemberBanned,
    MemberJoined,
    MemberLeft,
    MemberMuted,
    MemberRemoved,
    MemberRoleChanged,
    MemberUnbanned,
    MemberUnmuted,
    MemberView,
    Overrides,
    PermissionsUpdated,
    RoomArchived,
    RoomChanges,
    RoomCreated,
    RoomDeleted,
    RoomSettings,
    RoomUpdated,
    SettingsChanges,
)
from justchat.wire.times import rfc3339

__all__ = [
    "EVENTS",
    "SYSTEM",
    "Event",
    "EventFrame",
    "HistoryTrimmed",
    "InviteCreated",
    "InviteRevoked",
    "MemberAdded",
    "MemberBanned",
    "MemberJoined",
    "MemberLeft",
    "MemberMuted",
    "MemberRemoved",
    "MemberRoleChanged",
    "MemberUnbanned",
    "MemberUnmuted",
    "MemberView",
    "Message",
    "MessageCreated",
    "MessageDeleted",
    "MessageExpired",
    "MessageGone",
    "MessageUpdated",
    "MessagesBulkDeleted",
    "Overrides",
    "PermissionsUpdated",
    "PinAdded",
    "PinRemoved",
    "RawEvent",
    "ReactionAdded",
    "ReactionCount",
    "ReactionRemoved",
    "RoomArchived",
    "RoomChanges",
    "RoomCreated",
    "RoomDeleted",
    "RoomSettings",
    "RoomUpdated",
    "SettingsChanges",
    "decode_event",
    "decode_message",
    "encode_event",
    "encode_message",
    "event_name",
]

SYSTEM: Final = "system"
"""The actor of what happens by itself: a mute that ends, a message that expires, history that is trimmed."""

Event = (
    RoomCreated
    | RoomUpdated
    | RoomArchived
    | RoomDeleted
    | MemberJoined
    | MemberLeft
    | MemberAdded
    | MemberRemoved
    | MemberRoleChanged
    | MemberBanned
    | MemberUnbanned
    | MemberMuted
    | MemberUnmuted
    | InviteCreated
    | InviteRevoked
    | PermissionsUpdated
    | MessageCreated
    | MessageUpdated
    | MessageDeleted
    | MessageExpired
    | MessagesBulkDeleted
    | ReactionAdded
    | ReactionRemoved
    | PinAdded
    | PinRemoved
    | HistoryTrimmed
)

EVENTS: Final[dict[str, type[Event]]] = {
    "room.created": RoomCreated,
    "room.updated": RoomUpdated,
    "room.archived": RoomArchived,
    "room.deleted": RoomDeleted,
    "member.joined": MemberJoined,
    "member.left": MemberLeft,
    "member.added": MemberAdded,
    "member.removed": MemberRemoved,
    "member.role_changed": MemberRoleChanged,
    "member.banned": MemberBanned,
    "member.unbanned": MemberUnbanned,
    "member.muted": MemberMuted,
    "member.unmuted": MemberUnmuted,
    "invite.created": InviteCreated,
    "invite.revoked": InviteRevoked,
    "permissions.updated": PermissionsUpdated,
    "message.created": MessageCreated,
    "message.updated": MessageUpdated,
    "message.deleted": MessageDeleted,
    "message.expired": MessageExpired,
    "message.bulk_deleted": MessagesBulkDeleted,
    "reaction.added": ReactionAdded,
    "reaction.removed": ReactionRemoved,
    "pin.added": PinAdded,
    "pin.removed": PinRemoved,
    "history.trimmed": HistoryTrimmed,
}
_NAMES: Final = {struct: name for name, struct in EVENTS.items()}


RawEvent = Annotated[msgspec.Raw, Meta(extra_json_schema={"$ref": "#/components/schemas/Event"})]
"""An event's bytes as part of something else; schemas refer to that of all events."""


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
