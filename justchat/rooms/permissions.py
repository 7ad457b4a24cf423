"""Who may do what in a room: roles, their rank, and the permissions that each role has by default. Pure tables."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct


class Kind(StrEnum):
    """Kinds of room. Two people share one `direct`; in a `channel` only moderators and above post."""

    DIRECT = "direct"
    GROUP = "group"
    CHANNEL = "channel"


class Visibility(StrEnum):
    """A private room does not exist for strangers; a public one may be found, read and joined by everybody."""

    PRIVATE = "private"
    PUBLIC = "public"


class Role(StrEnum):
    """Room roles, most powerful first."""

    OWNER = "owner"
    ADMIN = "admin"
    MODERATOR = "moderator"
    MEMBER = "member"
    GUEST = "guest"

    @property
    def rank(self) -> int:
        """Higher is more powerful."""
        return _RANK[self]


# What a stored name stands for.
ROLES: Final[dict[str, Role]] = {role.value: role for role in Role}
_RANK: Final = {role: rank for rank, role in enumerate(reversed(Role))}


class Permission(StrEnum):
    """Everything that can be allowed in a room."""

    ROOM_VIEW = "room.view"
    ROOM_EDIT = "room.edit"
    ROOM_DELETE = "room.delete"
    MEMBERS_INVITE = "members.invite"
    MEMBERS_REMOVE = "members.remove"
    MEMBERS_BAN = "members.ban"
    MEMBERS_MUTE = "members.mute"
    ROLES_MANAGE = "roles.manage"
    MESSAGES_SEND = "messages.send"
    MESSAGES_EDIT_OWN = "messages.edit_own"
    MESSAGES_DELETE_OWN = "messages.delete_own"
    MESSAGES_DELETE_ANY = "messages.delete_any"
    MESSAGES_PIN = "messages.pin"
    REACTIONS_ADD = "reactions.add"
    FILES_ATTACH = "files.attach"
    MENTIONS_ALL = "mentions.all"
    SLOW_MODE_BYPASS = "slow_mode.bypass"
    WEBHOOKS_MANAGE = "webhooks.manage"
    AUDIT_VIEW = "audit.view"


_P = Permission
_GUEST: Final = frozenset({_P.ROOM_VIEW})
_MEMBER: Final = _GUEST | {
    _P.MESSAGES_SEND, _P.MESSAGES_EDIT_OWN, _P.MESSAGES_DELETE_OWN, _P.REACTIONS_ADD, _P.FILES_ATTACH,
}  # fmt: skip
_MODERATOR: Final = _MEMBER | {
    _P.MEMBERS_INVITE, _P.MEMBERS_REMOVE, _P.MEMBERS_BAN, _P.MEMBERS_MUTE, _P.MESSAGES_DELETE_ANY, _P.MESSAGES_PIN,
    _P.MENTIONS_ALL, _P.SLOW_MODE_BYPASS, _P.AUDIT_VIEW,
}  # fmt: skip
_ADMIN: Final = _MODERATOR | {_P.ROOM_EDIT, _P.ROLES_MANAGE, _P.WEBHOOKS_MANAGE}
_OWNER: Final = _ADMIN | {_P.ROOM_DELETE}
DEFAULTS: Final = {
    Role.OWNER: _OWNER,
    Role.ADMIN: _ADMIN,
    Role.MODERATOR: _MODERATOR,
    Role.MEMBER: _MEMBER,
    Role.GUEST: _GUEST,
}
_NOTHING: Final[frozenset[Permission]] = frozenset()
_CHANNEL_MEMBER: Final = _MEMBER - {_P.MESSAGES_SEND}
# Two people talk, and neither is set over the other's words.
_DIRECT: Final = _MEMBER | {_P.MESSAGES_PIN}
# What somebody may not do who is muted.
SPEAKING: Final = frozenset(
    {_P.MESSAGES_SEND, _P.MESSAGES_EDIT_OWN, _P.REACTIONS_ADD, _P.FILES_ATTACH, _P.MENTIONS_ALL, _P.MESSAGES_PIN}
)
# What is left to do in a room that is laid up: to look, to set the members right, to take it up again or to end it.
_ARCHIVED: Final = frozenset(
    {
        _P.ROOM_VIEW, _P.ROOM_EDIT, _P.ROOM_DELETE, _P.MEMBERS_REMOVE, _P.MEMBERS_BAN, _P.ROLES_MANAGE,
        _P.AUDIT_VIEW,
    }
)  # fmt: skip


class Circumstances(Struct, frozen=True):
    """What bears on a permission besides the role. `overrides` deviate from the roles' defaults."""

    kind: Kind
    visibility: Visibility
    read_only: bool = False
    archived: bool = False
    overrides: Mapping[str, Mapping[str, bool]] = {}


def defaults_of(role: Role, kind: Kind) -> frozenset[Permission]:
    """Give what a role may do in a room of this kind that deviates from nothing."""
    if kind is Kind.DIRECT:
        return _DIRECT
    return _CHANNEL_MEMBER if kind is Kind.CHANNEL and role is Role.MEMBER else DEFAULTS[role]


def permissions_of(
    role: Role | None, room: Circumstances, *, muted: bool = False, banned: bool = False
) -> frozenset[Permission]:
    """Give the effective permissions; `role` is None for somebody who is not a member.

    Overrides come before what holds for everybody: no override lets a muted member speak, or anybody in a laid-up room.
    """
    if banned:
        return _NOTHING
    if role is None:
        return _GUEST if room.visibility is Visibility.PUBLIC else _NOTHING
    allowed = _granted(role, room)
    if room.read_only and role.rank < Role.MODERATOR.rank:
        allowed -= SPEAKING
    if room.archived:
        allowed &= _ARCHIVED
    return allowed - SPEAKING if muted else allowed


def _granted(role: Role, room: Circumstances) -> frozenset[Permission]:
    allowed = defaults_of(role, room.kind)
    changes = room.overrides.get(role)
    if changes:
        granted = {Permission(name) for name, yes in changes.items() if yes}
        allowed = (allowed | granted) - {Permission(name) for name, yes in changes.items() if not yes}
    return allowed


def may_manage(actor: Role, target: Role) -> bool:
    """Tell whether `actor` stands high enough to remove or re-role `target`: above it, or both are owners."""
    return actor.rank > target.rank or actor is target is Role.OWNER
