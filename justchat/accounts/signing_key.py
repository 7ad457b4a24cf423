"""The key that signs access tokens: made once, kept in a file that only its owner can read, refused otherwise.

The file holds text, so that the same key can also be given as a setting; the key is the text's bytes either way. Its
`kid` is derived from the key, so a token names the key that made it without naming anything secret.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from hashlib import sha256
from hmac import digest
from pathlib import Path
from typing import Literal

from msgspec import Struct

KEY_MIN_BYTES = 32

_KEY_FILE_MAX_BYTES = 4096
_NEW_KEY_BYTES = 48


class SigningKeyUnusable(Exception):
    """The signing key cannot be read or must not be used; the message says what to do."""


class SigningKey(Struct, frozen=True):
    """One key with the one algorithm it is used with. `signing` and `verifying` differ for asymmetric algorithms."""

    kid: str
    algorithm: Literal["HS256"]
    signing: bytes
    verifying: bytes

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid!r}, algorithm={self.algorithm!r})"


def signing_key_from(text: str) -> SigningKey:
    """Make a key of a secret text of at least 32 bytes. Raises SigningKeyUnusable."""
    secret = text.strip().encode()
    if len(secret) < KEY_MIN_BYTES:
        raise SigningKeyUnusable(f"a signing key has at least {KEY_MIN_BYTES} bytes")
    kid = digest(secret, b"justchat signing key id", sha256).hex()[:16]
    return SigningKey(kid=kid, algorithm="HS256", signing=secret, verifying=secret)


def fresh_signing_key() -> SigningKey:
    """Make a random key that lives as long as this process."""
    return signing_key_from(secrets.token_urlsafe(_NEW_KEY_BYTES))


def load_signing_key(path: Path) -> SigningKey:
    """Read the key from its file. Raises SigningKeyUnusable when it is missing, readable by others or no key."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            raw = file.read(_KEY_FILE_MAX_BYTES + 1) if stat.S_ISREG(found.st_mode) else b""
    except OSError as error:
        raise SigningKeyUnusable(f"cannot read the signing key {path}: {error.strerror}") from error
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise SigningKeyUnusable(f"the signing key {path} can be read by others; chmod it to 0600")
    if len(raw) > _KEY_FILE_MAX_BYTES:
        raise SigningKeyUnusable(f"the signing key {path} is larger than {_KEY_FILE_MAX_BYTES} bytes")
    try:
        return signing_key_from(raw.decode())
    except (SigningKeyUnusable, UnicodeDecodeError) as error:
        raise SigningKeyUnusable(f"{path} holds no signing key: text of at least {KEY_MIN_BYTES} bytes") from error


def load_or_create_signing_key(path: Path) -> SigningKey:
    """Read the key, or make it first where there is none. Raises SigningKeyUnusable."""
    try:
        if not path.exists():
            _create(path)
    except OSError as error:
        raise SigningKeyUnusable(f"cannot create the signing key {path}: {error.strerror}") from error
    return load_signing_key(path)


def _create(path: Path) -> None:
    """Write a complete key under another name and link it into place: it exists whole or not at all, and only once."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_urlsafe(_NEW_KEY_BYTES).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        # Another process may have been first: then its key is the key.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
