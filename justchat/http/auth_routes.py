"""`/auth`: coming in, going on and going out. Sessions and personal tokens are listed in routes of their own."""

from __future__ import annotations

import msgspec
from quart import Response
from werkzeug.exceptions import HTTPException

from justchat.accounts.identity import Identity
from justchat.accounts.sessions import SignedIn
from justchat.http.answers import Refused, granted, has_body, json_answer, no_content, read_body
from justchat.http.auth_forms import (
    IntrospectBody,
    IntrospectionView,
    LoginBody,
    PasswordBody,
    RefreshBody,
    RegisterBody,
    SignedInView,
    TicketView,
    signed_in_view,
)
from justchat.http.caller import bearer_token, device, identified
from justchat.http.cookies import drop_session_cookies, refresh_cookie, set_session_cookies
from justchat.http.operation import Caller, Operation, OperationBlueprint, blueprint_of
from justchat.http.pacing import count_stranger, count_user
from justchat.limiting.policy import RateClass
from justchat.system import System
from justchat.wire.errors import ErrorCode, Refusal, invalid
from justchat.wire.server_frames import signed_in
from storage.records import UserRecord

_NO_REFRESH_TOKEN = Refusal(ErrorCode.UNAUTHENTICATED, "there is no refresh token, neither a cookie nor in the body")

_register_body = msgspec.json.Decoder(RegisterBody)
_login_body = msgspec.json.Decoder(LoginBody)
_refresh_body = msgspec.json.Decoder(RefreshBody)
_password_body = msgspec.json.Decoder(PasswordBody)
_introspect_body = msgspec.json.Decoder(IntrospectBody)


