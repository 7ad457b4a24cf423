"""Access tokens: JWTs that this server signs and checks itself. Pure but for the keys; the clock is passed in.

A token names its key (`kid`), which is looked up among our own keys and nowhere else, and each key is used with the one
algorithm it was made for, whatever the token says. A header that says more than our own is refused, so nothing in it
can bring a key along or change what is checked. PyJWT checks the signature; the claims are checked here, all required,
with exact types.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from jwt import PyJWS
from jwt.exceptions import PyJWTError
from jwt.utils import base64url_decode
from msgspec import Meta, Struct

from justchat.accounts.key_ring import LOOK_SECONDS, FoundKey, KeyRing
from justchat.ids import is_id, new_id

AUDIENCE = "justchat:access"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - the `typ` of RFC 9068, not a secret
# Ours have fewer, even with the longest issuer and the largest key.
TOKEN_MAX_CHARACTERS = 3072
LEEWAY_SECONDS = 10

_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_Seconds = Annotated[int, Meta(ge=0, le=2**53)]


class Claims(Struct, frozen=True):
    """What an access token says. `sid` is the session; times are whole seconds since the Unix epoch."""

    iss: str
    aud: str
    sub: str
    sid: str
    exp: _Seconds
    iat: _Seconds
    jti: Annotated[str, Meta(min_length=1)]


class TokenProblem(StrEnum):
    """Why a token is not accepted; the values are codes of the public contract."""

    UNAUTHENTICATED = "unauthenticated"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - an error code, not a secret


class _Header(Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    kid: str
    typ: Literal["at+jwt"]


def retired_seconds(access_seconds: int) -> float:
    """Say for how long after a key was retired there may be good tokens of it."""
    # A running server may sign with it until it looks at the keys again.
    return access_seconds + LEEWAY_SECONDS + LOOK_SECONDS


class Tokens:
    """Issues and verifies access tokens."""

    def __init__(self, ring: KeyRing, *, issuer: str, access_seconds: int, clock: Callable[[], float]) -> None:
        self._ring = ring
        self._issuer = issuer
        self._access_seconds = access_seconds
        self._clock = clock
        self._jws = PyJWS(["EdDSA", "RS256", "HS256"])
        self._headers = msgspec.json.Decoder(_Header)
        self._claims = msgspec.json.Decoder(Claims)

    def issue(self, user_id: str, session_id: str) -> tuple[str, int]:
        """Make a token for a user and say for how many seconds it is good."""
        now = self._clock()
        key = self._ring.signing(now=now)
        claims = Claims(
            iss=self._issuer,
            aud=AUDIENCE,
            sub=user_id,
            sid=session_id,
            exp=int(now) + self._access_seconds,
            iat=int(now),
            jti=new_id("t"),
        )
        headers = {"typ": TOKEN_TYPE, "kid": key.kid}
        token = self._jws.encode(msgspec.json.encode(claims), key.signing, key.algorithm, headers)
        return token, self._access_seconds

    def verify(self, token: str) -> Claims | TokenProblem:
        """Give the claims of a token that was made here for this purpose and is still good."""
        now = self._clock()
        found = self._key_of(token, now)
        claims = self._signed_claims(token, found) if found is not None else None
        if found is None or claims is None or not self._is_ours(claims) or claims.iat > now + LEEWAY_SECONDS:
            return TokenProblem.UNAUTHENTICATED
        if claims.exp + LEEWAY_SECONDS <= now:
            return TokenProblem.TOKEN_EXPIRED
        # The key's own end comes after that of all its tokens: one that claims to be good was made by a thief.
        return claims if found.is_good(now) else TokenProblem.UNAUTHENTICATED

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Give the public keys as a JSON Web Key Set: those of which there are, or will soon be, good tokens."""
        described = (key.jwk() for key in self._ring.published(now=self._clock()))
        return {"keys": [jwk for jwk in described if jwk is not None]}

    def _key_of(self, token: str, now: float) -> FoundKey | None:
        """Find the key that a token names, if its header could be ours."""
        # Bounded and in shape first: everything after this is work that a stranger can ask for. Nor may there be two
        # ways to write one token, such as with padding.
        if len(token) > TOKEN_MAX_CHARACTERS or _SHAPE.fullmatch(token) is None:
            return None
        try:
            header = self._headers.decode(base64url_decode(token.partition(".")[0]))
        except (msgspec.DecodeError, ValueError):
            return None
        found = self._ring.find(header.kid, now=now)
        return found if found is not None and found.key.algorithm == header.alg else None

    def _signed_claims(self, token: str, found: FoundKey) -> Claims | None:
        """Give the claims, if the token is signed by that key; nothing else about them has been checked."""
        try:
            signed = self._jws.decode_complete(token, found.key.verifying, [found.key.algorithm])
            return self._claims.decode(signed["payload"])
        except (PyJWTError, msgspec.DecodeError, RecursionError):
            return None

    def _is_ours(self, claims: Claims) -> bool:
        is_addressed = claims.iss == self._issuer and claims.aud == AUDIENCE
        return is_addressed and is_id("u", claims.sub) and is_id("s", claims.sid)
