"""Registration, login, and users as everybody may see them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from quart import Blueprint, Response, request

from justchat.accounts.accounts import SignedIn
from justchat.accounts.names import fold_name
from justchat.http.answers import (
    Refused,
    granted,
    handled,
    json_answer,
    page_answer,
    read_body,
    read_number,
    read_text,
)
from justchat.http.caller import for_caller
from justchat.system import System
from justchat.wire.errors import ErrorCode, Refusal, invalid
from justchat.wire.server_frames import UserView
from justchat.wire.times import rfc3339
from storage.records import UserRecord

_NO_SUCH_USER = Refusal(ErrorCode.NOT_FOUND, "there is no such user")
_IDS_MAX = 100
# Autocomplete shows a handful; the bound also keeps the list of all users from being read off.
_FOUND_MAX = 20


class RegisterBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What a registration says; it cannot name a role."""

    username: Annotated[str, Meta(max_length=200)]
    password: Annotated[str, Meta(max_length=1000)]
    email: Annotated[str, Meta(max_length=320)] | None = None
    display_name: Annotated[str, Meta(max_length=200)] | None = None


class LoginBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Credentials: a username or an e-mail address, and the password."""

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
    return json_answer(view, status=status, headers={"Cache-Control": "no-store"})


class AuthRoutes:
    """`/auth` and `/users`."""

    def __init__(self, system: System) -> None:
        self._system = system

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        routes = Blueprint("auths", __name__)
        as_caller = for_caller(self._system.accounts)
        routes.post("/auth/register")(handled(self.register))
        routes.post("/auth/login")(handled(self.login))
        routes.get("/users/me")(as_caller(self.me))
        routes.get("/users")(as_caller(self.many))
        routes.get("/users/<user>")(as_caller(self.one))
        return routes

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
        ids, prefix = read_text("ids", longest=_IDS_MAX * 65), read_text("q")
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
