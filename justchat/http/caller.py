"""Who is calling: the bearer token of a request, and the operator's right to look inside."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable
from functools import wraps

from quart import Response, request

from justchat.accounts.accounts import Accounts
from justchat.http.answers import Handler, Refused, granted, handled
from justchat.wire.errors import ErrorCode, Refusal

_NO_TOKEN = Refusal(ErrorCode.UNAUTHENTICATED, "send the header Authorization: Bearer <access token>")
_NOT_OPERATOR = Refusal(ErrorCode.FORBIDDEN, "this needs the operator token, or a caller on the same machine")
# What proxies add; only whether one is there matters, since anybody can write anything into them.
_FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"})


def bearer_token() -> str | None:
    """Read the request's bearer token."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def for_caller(accounts: Accounts) -> Callable[[Handler], Handler]:
    """Make endpoints of handlers whose first argument is the authenticated user."""

    def wrap(handler: Handler) -> Handler:
        @wraps(handler)
        async def authenticated(**path: str) -> Response:
            token = bearer_token()
            if token is None:
                raise Refused(_NO_TOKEN)
            return await handler(granted(await accounts.authenticate(token)), **path)

        return handled(authenticated)

    return wrap


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
    if not _FORWARDED.isdisjoint(name.lower() for name, _ in request.headers):
        # It comes from a proxy on this machine, and the caller is anywhere.
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
