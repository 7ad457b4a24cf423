"""The signing keys as a running server has them: taken up when their file has changed, without being told.

The file is looked at when a key is needed, but no more than once a second, and it is read only when it looks different
from what was read last. If it cannot be used, that is logged once and the keys that were read before stay in use.
"""

from __future__ import annotations

import logging

from msgspec import Struct

from justchat.accounts.key_file import KeyFile, Stamp
from justchat.accounts.key_set import KeptKey, KeySet
from justchat.accounts.signing_key import SigningKey, SigningKeyUnusable, VerifyingKey

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class FoundKey(Struct, frozen=True):
    """A key, and until when tokens of it are good in any case, in Unix seconds; None: no end is known."""

    key: VerifyingKey
    good_until: float | None = None

    def is_good(self, now: float) -> bool:
        """Tell whether there may be good tokens of this key."""
        return self.good_until is None or now < self.good_until


class KeyRing:
    """Signs with the current key and knows all others. `now` is always the Unix time in seconds."""

    def __init__(
        self, keys: KeySet, *, retired_seconds: float = 0.0, file: KeyFile | None = None, stamp: Stamp | None = None
    ) -> None:
        """Hold `keys`; a retired one verifies for `retired_seconds`. `file` had them when it looked like `stamp`."""
        self._retired_seconds = retired_seconds
        self._file = file
        self._stamp = stamp
        self._refused_for = ""
        self._looked_at = float("-inf")
        self._take(keys)

    @classmethod
    def of(cls, key: SigningKey) -> KeyRing:
        """Make a ring of one key that never changes."""
        return cls(KeySet(KeptKey(key)))

    @classmethod
    def following(cls, file: KeyFile, *, retired_seconds: float) -> KeyRing:
        """Make a ring of the keys in a file, also of those that will be there. Raises SigningKeyUnusable."""
        keys, stamp = file.read()
        return cls(keys, retired_seconds=retired_seconds, file=file, stamp=stamp)

    def signing(self, *, now: float) -> SigningKey:
        """Give the key that signs."""
        self._look(now)
        return self._keys.current.key

    def find(self, kid: str, *, now: float) -> FoundKey | None:
        """Give the key of that name, also one that has been retired for too long."""
        # Also for a key that is known: others may have retired it.
        self._look(now)
        return self._by_kid.get(kid)

    def published(self, *, now: float) -> list[VerifyingKey]:
        """Give the keys of which there are or will be good tokens: current, next and retired ones."""
        self._look(now)
        return [found.key for found in self._by_kid.values() if found.is_good(now)]

    def _take(self, keys: KeySet) -> None:
        self._keys = keys
        found = [FoundKey(kept.key) for kept in (keys.current, keys.next) if kept is not None]
        found += [FoundKey(old.key, old.retired_at + self._retired_seconds) for old in keys.retired]
        self._by_kid = {one.key.kid: one for one in found}

    def _look(self, now: float) -> None:
        # The distance, so that a clock that was set back does not keep us from looking.
        if self._file is None or abs(now - self._looked_at) < LOOK_SECONDS:
            return
        self._looked_at = now
        if self._file.stamp() == self._stamp:
            return
        try:
            keys, self._stamp = self._file.read()
        except SigningKeyUnusable as error:
            # It is read again at the next look: it may only have been the reading that failed, for want of descriptors.
            if str(error) != self._refused_for:
                self._refused_for = str(error)
                logger.error("event=signing_keys_refused cause=%r; those read before stay in use", str(error))
            return
        self._refused_for = ""
        if keys != self._keys:
            self._take(keys)
            logger.info("event=signing_keys_changed current=%s", keys.current.key.kid)
