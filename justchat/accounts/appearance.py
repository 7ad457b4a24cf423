"""How accounts look from outside: to everybody, and whether at all. Pure.

An account that is disabled cannot be found. One that was deleted can, by its id alone, for what its owner said may
still be there: it has no name any more, and whoever takes that name is somebody else.
"""

from __future__ import annotations

from typing import Final

from justchat.wire.server_frames import UserView
from storage.records import UserRecord

_DELETED: Final = frozenset({"leaving", "erasing", "gone"})
"""The states of an account that was deleted; in others it is still somebody's."""

DELETED_NAME: Final = "Deleted user"


def is_deleted(user: UserRecord) -> bool:
    """Tell whether the account was deleted, though perhaps not everything that it left is cleared up."""
    return user.state in _DELETED


def is_present(user: UserRecord | None) -> bool:
    """Tell whether there is somebody to deal with: neither deleted nor disabled."""
    return user is not None and not user.disabled and not is_deleted(user)


def is_shown(user: UserRecord) -> bool:
    """Tell whether others may look the account up: also one that was deleted, as such."""
    return is_deleted(user) or not user.disabled


def avatar_url(user: UserRecord) -> str | None:
    """Give the address of the user's picture, if they have one; it changes with the picture."""
    if user.avatar is None or is_deleted(user):
        return None
    return f"/api/v1/users/{user.id}/avatar?v={user.avatar}"


def user_view(user: UserRecord) -> UserView:
    """Show a user to others."""
    if is_deleted(user):
        return UserView(user.id, "", DELETED_NAME, deleted=True)
    return UserView(user.id, user.username, user.display_name, avatar_url(user))
