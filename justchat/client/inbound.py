"""What the server sends, decoded: the envelope first, its `data` once the type is known.

Decoding is lenient as the contract asks of clients: unknown fields are ignored, unknown event types come through with
their JSON, and only what is no frame at all is an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from justchat.client.items import RoomEvent
from justchat.wire.events import EVENTS, Event, EventFrame, Message, MessageCreated

T = TypeVar("T", bound=Struct)


class NotAFrame(ValueError):
    """The server sent something that is no frame of this protocol."""


class Inbound(Struct, frozen=True):
    """The envelope of every frame from the server; absent fields have their defaults."""

    type: str
    id: str | None = None
    room: str | None = None
    seq: int | None = None
    ts: str = ""
    actor: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


_frame_decoder: Final = msgspec.json.Decoder(Inbound)
_event_decoder: Final = msgspec.json.Decoder(EventFrame)
_message_decoder: Final = msgspec.json.Decoder(Message)
_content_decoders: Final = {
    name: msgspec.json.Decoder(struct) for name, struct in EVENTS.items() if struct is not MessageCreated
}


def read_frame(text: str | bytes) -> Inbound:
    """Decode an envelope. Raises NotAFrame."""
    try:
        return _frame_decoder.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise NotAFrame(str(error)) from None


def read_data(frame: Inbound, shape: type[T]) -> T:
    """Decode a frame's data. Raises NotAFrame."""
    try:
        return msgspec.json.decode(frame.data, type=shape)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise NotAFrame(f"{frame.type}: {error}") from None


def read_event(frame: Inbound) -> RoomEvent:
    """Make an event of a frame that has a room and a seq."""
    if frame.room is None or frame.seq is None:
        raise NotAFrame(f"{frame.type} without room and seq")
    content = _content(frame.type, frame.data)
    return RoomEvent(frame.room, frame.seq, frame.type, frame.ts, frame.actor, content, frame.data)


def read_events(bodies: Iterable[msgspec.Raw]) -> tuple[RoomEvent, ...]:
    """Decode the events of a snapshot or a page. Raises NotAFrame."""
    return tuple(_stored(body) for body in bodies)


def _stored(body: msgspec.Raw) -> RoomEvent:
    try:
        event = _event_decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise NotAFrame(str(error)) from None
    content = _content(event.type, event.data)
    return RoomEvent(event.room, event.seq, event.type, event.ts, event.actor, content, event.data)


def _content(kind: str, data: msgspec.Raw) -> Event | None:
    try:
        if kind == "message.created":
            return MessageCreated(_message_decoder.decode(data))
        decoder = _content_decoders.get(kind)
        return None if decoder is None else decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # A newer server may have changed the shape; the stream goes on and the application has the JSON.
        return None
