"""Quotas: so many requests a minute for each key, and not one more, however fast or slowly they come.

What was used is counted by windows that begin with a key's first request. When a window is over its count loses weight
evenly over the next one, so that nobody gets two quotas at once by waiting for the border between two. A bucket that is
refilled all the time could not promise that: it lets nearly twice the quota through in a caller's first minute.
"""

from __future__ import annotations

from msgspec import Struct

from justchat.limiting.recent import Recent

WINDOW_SECONDS = 60


class Quota(Struct, frozen=True):
    """How many requests a window has room for; `name` is what callers are told."""

    name: str
    units: int
    window_seconds: int = WINDOW_SECONDS


class Standing(Struct, frozen=True):
    """What a request found: `wait_seconds` is 0 for one that was let in, otherwise when another would be.

    `returns_seconds` is when units that are gone begin to come back; 0 when none is gone.
    """

    quota: Quota
    remaining: int
    returns_seconds: float
    wait_seconds: float = 0.0


class QuotaStatistics(Struct, frozen=True):
    """How many keys are remembered, and how many requests were refused since the start."""

    keys: int
    refused: int


class _Count:
    """Uses of one key in the window that began at `began`, and in the one before."""

    __slots__ = ("before", "began", "used")

    def __init__(self) -> None:
        self.began: float | None = None
        self.used = 0
        self.before = 0


class Quotas:
    """One quota for each of many keys; the keys used longest ago are forgotten beyond `keys_max`."""

    def __init__(self, quota: Quota, *, keys_max: int) -> None:
        self.quota = quota
        self._counts: Recent[_Count] = Recent(_Count, most=keys_max)
        self._refused = 0

    # No await in here: check and decrement are one step.
    def take(self, key: str, *, now: float) -> Standing:
        """Use one unit of a key, if there is one."""
        count = self._moved(self._counts.of(key), now)
        if self._used(count, now) < self.quota.units:
            count.used += 1
            return self._standing(count, now)
        self._refused += 1
        wait = self._until(count, self.quota.units - 1, now)
        return Standing(self.quota, 0, wait, wait)

    def look(self, key: str, *, now: float) -> Standing:
        """Say how a key stands without using anything."""
        if key not in self._counts:
            return Standing(self.quota, self.quota.units, 0.0)
        return self._standing(self._moved(self._counts.of(key), now), now)

    def statistics(self) -> QuotaStatistics:
        """Say how much is remembered, and how often somebody was refused."""
        return QuotaStatistics(keys=len(self._counts), refused=self._refused)

    def _moved(self, count: _Count, now: float) -> _Count:
        """Bring a count to the window that `now` lies in."""
        window = self.quota.window_seconds
        elapsed = 2 * window if count.began is None else now - count.began
        if count.began is None or elapsed >= 2 * window:
            count.began, count.used, count.before = now, 0, 0
        elif elapsed >= window:
            count.began, count.used, count.before = count.began + window, 0, count.used
        return count

    def _standing(self, count: _Count, now: float) -> Standing:
        used = self._used(count, now)
        returns = self._until(count, used - 1, now) if used else 0.0
        return Standing(self.quota, max(0, self.quota.units - used), returns)

    def _used(self, count: _Count, now: float) -> int:
        """Give what counts as used: all of this window, and what is left of the one before."""
        left = (_begin(count) + self.quota.window_seconds - now) / self.quota.window_seconds
        return count.used + int(count.before * left * _NEARLY_ONE)

    def _until(self, count: _Count, level: int, now: float) -> float:
        """Give the seconds until no more than `level` units count as used, which is less than now."""
        window = self.quota.window_seconds
        end = _begin(count) + window
        if count.used <= level:
            # It is enough that the window before loses weight.
            return max(end - window * (level + 1 - count.used) / count.before - now, _INSTANT)
        return max(end + window * (1 - (level + 1) / count.used) - now, _INSTANT)


# Who comes back exactly when told must not be early by a rounding error.
_NEARLY_ONE = 1 - 1e-9
# A wait that is too short to be told from none is still a wait.
_INSTANT = 1e-6


def _begin(count: _Count) -> float:
    return 0.0 if count.began is None else count.began
