"""Refresh tokens: opaque, good once, and each leads to one successor. Pure.

A token is two random values: its family, which all tokens of a session share, and its secret. Only fingerprints of
them are stored. The next secret is made of the present one and a nonce that is stored: whoever has the present token
can make it again, so a device that never got an answer is given the same successor, and who only has the database makes
none.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from hashlib import sha256
from hmac import digest as hmac_digest

from msgspec import Struct

_BYTES = 32
_TEXT_CHARACTERS = 2 * 43 + 1


class RefreshToken(Struct, frozen=True):
    """One token, in the clear."""

    family: bytes
    secret: bytes

    def __repr__(self) -> str:
        return "RefreshToken()"

    @property
    def text(self) -> str:
        """The form in which it is handed out."""
        return f"{_encode(self.family)}.{_encode(self.secret)}"


def fresh_token() -> RefreshToken:
    """Make the first token of a new family."""
    return RefreshToken(secrets.token_bytes(_BYTES), secrets.token_bytes(_BYTES))


def fresh_nonce() -> bytes:
    """Make what the next successor will be made with."""
    return secrets.token_bytes(_BYTES)


def parse_token(text: str) -> RefreshToken | None:
    """Read a token that was handed out; None for anything else."""
    if len(text) != _TEXT_CHARACTERS or not text.isascii():
        return None
    parts = [_decode(part) for part in text.split(".")]
    if len(parts) != 2 or any(part is None or len(part) != _BYTES for part in parts):
        return None
    token = RefreshToken(parts[0] or b"", parts[1] or b"")
    # There are texts that base64 reads as the same bytes; only one of them was handed out.
    return token if token.text == text else None


def successor(token: RefreshToken, nonce: bytes) -> RefreshToken:
    """Make the token that follows, which is always the same for the same nonce."""
    return RefreshToken(token.family, hmac_digest(token.secret, nonce, sha256))


def fingerprint(secret: bytes) -> bytes:
    """Give what is stored of a secret. It is random, so a fast hash keeps it."""
    return sha256(secret).digest()


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decode(text: str) -> bytes | None:
    try:
        return base64.b64decode(f"{text}=", altchars=b"-_", validate=True)
    except binascii.Error:
        return None
