"""Quotas let in what they say, refuse the next, tell when to come back, and remember no more keys than they may."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.limiting.quota import Quota, Quotas

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


def quotas(units: int, *, keys_max: int = 100) -> Quotas:
    return Quotas(Quota("address", units), keys_max=keys_max)


@pytest.mark.parametrize("units", [1, 2, 100, 1200])
@pytest.mark.parametrize("seconds", [0.0, 0.7, 59.9])
def test_the_request_after_the_last_of_a_minute_is_refused_at_any_speed(units: int, seconds: float) -> None:
    """N requests of a minute are let in, the next is not, whether they come at once or spread over all of it."""
    table = quotas(units)
    times = [1000.0 + seconds * number / units for number in range(units)]
    assert [table.take(HERE, now=now).wait_seconds for now in times] == [0.0] * units
    refused = table.take(HERE, now=1000.0 + seconds)
    assert refused.remaining == 0
    assert refused.wait_seconds == pytest.approx(60 - seconds)
    assert table.statistics().refused == 1


def test_what_one_key_uses_is_no_concern_of_another() -> None:
    """The refusal of one address leaves the next one its whole quota."""
    table = quotas(3)
    for _ in range(5):
        table.take(HERE, now=1.0)
    assert table.take(ELSEWHERE, now=1.0).remaining == 2


def test_what_is_told_is_what_is_left() -> None:
    """`remaining` counts down to 0, and units begin to come back at the end of the minute."""
    table = quotas(3)
    assert table.look(HERE, now=0.0) == (fresh := table.look(HERE, now=9.0))
    assert (fresh.remaining, fresh.returns_seconds) == (3, 0.0)
    told = [table.take(HERE, now=100.0 + second) for second in range(3)]
    assert [standing.remaining for standing in told] == [2, 1, 0]
    assert [standing.returns_seconds for standing in told] == pytest.approx([60, 59, 58])
    assert table.look(HERE, now=110.0).remaining == 0


def test_a_used_quota_comes_back_evenly_over_the_next_minute() -> None:
    """There is no moment at which two quotas can be had at once."""
    table = quotas(60)
    for _ in range(60):
        table.take(HERE, now=0.0)
    table.take(HERE, now=59.0)
    let_in = [second for second in range(60, 120) if not table.take(HERE, now=second).wait_seconds]
    assert let_in == list(range(60, 120))
    assert table.take(HERE, now=119.5).wait_seconds


def test_a_minute_of_silence_after_the_next_forgives_everything() -> None:
    """Whoever stays away has the whole quota again."""
    table = quotas(5)
    for _ in range(5):
        table.take(HERE, now=0.0)
    assert table.look(HERE, now=119.9).remaining >= 4
    assert table.look(HERE, now=120.0).remaining == 5


def test_no_more_keys_are_remembered_than_the_bound_and_the_least_used_goes() -> None:
    """A key in use keeps its count under any flood of others; the one used longest ago starts anew."""
    table = quotas(2, keys_max=3)
    for now in range(100):
        table.take("busy", now=now / 100)
        table.take(f"passing {now}", now=now / 100)
        assert table.statistics().keys <= 3
    assert table.take("busy", now=1.0).wait_seconds
    assert table.take("passing 99", now=1.0).remaining == 0
    assert table.take("passing 1", now=1.0).remaining == 1


def test_looking_enters_nobody() -> None:
    """The table holds only keys that used something."""
    table = quotas(2)
    table.look(HERE, now=0.0)
    assert table.statistics().keys == 0


STEPS = st.lists(st.floats(0, 100, allow_nan=False), min_size=1, max_size=200)


@given(st.integers(1, 8), STEPS)
def test_no_minute_from_a_fresh_start_holds_more_than_the_quota(units: int, steps: list[float]) -> None:
    """Windows follow each other without a gap, and none lets in more than its quota."""
    table = quotas(units)
    now, let_in = 50.0, []
    for step in steps:
        now += step
        if not table.take(HERE, now=now).wait_seconds:
            let_in.append(now)
    fresh = let_in[0]
    assert sum(1 for moment in let_in if moment < fresh + 60) <= units
    for moment in let_in:
        # What a sliding minute may hold at the very most: one window's quota and the weight that was lost.
        assert sum(1 for other in let_in if moment <= other < moment + 60) <= 2 * units


@given(st.integers(1, 8), st.lists(st.floats(0, 30, allow_nan=False), max_size=60))
def test_whoever_comes_back_when_told_is_let_in_and_before_that_is_not(units: int, steps: list[float]) -> None:
    """The wait is right to the microsecond, in both directions."""
    table = quotas(units)
    now = 12_345.678
    for step in steps:
        now += step
        standing = table.take(HERE, now=now)
        if standing.wait_seconds:
            early = now + standing.wait_seconds * 0.99 - 1e-5
            if early > now:
                assert table.take(HERE, now=early).wait_seconds
            now += standing.wait_seconds
            assert not table.take(HERE, now=now).wait_seconds
        assert 0 <= standing.remaining < units
        assert math.isfinite(standing.returns_seconds)
