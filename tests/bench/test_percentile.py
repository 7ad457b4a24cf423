"""Percentiles are measured values, and medians are what they are called."""

from __future__ import annotations

from statistics import median as reference_median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.percentile import median, percentile

values = st.lists(st.floats(0, 1e9), min_size=1)


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1), (1, 1), (50, 50), (50.5, 51), (99, 99), (99.1, 100), (100, 100)]
)
def test_the_percentile_is_the_nearest_rank(percent: float, expected: float) -> None:
    """Of one to a hundred, in any order."""
    assert percentile([float(value) for value in range(100, 0, -1)], percent) == expected


@given(values=values, percent=st.floats(0, 100))
def test_a_percentile_is_one_of_the_values_and_has_that_share_at_or_below_it(
    values: list[float], percent: float
) -> None:
    """Nothing is interpolated."""
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= percent / 100 * len(values) - 1e-9


@given(values=values)
def test_the_median_is_the_one_of_the_standard_library(values: list[float]) -> None:
    """Also for an even number of values."""
    assert median(values) == reference_median(values)


@pytest.mark.parametrize("of", [median, lambda values: percentile(values, 50)])
def test_nothing_measured_has_no_percentile(of: object) -> None:
    """An empty measurement is an error, not a zero."""
    assert callable(of)
    with pytest.raises(ValueError, match="nothing was measured"):
        of([])
