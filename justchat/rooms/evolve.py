"""How an event changes a room's state: it asks no questions and refuses nothing. Pure.

What an event does to messages that are at hand is in `justchat.rooms.message_states`.
"""

from __future__ import annotations

from typing import TypeVar

from immutables import Map
from msgspec import UNSET
from msgspec.structs import asdict, replace

from justchat.rooms.items import Ban, Invite, Mute, Pin, Spoke, reaction_key
from justchat.rooms.message_states import changed_messages
from justchat.rooms.permissions import Kind, Visibility
from justchat.rooms.state import RECENT_KEPT, Held, LastPost, RoomState, Stamp
from justchat.wire.events import (
    Event,
    HistoryTrimmed,
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
    Message,
    MessageCreated,
    MessageGone,
    MessagesBulkDeleted,
    MessageUpdated,
    PermissionsUpdated,
    PinAdded,
    PinRemoved,
    ReactionAdded,
    ReactionRemoved,
    RoomArchived,
    RoomCreated,
    RoomDeleted,
    RoomUpdated,
)
from justchat.wire.times import epoch_ms
from storage.records import MemberRecord

T = TypeVar("T")


def evolve(state: RoomState | None, event: Event, stamp: Stamp) -> RoomState:
    """Apply one event. Only `RoomCreated` may meet a room that is not there yet. Raises ValueError for a gap."""
    if isinstance(event, RoomCreated):
        if state is not None or stamp.seq != 1:
            raise ValueError(f"{stamp.room}: room.created at seq {stamp.seq}, but a room is created once, at seq 1")
        return _created(event, stamp)
    if state is None:
        raise ValueError(f"{stamp.room}: the journal does not begin with room.created")
    if state.head_seq + 1 != stamp.seq:
        raise ValueError(f"{stamp.room}: seq {stamp.seq} does not follow {state.head_seq}")
    if isinstance(event, MessageCreated):
        return _posted(state, event, stamp)
    match event:
        case RoomUpdated() | RoomArchived() | RoomDeleted() | PermissionsUpdated():
            state = _room(state, event, stamp)
        case MemberJoined() | MemberAdded() | MemberLeft() | MemberRemoved() | MemberRoleChanged():
            state = _members(state, event, stamp)
        case MemberBanned() | MemberUnbanned() | MemberMuted() | MemberUnmuted() | InviteCreated() | InviteRevoked():
            state = _moderation(state, event, stamp)
        case ReactionAdded(message=message_id, emoji=emoji, user=user):
            reacted = state.reacted.set(reaction_key(message_id, emoji, user), True)
            state = replace(state, reacted=reacted)
        case ReactionRemoved(message=message_id, emoji=emoji, user=user):
            reacted = state.reacted.set(reaction_key(message_id, emoji, user), False)
            state = replace(state, reacted=reacted)
        case _:
            state = replace(state, held=_pins(state.held, event, stamp))
    return replace(state, head_seq=stamp.seq, loaded=_loaded(state, event))


def _posted(state: RoomState, event: MessageCreated, stamp: Stamp) -> RoomState:
    held, author = state.held, event.message.author
    if state.settings.slow_mode_seconds:
        held = replace(held, spoke=held.spoke.set(author, Spoke(author, stamp.ts)))
    loaded, msg_no = _loaded(state, event), event.message.msg_no
    # One beyond those that are kept has had its marker written with the post that pushed it out.
    others = [post for post in state.recent[-RECENT_KEPT:] if post.user != author]
    recent = (*others, LastPost(author, stamp.seq, msg_no))
    return replace(state, head_seq=stamp.seq, last_msg_no=msg_no, held=held, recent=recent, loaded=loaded)


def _loaded(state: RoomState, event: Event) -> Map[str, Message]:
    if not state.loaded:
        return state.loaded
    if isinstance(event, HistoryTrimmed):
        return Map({name: message for name, message in state.loaded.items() if message.seq > event.upto_seq})
    return state.loaded.update(changed_messages(state.loaded, event))


