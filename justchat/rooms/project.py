"""Projections: which rows change with an event, so that listings and lookups need not read the journal. Pure.

Every change replaces or drops whole rows, so applying it twice is harmless; the room's own row comes last and carries
the seq up to which all of them are current.
"""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from justchat.rooms.items import (
    TIMERS,
    ItemKind,
    audit_item,
    ban_item,
    expiry_item,
    invite_item,
    mute_item,
    pin_item,
    reaction_item,
    reaction_key,
    reply_item,
    reply_key,
    retention_item,
    revision_item,
    scheduled_key,
    spoke_item,
    sweep_item,
)
from justchat.rooms.message_states import messages_gone, messages_touched, threads_touched
from justchat.rooms.state import RECENT_KEPT, RoomState, Stamp, settings_doc
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
    MessageDeleted,
    MessageGone,
    MessagesBulkDeleted,
    MessageUpdated,
    PermissionsUpdated,
    PinAdded,
    PinRemoved,
    ReactionAdded,
    ReactionRemoved,
    RoomArchived,
    RoomChanges,
    RoomCreated,
    RoomDeleted,
    RoomUpdated,
    SettingsChanges,
    encode_event,
    encode_message,
)
from justchat.wire.times import epoch_ms
from storage.records import (
    Change,
    DropItem,
    DropItems,
    DropMember,
    MessageRecord,
    PutItem,
    PutMark,
    PutMember,
    PutMessage,
    PutRoom,
    ReadMark,
    RoomRecord,
    Trim,
)

SCHEDULED_PREFIX: Final = "scheduled:"
"""How the `client_msg_id` of a scheduled post begins; its id follows. No client may begin one so."""

# What moderators and administrators do to others and to the room.
_AUDITED: Final = (
    RoomUpdated, RoomArchived, RoomDeleted, MemberAdded, MemberRemoved, MemberRoleChanged, MemberBanned, MemberUnbanned,
    MemberMuted, MemberUnmuted, InviteCreated, InviteRevoked, PermissionsUpdated, MessagesBulkDeleted, HistoryTrimmed,
)  # fmt: skip


def project(state: RoomState, event: Event, stamp: Stamp) -> tuple[Change, ...]:
    """Name the row changes of one event, given the state after it; the room's row is `project_room`'s.

    Of messages they need what they read after the event, and of anything else the event alone: a room that is behind
    its journal meets messages that are newer than itself, and gets the same rows.
    """
    if isinstance(event, MessageCreated):
        return tuple(_posted(state, event.message, stamp))
    changes = [*_room(state.id, event), *_members(state, event), *_held(state, event), *_messages(state, event, stamp)]
    if is_audited(event):
        body = encode_event(event, room=stamp.room, seq=stamp.seq, ts=stamp.ts, actor=stamp.actor)
        changes.append(PutItem(audit_item(stamp.room, stamp.seq, stamp.ts, body)))
    return tuple(changes)


def is_audited(event: Event) -> bool:
    """Tell whether an event belongs in the audit log: also where somebody deletes what another wrote."""
    return isinstance(event, _AUDITED) or (isinstance(event, MessageDeleted) and event.author is not None)


def _posted(after: RoomState, message: Message, stamp: Stamp) -> list[Change]:
    changes: list[Change] = [put_message(message, seq=stamp.seq)]
    if len(after.recent) > RECENT_KEPT:
        # The row names them no longer, so what they have read by writing is remembered where the others' is.
        gone = after.recent[0]
        changes.append(PutMark(ReadMark(gone.user, after.id, gone.seq, gone.msg_no)))
    if message.thread_root is not None:
        if message.thread_root in after.loaded:
            changes.append(put_message(after.loaded[message.thread_root], seq=stamp.seq))
        changes.append(PutItem(reply_item(message, root=message.thread_root)))
    if message.expires_at is not None:
        changes.append(PutItem(expiry_item(message, due_at=epoch_ms(message.expires_at))))
    if after.settings.slow_mode_seconds:
        changes.append(PutItem(spoke_item(after.id, after.held.spoke[message.author])))
    if message.client_msg_id is not None and message.client_msg_id.startswith(SCHEDULED_PREFIX):
        key = scheduled_key(message.author, message.client_msg_id.removeprefix(SCHEDULED_PREFIX))
        changes.append(DropItem(after.id, ItemKind.SCHEDULED.value, key))
    return changes


def _members(after: RoomState, event: Event) -> list[Change]:
    match event:
        case RoomCreated(members=members):
            return [PutMember(after.members[member.user]) for member in members]
        case MemberJoined(user=user) | MemberAdded(user=user) | MemberRoleChanged(user=user):
            return [PutMember(after.members[user])]
        case MemberLeft(user=user) | MemberRemoved(user=user) | MemberBanned(user=user):
            return [DropMember(after.id, user)]
        case _:
            return []


