"""What pages of other origins may do: nothing, but for those on the allow-list.

A page that is not allowed is told nothing by which its browser would show it an answer, and where it would change
something without a token of its own it is refused: it can have nothing but what the browser sends along by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from quart import Response, g, request

from justchat.http.answers import problem_answer
from justchat.http.caller import bearer_token
from justchat.http.caller_address import caller_scheme
from justchat.limiting.origins import Origins, Standpoint
from justchat.wire.errors import ErrorCode, Refusal

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_PREFLIGHT_SECONDS: Final = 600
_SENT: Final = "Authorization, Content-Type, X-CSRF-Token, If-Match, If-None-Match, Idempotency-Key, X-Request-Id"
_SHOWN: Final = "RateLimit, RateLimit-Policy, Retry-After, X-Request-Id, ETag, Location, Idempotent-Replayed"
_FOREIGN: Final = Refusal(ErrorCode.FORBIDDEN, "pages of this origin may not call; allowed_origins says which may")


def note_standpoint(origins: Origins) -> None:
    """Work out where this request comes from."""
    host = request.headers.get("Host", "")
    g.standpoint = origins.judge(request.headers.get("Origin"), host=host, scheme=caller_scheme())


def standpoint() -> Standpoint:
    """Tell where this request comes from, as far as its Origin tells. Only known for the API."""
    found: Standpoint = g.standpoint
    return found


def refuse_origin(allowed_methods: Callable[[], Sequence[str]]) -> Response | None:
    """Answer a preflight, and refuse a page that would change something and has no business here."""
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        return _preflight_answer(allowed_methods())
    if standpoint().refused and request.method not in _SAFE and bearer_token() is None:
        return problem_answer(_FOREIGN)
    return None


def share(response: Response) -> None:
    """Let the caller's browser show an answer to its page, if the page may see it."""
    response.vary.add("Origin")
    match standpoint():
        case Standpoint.LISTED:
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Allow-Credentials"] = "true"
        case Standpoint.ANY:
            # Never with credentials: whoever the page belongs to gets what it may get by a token, and no cookie.
            response.headers["Access-Control-Allow-Origin"] = "*"
        case _:
            return
    response.headers["Access-Control-Expose-Headers"] = _SHOWN


def _preflight_answer(allowed_methods: Sequence[str]) -> Response:
    if standpoint() not in {Standpoint.LISTED, Standpoint.ANY}:
        return problem_answer(_FOREIGN)
    response = Response(b"", status=204)
    for name in ("content-type", "content-length"):
        response.headers.pop(name, None)
    response.headers["Access-Control-Allow-Methods"] = ", ".join(sorted(allowed_methods))
    response.headers["Access-Control-Allow-Headers"] = _SENT
    response.headers["Access-Control-Max-Age"] = str(_PREFLIGHT_SECONDS)
    for name in ("Access-Control-Request-Method", "Access-Control-Request-Headers"):
        response.vary.add(name)
    return response