def _room(
    state: RoomState, event: RoomUpdated | RoomArchived | RoomDeleted | PermissionsUpdated, stamp: Stamp
) -> RoomState:
    match event:
        case RoomArchived(archived=archived):
            return replace(state, settings=replace(state.settings, archived=archived))
        case RoomDeleted():
            # Nobody comes in or speaks any more, so nothing ends either: a deleted room has no timers.
            return replace(state, deleted_at=stamp.ts, held=replace(state.held, invites=Map(), mutes=Map()))
        case PermissionsUpdated(new=new):
            return replace(state, overrides=new)
        case RoomUpdated(new=new):
            settings, held = state.settings, state.held
            if new.settings is not None:
                touched = {name: value for name, value in asdict(new.settings).items() if value is not UNSET}
                settings = replace(settings, **touched)
                if settings.slow_mode_seconds == 0:
                    held = replace(held, spoke=Map())
            return replace(
                state,
                name=state.name if new.name is None else new.name,
                topic=state.topic if new.topic is None else new.topic,
                visibility=state.visibility if new.visibility is None else Visibility(new.visibility),
                settings=settings,
                held=held,
            )


def _members(
    state: RoomState,
    event: MemberJoined | MemberAdded | MemberLeft | MemberRemoved | MemberRoleChanged,
    stamp: Stamp,
) -> RoomState:
    match event:
        case MemberJoined(user=user, role=role) | MemberAdded(user=user, role=role):
            member = MemberRecord(stamp.room, user, role, stamp.seq, stamp.ts)
            held = state.held
            if isinstance(event, MemberJoined) and event.invite is not None and event.invite in held.invites:
                invite = held.invites[event.invite]
                used = replace(invite, uses=invite.uses + 1)
                held = replace(held, invites=held.invites.set(invite.id, used))
            return replace(state, members=state.members.set(user, member), held=held)
        case MemberLeft(user=user) | MemberRemoved(user=user):
            return replace(state, members=_without(state.members, user))
        case MemberRoleChanged(user=user, new=role):
            member = replace(state.members[user], role=role)
            return replace(state, members=state.members.set(user, member))


def _moderation(
    state: RoomState,
    event: MemberBanned | MemberUnbanned | MemberMuted | MemberUnmuted | InviteCreated | InviteRevoked,
    stamp: Stamp,
) -> RoomState:
    held = state.held
    match event:
        case MemberBanned(user=user, reason=reason):
            held = replace(held, bans=held.bans.set(user, Ban(user, stamp.actor, stamp.ts, reason)))
            return replace(state, members=_without(state.members, user), held=held)
        case MemberUnbanned(user=user):
            held = replace(held, bans=_without(held.bans, user))
        case MemberMuted(user=user, until=until, reason=reason):
            end = None if until is None else epoch_ms(until)
            held = replace(held, mutes=held.mutes.set(user, Mute(user, stamp.actor, stamp.ts, end, reason)))
        case MemberUnmuted(user=user):
            held = replace(held, mutes=_without(held.mutes, user))
        case InviteCreated(id=invite_id, role=role, expires_at=expires_at, max_uses=max_uses):
            end = None if expires_at is None else epoch_ms(expires_at)
            invite = Invite(invite_id, stamp.actor, stamp.ts, role, end, max_uses)
            held = replace(held, invites=held.invites.set(invite_id, invite))
        case InviteRevoked(id=invite_id):
            held = replace(held, invites=_without(held.invites, invite_id))
    return replace(state, held=held)


def _pins(
    held: Held,
    event: PinAdded | PinRemoved | MessageUpdated | MessageGone | MessagesBulkDeleted | HistoryTrimmed,
    stamp: Stamp,
) -> Held:
    """A message that goes is not pinned any more."""
    match event:
        case PinAdded(message=message, message_seq=seq):
            return replace(held, pins=held.pins.set(message, Pin(message, seq, stamp.actor, stamp.ts)))
        case PinRemoved(message=message) | MessageGone(id=message):
            return replace(held, pins=_without(held.pins, message))
        case MessagesBulkDeleted(messages=messages):
            pins = held.pins
            for gone in messages:
                pins = _without(pins, gone.id)
            return replace(held, pins=pins)
        case HistoryTrimmed(upto_seq=upto):
            kept = {message: pin for message, pin in held.pins.items() if pin.message_seq > upto}
            return replace(held, pins=Map(kept), floor_seq=upto)
        case MessageUpdated():
            return held


def _without(values: Map[str, T], key: str) -> Map[str, T]:
    return values.delete(key) if key in values else values


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
