"""Accounts that go, and administrators of the server who take over: what only the server may ask of a room."""

from __future__ import annotations

from justchat.rooms.items import reaction_key
from justchat.rooms.permissions import ROLES, Kind, Role
from justchat.rooms.rules.decision import DIRECT, LAST_OWNER, Decision, Unchanged, hidden
from justchat.rooms.state import RoomState
from justchat.rooms.system_commands import EndMembership, EraseMessages, EraseReaction, SystemCommand, TakeOver
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.events import (
    SYSTEM,
    InviteRevoked,
    MemberAdded,
    MemberRemoved,
    MemberRoleChanged,
    MemberUnbanned,
    MemberUnmuted,
    MessageGone,
    MessagesBulkDeleted,
    ReactionRemoved,
    RoomArchived,
    RoomDeleted,
)

_NOBODY = Refusal(ErrorCode.FORBIDDEN, "only the server itself does this")


def decide_for_system(state: RoomState, command: SystemCommand) -> Decision:
    """Decide one command."""
    if command.actor != SYSTEM:
        return hidden(state, command.actor) or _NOBODY
    match command:
        case EndMembership():
            return Unchanged() if state.deleted_at is not None else _end(state, command)
        case TakeOver():
            return hidden(state, SYSTEM) or _take_over(state, command)
        case EraseMessages():
            return _erase(state, command)
        case EraseReaction():
            return _take_back(state, command)


def _end(state: RoomState, command: EndMembership) -> Decision:
    """Give the next step: the room passes on, the membership ends, and then what hangs on it."""
    if command.user in state.members:
        if state.kind is Kind.DIRECT:
            return _close(state, command)
        if state.role_of(command.user) is Role.OWNER and state.owners() == 1 and len(state.members) > 1:
            return _pass_on(state, command)
        return _remove(state, command)
    held, user = state.held, command.user
    for invite in held.invites.values():
        if invite.by == user:
            return InviteRevoked(invite.id)
    if command.for_good and user in held.mutes:
        return MemberUnmuted(user)
    if command.for_good and user in held.bans:
        return MemberUnbanned(user)
    return Unchanged()


def _close(state: RoomState, command: EndMembership) -> Decision:
    """Leave a direct room to the other one, who can look back but has nobody to write to."""
    if command.heirs is None:
        return LAST_OWNER
    if command.for_good and not command.heirs:
        return RoomDeleted()
    return Unchanged() if state.settings.archived else RoomArchived(archived=True)


def _pass_on(state: RoomState, command: EndMembership) -> Decision:
    """Make an heir an owner: of those in the highest role, who has been in for longest; then, the oldest account."""
    if command.heirs is None:
        return LAST_OWNER
    present = [state.members[heir] for heir in command.heirs if heir in state.members and heir != command.user]
    if not present:
        return MemberRemoved(command.user)
    heir = min(present, key=lambda member: (-ROLES[member.role].rank, member.joined_seq, member.user))
    return MemberRoleChanged(heir.user, heir.role, Role.OWNER)


def _remove(state: RoomState, command: EndMembership) -> Decision:
    """End a membership; a room of people ends with the last of them, but not one that the server made for all."""
    is_last = len(state.members) == 1 and state.created_by != SYSTEM
    return RoomDeleted() if is_last else MemberRemoved(command.user)


def _take_over(state: RoomState, command: TakeOver) -> Decision:
    if state.kind is Kind.DIRECT:
        return DIRECT
    role = state.role_of(command.user)
    if role is Role.OWNER:
        return Unchanged()
    if role is not None:
        return MemberRoleChanged(command.user, role, Role.OWNER, command.by)
    if command.user in state.held.bans:
        return MemberUnbanned(command.user, command.by)
    return MemberAdded(command.user, Role.OWNER, command.by)


def _erase(state: RoomState, command: EraseMessages) -> Decision:
    found = (state.loaded.get(message) for message in dict.fromkeys(command.messages))
    gone = tuple(
        MessageGone(message.id, message.seq, message.msg_no, message.thread_root)
        for message in found
        if message is not None and message.author == command.user and not message.deleted
    )
    return MessagesBulkDeleted(gone) if gone else Unchanged()


def _take_back(state: RoomState, command: EraseReaction) -> Decision:
    message = state.loaded.get(command.message)
    key = reaction_key(command.message, command.emoji, command.user)
    if message is None or message.deleted or not state.reacted.get(key, False):
        return Unchanged()
    return ReactionRemoved(message.id, message.seq, command.user, command.emoji)
