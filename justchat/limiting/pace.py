"""Paces: so many commands a second for each key, with a burst after a pause. The generic cell rate algorithm (GCRA).

Of each key one number is kept: when it would have had all of its burst back. Counted in whole nanoseconds, so that the
command after the burst is refused and not, by an error of rounding, the one before or after it.
"""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

_SECOND = 1_000_000_000
# Who comes back exactly when told must not be early by a rounding error of the clock.
_SLACK = 1_000


class PaceStatistics(Struct, frozen=True):
    """How many keys are remembered, and how many commands were refused since the start."""

    keys: int
    refused: int


class Paces:
    """One pace for each of many keys; the keys used longest ago are forgotten beyond `keys_max`."""

    __slots__ = ("_due", "_interval", "_keys_max", "_refused", "_tolerance")

    def __init__(self, *, per_second: float, burst: int, keys_max: int) -> None:
        """Let `burst` commands of a key come at once, and `per_second` of them in the long run; 0 is no limit."""
        self._interval = round(_SECOND / per_second) if per_second else 0
        self._tolerance = (burst - 1) * self._interval
        self._keys_max = keys_max
        # {key: nanoseconds at which its burst is whole again}, the one used longest ago first
        self._due: OrderedDict[str, int] = OrderedDict()
        self._refused = 0

    # No await in here: check and decrement are one step.
    def take(self, key: str, now: float) -> float:
        """Let one command through: 0, or the seconds until the next one would be let through."""
        if not self._interval:
            return 0.0
        at = int(now * _SECOND)
        due = max(self._due.get(key, at), at)
        early = due - at - self._tolerance
        if early > 0:
            self._refused += 1
            self._due.move_to_end(key)
            return (early + _SLACK) / _SECOND
        self._due[key] = due + self._interval
        self._due.move_to_end(key)
        if len(self._due) > self._keys_max:
            self._due.popitem(last=False)
        return 0.0

    def statistics(self) -> PaceStatistics:
        """Say how much is remembered, and how often a command was refused."""
        return PaceStatistics(keys=len(self._due), refused=self._refused)
