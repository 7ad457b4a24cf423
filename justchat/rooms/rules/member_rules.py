"""Who is in a room: joining, leaving, adding, removing, and roles."""

from __future__ import annotations

from justchat.rooms.commands import (
    NO_SUCH_MEMBER,
    NO_SUCH_ROOM,
    AddMember,
    JoinRoom,
    RemoveMember,
    SetRole,
)
from justchat.rooms.items import Invite
from justchat.rooms.permissions import ROLES, Kind, Permission, Role, Visibility, may_manage
from justchat.rooms.rules.decision import (
    ABOVE_OWN,
    ARCHIVED,
    BANNED,
    DIRECT,
    LAST_OWNER,
    TOO_HIGH,
    Context,
    Decision,
    Unchanged,
    may,
    may_give,
)
from justchat.rooms.state import RoomState
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.events import MemberAdded, MemberJoined, MemberLeft, MemberRemoved, MemberRoleChanged

_NO_SUCH_INVITE = Refusal(ErrorCode.NOT_FOUND, "there is no such invite, or it lets nobody in any more")
_ADD_BANNED = Refusal(ErrorCode.CONFLICT, "this user is banned; lift the ban first")


def join(state: RoomState | None, command: JoinRoom, context: Context) -> Decision:
    """Let somebody in who comes by themselves, or by an invite."""
    if state is None or state.deleted_at is not None:
        # Who tries out codes cannot tell a room that does not let them in from none.
        return NO_SUCH_ROOM if command.invite is None else _NO_SUCH_INVITE
    if command.actor in state.members:
        return Unchanged()
    if command.invite is not None:
        return _join_by_invite(state, command.actor, command.invite, context)
    if state.kind is Kind.DIRECT or state.visibility is not Visibility.PUBLIC:
        return NO_SUCH_ROOM
    if command.actor in state.held.bans:
        return BANNED
    return ARCHIVED if state.settings.archived else MemberJoined(command.actor, Role.MEMBER)


def _join_by_invite(state: RoomState, actor: str, invite_id: str, context: Context) -> Decision:
    invite = state.held.invites.get(invite_id)
    if invite is None or not invite.is_open(context.now):
        return _NO_SUCH_INVITE
    if actor in state.held.bans:
        return BANNED
    if state.settings.archived:
        return ARCHIVED
    # It was made with the rights of that moment, which its maker may have lost since.
    if may(state, invite.by, Permission.MEMBERS_INVITE) is not None:
        return _NO_SUCH_INVITE
    return MemberJoined(actor, _role_given(state, invite), invite.id)


def _role_given(state: RoomState, invite: Invite) -> Role:
    """Give the invite's role, or a member's where that is more than its maker could give now."""
    role = ROLES[invite.role]
    is_too_much = role.rank > Role.MEMBER.rank and may_give(state, invite.by, role) is not None
    return Role.MEMBER if is_too_much else role


def leave(state: RoomState | None, actor: str) -> Decision:
    """Let somebody go."""
    # Whoever is not in may always hear that they are not in: a repeat is answered, and nothing about the room is told.
    role = None if state is None or state.deleted_at is not None else state.role_of(actor)
    if state is None or role is None:
        return Unchanged()
    if state.kind is Kind.DIRECT:
        return DIRECT
    if role is Role.OWNER and state.owners() == 1:
        return LAST_OWNER
    return MemberLeft(actor)


def add(state: RoomState, command: AddMember) -> Decision:
    """Bring somebody in."""
    refusal = may(state, command.actor, Permission.MEMBERS_INVITE)
    if refusal:
        return refusal
    if state.kind is Kind.DIRECT:
        return DIRECT
    refusal = may_give(state, command.actor, command.role)
    if refusal:
        return refusal
    if command.user in state.members:
        return Unchanged()
    return _ADD_BANNED if command.user in state.held.bans else MemberAdded(command.user, command.role)


def remove(state: RoomState, command: RemoveMember) -> Decision:
    """Put somebody out, who may come back."""
    refusal = may(state, command.actor, Permission.MEMBERS_REMOVE)
    if refusal:
        return refusal
    own, target = state.role_of(command.actor), state.role_of(command.user)
    if target is None:
        return Unchanged()
    if own is None or not may_manage(own, target):
        return TOO_HIGH
    if state.kind is Kind.DIRECT:
        return DIRECT
    return MemberRemoved(command.user)


def set_role(state: RoomState, command: SetRole) -> Decision:
    """Give somebody another role."""
    own, target = state.role_of(command.actor), state.role_of(command.user)
    if own is not None and command.user == command.actor and target is command.role:
        # Also for somebody who has just given the right away.
        return Unchanged()
    refusal = may(state, command.actor, Permission.ROLES_MANAGE)
    if refusal:
        return refusal
    if target is None:
        return NO_SUCH_MEMBER
    if own is None or command.role.rank > own.rank:
        return ABOVE_OWN
    if target is command.role:
        return Unchanged()
    if command.user != command.actor and not may_manage(own, target):
        return TOO_HIGH
    if state.kind is Kind.DIRECT:
        return DIRECT
    if target is Role.OWNER and state.owners() == 1:
        return LAST_OWNER
    return MemberRoleChanged(command.user, target, command.role)