class AuthRoutes:
    """Registration, login, renewal, logout, passwords, tickets."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._accounts = system.accounts

    def blueprint(self) -> OperationBlueprint:
        """Build the routes."""
        return blueprint_of("auth", (*self._coming(), *self._staying(), *self._going()), accounts=self._accounts)

    def _coming(self) -> tuple[Operation, ...]:
        return (
            Operation(
                "POST",
                "/auth/register",
                self.register,
                "Create an account and sign in",
                caller=Caller.ANYBODY,
                body=RegisterBody,
                answer=SignedInView,
                statuses=(201,),
                refusals=(
                    ErrorCode.USERNAME_TAKEN,
                    ErrorCode.EMAIL_TAKEN,
                    ErrorCode.FORBIDDEN,
                    ErrorCode.RATE_LIMITED,
                ),
            ),
            Operation(
                "POST",
                "/auth/login",
                self.login,
                "Sign in with a username or an e-mail address",
                caller=Caller.ANYBODY,
                body=LoginBody,
                answer=SignedInView,
                refusals=(ErrorCode.UNAUTHENTICATED, ErrorCode.FORBIDDEN, ErrorCode.RATE_LIMITED),
            ),
        )

    def _staying(self) -> tuple[Operation, ...]:
        return (
            Operation(
                "POST",
                "/auth/refresh",
                self.refresh,
                "Go on with a refresh token, which is good once",
                caller=Caller.ANYBODY,
                body=RefreshBody,
                body_is_optional=True,
                answer=SignedInView,
                refusals=(ErrorCode.UNAUTHENTICATED, ErrorCode.FORBIDDEN),
                rate=RateClass.SESSION,
            ),
            Operation(
                "POST",
                "/auth/password",
                self.password,
                "Change one's password; all other sessions end",
                caller=Caller.SESSION,
                body=PasswordBody,
                statuses=(204,),
                refusals=(ErrorCode.FORBIDDEN, ErrorCode.CONFLICT, ErrorCode.RATE_LIMITED),
                rate=RateClass.AUTH,
            ),
            Operation(
                "POST",
                "/auth/introspect",
                self.introspect,
                "Ask whether a token is good",
                body=IntrospectBody,
                answer=IntrospectionView,
            ),
            Operation(
                "POST",
                "/auth/ticket",
                self.ticket,
                "Get a ticket for one WebSocket",
                caller=Caller.SESSION,
                answer=TicketView,
                rate=RateClass.SESSION,
            ),
        )

    def _going(self) -> tuple[Operation, ...]:
        return (
            Operation(
                "POST",
                "/auth/logout",
                self.logout,
                "End this session, named by its access token or its refresh token",
                caller=Caller.ANYBODY,
                body=RefreshBody,
                body_is_optional=True,
                statuses=(204,),
                refusals=(ErrorCode.UNAUTHENTICATED, ErrorCode.TOKEN_EXPIRED, ErrorCode.FORBIDDEN),
                rate=RateClass.SESSION,
            ),
            Operation(
                "POST",
                "/auth/logout-all",
                self.logout_all,
                "End all sessions and personal tokens of this account",
                caller=Caller.SESSION,
                statuses=(204,),
            ),
        )

    async def register(self) -> Response:
        body = await read_body(_register_body)
        session = await self._accounts.register(
            username=body.username,
            password=body.password,
            device=device(),
            email=body.email,
            display_name=body.display_name,
            invitation=body.invitation,
        )
        return self._answer(granted(session), status=201, cookie=body.cookie)

    async def login(self) -> Response:
        body = await read_body(_login_body)
        if (body.username is None) == (body.email is None):
            raise Refused(invalid("", "give either username or email", code="ambiguous"))
        session = granted(
            await self._accounts.login(
                username=body.username, email=body.email, password=body.password, device=device()
            )
        )
        seen_from = device()
        self._system.index.tell(
            session.user.id,
            signed_in(session.session, user_agent=seen_from.user_agent, address=seen_from.address),
        )
        return self._answer(session, status=200, cookie=body.cookie)

    async def refresh(self) -> Response:
        token, is_cookie = await self._presented()
        holder = await self._accounts.sessions.of_refresh_token(token)
        if holder is not None:
            # Before it is used up: who is refused for haste can use it later.
            count_user(holder.user)
        session = await self._accounts.sessions.renew(token, device())
        if isinstance(session, Refusal):
            count_stranger()
            raise Refused(session)
        return self._answer(session, status=200, cookie=is_cookie)

    async def password(self, caller: Identity) -> Response:
        body = await read_body(_password_body)
        refusal = await self._accounts.change_password(
            caller.user,
            password=body.password,
            new_password=body.new_password,
            address=device().address,
            keep=caller.session,
        )
        if refusal:
            raise Refused(refusal)
        return no_content()

    async def introspect(self, _caller: UserRecord) -> Response:
        token = (await read_body(_introspect_body)).token
        identity = await self._accounts.authenticate(token)
        if isinstance(identity, Refusal):
            return json_answer(IntrospectionView(active=False), headers={"Cache-Control": "no-store"})
        view = IntrospectionView(
            active=True,
            sub=identity.user.id,
            username=identity.user.username,
            role=identity.user.role,
            scope=None if identity.scopes is None else " ".join(sorted(identity.scopes)),
            sid=identity.session,
            exp=None if identity.expires_at is None else identity.expires_at // 1000,
            token_type="Bearer",  # noqa: S106 - the scheme's name
        )
        return json_answer(view, headers={"Cache-Control": "no-store"})

    async def ticket(self, caller: Identity) -> Response:
        tickets = self._accounts.tickets
        view = TicketView(tickets.issue(caller), tickets.seconds)
        return json_answer(view, headers={"Cache-Control": "no-store"})

    async def logout(self) -> Response:
        sessions = self._accounts.sessions
        if bearer_token() is not None:
            identity = await identified(self._accounts)
            if identity.session is not None:
                await sessions.end(identity.user.id, only=[identity.session])
            else:
                await self._accounts.personal.revoke(identity.user.id, only=identity.credential)
        else:
            token, _ = await self._presented()
            session = await sessions.of_refresh_token(token)
            if session is None:
                # Whoever is out already is out.
                count_stranger()
            else:
                count_user(session.user)
                await sessions.end(session.user, only=[session.id])
        response = no_content()
        drop_session_cookies(response, self._system.config)
        return response

    async def logout_all(self, caller: Identity) -> Response:
        await self._accounts.sign_out_everywhere(caller.user.id)
        response = no_content()
        drop_session_cookies(response, self._system.config)
        return response

    async def _presented(self) -> tuple[str, bool]:
        """Read the refresh token, and whether it came as a cookie; who has none is a stranger.

        Raises Refused, and HTTPException for a body that is too large or too late.
        """
        try:
            given = (await read_body(_refresh_body)).refresh_token if await has_body() else None
            token = given or refresh_cookie()
            if token is None:
                raise Refused(_NO_REFRESH_TOKEN)
        except (Refused, HTTPException):
            count_stranger()
            raise
        return token, given is None

    def _answer(self, session: SignedIn, *, status: int, cookie: bool) -> Response:
        headers = {"Cache-Control": "no-store"}
        if status == 201:
            headers["Location"] = f"/api/v1/users/{session.user.id}"
        response = json_answer(signed_in_view(session, tells_refresh_token=not cookie), status=status, headers=headers)
        if cookie:
            set_session_cookies(response, session, self._system.config)
        return response
