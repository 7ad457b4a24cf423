"""What else goes through a room's inbox: joining the stream of events, going live again, and looking at the state.

They change nothing durable, but each is one turn of the actor, so that its answer is a point in the room's order.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from justchat.rooms.commands import NO_SUCH_ROOM, NOT_A_MEMBER, Command
from justchat.rooms.kept_commands import KeptCommand
from justchat.rooms.permissions import Kind, Permission, Role, Visibility, permissions_of
from justchat.rooms.rules.decision import lacks
from justchat.rooms.state import RoomState, circumstances_of, last_post, stored_pair, stored_settings
from justchat.rooms.subscription import Subscription
from justchat.wire.errors import Refusal
from justchat.wire.server_frames import MeView, RoomView, UserView
from justchat.wire.times import rfc3339
from storage.records import MemberRecord, RoomRecord


class Attach(Struct, frozen=True):
    """Join the stream after the seq `after` (None: after the head of that turn).

    `events` are the bytes of the newest entries up to `after`, for the snapshot; `replay` asks for the entries above
    `after` to be streamed and closed with `caught_up`; `epoch`, if given, must be the room's.
    """

    subscription: Subscription
    after: int | None
    events: tuple[bytes, ...] = ()
    replay: bool = False
    epoch: str | None = None
    frame_id: str | None = None


class GoLive(Struct, frozen=True):
    """Ask to be pushed to again; `subscription.seq` says how far the connection has read."""

    subscription: Subscription


class View(Struct, frozen=True):
    """Look at the room as this user."""

    user: str


class Look(Struct, frozen=True):
    """Ask what this user may do, and where the room stands at that moment."""

    user: str


class Await(Struct, frozen=True):
    """Ask what `Look` asks, and be answered once the room's head has come to `seq`."""

    user: str
    seq: int


class Wake(Struct, frozen=True):
    """Be awake, and look what is due: it may be something that the room has not heard of."""


class Forget(Struct, frozen=True):
    """Forget the bytes of recent entries, for they were rewritten in the journal."""


RoomMessage = Command | KeptCommand | Attach | GoLive | View | Look | Await | Wake | Forget


class Attached(Struct, frozen=True):
    """The subscription is in the table. Where it is not `live`, the journal is readable up to `head`."""

    live: bool
    head: int


class OutOfReach(Struct, frozen=True):
    """The asked position cannot be replayed: the client must refetch."""

    reason: str
    epoch: str
    head: int


class Access(Struct, frozen=True):
    """What a user may do as of `head`; entries above `floor` and up to `head` were visible to them at that moment.

    History is trimmed up to `trimmed`; where `floor` is above that, it is the user who does not see so far back.
    `last_msg_no` is how many messages were numbered, `joined_seq` where a member came in; 0 for others. `wrote` are seq
    and msg_no of their last post, if they are among those who posted last.
    """

    role: Role | None
    permissions: frozenset[Permission]
    head: int
    epoch: str
    floor: int = 0
    trimmed: int = 0
    last_msg_no: int = 0
    joined_seq: int = 0
    wrote: tuple[int, int] = (0, 0)

    def missing(self, permission: Permission) -> Refusal | None:
        """Refuse a user who sees the room and lacks a permission that no mute takes."""
        if permission in self.permissions:
            return None
        return NOT_A_MEMBER if self.role is None else lacks(permission)


def visible_to(state: RoomState | None, user: str) -> RoomState | Refusal:
    """Give the room to whoever may know of it."""
    if state is None or Permission.ROOM_VIEW not in state.allowed(user):
        return NO_SUCH_ROOM
    return state


def access_of(state: RoomState | None, user: str) -> Access | Refusal:
    """Say what a user may do."""
    room = visible_to(state, user)
    if isinstance(room, Refusal):
        return room
    member, wrote = room.members.get(user), last_post(room.recent, user)
    return Access(
        room.role_of(user),
        room.allowed(user),
        room.head_seq,
        room.epoch,
        room.floor_of(user),
        room.held.floor_seq,
        room.last_msg_no,
        0 if member is None else member.joined_seq,
        (0, 0) if wrote is None else (wrote.seq, wrote.msg_no),
    )


def view_of(state: RoomState, user: str, *, with_peer: bool = False) -> RoomView:
    """Show the room to a user who may know of it; `with_peer` says by id whom a direct room is with."""
    role = state.role_of(user)
    return RoomView(
        id=state.id,
        kind=state.kind.value,
        visibility=state.visibility.value,
        name=state.name,
        topic=state.topic,
        created_by=state.created_by,
        created_at=rfc3339(state.created_at),
        head_seq=state.head_seq,
        epoch=state.epoch,
        settings=state.settings,
        me=MeView(None if role is None else role.value, tuple(sorted(state.allowed(user)))),
        member_count=len(state.members),
        peer=_peer(state.members, user) if with_peer and state.kind is Kind.DIRECT else None,
    )


def view_of_record(record: RoomRecord, member: MemberRecord | None) -> RoomView:
    """Show a room in a list, from its row alone, without waking it: a mute of the caller's does not show here."""
    role = None if member is None else Role(member.role)
    settings, overrides = stored_settings(record)
    room = circumstances_of(Kind(record.kind), Visibility(record.visibility), settings, overrides)
    return RoomView(
        id=record.id,
        kind=record.kind,
        visibility=record.visibility,
        name=record.name,
        topic=record.topic,
        created_by=record.created_by,
        created_at=rfc3339(record.created_at),
        head_seq=record.applied_seq,
        epoch=record.epoch,
        settings=settings,
        me=MeView(None if role is None else role.value, tuple(sorted(permissions_of(role, room)))),
        peer=None if member is None else _peer(stored_pair(record), member.user),
    )


def _peer(pair: Iterable[str], user: str) -> UserView | None:
    """Give the other of two people, whose names rooms do not know."""
    return next((UserView(other, "", "") for other in pair if other != user), None)
