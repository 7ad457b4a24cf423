"""Who may do what in a room: roles, their rank, and the permissions that each role has by default. Pure tables."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


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


_RANK: Final = {role: rank for rank, role in enumerate(reversed(Role))}


class Permission(StrEnum):
    """Everything that can be allowed in a room."""

    ROOM_VIEW = "room.view"
    ROOM_EDIT = "room.edit"
    ROOM_DELETE = "room.delete"
    MEMBERS_INVITE = "members.invite"
    MEMBERS_REMOVE = "members.remove"
    ROLES_MANAGE = "roles.manage"
    MESSAGES_SEND = "messages.send"
    MESSAGES_DELETE_OWN = "messages.delete_own"
    MESSAGES_DELETE_ANY = "messages.delete_any"


_P = Permission
_GUEST: Final = frozenset({_P.ROOM_VIEW})
_MEMBER: Final = _GUEST | {_P.MESSAGES_SEND, _P.MESSAGES_DELETE_OWN}
_MODERATOR: Final = _MEMBER | {_P.MEMBERS_INVITE, _P.MEMBERS_REMOVE, _P.MESSAGES_DELETE_ANY}
_ADMIN: Final = _MODERATOR | {_P.ROOM_EDIT, _P.ROLES_MANAGE}
_OWNER: Final = _ADMIN | {_P.ROOM_DELETE}
_DEFAULTS: Final = {
    Role.OWNER: _OWNER,
    Role.ADMIN: _ADMIN,
    Role.MODERATOR: _MODERATOR,
    Role.MEMBER: _MEMBER,
    Role.GUEST: _GUEST,
}
_NOTHING: Final[frozenset[Permission]] = frozenset()


def permissions_of(role: Role | None, *, kind: Kind, visibility: Visibility) -> frozenset[Permission]:
    """Give the effective permissions; `role` is None for somebody who is not a member."""
    if role is None:
        return _GUEST if visibility is Visibility.PUBLIC else _NOTHING
    allowed = _DEFAULTS[role]
    if kind is Kind.CHANNEL and role is Role.MEMBER:
        return allowed - {_P.MESSAGES_SEND}
    if kind is Kind.DIRECT:
        # Two people talk, and neither is set over the other's words.
        return allowed - {_P.MESSAGES_DELETE_ANY}
    return allowed


def may_manage(actor: Role, target: Role) -> bool:
    """Tell whether `actor` stands high enough to remove or re-role `target`: above it, or both are owners."""
    return actor.rank > target.rank or actor is target is Role.OWNER
