"""The keys of one site: which signs, which will sign next, and which only verify what they signed. Pure.

A rotation makes the next key the current one and a fresh key the next: who verifies tokens elsewhere has seen a key for
a while before it signs. The former key verifies until the last token that it may have signed has run out, and is
dropped by the first rotation after that. Also here: the text in which all this is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from justchat.accounts.signing_key import (
    Algorithm,
    SigningKey,
    SigningKeyUnusable,
    VerifyingKey,
    signing_key_from,
    verifying_key_from,
)

RETIRED_MAX = 16
KEYS_MAX_BYTES = 65_536

_ONE_KEY_MAX_BYTES = 4096
_Seconds = Annotated[int, Meta(ge=0, le=2**37)]
_State = Literal["current", "next", "retired"]


class KeptKey(Struct, frozen=True):
    """A key that signs, or will. `made_at` in Unix seconds; None where nobody wrote it down."""

    key: SigningKey
    made_at: int | None = None


class RetiredKey(Struct, frozen=True):
    """A key that signs nothing any more since `retired_at`, in Unix seconds."""

    key: VerifyingKey
    retired_at: int
    made_at: int | None = None


class KeySet(Struct, frozen=True):
    """All keys of a site, the retired ones from the youngest to the oldest."""

    current: KeptKey
    next: KeptKey | None = None
    retired: tuple[RetiredKey, ...] = ()


class _StoredKey(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    state: _State
    kid: str
    algorithm: Algorithm
    key: str
    made_at: _Seconds | None = None
    retired_at: _Seconds | None = None


class _StoredKeys(Struct, frozen=True, forbid_unknown_fields=True):
    justchat_signing_keys: Literal[1]
    keys: tuple[_StoredKey, ...]


def fresh_keys(make: Callable[[], SigningKey], *, now: float) -> KeySet:
    """Make the keys of a new site."""
    return KeySet(KeptKey(make(), int(now)), KeptKey(make(), int(now)))


def rotated(keys: KeySet, make: Callable[[], SigningKey], *, now: float, retired_seconds: float) -> KeySet:
    """Let the next key sign from now on. `retired_seconds` is how long a retired key still has good tokens.

    Raises SigningKeyUnusable when there are too many such keys.
    """
    # A key that was retired while the clock was ahead must not stay for as long as it was.
    retired = [replace(old, retired_at=min(old.retired_at, int(now))) for old in keys.retired]
    retired = [old for old in retired if now < old.retired_at + retired_seconds]
    if len(retired) >= RETIRED_MAX:
        raise SigningKeyUnusable(f"{RETIRED_MAX} retired keys may have good tokens yet; rotate when they have run out")
    former = RetiredKey(keys.current.key.retired(), int(now), keys.current.made_at)
    successor = keys.next if keys.next is not None else KeptKey(make(), int(now))
    return KeySet(successor, KeptKey(make(), int(now)), (former, *retired))


def write_keys(keys: KeySet) -> bytes:
    """Give the text that is kept. Raises SigningKeyUnusable when it would be too long to be read again."""
    stored = [_stored(keys.current.key, "current", made_at=keys.current.made_at)]
    if keys.next is not None:
        stored.append(_stored(keys.next.key, "next", made_at=keys.next.made_at))
    stored += [_stored(old.key, "retired", made_at=old.made_at, retired_at=old.retired_at) for old in keys.retired]
    raw = msgspec.json.format(msgspec.json.encode(_StoredKeys(1, tuple(stored))), indent=1) + b"\n"
    if len(raw) > KEYS_MAX_BYTES:
        raise SigningKeyUnusable(f"the keys together are larger than {KEYS_MAX_BYTES} bytes")
    return raw


def parse_keys(raw: bytes) -> KeySet:
    """Read what `write_keys` gave, or the text of one key alone. Raises SigningKeyUnusable."""
    if len(raw) > KEYS_MAX_BYTES:
        raise SigningKeyUnusable(f"it is larger than {KEYS_MAX_BYTES} bytes")
    try:
        text = raw.decode().strip()
    except UnicodeDecodeError as error:
        raise SigningKeyUnusable("it is not text") from error
    if text.startswith("{"):
        # Even if the rest is missing: half a file of keys is not a secret.
        return _parse_stored(text)
    if len(raw) > _ONE_KEY_MAX_BYTES:
        raise SigningKeyUnusable(f"one key alone has at most {_ONE_KEY_MAX_BYTES} bytes")
    return KeySet(KeptKey(signing_key_from(text)))


def _stored(key: VerifyingKey, state: _State, *, made_at: int | None, retired_at: int | None = None) -> _StoredKey:
    return _StoredKey(state, key.kid, key.algorithm, key.text, made_at, retired_at)


def _parse_stored(text: str) -> KeySet:
    try:
        stored = msgspec.json.decode(text, type=_StoredKeys).keys
    except (msgspec.DecodeError, RecursionError) as error:
        raise SigningKeyUnusable("it is damaged, or of another version") from error
    if len({one.kid for one in stored}) < len(stored):
        raise SigningKeyUnusable("a key is in it twice")
    current, following = ([_kept(one) for one in stored if one.state == state] for state in ("current", "next"))
    if len(current) != 1 or len(following) > 1:
        raise SigningKeyUnusable("there is one current key in it, and at most one next")
    retired = tuple(_retired(one) for one in stored if one.state == "retired")
    return KeySet(current[0], following[0] if following else None, retired)


def _kept(stored: _StoredKey) -> KeptKey:
    key = signing_key_from(stored.key)
    _confirm(key, stored)
    return KeptKey(key, stored.made_at)


def _retired(stored: _StoredKey) -> RetiredKey:
    key = verifying_key_from(stored.key)
    _confirm(key, stored)
    if stored.retired_at is None:
        raise SigningKeyUnusable(f"it does not say when {stored.kid} was retired")
    return RetiredKey(key, stored.retired_at, stored.made_at)


def _confirm(key: VerifyingKey, stored: _StoredKey) -> None:
    if (key.kid, key.algorithm) != (stored.kid, stored.algorithm):
        raise SigningKeyUnusable(f"what it has as {ascii(stored.kid)[:60]} is another key")
