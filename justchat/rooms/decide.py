"""The rules of a room: given its state and a command, the one event that follows, or why nothing does. Pure.

`decide` changes nothing and reads no clock; identifiers and time come in with `Context`. Each command gives at most one
event, so that one action is one entry in the room's order.
"""

from __future__ import annotations

from typing import assert_never

from msgspec import Struct

from justchat.rooms.commands import (
    NO_SUCH_MEMBER,
    NO_SUCH_MESSAGE,
    NO_SUCH_ROOM,
    NOT_A_MEMBER,
    AddMember,
    Command,
    CreateRoom,
    DeleteMessage,
    DeleteRoom,
    JoinRoom,
    LeaveRoom,
    PostMessage,
    RemoveMember,
    RoomCommand,
    SetRole,
    UpdateRoom,
)
from justchat.rooms.permissions import Kind, Permission, Role, Visibility, may_manage
from justchat.rooms.state import RoomState
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.events import (
    Event,
    MemberAdded,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    MemberRoleChanged,
    MemberView,
    Message,
    MessageCreated,
    MessageDeleted,
    RoomChanges,
    RoomCreated,
    RoomDeleted,
    RoomSettings,
    RoomUpdated,
)
from justchat.wire.times import rfc3339
from storage.records import Sent


class Context(Struct, frozen=True):
    """What a decision may use besides state and command: the time (milliseconds) and a fresh id for a message."""

    room: str
    now: int
    message_id: str


class Unchanged(Struct, frozen=True):
    """The command already holds: answer yes, write nothing."""


class Repeat(Struct, frozen=True):
    """A post that was accepted before: answer what was answered then."""

    sent: Sent


Decision = Event | Unchanged | Repeat | Refusal

_LAST_OWNER = Refusal(ErrorCode.LAST_OWNER, "make somebody else an owner first")
_MISMATCH = Refusal(
    ErrorCode.IDEMPOTENCY_MISMATCH, "this client_msg_id was used for another message; use a new one for a new message"
)
_DIRECT = Refusal(ErrorCode.CONFLICT, "a direct room cannot be renamed, joined or extended")


def decide(state: RoomState | None, command: Command, context: Context) -> Decision:
    """Decide one command."""
    if isinstance(command, CreateRoom):
        return Unchanged() if state is not None else _create(command)
    if isinstance(command, LeaveRoom) or (isinstance(command, RemoveMember) and command.user == command.actor):
        return _leave(state, command.actor)
    if state is None:
        return NO_SUCH_ROOM
    if isinstance(command, PostMessage) and (command.actor, command.client_msg_id) in state.sent:
        return _repeat(state.sent[command.actor, command.client_msg_id], command)
    if state.deleted_at is not None and isinstance(command, DeleteRoom) and state.role_of(command.actor) is Role.OWNER:
        return Unchanged()
    if Permission.ROOM_VIEW not in state.allowed(command.actor):
        return NO_SUCH_ROOM
    return _decide_known(state, command, context)


def _decide_known(state: RoomState, command: RoomCommand, context: Context) -> Decision:
    """Decide a command of somebody who may know of the room."""
    match command:
        case PostMessage():
            return _post(state, command, context)
        case DeleteMessage():
            return _delete_message(state, command)
        case UpdateRoom():
            return _update(state, command)
        case DeleteRoom():
            return _may(state, command.actor, Permission.ROOM_DELETE) or RoomDeleted()
        case JoinRoom():
            return _join(state, command)
        case LeaveRoom():
            return _leave(state, command.actor)
        case AddMember():
            return _add(state, command)
        case RemoveMember():
            return _remove(state, command)
        case SetRole():
            return _set_role(state, command)
        case _:
            assert_never(command)


def _may(state: RoomState, actor: str, permission: Permission) -> Refusal | None:
    """Refuse an actor who lacks the permission."""
    if permission in state.allowed(actor):
        return None
    if actor not in state.members:
        return NOT_A_MEMBER
    return Refusal(ErrorCode.FORBIDDEN, f"this needs the permission {permission}")


def _create(command: CreateRoom) -> Decision:
    others = dict.fromkeys(user for user in command.members if user != command.actor)
    if command.kind is Kind.DIRECT and (len(others) != 1 or command.visibility is not Visibility.PRIVATE):
        return Refusal(ErrorCode.VALIDATION_FAILED, "a direct room is private and has two members")
    members = (
        MemberView(command.actor, Role.OWNER),
        *(MemberView(user, Role.MEMBER) for user in others),
    )
    return RoomCreated(
        kind=command.kind,
        visibility=command.visibility,
        name=command.name,
        topic=command.topic,
        epoch=command.epoch,
        settings=RoomSettings(),
        members=members,
    )


