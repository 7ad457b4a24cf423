"""Which accounts may be members of rooms.

Rooms know people by their ids alone, so whoever brings somebody into one asks here first.
"""

from __future__ import annotations

from typing import TypeGuard

from justchat.accounts.appearance import is_present
from justchat.accounts.identity import ServerRole
from storage.records import UserRecord


def can_be_member(user: UserRecord | None) -> TypeGuard[UserRecord]:
    """Tell whether an account may be in rooms: it is there to stay, and no guest's, who only looks into public ones."""
    return user is not None and is_present(user) and user.role != ServerRole.GUEST and user.state == "active"
