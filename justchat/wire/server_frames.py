"""What the server sends that is not a durable event: welcome, snapshots, answers and lifecycle. Bytes come out.

Durable events are made by `justchat.wire.events` and travel as they are stored. Everything here has no `seq` of the
journal's own except where the contract says so, and may be made anew for each receiver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from justchat.wire.errors import Problem, Refusal, problem
from justchat.wire.events import RawEvent, RoomSettings


class Limits(Struct, frozen=True):
    """The limits a client should know, echoed in `welcome`. Units are in the names."""

    body_max_characters: int
    frame_max_bytes: int
    history_page_max: int
    subscriptions_max: int
    commands_per_second: float
    command_burst: int
    outbox_items: int
    outbox_bytes: int


class UserView(Struct, frozen=True, omit_defaults=True):
    """A user as everybody may see them.

    Where there is a picture, `avatar_url` is its address, which changes with it. Of a `deleted` account nothing is left
    but its id: the username is empty.
    """

    id: str
    username: str
    display_name: str
    avatar_url: str | None = None
    deleted: bool = False


class WelcomeRoom(Struct, frozen=True):
    """Where a room of the user stands, and how many of its messages they have not read."""

    id: str
    epoch: str
    head_seq: int
    unread: int = 0


class WelcomeData(Struct, frozen=True):
    """The answer to hello."""

    connection_id: str
    user: UserView
    server_time: str
    heartbeat_ms: int
    limits: Limits
    rooms: tuple[WelcomeRoom, ...]


class MeView(Struct, frozen=True, omit_defaults=True):
    """What the caller is in a room; `role` is null for a visitor of a public room.

    Over REST it says how far a member has read, and how many messages were posted since; not over the WebSocket.
    """

    role: str | None
    permissions: tuple[str, ...]
    unread: int | None = None
    read_seq: int | None = None


class RoomView(Struct, frozen=True, omit_defaults=True):
    """A room as one user sees it, as of `head_seq`. Lists of rooms leave `member_count` out.

    `peer` is whom a direct room is with, over REST; the names of somebody whose account is gone are empty.
    """

    id: str
    kind: str
    visibility: str
    name: str
    topic: str
    created_by: str
    created_at: str
    head_seq: int
    epoch: str
    settings: RoomSettings
    me: MeView
    member_count: int | None = None
    peer: UserView | None = None


class SubscribedData(Struct, frozen=True):
    """A snapshot. After `events` the next live seq is exactly `head_seq` + 1; a resume streams what lies between."""

    epoch: str
    head_seq: int
    state: RoomView
    events: tuple[RawEvent, ...]


class AckData(Struct, frozen=True, omit_defaults=True):
    """The answer to a command, after its commit. Times are milliseconds spent in the server."""

    queued_ms: float
    commit_ms: float
    duplicate: bool = False
    changed: bool = True
    msg_no: int | None = None
    message_id: str | None = None
    client_msg_id: str | None = None


class SeqData(Struct, frozen=True, omit_defaults=True):
    """A position, with what the frame's type needs besides."""

    seq: int
    head_seq: int | None = None
    reason: str | None = None


class ResetData(Struct, frozen=True):
    """Why a position cannot be replayed, and where the room stands instead."""

    reason: str
    epoch: str
    head_seq: int


class PageData(Struct, frozen=True):
    """A page of events, ascending; `more` says whether another page lies in the asked direction."""

    events: tuple[RawEvent, ...]
    more: bool
    head_seq: int


class ExpiringData(Struct, frozen=True):
    """How long the token is still good."""

    in_ms: int


class RefreshedData(Struct, frozen=True):
    """How long the connection may stay by the new token."""

    expires_in_ms: int


class SignedInData(Struct, frozen=True):
    """A sign-in of the same user from somewhere: nothing to do, unless it was not them."""

    session: str
    user_agent: str
    address: str


class GoodbyeData(Struct, frozen=True):
    """Why the server hangs up, and when to come back (already jittered)."""

    reason: str
    reconnect_after_ms: int


FrameData = (
    WelcomeData
    | SubscribedData
    | AckData
    | SeqData
    | ResetData
    | PageData
    | ExpiringData
    | RefreshedData
    | SignedInData
    | GoodbyeData
    | Problem
    | None
)


class ServerFrame(Struct, frozen=True, omit_defaults=True):
    """The envelope; absent fields are left out."""

    type: str
    id: str | None = None
    room: str | None = None
    seq: int | None = None
    data: FrameData = None


_encode = msgspec.json.Encoder().encode


def welcome(data: WelcomeData, *, frame_id: str | None) -> bytes:
    """Answer hello."""
    return _encode(ServerFrame("welcome", id=frame_id, data=data))


