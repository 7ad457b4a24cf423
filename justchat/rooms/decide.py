"""The rules of a room: given its state and a command, the one event that follows, or why nothing does. Pure.

`decide` changes nothing and reads no clock; identifiers and time come in with `Context`. Each command gives at most one
event, so that one action is one entry in the room's order. The rules themselves are in `justchat.rooms.rules`.
"""

from __future__ import annotations

from justchat.rooms.commands import (
    NO_SUCH_ROOM,
    WRITING,
    AddMember,
    ArchiveRoom,
    BanMember,
    BulkDelete,
    Command,
    CreateInvite,
    CreateRoom,
    DeleteMessage,
    DeleteRoom,
    EditMessage,
    ExpireMessage,
    JoinRoom,
    LeaveRoom,
    MessageCommand,
    ModerationCommand,
    MuteMember,
    PeopleCommand,
    PinMessage,
    PostMessage,
    React,
    RemoveMember,
    RevokeInvite,
    SetPermissions,
    SetRole,
    SettingCommand,
    SystemCommand,
    TrimHistory,
    UnbanMember,
    UnmuteMember,
    UnpinMessage,
    Unreact,
    UpdateRoom,
)
from justchat.rooms.rules import member_rules, message_rules, moderation_rules, room_rules, system_rules
from justchat.rooms.rules.decision import BLOCKED, Context, Decision, Repeat, Unchanged, hidden
from justchat.rooms.state import RoomState
from justchat.wire.events import Event

__all__ = ["Context", "Decision", "Repeat", "Unchanged", "decide"]


def decide(state: RoomState | None, command: Command, context: Context) -> Decision:
    """Decide one command."""
    decision = _decide(state, command, context)
    # What changes nothing, and what is refused in any case, is answered as without a block: so are repeats.
    if context.blocked and isinstance(command, WRITING) and isinstance(decision, Event):
        return BLOCKED
    return decision


def _decide(state: RoomState | None, command: Command, context: Context) -> Decision:
    if isinstance(command, PostMessage):
        return _decide_post(state, command, context)
    if isinstance(command, CreateRoom):
        return room_rules.create(command) if state is None else room_rules.create_again(state, command, context)
    if isinstance(command, LeaveRoom) or (isinstance(command, RemoveMember) and command.user == command.actor):
        return member_rules.leave(state, command.actor)
    if isinstance(command, JoinRoom):
        return member_rules.join(state, command, context)
    if state is None:
        return NO_SUCH_ROOM
    if isinstance(command, SystemCommand):
        return system_rules.decide_for_system(state, command)
    if isinstance(command, DeleteRoom) and state.deleted_at is not None:
        return room_rules.delete_again(state, command)
    return hidden(state, command.actor) or _decide_known(state, command, context)


def _decide_post(state: RoomState | None, command: PostMessage, context: Context) -> Decision:
    """Decide what a room is asked most: first of all whether it was asked before."""
    if state is None:
        return NO_SUCH_ROOM
    sent = state.sent.get((command.actor, command.client_msg_id))
    if sent is not None:
        return message_rules.repeat(sent, command)
    return hidden(state, command.actor) or message_rules.post(state, command, context)


def _decide_known(state: RoomState, command: PeopleCommand, context: Context) -> Decision:
    match command:
        case UpdateRoom() | ArchiveRoom() | DeleteRoom() | SetPermissions():
            return _decide_setting(state, command)
        case JoinRoom():
            return member_rules.join(state, command, context)
        case LeaveRoom() | AddMember() | RemoveMember() | SetRole():
            return _decide_member(state, command)
        case BanMember() | UnbanMember() | MuteMember() | UnmuteMember() | CreateInvite() | RevokeInvite():
            return _decide_moderation(state, command, context)
        case _:
            return _decide_message(state, command, context)


def _decide_setting(state: RoomState, command: SettingCommand) -> Decision:
    match command:
        case UpdateRoom():
            return room_rules.update(state, command)
        case ArchiveRoom():
            return room_rules.archive(state, command)
        case DeleteRoom():
            return room_rules.delete(state, command)
        case SetPermissions():
            return room_rules.set_permissions(state, command)


def _decide_member(state: RoomState, command: LeaveRoom | AddMember | RemoveMember | SetRole) -> Decision:
    match command:
        case LeaveRoom():
            return member_rules.leave(state, command.actor)
        case AddMember():
            return member_rules.add(state, command)
        case RemoveMember():
            return member_rules.remove(state, command)
        case SetRole():
            return member_rules.set_role(state, command)


def _decide_moderation(state: RoomState, command: ModerationCommand, context: Context) -> Decision:
    match command:
        case BanMember():
            return moderation_rules.ban(state, command)
        case UnbanMember():
            return moderation_rules.unban(state, command)
        case MuteMember():
            return moderation_rules.mute(state, command, context)
        case UnmuteMember():
            return moderation_rules.unmute(state, command, context)
        case CreateInvite():
            return moderation_rules.invite(state, command, context)
        case RevokeInvite():
            return moderation_rules.revoke(state, command, context)


def _decide_message(state: RoomState, command: MessageCommand, context: Context) -> Decision:
    match command:
        case PostMessage():
            return message_rules.post(state, command, context)
        case EditMessage():
            return message_rules.edit(state, command, context)
        case DeleteMessage():
            return message_rules.delete(state, command)
        case BulkDelete():
            return message_rules.bulk_delete(state, command)
        case ExpireMessage():
            return message_rules.expire(state, command, context)
        case React():
            return message_rules.react(state, command)
        case Unreact():
            return message_rules.unreact(state, command)
        case PinMessage():
            return message_rules.pin(state, command)
        case UnpinMessage():
            return message_rules.unpin(state, command)
        case TrimHistory():
            return message_rules.trim(state, command)
