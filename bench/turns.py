"""Turns: how often something is done in a stretch of time, and at least once."""

from __future__ import annotations

import time
from collections.abc import Iterator


def turns(ends: float) -> Iterator[float]:
    """Yield when each turn begins, as long as that is before `ends` (both in seconds of `time.perf_counter`).

    The first comes even so: a machine that stood still meanwhile would otherwise have measured nothing.
    """
    yield time.perf_counter()
    while (began := time.perf_counter()) < ends:
        yield began
