"""The ring of timings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import Timings


def test_no_timings_have_no_quantiles() -> None:
    """None, rather than a zero that looks like a very good figure."""
    timings = Timings()
    assert (timings.count, timings.p50, timings.p99) == (0, None, None)


def test_quantiles_are_values_that_were_added() -> None:
    """Nearest rank: of 1 to 100, p50 is 50 and p99 is 99."""
    timings = Timings()
    for value in range(100, 0, -1):
        timings.add(float(value))
    assert (timings.p50, timings.p99, timings.quantile(0.0), timings.quantile(1.0)) == (50.0, 99.0, 1.0, 100.0)


def test_only_the_latest_are_kept_but_all_are_counted() -> None:
    """The ring forgets the oldest."""
    timings = Timings(size=3)
    for value in (9.0, 9.0, 1.0, 2.0, 3.0):
        timings.add(value)
    assert timings.count == 5
    assert timings.quantile(1.0) == 3.0


def test_nonsense_is_refused() -> None:
    """A ring of nothing, a fraction above one."""
    with pytest.raises(ValueError, match="size"):
        Timings(size=0)
    with pytest.raises(ValueError, match="q must"):
        Timings().quantile(1.1)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40), st.floats(0, 1))
def test_a_quantile_has_its_fraction_at_or_below_it(values: list[float], q: float) -> None:
    """Of the values kept, at least the fraction q is no greater, whatever was added."""
    timings = Timings(size=16)
    for value in values:
        timings.add(value)
    kept = values[-16:]
    found = timings.quantile(q)
    assert found in kept
    assert sum(value <= found for value in kept) >= q * len(kept)