def _held(after: RoomState, event: Event) -> list[Change]:
    room, held = after.id, after.held
    match event:
        case MemberBanned(user=user):
            return [PutItem(ban_item(room, held.bans[user]))]
        case MemberUnbanned(user=user):
            return [DropItem(room, ItemKind.BAN.value, user)]
        case MemberMuted(user=user):
            return [PutItem(mute_item(room, held.mutes[user]))]
        case MemberUnmuted(user=user):
            return [DropItem(room, ItemKind.MUTE.value, user)]
        case InviteCreated(id=invite):
            return [PutItem(invite_item(room, held.invites[invite]))]
        case MemberJoined(invite=str(invite)) if invite in held.invites:
            return [PutItem(invite_item(room, held.invites[invite]))]
        case InviteRevoked(id=invite):
            return [DropItem(room, ItemKind.INVITE.value, invite)]
        case PinAdded(message=message):
            return [PutItem(pin_item(room, held.pins[message]))]
        case PinRemoved(message=message):
            return [DropItem(room, ItemKind.PIN.value, message)]
        case _:
            return []


def _room(room: str, event: Event) -> list[Change]:
    match event:
        case RoomCreated(settings=settings) if settings.retention_days is not None:
            return [PutItem(sweep_item(room, due_at=0))]
        case RoomUpdated(new=RoomChanges(settings=SettingsChanges() as settings)):
            return _settings(room, settings)
        case RoomDeleted():
            return [DropItems(room, kind.value, "") for kind in sorted(TIMERS)]
        case _:
            return []


def _settings(room: str, new: SettingsChanges) -> list[Change]:
    changes: list[Change] = []
    if new.retention_days is None:
        changes.append(DropItem(room, ItemKind.SWEEP.value, ""))
    elif new.retention_days is not UNSET:  # due at once: whoever turns it on means what is there already
        changes.append(PutItem(sweep_item(room, due_at=0)))
    if new.slow_mode_seconds == 0:
        changes.append(DropItems(room, ItemKind.SPOKE.value, ""))
    return changes


def _messages(after: RoomState, event: Event, stamp: Stamp) -> list[Change]:
    if isinstance(event, HistoryTrimmed):
        return [Trim(after.id, event.upto_seq), PutItem(retention_item(after.id, event.upto_seq))]
    touched = dict.fromkeys((*messages_touched(event), *threads_touched(event)))
    changes: list[Change] = [
        put_message(after.loaded[message], seq=stamp.seq) for message in touched if message in after.loaded
    ]
    match event:
        case MessageUpdated():
            changes.append(PutItem(revision_item(after.id, event)))
        case ReactionAdded():
            changes.append(PutItem(reaction_item(after.id, event, at=stamp.ts)))
        case ReactionRemoved(message=message, user=user, emoji=emoji):
            changes.append(DropItem(after.id, ItemKind.REACTION.value, reaction_key(message, emoji, user)))
        case _:
            for gone in messages_gone(event):
                changes += _gone(after.id, gone)
    return changes


def _gone(room: str, gone: MessageGone) -> list[Change]:
    """What hung on a message goes with it; its replies stay."""
    changes: list[Change] = [
        DropItems(room, ItemKind.REVISION.value, f"{gone.id}/"),
        DropItems(room, ItemKind.REACTION.value, f"{gone.id}/"),
        DropItem(room, ItemKind.EXPIRY.value, gone.id),
        DropItem(room, ItemKind.PIN.value, gone.id),
    ]
    if gone.thread_root is not None:
        changes.append(DropItem(room, ItemKind.REPLY.value, reply_key(gone.thread_root, gone.message_seq)))
    return changes


def project_room(state: RoomState) -> PutRoom:
    """Give the room's row as of the state."""
    return PutRoom(
        RoomRecord(
            id=state.id,
            kind=state.kind.value,
            visibility=state.visibility.value,
            name=state.name,
            name_key=state.name.casefold(),
            topic=state.topic,
            created_by=state.created_by,
            created_at=state.created_at,
            epoch=state.epoch,
            settings=settings_doc(state),
            applied_seq=state.head_seq,
            last_msg_no=state.last_msg_no,
            deleted_at=state.deleted_at,
        )
    )


def put_message(message: Message, *, seq: int) -> PutMessage:
    """Give a message's row as of the entry at `seq`."""
    return PutMessage(
        MessageRecord(
            id=message.id,
            room=message.room,
            seq=message.seq,
            msg_no=message.msg_no,
            author=message.author,
            deleted=message.deleted,
            doc=encode_message(message),
            applied_seq=seq,
        )
    )
