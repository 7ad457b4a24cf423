"""The refresh token as a browser keeps it: a cookie that no script can read, and the proof that the page is ours.

A cookie comes along with every request, whoever made it. So what a cookie authenticates has to repeat a value that only
pages of this site can read (the double submit of OWASP's CSRF cheat sheet), and to come from an origin that may call.
The two routes that take the cookie are the only ones that get it: its path is theirs.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final

from quart import Response, request

from justchat.accounts.sessions import SignedIn
from justchat.config import Config
from justchat.http.answers import Refused
from justchat.http.cors import standpoint
from justchat.wire.errors import ErrorCode, Refusal

REFRESH_COOKIE: Final = "justchat_refresh"
CSRF_COOKIE: Final = "justchat_csrf"
CSRF_HEADER: Final = "X-CSRF-Token"

_PATH: Final = "/api/v1/auth"
_FORGED: Final = Refusal(ErrorCode.FORBIDDEN, f"repeat the cookie {CSRF_COOKIE} in the header {CSRF_HEADER}")
_STRANGE_PAGE: Final = Refusal(ErrorCode.FORBIDDEN, "a cookie is only taken from pages of origins that are named")


def set_session_cookies(response: Response, session: SignedIn, config: Config) -> None:
    """Leave the refresh token with the browser, and a fresh value for its proof."""
    secure, seconds = config.cookie_secure == "yes", session.refresh_seconds
    response.set_cookie(
        REFRESH_COOKIE,
        session.refresh_token,
        max_age=seconds,
        path=_PATH,
        secure=secure,
        httponly=True,
        samesite="Strict",
    )
    response.set_cookie(
        CSRF_COOKIE, secrets.token_urlsafe(24), max_age=seconds, path="/", secure=secure, samesite="Strict"
    )


def drop_session_cookies(response: Response, config: Config) -> None:
    """Take both away."""
    secure = config.cookie_secure == "yes"
    response.delete_cookie(REFRESH_COOKIE, path=_PATH, secure=secure, httponly=True, samesite="Strict")
    response.delete_cookie(CSRF_COOKIE, path="/", secure=secure, samesite="Strict")


def refresh_cookie() -> str | None:
    """Read the refresh token that came as a cookie. Raises Refused where the proof is missing or wrong."""
    token = request.cookies.get(REFRESH_COOKIE)
    if token is None:
        return None
    if not standpoint().trusted:
        raise Refused(_STRANGE_PAGE)
    expected = request.cookies.get(CSRF_COOKIE, "")
    given = request.headers.get(CSRF_HEADER, "")
    if not expected or not hmac.compare_digest(expected.encode(), given.encode()):
        raise Refused(_FORGED)
    return token
