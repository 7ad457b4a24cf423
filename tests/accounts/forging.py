"""Tokens made by hand: flawless ones of a key, with changes, signed by whoever and however."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from functools import cache
from hashlib import sha256

from jwt import PyJWS

from justchat.accounts.key_ring import KeyRing
from justchat.accounts.signing_key import Algorithm, SigningKey, fresh_signing_key
from justchat.accounts.tokens import AUDIENCE, TOKEN_TYPE, Tokens
from justchat.ids import new_id

ALGORITHMS: tuple[Algorithm, ...] = ("EdDSA", "RS256", "HS256")
USER, SESSION = new_id("u"), new_id("s")
NOW = 1_700_000_000
LIFE = 600

Edit = Callable[[dict[str, object], dict[str, object]], object]
Signer = Callable[[bytes], bytes]


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@cache
def key_of(algorithm: Algorithm) -> SigningKey:
    """One key of each kind for all tests: those of RSA take time to make."""
    return fresh_signing_key(algorithm)


def tokens(ring: KeyRing | SigningKey, *, clock: Callable[[], float] | None = None, issuer: str = "justchat") -> Tokens:
    """Tokens of a ring or of one key, with a clock at NOW."""
    ring = KeyRing.of(ring) if isinstance(ring, SigningKey) else ring
    return Tokens(ring, issuer=issuer, access_seconds=LIFE, clock=clock or Clock())


def b64(value: object) -> str:
    """A value as a segment of a token."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signed_by(key: SigningKey) -> Signer:
    """Sign as the key does."""
    return lambda message: PyJWS().get_algorithm_by_name(key.algorithm).sign(message, key.signing)


def mac_with(secret: bytes) -> Signer:
    """Sign as HS256 does, with any bytes, which libraries may refuse as a secret."""
    return lambda message: hmac.digest(secret, message, sha256)


def unsigned(message: bytes) -> bytes:
    """Do not sign."""
    return b""


def leave(claims: dict[str, object], headers: dict[str, object]) -> None:
    """Change nothing."""


def with_claim(name: str, value: object) -> Edit:
    """Set one claim."""
    return lambda claims, headers: claims.update({name: value})


def without_claim(name: str) -> Edit:
    """Drop one claim."""
    return lambda claims, headers: claims.pop(name)


def with_header(name: str, value: object) -> Edit:
    """Set one header."""
    return lambda claims, headers: headers.update({name: value})


def without_header(name: str) -> Edit:
    """Drop one header."""
    return lambda claims, headers: headers.pop(name)


def forge(edit: Edit, key: SigningKey, *, sign: Signer | None = None) -> str:
    """A token as the key would make it, but for what `edit` does to claims and headers, and for who signs it."""
    claims: dict[str, object] = {
        "iss": "justchat", "aud": AUDIENCE, "sub": USER, "sid": SESSION, "exp": NOW + LIFE, "iat": NOW, "jti": "t_1",
    }  # fmt: skip
    headers: dict[str, object] = {"alg": key.algorithm, "typ": TOKEN_TYPE, "kid": key.kid}
    edit(claims, headers)
    message = f"{b64(headers)}.{b64(claims)}"
    return f"{message}.{b64((sign or signed_by(key))(message.encode()))}"
