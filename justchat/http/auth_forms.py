"""What the routes under `/auth` take and answer."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from justchat.accounts.identity import Scope
from justchat.accounts.names import (
    DISPLAY_NAME_MAX_CHARACTERS,
    USERNAME_MAX_CHARACTERS,
    USERNAME_MIN_CHARACTERS,
)
from justchat.accounts.password_rules import PASSWORD_MAX_BYTES, PASSWORD_MIN_CHARACTERS
from justchat.accounts.sessions import SignedIn
from justchat.http.user_views import OwnView, own_view
from justchat.wire.times import rfc3339
from storage.account_records import CredentialRecord, SessionRecord

_USERNAME = f"{USERNAME_MIN_CHARACTERS} to {USERNAME_MAX_CHARACTERS} letters, digits, dots, underscores and hyphens"
_PASSWORD = f"At least {PASSWORD_MIN_CHARACTERS} characters, at most {PASSWORD_MAX_BYTES} bytes"
_DISPLAY_NAME = f"1 to {DISPLAY_NAME_MAX_CHARACTERS} characters; without one the username is shown"
_COOKIE = "Whether the refresh token is left as a cookie (for browsers) or told in the answer"
TOKEN_DAYS_MAX = 366

# Longer texts are refused at once. The limits proper count what is stored, and are checked for all fields together.
Username = Annotated[str, Meta(max_length=200, description=_USERNAME)]
Password = Annotated[str, Meta(max_length=1000)]
NewPassword = Annotated[str, Meta(max_length=1000, description=_PASSWORD)]
Email = Annotated[str, Meta(max_length=320)]
Token = Annotated[str, Meta(min_length=1, max_length=4096)]


class RegisterBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What a registration says; it cannot name a role."""

    username: Username
    password: NewPassword
    email: Email | None = None
    display_name: Annotated[str, Meta(max_length=200, description=_DISPLAY_NAME)] | None = None
    invitation: Annotated[str, Meta(max_length=200, description="Where registration needs one")] | None = None
    cookie: Annotated[bool, Meta(description=_COOKIE)] = True


class LoginBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Credentials: either a username or an e-mail address, and the password."""

    password: Password
    username: Annotated[str, Meta(max_length=200)] | None = None
    email: Email | None = None
    cookie: Annotated[bool, Meta(description=_COOKIE)] = True


class RefreshBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The refresh token, where it is not a cookie."""

    refresh_token: Token | None = None


class PasswordBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The present password and the one to take its place."""

    password: Password
    new_password: NewPassword


class IntrospectBody(Struct, frozen=True, forbid_unknown_fields=True):
    """An access token or a personal token."""

    token: Token


class PersonalTokenBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What a new personal token is called, what it may do, and for how long."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1, max_length=len(Scope))]
    expires_in: Annotated[int, Meta(ge=60, le=TOKEN_DAYS_MAX * 86_400, description="Seconds")] | None = None


class SignedInView(Struct, frozen=True, omit_defaults=True):
    """What registration, login and renewal answer. Times are seconds from now."""

    user: OwnView
    session_id: str
    access_token: str
    expires_in: int
    token_type: Literal["Bearer"]
    refresh_token: str | None = None
    refresh_expires_in: int | None = None


class SessionView(Struct, frozen=True):
    """One session, as its owner sees it."""

    id: str
    current: bool
    user_agent: str
    address: str
    created_at: str
    last_seen_at: str
    expires_at: str


class PersonalTokenView(Struct, frozen=True, omit_defaults=True):
    """A personal token; `token` is told once, when it is made."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str | None = None
    token: str | None = None


class IntrospectionView(Struct, frozen=True, omit_defaults=True):
    """Whether a token is good now, and what it says (RFC 7662). Times are seconds since the epoch."""

    active: bool
    sub: str | None = None
    username: str | None = None
    role: str | None = None
    scope: str | None = None
    sid: str | None = None
    exp: int | None = None
    token_type: str | None = None


class TicketView(Struct, frozen=True):
    """A ticket that opens one WebSocket within so many seconds."""

    ticket: str
    expires_in: float


def signed_in_view(session: SignedIn, *, tells_refresh_token: bool) -> SignedInView:
    """Show a sign-in to whoever it is."""
    return SignedInView(
        user=own_view(session.user),
        session_id=session.session,
        access_token=session.access_token,
        expires_in=session.expires_in_seconds,
        token_type="Bearer",  # noqa: S106 - the scheme's name
        refresh_token=session.refresh_token if tells_refresh_token else None,
        refresh_expires_in=session.refresh_seconds if tells_refresh_token else None,
    )


def session_view(session: SessionRecord, *, current: str | None) -> SessionView:
    """Show a session to its owner; `current` is the one that asks."""
    return SessionView(
        id=session.id,
        current=session.id == current,
        user_agent=session.user_agent,
        address=session.address,
        created_at=rfc3339(session.created_at),
        last_seen_at=rfc3339(session.seen_at),
        expires_at=rfc3339(session.expires_at),
    )


def personal_token_view(record: CredentialRecord, *, token: str | None = None) -> PersonalTokenView:
    """Show a personal token to its owner."""
    expires_at = None if record.expires_at is None else rfc3339(record.expires_at)
    return PersonalTokenView(record.id, record.name, record.scopes, rfc3339(record.created_at), expires_at, token)
