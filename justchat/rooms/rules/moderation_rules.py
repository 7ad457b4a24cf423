"""Bans, mutes and invites."""

from __future__ import annotations

from typing import Final

from justchat.rooms.commands import (
    NO_SUCH_MEMBER,
    BanMember,
    CreateInvite,
    MuteMember,
    RevokeInvite,
    UnbanMember,
    UnmuteMember,
)
from justchat.rooms.permissions import Kind, Permission, Role, may_manage
from justchat.rooms.rules.decision import DIRECT, LAST_OWNER, TOO_HIGH, Context, Decision, Unchanged, may, may_give
from justchat.rooms.state import RoomState
from justchat.wire.errors import ErrorCode, Refusal, invalid
from justchat.wire.events import (
    SYSTEM,
    InviteCreated,
    InviteRevoked,
    MemberBanned,
    MemberMuted,
    MemberUnbanned,
    MemberUnmuted,
)
from justchat.wire.times import rfc3339

INVITES_MAX: Final = 100
BANS_MAX: Final = 10_000

_TOO_MANY_INVITES = Refusal(ErrorCode.CONFLICT, f"a room has at most {INVITES_MAX} invites; revoke some first")
_TOO_MANY_BANS = Refusal(ErrorCode.CONFLICT, f"a room has at most {BANS_MAX} bans; lift some first")
_YOURSELF = Refusal(ErrorCode.CONFLICT, "not yourself")


def _above(state: RoomState, actor: str, user: str) -> Refusal | None:
    """Refuse an actor who does not stand above a user; who is no member stands below everybody."""
    own, target = state.role_of(actor), state.role_of(user)
    if actor == SYSTEM or (own is not None and (target is None or may_manage(own, target))):
        return None
    return TOO_HIGH


def ban(state: RoomState, command: BanMember) -> Decision:
    """Put somebody out, or keep them out, until the ban is lifted."""
    refusal = may(state, command.actor, Permission.MEMBERS_BAN)
    if refusal:
        return refusal
    if state.kind is Kind.DIRECT:
        return DIRECT
    if command.user == command.actor:
        return _YOURSELF
    if command.user in state.held.bans:
        return Unchanged()
    refusal = _above(state, command.actor, command.user)
    if refusal:
        return refusal
    if state.role_of(command.user) is Role.OWNER and state.owners() == 1:
        return LAST_OWNER
    return _TOO_MANY_BANS if len(state.held.bans) >= BANS_MAX else MemberBanned(command.user, command.reason)


def unban(state: RoomState, command: UnbanMember) -> Decision:
    """Lift a ban."""
    refusal = may(state, command.actor, Permission.MEMBERS_BAN)
    if refusal:
        return refusal
    return MemberUnbanned(command.user) if command.user in state.held.bans else Unchanged()


def mute(state: RoomState, command: MuteMember, context: Context) -> Decision:
    """Take a member's voice."""
    refusal = may(state, command.actor, Permission.MEMBERS_MUTE)
    if refusal:
        return refusal
    if state.kind is Kind.DIRECT:
        return DIRECT
    if command.user == command.actor:
        return _YOURSELF
    if command.user not in state.members:
        return NO_SUCH_MEMBER
    refusal = _above(state, command.actor, command.user)
    if refusal:
        return refusal
    present = state.held.mutes.get(command.user)
    if present is not None and present.until == command.until:
        return Unchanged()
    if command.until is not None and command.until <= context.now:
        return invalid("/until", "a mute ends in the future", code="past")
    until = None if command.until is None else rfc3339(command.until)
    return MemberMuted(command.user, until, command.reason)


def unmute(state: RoomState, command: UnmuteMember, context: Context) -> Decision:
    """Give somebody their voice back; by itself only once the time is over."""
    refusal = may(state, command.actor, Permission.MEMBERS_MUTE)
    if refusal:
        return refusal
    present = state.held.mutes.get(command.user)
    if present is None:
        return Unchanged()
    if command.actor == SYSTEM:
        is_over = present.until is not None and present.until <= context.now
        return MemberUnmuted(command.user) if is_over else Unchanged()
    return _above(state, command.actor, command.user) or MemberUnmuted(command.user)


def invite(state: RoomState, command: CreateInvite, context: Context) -> Decision:
    """Open a way in."""
    refusal = may(state, command.actor, Permission.MEMBERS_INVITE)
    if refusal:
        return refusal
    if state.kind is Kind.DIRECT:
        return DIRECT
    refusal = may_give(state, command.actor, command.role)
    if refusal:
        return refusal
    if command.id in state.held.invites:
        return Unchanged()
    if command.expires_at is not None and command.expires_at <= context.now:
        return invalid("/expires_at", "an invite expires in the future", code="past")
    if len(state.held.invites) >= INVITES_MAX:
        return _TOO_MANY_INVITES
    expires_at = None if command.expires_at is None else rfc3339(command.expires_at)
    return InviteCreated(command.id, command.role, expires_at, command.max_uses)


def revoke(state: RoomState, command: RevokeInvite, context: Context) -> Decision:
    """Close a way in; by itself only once its time is over."""
    refusal = may(state, command.actor, Permission.MEMBERS_INVITE)
    if refusal:
        return refusal
    present = state.held.invites.get(command.id)
    if present is None:
        return Unchanged()
    if command.actor == SYSTEM and (present.expires_at is None or present.expires_at > context.now):
        return Unchanged()
    return InviteRevoked(command.id)
