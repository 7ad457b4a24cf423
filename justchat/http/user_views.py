"""Users as answers show them: to everybody, to themselves, and to administrators."""

from __future__ import annotations

from msgspec import Struct

from justchat.accounts.appearance import DELETED_NAME, avatar_url, is_deleted
from justchat.wire.times import rfc3339
from storage.records import UserRecord


class ProfileView(Struct, frozen=True):
    """A user in full, as everybody may see them.

    Of a `deleted` account nothing is left but its id. `online` and `last_seen_at` are not told to whom the user blocks.
    """

    id: str
    username: str
    display_name: str
    bio: str
    avatar_url: str | None
    role: str
    created_at: str
    online: bool
    last_seen_at: str | None
    deleted: bool


class OwnView(Struct, frozen=True):
    """One's own account."""

    id: str
    username: str
    display_name: str
    email: str | None
    role: str
    created_at: str
    email_verified: bool
    bio: str
    avatar_url: str | None


class AccountView(Struct, frozen=True):
    """An account as administrators see it; `state` is `active` unless the account was deleted."""

    id: str
    username: str
    display_name: str
    email: str | None
    email_verified: bool
    role: str
    disabled: bool
    state: str
    bio: str
    avatar_url: str | None
    created_at: str
    online: bool
    last_seen_at: str | None


def profile_view(user: UserRecord, *, online: bool, seen: bool) -> ProfileView:
    """Show a user to others; `seen` is whether they may know when the user was there."""
    if is_deleted(user):
        return ProfileView(
            id=user.id,
            username="",
            display_name=DELETED_NAME,
            bio="",
            avatar_url=None,
            role="",
            created_at=rfc3339(user.created_at),
            online=False,
            last_seen_at=None,
            deleted=True,
        )
    return ProfileView(
        id=user.id,
        username=user.username,
        display_name=user.display_name,
        bio=user.bio,
        avatar_url=avatar_url(user),
        role=user.role,
        created_at=rfc3339(user.created_at),
        online=online and seen,
        last_seen_at=_moment(user.last_seen_at) if seen else None,
        deleted=False,
    )


def own_view(user: UserRecord) -> OwnView:
    """Show a user to themselves."""
    return OwnView(
        id=user.id,
        username=user.username,
        display_name=user.display_name,
        email=user.email,
        role=user.role,
        created_at=rfc3339(user.created_at),
        email_verified=user.email_verified,
        bio=user.bio,
        avatar_url=avatar_url(user),
    )


def account_view(user: UserRecord, *, online: bool) -> AccountView:
    """Show an account to administrators."""
    return AccountView(
        id=user.id,
        username=user.username,
        display_name=user.display_name,
        email=user.email,
        email_verified=user.email_verified,
        role=user.role,
        disabled=user.disabled,
        state=user.state,
        bio=user.bio,
        avatar_url=avatar_url(user),
        created_at=rfc3339(user.created_at),
        online=online,
        last_seen_at=_moment(user.last_seen_at),
    )


def _moment(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)
