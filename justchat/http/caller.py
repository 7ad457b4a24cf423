"""Who is calling: the bearer token of a request, and the operator's right to look inside."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import wraps

from quart import Response, request

from justchat.accounts.accounts import Accounts
from justchat.accounts.identity import Identity
from justchat.accounts.sessions import Device
from justchat.http.answers import Handler, Refused, handled
from justchat.http.caller_address import caller_address, caller_is_local
from justchat.http.pacing import count_stranger, count_user
from justchat.http.request_log import remember_caller
from justchat.wire.errors import ErrorCode, Refusal

_NO_TOKEN = Refusal(ErrorCode.UNAUTHENTICATED, "send the header Authorization: Bearer <access token>")
_NOT_OPERATOR = Refusal(ErrorCode.FORBIDDEN, "this needs the operator token, or a caller on the same machine")


def bearer_token() -> str | None:
    """Read the request's bearer token."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


async def identified(accounts: Accounts) -> Identity:
    """Give who is calling. Raises Refused."""
    token = bearer_token()
    identity = _NO_TOKEN if token is None else await accounts.authenticate(token)
    if isinstance(identity, Refusal):
        if identity.status == 401:
            count_stranger()
        raise Refused(identity)
    count_user(identity.user.id)
    remember_caller(identity.user.id)
    return identity


def device() -> Device:
    """Describe the device that is calling, as its owner will be shown it."""
    return Device.of(request.headers.get("User-Agent", ""), caller_address())


def for_operator(operator_token: str | None) -> Callable[[Handler], Handler]:
    """Make endpoints of handlers that only operators may call."""

    def wrap(handler: Handler) -> Handler:
        @wraps(handler)
        async def guarded(**path: str) -> Response:
            if not _is_operator(operator_token):
                raise Refused(_NOT_OPERATOR)
            return await handler(**path)

        return handled(guarded)

    return wrap


def _is_operator(operator_token: str | None) -> bool:
    token = bearer_token()
    if operator_token is not None and token is not None:
        return hmac.compare_digest(token.encode(), operator_token.encode())
    return caller_is_local()
