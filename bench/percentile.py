"""Order statistics of a list of figures. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil


def percentile(values: Sequence[float], percent: float) -> float:
    """Give the nearest-rank percentile: a value that was measured, never one in between. Raises ValueError on none."""
    if not values:
        raise ValueError("no values: nothing was measured")
    ordered = sorted(values)
    rank = ceil(percent / 100 * len(ordered))
    return ordered[min(max(rank, 1), len(ordered)) - 1]


def median(values: Sequence[float]) -> float:
    """Give the middle value, or the mean of the two middle ones. Raises ValueError on none."""
    if not values:
        raise ValueError("no values: nothing was measured")
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2