def _update(state: RoomState, command: UpdateRoom) -> Decision:
    refusal = _may(state, command.actor, Permission.ROOM_EDIT)
    if refusal:
        return refusal
    if state.kind is Kind.DIRECT:
        return _DIRECT
    old: dict[str, str] = {}
    new: dict[str, str] = {}
    for field in ("name", "topic", "visibility"):
        before, after = getattr(state, field), getattr(command, field)
        if after is not None and after != before:
            old[field], new[field] = str(before), str(after)
    return RoomUpdated(RoomChanges(**old), RoomChanges(**new)) if new else Unchanged()


def _join(state: RoomState, command: JoinRoom) -> Decision:
    if command.actor in state.members:
        return Unchanged()
    if state.kind is Kind.DIRECT:
        return _DIRECT
    if state.visibility is not Visibility.PUBLIC:
        return NO_SUCH_ROOM
    return MemberJoined(command.actor, Role.MEMBER)


def _leave(state: RoomState | None, actor: str) -> Decision:
    # Whoever is not in may always hear that they are not in: a repeat is answered, and nothing about the room is told.
    role = None if state is None or state.deleted_at is not None else state.role_of(actor)
    if state is None or role is None:
        return Unchanged()
    if state.kind is Kind.DIRECT:
        return _DIRECT
    if role is Role.OWNER and state.owners() == 1:
        return _LAST_OWNER
    return MemberLeft(actor)


def _add(state: RoomState, command: AddMember) -> Decision:
    refusal = _may(state, command.actor, Permission.MEMBERS_INVITE)
    if refusal:
        return refusal
    if state.kind is Kind.DIRECT:
        return _DIRECT
    own = state.role_of(command.actor)
    if own is None or command.role.rank > own.rank:
        return Refusal(ErrorCode.FORBIDDEN, "nobody grants a role above their own")
    if command.role is not Role.MEMBER and Permission.ROLES_MANAGE not in state.allowed(command.actor):
        return Refusal(ErrorCode.FORBIDDEN, f"this needs the permission {Permission.ROLES_MANAGE}")
    if command.user in state.members:
        return Unchanged()
    return MemberAdded(command.user, command.role)


def _remove(state: RoomState, command: RemoveMember) -> Decision:
    refusal = _may(state, command.actor, Permission.MEMBERS_REMOVE)
    if refusal:
        return refusal
    own, target = state.role_of(command.actor), state.role_of(command.user)
    if target is None:
        return Unchanged()
    if own is None or not may_manage(own, target):
        return Refusal(ErrorCode.FORBIDDEN, "this member stands too high to be removed by you")
    if state.kind is Kind.DIRECT:
        return _DIRECT
    return MemberRemoved(command.user)


def _set_role(state: RoomState, command: SetRole) -> Decision:
    own, target = state.role_of(command.actor), state.role_of(command.user)
    if own is not None and command.user == command.actor and target is command.role:
        # Also for somebody who has just given the right away.
        return Unchanged()
    refusal = _may(state, command.actor, Permission.ROLES_MANAGE)
    if refusal:
        return refusal
    if target is None:
        return NO_SUCH_MEMBER
    if own is None or command.role.rank > own.rank:
        return Refusal(ErrorCode.FORBIDDEN, "nobody grants a role above their own")
    if target is command.role:
        return Unchanged()
    if command.user != command.actor and not may_manage(own, target):
        return Refusal(ErrorCode.FORBIDDEN, "this member stands too high to be changed by you")
    if state.kind is Kind.DIRECT:
        return _DIRECT
    if target is Role.OWNER and state.owners() == 1:
        return _LAST_OWNER
    return MemberRoleChanged(command.user, target, command.role)


def _repeat(sent: Sent, command: PostMessage) -> Decision:
    """Report what happened when this was sent first. It does nothing new, so no right is asked for."""
    return Repeat(sent) if sent.digest == command.digest else _MISMATCH


def _post(state: RoomState, command: PostMessage, context: Context) -> Decision:
    refusal = _may(state, command.actor, Permission.MESSAGES_SEND)
    if refusal:
        return refusal
    if command.reply_to is not None and command.reply_to not in state.loaded:
        return NO_SUCH_MESSAGE
    return MessageCreated(
        Message(
            id=context.message_id,
            room=context.room,
            seq=state.head_seq + 1,
            msg_no=state.last_msg_no + 1,
            rev=1,
            author=command.actor,
            body=command.body,
            created_at=rfc3339(context.now),
            client_msg_id=command.client_msg_id,
            reply_to=command.reply_to,
        )
    )


def _delete_message(state: RoomState, command: DeleteMessage) -> Decision:
    message = state.loaded.get(command.message)
    if message is None:
        return NO_SUCH_MESSAGE
    own = message.author == command.actor
    needed = Permission.MESSAGES_DELETE_OWN if own else Permission.MESSAGES_DELETE_ANY
    refusal = _may(state, command.actor, needed)
    if refusal:
        return refusal
    if message.deleted:
        return Unchanged()
    return MessageDeleted(message.id, message.seq, message.msg_no)
