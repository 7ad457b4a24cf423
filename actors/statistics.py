"""The latest durations of something, for percentiles in health pages and tests.

A fixed ring: adding costs next to nothing and never allocates; the sorting is done by whoever asks.
"""

from __future__ import annotations

import math


class Timings:
    """The last `size` durations, and a count of all."""

    __slots__ = ("_ring", "_size", "count")

    def __init__(self, size: int = 256) -> None:
        if size < 1:
            raise ValueError("size must be at least 1")
        self._size = size
        self._ring = [0.0] * size
        self.count = 0

    def add(self, seconds: float) -> None:
        """Record one duration."""
        count = self.count
        self._ring[count % self._size] = seconds
        self.count = count + 1

    def quantile(self, q: float) -> float | None:
        """Return the smallest kept duration that is no less than a fraction `q` of them; None if there are none."""
        if not 0.0 <= q <= 1.0:
            raise ValueError("q must be between 0 and 1")
        kept = sorted(self._ring[: min(self.count, self._size)])
        if not kept:
            return None
        return kept[max(0, math.ceil(q * len(kept)) - 1)]

    @property
    def p50(self) -> float | None:
        """The median."""
        return self.quantile(0.5)

    @property
    def p99(self) -> float | None:
        """The 99th percentile."""
        return self.quantile(0.99)
