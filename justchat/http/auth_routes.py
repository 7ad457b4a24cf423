"""Registration, login, and users as everybody may see them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from quart import Response, request

from justchat.accounts.accounts import SignedIn
from justchat.accounts.names import (
    DISPLAY_NAME_MAX_CHARACTERS,
    USERNAME_MAX_CHARACTERS,
    USERNAME_MIN_CHARACTERS,
    fold_name,
)
from justchat.accounts.password_rules import PASSWORD_MAX_BYTES, PASSWORD_MIN_CHARACTERS
from justchat.http.answers import (
    TEXT_MAX_CHARACTERS,
    Refused,
    granted,
    json_answer,
    page_answer,
    read_body,
    read_number,
    read_text,
)
from justchat.http.operation import Caller, Operation, OperationBlueprint, PageOf, Query, blueprint_of
from justchat.system import System
from justchat.wire.errors import ErrorCode, Refusal, invalid
from justchat.wire.server_frames import UserView
from justchat.wire.times import rfc3339
from storage.records import UserRecord

_NO_SUCH_USER = Refusal(ErrorCode.NOT_FOUND, "there is no such user")
_IDS_MAX = 100
# Autocomplete shows a handful; the bound also keeps the list of all users from being read off.
_FOUND_MAX = 20
_IDS_MAX_CHARACTERS = _IDS_MAX * 65
_USERNAME = f"{USERNAME_MIN_CHARACTERS} to {USERNAME_MAX_CHARACTERS} letters, digits, dots, underscores and hyphens"
_PASSWORD = f"At least {PASSWORD_MIN_CHARACTERS} characters, at most {PASSWORD_MAX_BYTES} bytes"
_DISPLAY_NAME = f"1 to {DISPLAY_NAME_MAX_CHARACTERS} characters; without one the username is shown"
_Prefix = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX_CHARACTERS)]
_Ids = Annotated[str, Meta(max_length=_IDS_MAX_CHARACTERS)]


class RegisterBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What a registration says; it cannot name a role."""

    # Longer ones are refused at once. The limits proper count what is stored, and are checked for all fields together.
    username: Annotated[str, Meta(max_length=200, description=_USERNAME)]
    password: Annotated[str, Meta(max_length=1000, description=_PASSWORD)]
    email: Annotated[str, Meta(max_length=320)] | None = None
    display_name: Annotated[str, Meta(max_length=200, description=_DISPLAY_NAME)] | None = None


class LoginBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Credentials: either a username or an e-mail address, and the password."""

    password: Annotated[str, Meta(max_length=1000)]
    username: Annotated[str, Meta(max_length=200)] | None = None
    email: Annotated[str, Meta(max_length=320)] | None = None


class OwnView(Struct, frozen=True):
    """One's own account."""

    id: str
    username: str
    display_name: str
    email: str | None
    role: str
    created_at: str


class SessionView(Struct, frozen=True):
    """What registration and login answer."""

    user: OwnView
    access_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name


_register_body = msgspec.json.Decoder(RegisterBody)
_login_body = msgspec.json.Decoder(LoginBody)


def user_view(user: UserRecord) -> UserView:
    """Show a user to others."""
    return UserView(user.id, user.username, user.display_name)


def _own_view(user: UserRecord) -> OwnView:
    return OwnView(user.id, user.username, user.display_name, user.email, user.role, rfc3339(user.created_at))


def _session_answer(session: SignedIn, *, status: int) -> Response:
    view = SessionView(_own_view(session.user), session.access_token, session.expires_in_seconds)
    headers = {"Cache-Control": "no-store"}
    if status == 201:
        headers["Location"] = f"/api/v1/users/{session.user.id}"
    return json_answer(view, status=status, headers=headers)


class AuthRoutes:
    """`/auth` and `/users`."""

    def __init__(self, system: System) -> None:
        self._system = system

    def blueprint(self) -> OperationBlueprint:
        """Build the routes."""
        return blueprint_of("accounts", (*self._sessions(), *self._users()), accounts=self._system.accounts)

    def _sessions(self) -> tuple[Operation, ...]:
        return (
            Operation(
                "POST",
                "/auth/register",
                self.register,
                "Create an account and sign in",
                caller=Caller.ANYBODY,
                body=RegisterBody,
                answer=SessionView,
                statuses=(201,),
                refusals=(ErrorCode.USERNAME_TAKEN, ErrorCode.EMAIL_TAKEN, ErrorCode.RATE_LIMITED),
            ),
            Operation(
                "POST",
                "/auth/login",
                self.login,
                "Sign in with a username or an e-mail address",
                caller=Caller.ANYBODY,
                body=LoginBody,
                answer=SessionView,
                refusals=(ErrorCode.UNAUTHENTICATED, ErrorCode.RATE_LIMITED),
            ),
        )

    def _users(self) -> tuple[Operation, ...]:
        return (
            Operation("GET", "/users/me", self.me, "Look at one's own account", answer=OwnView),
            Operation(
                "GET",
                "/users",
                self.many,
                "Find users by the beginning of their username, or by id",
                answer=PageOf[UserView],
                query=(
                    Query("q", _Prefix, "How the username begins, in any case; either this or `ids`"),
                    Query("ids", _Ids, f"Up to {_IDS_MAX} ids, separated by commas"),
                    Query("limit", Annotated[int, Meta(ge=1, le=_FOUND_MAX)], "How many at most, for `q`"),
                ),
            ),
            Operation(
                "GET",
                "/users/<user>",
                self.one,
                "Look at a user",
                answer=UserView,
                refusals=(ErrorCode.NOT_FOUND,),
            ),
        )

    async def register(self) -> Response:
        body = await read_body(_register_body)
        session = await self._system.accounts.register(
            username=body.username, password=body.password, email=body.email, display_name=body.display_name
        )
        return _session_answer(granted(session), status=201)

    async def login(self) -> Response:
        body = await read_body(_login_body)
        if (body.username is None) == (body.email is None):
            raise Refused(invalid("", "give either username or email", code="ambiguous"))
        session = await self._system.accounts.login(
            username=body.username, email=body.email, password=body.password, address=request.remote_addr or ""
        )
        return _session_answer(granted(session), status=200)

    async def me(self, caller: UserRecord) -> Response:
        return json_answer(_own_view(caller))

    async def one(self, caller: UserRecord, user: str) -> Response:
        found = caller if user == caller.id else await self._system.storage.directory.user(user)
        if found is None or found.disabled:
            raise Refused(_NO_SUCH_USER)
        return json_answer(user_view(found))

    async def many(self, _caller: UserRecord) -> Response:
        limit = read_number("limit", low=1, high=_FOUND_MAX) or _FOUND_MAX
        ids, prefix = read_text("ids", longest=_IDS_MAX_CHARACTERS), read_text("q")
        if ids is not None and prefix is not None:
            raise Refused(invalid("", "give either q or ids", code="ambiguous"))
        if ids is not None:
            wanted = ids.split(",")
            if len(wanted) > _IDS_MAX:
                raise Refused(invalid("/ids", f"at most {_IDS_MAX} ids at once", code="too_many"))
            users = await self._system.storage.directory.users(ids=wanted)
        elif prefix:
            users = await self._system.storage.directory.search_users(fold_name(prefix), limit=limit)
        else:
            raise Refused(invalid("/q", "give q (a prefix of the name) or ids", code="missing"))
        items = [user_view(user) for user in users if not user.disabled]
        return page_answer(items, next_cursor=None)
