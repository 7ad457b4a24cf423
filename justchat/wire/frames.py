"""What clients send over the WebSocket: one tagged union, decoded in one step, and the frame limits that go with it.

A frame is one JSON object in one text message: `{"type", "id"?, "room"?, "data"?}`. Unknown fields are refused so that
typing errors surface. `id` is the client's own and comes back in the answer.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from justchat.wire.emoji import EMOJI_MAX_CHARACTERS
from justchat.wire.errors import ErrorCode, FieldProblem, Refusal
from justchat.wire.strict_json import decode_strict

# The longest room, user or message id that is looked at; ours are 34 characters.
Id = Annotated[str, Meta(min_length=1, max_length=64)]
FrameId = Annotated[str, Meta(max_length=64)]
Seq = Annotated[int, Meta(ge=0, le=2**53 - 1)]
ClientMsgId = Annotated[str, Meta(min_length=1, max_length=64)]
Token = Annotated[str, Meta(max_length=4096)]
PageLimit = Annotated[int, Meta(ge=1, le=100)]
Rev = Annotated[int, Meta(ge=1, le=2**53 - 1)]


class Position(Struct, frozen=True, forbid_unknown_fields=True):
    """How far a client has seen one room: the epoch it saw and the last seq it applied."""

    epoch: Annotated[str, Meta(max_length=64)]
    seq: Seq


class HelloData(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is calling, by a token or a ticket, and what it wants at once. `subscribe` may be "all"."""

    token: Token | None = None
    ticket: Annotated[str, Meta(max_length=128)] | None = None
    resume: dict[Id, Position] = {}
    subscribe: Literal["all"] | None = None


class SubscribeData(Struct, frozen=True, forbid_unknown_fields=True):
    """`after` resumes past a seq (with `epoch` to be sure); `history` asks for that many newest events instead."""

    after: Seq | None = None
    epoch: Annotated[str, Meta(max_length=64)] | None = None
    history: Annotated[int, Meta(ge=0, le=100)] | None = None

    def __post_init__(self) -> None:
        """Refuse two wishes at once, of which one would have to be ignored."""
        if self.after is not None and self.history is not None:
            raise ValueError("give after or history, not both")


class SendData(Struct, frozen=True, forbid_unknown_fields=True):
    """A post. `client_msg_id` makes its repeat harmless."""

    client_msg_id: ClientMsgId
    body: Annotated[str, Meta(min_length=1)]
    reply_to: Id | None = None
    thread_root: Id | None = None
    mentions: tuple[Id, ...] = ()
    expires_in: int | None = None


class EditData(Struct, frozen=True, forbid_unknown_fields=True):
    """A message's new text. `rev`, if given, must be that of the text that the editor saw."""

    message: Id
    body: Annotated[str, Meta(min_length=1)]
    rev: Rev | None = None


class DeleteData(Struct, frozen=True, forbid_unknown_fields=True):
    """Which message to turn into a tombstone."""

    message: Id


class ReactionData(Struct, frozen=True, forbid_unknown_fields=True):
    """Which message a reaction is to, and the reaction."""

    message: Id
    emoji: Annotated[str, Meta(min_length=1, max_length=EMOJI_MAX_CHARACTERS)]


class PinData(Struct, frozen=True, forbid_unknown_fields=True):
    """Which message a pin is on."""

    message: Id


class FetchData(Struct, frozen=True, forbid_unknown_fields=True):
    """A page of events, ascending: the last `limit` below `before`, or the first above `after`."""

    before: Seq | None = None
    after: Seq | None = None
    limit: PageLimit = 50

    def __post_init__(self) -> None:
        """Refuse two directions at once."""
        if self.before is not None and self.after is not None:
            raise ValueError("give before or after, not both")


class ReadData(Struct, frozen=True, forbid_unknown_fields=True):
    """Up to which seq everything has been read."""

    seq: Seq


class RefreshData(Struct, frozen=True, forbid_unknown_fields=True):
    """The access token to stay by."""

    token: Token


class Hello(Struct, frozen=True, forbid_unknown_fields=True, tag="hello"):
    """The first frame of a connection."""

    data: HelloData = HelloData()
    id: FrameId | None = None


class Subscribe(Struct, frozen=True, forbid_unknown_fields=True, tag="subscribe"):
    """Snapshot and live events of one room, in one step."""

    room: Id
    data: SubscribeData = SubscribeData()
    id: FrameId | None = None


