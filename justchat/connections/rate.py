"""A token bucket: how many commands a connection may give. Pure; time is passed in."""

from __future__ import annotations


class TokenBucket:
    """Holds up to `burst` tokens and gains `per_second`; a rate of 0 means no limit."""

    __slots__ = ("_at", "_burst", "_per_second", "_tokens")

    def __init__(self, *, per_second: float, burst: int, now: float) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at = now

    def take(self, now: float) -> float:
        """Take a token; the answer is 0, or the seconds until there will be one (and none was taken)."""
        if self._per_second == 0:
            return 0.0
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self._per_second
