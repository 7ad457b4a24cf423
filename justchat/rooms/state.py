"""A room's state, and how an event changes it. Immutable, so that a batch can be tried before it is committed.

`evolve` is the only way a state comes about after loading; it asks no questions and refuses nothing. The maps are
persistent (a change shares structure with the state before it), so a tentative state costs microseconds at any size.
"""

from __future__ import annotations

from typing import assert_never

import msgspec
from immutables import Map
from msgspec import Struct
from msgspec.structs import replace

from justchat.rooms.permissions import Kind, Permission, Role, Visibility, permissions_of
from justchat.wire.events import (
    Event,
    MemberAdded,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    MemberRoleChanged,
    Message,
    MessageCreated,
    MessageDeleted,
    RoomCreated,
    RoomDeleted,
    RoomSettings,
    RoomUpdated,
)
from storage.records import MemberRecord, RoomSnapshot, Sent

# How many recent posts are remembered in memory; older repeats are found by the store's unique index.
SENT_KEPT = 512
_settings = msgspec.json.Decoder(RoomSettings)


class RoomState(Struct, frozen=True):
    """What a room is as of `head_seq`.

    `sent` remembers recent posts by (sender, client_msg_id). `loaded` holds the messages that the commands of the
    present batch refer to, and is empty between batches.
    """

    id: str
    kind: Kind
    visibility: Visibility
    name: str
    topic: str
    created_by: str
    created_at: int
    epoch: str
    settings: RoomSettings
    head_seq: int
    last_msg_no: int
    members: Map[str, MemberRecord]
    deleted_at: int | None = None
    sent: Map[tuple[str, str], Sent] = Map()
    loaded: Map[str, Message] = Map()

    def role_of(self, user: str) -> Role | None:
        """Give the user's role, None for somebody who is not a member."""
        member = self.members.get(user)
        return None if member is None else Role(member.role)

    def allowed(self, user: str) -> frozenset[Permission]:
        """Give the user's effective permissions; nobody may do anything in a deleted room."""
        if self.deleted_at is not None:
            return frozenset()
        return permissions_of(self.role_of(user), kind=self.kind, visibility=self.visibility)

    def owners(self) -> int:
        """Count the owners."""
        return sum(member.role == Role.OWNER for member in self.members.values())


class Stamp(Struct, frozen=True):
    """When and by whom: what every event of a room carries. `ts` is milliseconds since the epoch."""

    room: str
    seq: int
    ts: int
    actor: str


def from_snapshot(snapshot: RoomSnapshot) -> RoomState | None:
    """Build the state that storage remembers as of the room's `applied_seq`; None if there is only a journal."""
    room = snapshot.room
    if room is None:
        return None
    return RoomState(
        id=room.id,
        kind=Kind(room.kind),
        visibility=Visibility(room.visibility),
        name=room.name,
        topic=room.topic,
        created_by=room.created_by,
        created_at=room.created_at,
        epoch=room.epoch,
        settings=_settings.decode(room.settings),
        head_seq=room.applied_seq,
        last_msg_no=room.last_msg_no,
        members=Map({member.user: member for member in snapshot.members}),
        deleted_at=room.deleted_at,
    )


def evolve(state: RoomState | None, event: Event, stamp: Stamp) -> RoomState:
    """Apply one event. Only `RoomCreated` may meet a room that is not there yet."""
    if isinstance(event, RoomCreated):
        if state is not None or stamp.seq != 1:
            raise ValueError(f"{stamp.room}: room.created at seq {stamp.seq}, but a room is created once, at seq 1")
        return _created(event, stamp)
    if state is None:
        raise ValueError(f"{stamp.room}: the journal does not begin with room.created")
    if state.head_seq + 1 != stamp.seq:
        raise ValueError(f"{stamp.room}: seq {stamp.seq} does not follow {state.head_seq}")
    match event:
        case MessageCreated(message=message):
            return replace(state, head_seq=stamp.seq, last_msg_no=message.msg_no)
        case MessageDeleted(id=message_id):
            return replace(state, head_seq=stamp.seq, loaded=_with_tombstone(state.loaded, message_id))
        case RoomUpdated(new=new):
            return _updated(state, new.name, new.topic, new.visibility, stamp.seq)
        case RoomDeleted():
            return replace(state, head_seq=stamp.seq, deleted_at=stamp.ts)
        case MemberJoined(user=user, role=role) | MemberAdded(user=user, role=role):
            member = MemberRecord(stamp.room, user, role, stamp.seq, stamp.ts)
            return replace(state, head_seq=stamp.seq, members=state.members.set(user, member))
        case MemberLeft(user=user) | MemberRemoved(user=user):
            members = state.members.delete(user) if user in state.members else state.members
            return replace(state, head_seq=stamp.seq, members=members)
        case MemberRoleChanged(user=user, new=role):
            member = replace(state.members[user], role=role)
            return replace(state, head_seq=stamp.seq, members=state.members.set(user, member))
        case _:
            assert_never(event)


def remember(state: RoomState, posts: list[Sent]) -> RoomState:
    """Remember posts for their repeats."""
    return replace(state, sent=state.sent.update({(post.sender, post.client_msg_id): post for post in posts}))


def settled(state: RoomState) -> RoomState:
    """Drop what only the batch needed, and the oldest posts once twice as many as wanted are remembered."""
    sent = state.sent
    if len(sent) >= 2 * SENT_KEPT:
        newest = sorted(sent.values(), key=lambda post: post.seq)[-SENT_KEPT:]
        sent = Map({(post.sender, post.client_msg_id): post for post in newest})
    return replace(state, sent=sent, loaded=Map()) if sent is not state.sent or state.loaded else state


def tombstone(message: Message) -> Message:
    """Give the message as it reads once deleted: its place stays, its content goes."""
    if message.deleted:
        return message
    return replace(message, body="", deleted=True, rev=message.rev + 1, mentions=())


def _with_tombstone(loaded: Map[str, Message], message_id: str) -> Map[str, Message]:
    message = loaded.get(message_id)
    return loaded if message is None else loaded.set(message_id, tombstone(message))


def _updated(state: RoomState, name: str | None, topic: str | None, visibility: str | None, seq: int) -> RoomState:
    return replace(
        state,
        head_seq=seq,
        name=state.name if name is None else name,
        topic=state.topic if topic is None else topic,
        visibility=state.visibility if visibility is None else Visibility(visibility),
    )


def _created(event: RoomCreated, stamp: Stamp) -> RoomState:
    members = {
        member.user: MemberRecord(stamp.room, member.user, member.role, stamp.seq, stamp.ts) for member in event.members
    }
    return RoomState(
        id=stamp.room,
        kind=Kind(event.kind),
        visibility=Visibility(event.visibility),
        name=event.name,
        topic=event.topic,
        created_by=stamp.actor,
        created_at=stamp.ts,
        epoch=event.epoch,
        settings=event.settings,
        head_seq=stamp.seq,
        last_msg_no=0,
        members=Map(members),
    )