class Unsubscribe(Struct, frozen=True, forbid_unknown_fields=True, tag="unsubscribe"):
    """Stop the events of one room."""

    room: Id
    id: FrameId | None = None


class Send(Struct, frozen=True, forbid_unknown_fields=True, tag="send"):
    """Post a message; answered by `ack` after the commit, or by `error`."""

    room: Id
    data: SendData
    id: FrameId | None = None


class Delete(Struct, frozen=True, forbid_unknown_fields=True, tag="delete"):
    """Delete a message; answered by `ack` or `error`."""

    room: Id
    data: DeleteData
    id: FrameId | None = None


class Edit(Struct, frozen=True, forbid_unknown_fields=True, tag="edit"):
    """Change one's own message; answered by `ack` or `error`."""

    room: Id
    data: EditData
    id: FrameId | None = None


class React(Struct, frozen=True, forbid_unknown_fields=True, tag="react"):
    """React to a message; answered by `ack` or `error`."""

    room: Id
    data: ReactionData
    id: FrameId | None = None


class Unreact(Struct, frozen=True, forbid_unknown_fields=True, tag="unreact"):
    """Take a reaction back; answered by `ack` or `error`."""

    room: Id
    data: ReactionData
    id: FrameId | None = None


class Pin(Struct, frozen=True, forbid_unknown_fields=True, tag="pin"):
    """Pin a message; answered by `ack` or `error`."""

    room: Id
    data: PinData
    id: FrameId | None = None


class Unpin(Struct, frozen=True, forbid_unknown_fields=True, tag="unpin"):
    """Pin a message no longer; answered by `ack` or `error`."""

    room: Id
    data: PinData
    id: FrameId | None = None


class Fetch(Struct, frozen=True, forbid_unknown_fields=True, tag="fetch"):
    """History over the socket; answered by `page`."""

    room: Id
    data: FetchData = FetchData()
    id: FrameId | None = None


class Read(Struct, frozen=True, forbid_unknown_fields=True, tag="read"):
    """Say how far one has read a room; answered by `ack`, with that seq (the head at most), or `error`."""

    room: Id
    data: ReadData
    id: FrameId | None = None


class Refresh(Struct, frozen=True, forbid_unknown_fields=True, tag="refresh"):
    """Stay by another access token of the same user; answered by `refreshed` or `error`."""

    data: RefreshData
    id: FrameId | None = None


class Ping(Struct, frozen=True, forbid_unknown_fields=True, tag="ping"):
    """Application ping for clients that cannot see WebSocket pings; answered by `pong`."""

    id: FrameId | None = None


CommandFrame = Send | Edit | Delete | React | Unreact | Pin | Unpin
"""What changes a room. The other frames ask for something, or are about the connection itself."""

ClientFrame = Hello | Subscribe | Unsubscribe | CommandFrame | Fetch | Read | Refresh | Ping
FRAME_TYPES: Final = (
    "hello",
    "subscribe",
    "unsubscribe",
    "send",
    "edit",
    "delete",
    "react",
    "unreact",
    "pin",
    "unpin",
    "fetch",
    "read",
    "refresh",
    "ping",
)
_decoder: Final = msgspec.json.Decoder(ClientFrame)


def _is_no_frame(problem: FieldProblem) -> bool:
    """Tell a fault of the envelope, which leaves the type unknown, from a fault of one field."""
    at_top = problem.pointer == ""
    return problem.pointer == "/type" or (
        at_top and ("`type`" in problem.detail or "Expected `object`" in problem.detail)
    )


class _IdOnly(Struct, frozen=True):
    """What can still be said of a frame that is refused: whose answer the error is."""

    id: FrameId | None = None


_id_decoder: Final = msgspec.json.Decoder(_IdOnly)


def decode_frame(text: str) -> ClientFrame | Refusal:
    """Decode one text message, or say why it is refused: `invalid_frame` where not even its type is known."""
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        return Refusal(ErrorCode.INVALID_FRAME, "not acceptable JSON: lone surrogate")
    frame = decode_strict(raw, _decoder)
    if isinstance(frame, Refusal) and frame.errors and _is_no_frame(frame.errors[0]):
        return Refusal(ErrorCode.INVALID_FRAME, f"not a frame: {frame.detail}")
    return frame


def frame_id_of(text: str) -> str | None:
    """Find the id of a frame that was refused, if it has a plain one."""
    try:
        return _id_decoder.decode(text).id
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
