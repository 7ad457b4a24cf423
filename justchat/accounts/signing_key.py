"""Keys that sign access tokens, each with the one algorithm that it is used with.

A key is kept as text: a private key in PEM (Ed25519 for EdDSA, RSA for RS256), or a secret of at least 32 bytes for
HS256. Its `kid` is derived from it (of asymmetric keys the thumbprint of RFC 7638), so a token names the key that made
it without naming anything secret. What is only to verify from now on is kept without its private half.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from hmac import digest
from typing import Literal, TypeVar

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidKeyError
from msgspec import Struct

KEY_MIN_BYTES = 32
RSA_MIN_BITS = 2048
# A signature of this size still fits into a token, and takes no more than some milliseconds.
RSA_MAX_BITS = 4096

Algorithm = Literal["EdDSA", "RS256", "HS256"]

_NEW_SECRET_BYTES = 48
_PEM = "-----BEGIN"
_Loaded = TypeVar("_Loaded")


class SigningKeyUnusable(Exception):
    """The signing keys cannot be read or must not be used; the message says what to do."""


class VerifyingKey(Struct, frozen=True, eq=False):
    """One key that checks signatures. `text` is how it is kept: a public key in PEM, or the secret of HS256."""

    kid: str
    algorithm: Algorithm
    verifying: bytes | Ed25519PublicKey | RSAPublicKey
    text: str

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, VerifyingKey) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.kid)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kid={self.kid!r}, algorithm={self.algorithm!r})"

    def jwk(self) -> dict[str, str] | None:
        """Describe the public key for others; None for HS256, which has none."""
        if isinstance(self.verifying, bytes):
            return None
        return {**_members(self.verifying), "kid": self.kid, "alg": self.algorithm, "use": "sig"}


class SigningKey(VerifyingKey, frozen=True, eq=False):
    """One key that signs. `text` is how it is kept: a private key in PEM, or the secret of HS256."""

    signing: bytes | Ed25519PrivateKey | RSAPrivateKey

    def retired(self) -> VerifyingKey:
        """Give what is left when the key is to sign nothing any more."""
        if isinstance(self.verifying, bytes):
            return VerifyingKey(self.kid, self.algorithm, self.verifying, self.text)
        return _public(self.verifying)


def signing_key_from(text: str) -> SigningKey:
    """Make a key of a private key in PEM or of a secret text. Raises SigningKeyUnusable."""
    text = text.strip()
    if _PEM not in text:
        secret = _secret(text)
        return SigningKey(_secret_kid(secret), "HS256", secret, text, secret)
    # Platforms whose variables have one line only write the others behind \n.
    lines = text if "\n" in text else text.replace("\\n", "\n")
    found = _loaded(lambda: load_pem_private_key(lines.encode(), password=None))
    if not isinstance(found, Ed25519PrivateKey | RSAPrivateKey):
        raise SigningKeyUnusable("a private key for tokens is one of Ed25519 or RSA")
    return _private(found)


def verifying_key_from(text: str) -> VerifyingKey:
    """Make a key of a public key in PEM or of a secret text. Raises SigningKeyUnusable."""
    if _PEM not in text:
        return signing_key_from(text).retired()
    found = _loaded(lambda: load_pem_public_key(text.encode()))
    if not isinstance(found, Ed25519PublicKey | RSAPublicKey):
        raise SigningKeyUnusable("a public key for tokens is one of Ed25519 or RSA")
    return _public(found)


def fresh_signing_key(algorithm: Algorithm = "EdDSA") -> SigningKey:
    """Make a random key."""
    match algorithm:
        case "EdDSA":
            return _private(Ed25519PrivateKey.generate())
        case "RS256":
            return _private(generate_private_key(public_exponent=65537, key_size=RSA_MIN_BITS))
        case "HS256":
            return signing_key_from(secrets.token_urlsafe(_NEW_SECRET_BYTES))


def thumbprint(members: Mapping[str, str]) -> str:
    """Hash the required members of a JWK as RFC 7638 has it."""
    return _base64url(sha256(msgspec.json.encode(members, order="sorted")).digest())


def _private(key: Ed25519PrivateKey | RSAPrivateKey) -> SigningKey:
    public = _public(key.public_key())
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return SigningKey(public.kid, public.algorithm, public.verifying, text, key)


def _public(key: Ed25519PublicKey | RSAPublicKey) -> VerifyingKey:
    if isinstance(key, RSAPublicKey) and not RSA_MIN_BITS <= key.key_size <= RSA_MAX_BITS:
        raise SigningKeyUnusable(f"an RSA key for tokens has {RSA_MIN_BITS} to {RSA_MAX_BITS} bits")
    text = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return VerifyingKey(thumbprint(_members(key)), "RS256" if isinstance(key, RSAPublicKey) else "EdDSA", key, text)


def _members(key: Ed25519PublicKey | RSAPublicKey) -> dict[str, str]:
    if isinstance(key, Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": _base64url(key.public_bytes_raw())}
    numbers = key.public_numbers()
    return {"kty": "RSA", "n": _base64url(_big_endian(numbers.n)), "e": _base64url(_big_endian(numbers.e))}


def _secret(text: str) -> bytes:
    # A text of NUL bytes is what a crash may leave of a file.
    if "\0" in text:
        raise SigningKeyUnusable("a signing key is text")
    try:
        secret = text.encode()
        if len(secret) < KEY_MIN_BYTES:
            raise SigningKeyUnusable(f"a signing key has at least {KEY_MIN_BYTES} bytes")
        # What looks like somebody's public key or certificate is known to others.
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
    except (UnicodeEncodeError, InvalidKeyError) as error:
        raise SigningKeyUnusable("the text is no secret that tokens can be signed with") from error
    return secret


def _secret_kid(secret: bytes) -> str:
    return digest(secret, b"justchat signing key id", sha256).hex()[:16]


def _loaded(load: Callable[[], _Loaded]) -> _Loaded:
    try:
        return load()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningKeyUnusable("a signing key in PEM is one private key without a password") from error


def _big_endian(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