def subscribed(room: str, *, frame_id: str | None, state: RoomView, head_seq: int, events: Sequence[bytes]) -> bytes:
    """Answer subscribe with a snapshot."""
    raw = tuple(msgspec.Raw(event) for event in events)
    return _encode(
        ServerFrame("subscribed", id=frame_id, room=room, data=SubscribedData(state.epoch, head_seq, state, raw))
    )


def caught_up(room: str, *, seq: int) -> bytes:
    """Say that a replay is finished and live events follow."""
    return _encode(ServerFrame("caught_up", room=room, data=SeqData(seq)))


def lagging(room: str, *, seq: int, head_seq: int) -> bytes:
    """Say that push became pull: the journal follows from `seq` at the reader's pace."""
    return _encode(ServerFrame("lagging", room=room, data=SeqData(seq, head_seq)))


def unsubscribed(room: str, *, reason: str, seq: int, frame_id: str | None = None) -> bytes:
    """Say that nothing newer than `seq` follows from this room."""
    return _encode(ServerFrame("unsubscribed", id=frame_id, room=room, data=SeqData(seq, reason=reason)))


def reset(room: str, *, reason: str, epoch: str, head_seq: int, frame_id: str | None = None) -> bytes:
    """Say that the asked position cannot be replayed: refetch."""
    return _encode(ServerFrame("reset", id=frame_id, room=room, data=ResetData(reason, epoch, head_seq)))


def ack(room: str, *, frame_id: str | None, seq: int, data: AckData) -> bytes:
    """Answer a command that is committed."""
    return _encode(ServerFrame("ack", id=frame_id, room=room, seq=seq, data=data))


def error(refusal: Refusal, *, frame_id: str | None = None, room: str | None = None) -> bytes:
    """Answer a command that is refused."""
    return _encode(ServerFrame("error", id=frame_id, room=room, data=problem(refusal)))


def page(room: str, *, frame_id: str | None, events: Sequence[bytes], more: bool, head_seq: int) -> bytes:
    """Answer fetch."""
    raw = tuple(msgspec.Raw(event) for event in events)
    return _encode(ServerFrame("page", id=frame_id, room=room, data=PageData(raw, more, head_seq)))


def pong(frame_id: str | None) -> bytes:
    """Answer an application ping."""
    return _encode(ServerFrame("pong", id=frame_id))


def expiring(*, in_ms: int) -> bytes:
    """Warn that the token runs out; `refresh` with another keeps everything as it is."""
    return _encode(ServerFrame("expiring", data=ExpiringData(in_ms)))


def refreshed(*, frame_id: str | None, expires_in_ms: int) -> bytes:
    """Answer refresh."""
    return _encode(ServerFrame("refreshed", id=frame_id, data=RefreshedData(expires_in_ms)))


def signed_in(session: str, *, user_agent: str, address: str) -> bytes:
    """Tell a user's other devices of a sign-in."""
    return _encode(ServerFrame("signed_in", data=SignedInData(session, user_agent, address)))


def goodbye(*, reason: str, reconnect_after_ms: int) -> bytes:
    """Announce that the server hangs up."""
    return _encode(ServerFrame("goodbye", data=GoodbyeData(reason, reconnect_after_ms)))


class FrameForm(Struct, frozen=True):
    """What a frame of one type looks like: who makes it, its `data`, and which fields of the envelope it has."""

    maker: Callable[..., bytes]
    data: type[Struct] | None
    always: tuple[str, ...] = ()
    sometimes: tuple[str, ...] = ()


SERVER_FRAMES: Final[Mapping[str, FrameForm]] = {
    "welcome": FrameForm(welcome, WelcomeData, sometimes=("id",)),
    "subscribed": FrameForm(subscribed, SubscribedData, always=("room",), sometimes=("id",)),
    "caught_up": FrameForm(caught_up, SeqData, always=("room",)),
    "lagging": FrameForm(lagging, SeqData, always=("room",)),
    "unsubscribed": FrameForm(unsubscribed, SeqData, always=("room",), sometimes=("id",)),
    "reset": FrameForm(reset, ResetData, always=("room",), sometimes=("id",)),
    "ack": FrameForm(ack, AckData, always=("room", "seq"), sometimes=("id",)),
    "error": FrameForm(error, Problem, sometimes=("id", "room")),
    "page": FrameForm(page, PageData, always=("room",), sometimes=("id",)),
    "pong": FrameForm(pong, None, sometimes=("id",)),
    "expiring": FrameForm(expiring, ExpiringData),
    "refreshed": FrameForm(refreshed, RefreshedData, sometimes=("id",)),
    "signed_in": FrameForm(signed_in, SignedInData),
    "goodbye": FrameForm(goodbye, GoodbyeData),
}
"""Every frame that is not a durable event, by its type."""
