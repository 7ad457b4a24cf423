"""Counts failed logins per account and address, and says when to come back. Pure; the clock is passed in.

The pair is counted, not the account alone, so that a stranger cannot lock somebody out from elsewhere. Attempts under
way count as failures until they have ended: a burst of parallel guesses gains nothing. Memory is bounded; the pair that
was quiet longest is forgotten first. At the speed of password hashing nobody can fill the table within the window.
"""

from __future__ import annotations

from collections import OrderedDict, deque

from msgspec import Struct

from justchat.limiting.addresses import address_group

# When every permitted attempt is still under way, the answer is a moment off, not the window.
_UNDER_WAY_SECONDS = 1.0


class ThrottleStatistics(Struct, frozen=True):
    """What the throttle remembers; `refused` counts attempts since the start."""

    pairs: int
    refused: int


class _Track:
    __slots__ = ("failures", "under_way")

    def __init__(self) -> None:
        self.failures: deque[float] = deque()
        self.under_way = 0


class Throttle:
    """Permits `failures` failed logins per account and address within `window_seconds`, and refuses the next."""

    def __init__(self, *, failures: int, window_seconds: float, pairs_max: int = 10_000) -> None:
        self._failures = failures
        self._window_seconds = window_seconds
        self._pairs_max = pairs_max
        # {(account, address group): track}, the pair used longest ago first
        self._tracks: OrderedDict[tuple[str, str], _Track] = OrderedDict()
        self._refused = 0

    def begin(self, account: str, address: str, *, now: float) -> float | None:
        """Permit an attempt (None), or give the seconds to wait.

        A permitted attempt ends with exactly one call of `failed`, `succeeded` or `withdrew`.
        """
        track = self._tracks.get(_pair(account, address))
        if track is not None:
            self._forget_old(track, now)
            if len(track.failures) + track.under_way >= self._failures:
                self._refused += 1
                return self._wait_seconds(track, now)
        self._touch(account, address).under_way += 1
        return None

    def failed(self, account: str, address: str, *, now: float) -> None:
        """End an attempt that was wrong."""
        track = self._touch(account, address)
        track.under_way = max(0, track.under_way - 1)
        track.failures.append(now)
        # Forgetting a pair under pressure may let more attempts through at once; the count stays bounded all the same.
        while len(track.failures) > self._failures:
            track.failures.popleft()

    def succeeded(self, account: str, address: str) -> None:
        """End an attempt that was right; earlier failures of the pair are forgiven."""
        self._end(account, address, forgive=True)

    def withdrew(self, account: str, address: str) -> None:
        """End an attempt that came to no result; it does not count."""
        self._end(account, address, forgive=False)

    def statistics(self) -> ThrottleStatistics:
        """Say how much is remembered."""
        return ThrottleStatistics(pairs=len(self._tracks), refused=self._refused)

    def _touch(self, account: str, address: str) -> _Track:
        """The pair's track, made if need be, as the one used last."""
        pair = _pair(account, address)
        track = self._tracks.setdefault(pair, _Track())
        self._tracks.move_to_end(pair)
        if len(self._tracks) > self._pairs_max:
            self._tracks.popitem(last=False)
        return track

    def _end(self, account: str, address: str, *, forgive: bool) -> None:
        pair = _pair(account, address)
        track = self._tracks.get(pair)
        if track is None:
            return
        track.under_way = max(0, track.under_way - 1)
        if forgive:
            track.failures.clear()
        if not track.failures and not track.under_way:
            del self._tracks[pair]

    def _forget_old(self, track: _Track, now: float) -> None:
        while track.failures and track.failures[0] + self._window_seconds <= now:
            track.failures.popleft()

    def _wait_seconds(self, track: _Track, now: float) -> float:
        if len(track.failures) < self._failures:
            return _UNDER_WAY_SECONDS
        return track.failures[0] + self._window_seconds - now


def _pair(account: str, address: str) -> tuple[str, str]:
    return account, address_group(address)
