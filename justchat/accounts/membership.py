"""Which accounts may be members of rooms, and what a change of role means for that. Pure.

Rooms know people by their ids alone, so whoever brings somebody into one asks here first.
"""

from __future__ import annotations

from typing import TypeGuard

from msgspec.structs import replace

from justchat.accounts.appearance import is_present
from justchat.accounts.identity import ServerRole
from storage.records import UserRecord


def with_role(user: UserRecord, role: ServerRole) -> UserRecord:
    """Give an account another role. Guests are in no rooms, so whoever becomes one is to leave theirs."""
    if role == user.role:
        return user
    return replace(user, role=role.value, state="demoting" if role is ServerRole.GUEST else "active")


def can_be_member(user: UserRecord | None) -> TypeGuard[UserRecord]:
    """Tell whether an account may be in rooms: it is there to stay, and no guest's, who only looks into public ones."""
    return user is not None and is_present(user) and user.role != ServerRole.GUEST and user.state == "active"
