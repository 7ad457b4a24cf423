"""Access tokens: JWTs that this server signs and checks itself. Pure; the clock is passed in.

A token names its key (`kid`), which is looked up among our own keys and nowhere else, and each key is used with the one
algorithm it was made for, whatever the token says. The first key signs; all of them verify, so that keys can be changed
without logging anybody out. PyJWT checks the signature; the claims are checked here, all required, with exact types.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated

import msgspec
from jwt import PyJWS
from jwt.exceptions import PyJWTError
from msgspec import Meta, Struct

from justchat.accounts.signing_key import SigningKey
from justchat.ids import is_id, new_id

AUDIENCE = "justchat:access"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - the `typ` of RFC 9068, not a secret
TOKEN_MAX_CHARACTERS = 2048
LEEWAY_SECONDS = 10

_Seconds = Annotated[int, Meta(ge=0, le=2**53)]


class Claims(Struct, frozen=True):
    """What an access token says. Times are whole seconds since the Unix epoch."""

    iss: str
    aud: str
    sub: str
    exp: _Seconds
    iat: _Seconds
    jti: Annotated[str, Meta(min_length=1)]


class TokenProblem(StrEnum):
    """Why a token is not accepted; the values are codes of the public contract."""

    UNAUTHENTICATED = "unauthenticated"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - an error code, not a secret


class Tokens:
    """Issues and verifies access tokens."""

    def __init__(
        self, keys: Sequence[SigningKey], *, issuer: str, access_seconds: int, clock: Callable[[], float]
    ) -> None:
        self._signer = keys[0]
        self._keys = {key.kid: key for key in keys}
        self._issuer = issuer
        self._access_seconds = access_seconds
        self._clock = clock
        self._jws = PyJWS()
        self._claims = msgspec.json.Decoder(Claims)

    def issue(self, user_id: str) -> tuple[str, int]:
        """Make a token for a user and say for how many seconds it is good."""
        now = int(self._clock())
        claims = Claims(
            iss=self._issuer,
            aud=AUDIENCE,
            sub=user_id,
            exp=now + self._access_seconds,
            iat=now,
            jti=new_id("t"),
        )
        headers = {"typ": TOKEN_TYPE, "kid": self._signer.kid}
        token = self._jws.encode(msgspec.json.encode(claims), self._signer.signing, self._signer.algorithm, headers)
        return token, self._access_seconds

    def verify(self, token: str) -> Claims | TokenProblem:
        """Give the claims of a token that was made here for this purpose and is still good."""
        claims = self._signed_claims(token)
        if claims is None or claims.iss != self._issuer or claims.aud != AUDIENCE or not is_id("u", claims.sub):
            return TokenProblem.UNAUTHENTICATED
        now = self._clock()
        if claims.iat > now + LEEWAY_SECONDS:
            return TokenProblem.UNAUTHENTICATED
        if claims.exp + LEEWAY_SECONDS <= now:
            return TokenProblem.TOKEN_EXPIRED
        return claims

    def _signed_claims(self, token: str) -> Claims | None:
        """The claims, if the token is signed by one of our keys; nothing else about them has been checked."""
        # Bounded and ASCII first: everything after this is work that a stranger can ask for.
        if len(token) > TOKEN_MAX_CHARACTERS or not token.isascii():
            return None
        try:
            key = self._keys.get(self._jws.get_unverified_header(token).get("kid", ""))
            if key is None:
                return None
            signed = self._jws.decode_complete(token, key.verifying, [key.algorithm])
            if signed["header"].get("typ") != TOKEN_TYPE:
                return None
            return self._claims.decode(signed["payload"])
        except (PyJWTError, msgspec.DecodeError):
            return None
