"""`/auth/sessions` and `/auth/tokens`: by which devices and programs an account is used, and ending that.

At the site's root stand the public keys that others check access tokens with.
"""

from __future__ import annotations

import msgspec
from quart import Response

from justchat.accounts.identity import Identity
from justchat.http.answers import Refused, granted, json_answer, no_content, page_answer, read_body
from justchat.http.auth_forms import (
    PersonalTokenBody,
    PersonalTokenView,
    SessionView,
    personal_token_view,
    session_view,
)
from justchat.http.operation import Caller, Operation, OperationBlueprint, PageOf, blueprint_of
from justchat.system import System
from justchat.wire.errors import ErrorCode, Refusal

_NO_SUCH_SESSION = Refusal(ErrorCode.NOT_FOUND, "there is no such session of yours")
_NO_SUCH_TOKEN = Refusal(ErrorCode.NOT_FOUND, "there is no such token of yours")
_JWKS_SECONDS = 300

_token_body = msgspec.json.Decoder(PersonalTokenBody)


class KeySet(msgspec.Struct, frozen=True):
    """A JSON Web Key Set (RFC 7517)."""

    keys: tuple[dict[str, str], ...]


class SessionRoutes:
    """Sessions and personal tokens of whoever is calling."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._accounts = system.accounts

    def blueprint(self) -> OperationBlueprint:
        """Build the routes."""
        return blueprint_of("sessions", (*self._of_sessions(), *self._of_tokens()), accounts=self._accounts)

    def _of_sessions(self) -> tuple[Operation, ...]:
        session, one, unknown = Caller.SESSION, "/auth/sessions/<session>", (ErrorCode.NOT_FOUND,)
        return (
            Operation("GET", "/auth/sessions", self.many, "List one's sessions", session, answer=PageOf[SessionView]),
            Operation(
                "GET", one, self.one, "Read a session of one's own", session, answer=SessionView, refusals=unknown
            ),
            Operation(
                "DELETE", one, self.end, "End a session of one's own", session, statuses=(204,), refusals=unknown
            ),
        )

    def _of_tokens(self) -> tuple[Operation, ...]:
        session, unknown = Caller.SESSION, (ErrorCode.NOT_FOUND,)
        many, one = "/auth/tokens", "/auth/tokens/<token>"
        return (
            Operation(
                "POST",
                many,
                self.make_token,
                "Make a personal token for a program",
                session,
                body=PersonalTokenBody,
                answer=PersonalTokenView,
                statuses=(201,),
                refusals=(ErrorCode.CONFLICT,),
            ),
            Operation(
                "GET", many, self.tokens, "List one's personal tokens", session, answer=PageOf[PersonalTokenView]
            ),
            Operation(
                "GET",
                one,
                self.token,
                "Read about a personal token",
                session,
                answer=PersonalTokenView,
                refusals=unknown,
            ),
            Operation(
                "DELETE",
                one,
                self.revoke_token,
                "Revoke a personal token",
                session,
                statuses=(204,),
                refusals=unknown,
            ),
        )

    def root_blueprint(self) -> OperationBlueprint:
        """Build what stands at the site's root."""
        operation = Operation(
            "GET",
            "/.well-known/jwks.json",
            self.key_set,
            "The public keys of access tokens",
            caller=Caller.ANYBODY,
            answer=KeySet,
        )
        return blueprint_of("keys", (operation,), accounts=self._accounts)

    async def many(self, caller: Identity) -> Response:
        found = await self._accounts.sessions.of_user(caller.user.id)
        return page_answer([session_view(each, current=caller.session) for each in found], next_cursor=None)

    async def one(self, caller: Identity, session: str) -> Response:
        for each in await self._accounts.sessions.of_user(caller.user.id):
            if each.id == session:
                return json_answer(session_view(each, current=caller.session))
        raise Refused(_NO_SUCH_SESSION)

    async def end(self, caller: Identity, session: str) -> Response:
        if not await self._accounts.sessions.end(caller.user.id, only=[session]):
            raise Refused(_NO_SUCH_SESSION)
        return no_content()

    async def make_token(self, caller: Identity) -> Response:
        body = await read_body(_token_body)
        made = granted(
            await self._accounts.personal.create(
                caller.user,
                name=body.name,
                scopes=body.scopes,
                expires_in_seconds=body.expires_in,
                session=caller.session,
            )
        )
        headers = {"Location": f"/api/v1/auth/tokens/{made.record.id}", "Cache-Control": "no-store"}
        return json_answer(personal_token_view(made.record, token=made.text), status=201, headers=headers)

    async def tokens(self, caller: Identity) -> Response:
        found = await self._accounts.personal.of_user(caller.user.id)
        return page_answer([personal_token_view(each) for each in found], next_cursor=None)

    async def token(self, caller: Identity, token: str) -> Response:
        for each in await self._accounts.personal.of_user(caller.user.id):
            if each.id == token:
                return json_answer(personal_token_view(each))
        raise Refused(_NO_SUCH_TOKEN)

    async def revoke_token(self, caller: Identity, token: str) -> Response:
        if not await self._accounts.personal.revoke(caller.user.id, only=token):
            raise Refused(_NO_SUCH_TOKEN)
        return no_content()

    async def key_set(self) -> Response:
        headers = {"Cache-Control": f"public, max-age={_JWKS_SECONDS}"}
        return json_answer(self._accounts.sessions.jwks(), headers=headers)
