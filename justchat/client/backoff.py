"""How long to wait before trying again: full jitter, so that many clients do not return in step. Pure.

Time and randomness are handed in. `Backoff` counts the tries of one thing; `Reconnects` counts those of the connection,
which are forgotten only after it has held for a while, and lets a hint from the server take precedence.
"""

from __future__ import annotations

# A hint is believed, within reason.
HINT_CAP_SECONDS = 300.0
# 2 ** 32 times any base is past any cap; beyond that the power is only a large number to carry around.
_DOUBLINGS_MAX = 32


class Backoff:
    """Delays drawn evenly from zero up to a ceiling that doubles from `base_seconds` to `cap_seconds`."""

    __slots__ = ("_base", "_cap", "attempts")

    def __init__(self, *, base_seconds: float = 0.5, cap_seconds: float = 30.0) -> None:
        self._base = base_seconds
        self._cap = cap_seconds
        self.attempts = 0

    def ceiling(self) -> float:
        """Give the longest that the next delay can be, in seconds."""
        return min(self._cap, self._base * 2.0 ** min(self.attempts, _DOUBLINGS_MAX))

    def next(self, jitter: float) -> float:
        """Count a failed try and give the delay before the next one. `jitter` lies in [0, 1)."""
        delay = jitter * self.ceiling()
        self.attempts += 1
        return delay

    def reset(self) -> None:
        """Forget the failed tries."""
        self.attempts = 0


class Reconnects:
    """The delays between connections."""

    def __init__(self, backoff: Backoff, *, healthy_seconds: float = 30.0) -> None:
        self._backoff = backoff
        self._healthy = healthy_seconds
        self._opened_at: float | None = None

    def opened(self, now: float) -> None:
        """Note that a connection is up."""
        self._opened_at = now

    def lost(self, now: float, *, jitter: float, hint_seconds: float | None = None, at_once: bool = False) -> float:
        """Note that the connection, or the attempt at one, ended; give the delay in seconds before the next attempt.

        A hint is the server's wish and already spread by it, so it replaces the delay. With `at_once` there is none,
        unless connections have been failing: whatever ends them right away must not make a busy loop.
        """
        if self._opened_at is not None and now - self._opened_at >= self._healthy:
            self._backoff.reset()
        self._opened_at = None
        first = self._backoff.attempts == 0
        delay = self._backoff.next(jitter)
        if at_once and first:
            delay = 0.0
        return delay if hint_seconds is None else min(max(hint_seconds, 0.0), HINT_CAP_SECONDS)
