"""Paces give a burst, then their rate; exactly, for each key by itself, and in bounded memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.limiting.pace import Paces

ROOM, OTHER = "r_1", "r_2"


def paces(per_second: float, burst: int, *, keys_max: int = 100) -> Paces:
    return Paces(per_second=per_second, burst=burst, keys_max=keys_max)


@pytest.mark.parametrize(("per_second", "burst"), [(0.1, 1), (3, 7), (20, 40), (1000, 1000), (1e9, 5000)])
def test_the_command_after_the_burst_is_refused(per_second: float, burst: int) -> None:
    """N at once are let through and the next is not, also where the rate has no whole interval."""
    table = paces(per_second, burst)
    assert [table.take(ROOM, 100_000.1) for _ in range(burst)] == [0.0] * burst
    wait = table.take(ROOM, 100_000.1)
    assert wait == pytest.approx(1 / per_second, abs=2e-6)
    assert not table.take(ROOM, 100_000.1 + wait)


def test_in_the_long_run_the_rate_is_kept() -> None:
    """After the burst as many get through as the rate says, however many try."""
    table = paces(10, 5)
    let_through = sum(1 for tick in range(10_000) if not table.take(ROOM, tick / 1000))
    assert let_through == 5 + 99


def test_one_room_slows_down_no_other() -> None:
    """A flood of one key leaves the next one its burst."""
    table = paces(1, 3)
    for _ in range(100):
        table.take(ROOM, 5.0)
    assert [bool(table.take(OTHER, 5.0)) for _ in range(4)] == [False, False, False, True]
    assert table.statistics().refused == 98


def test_a_rate_of_nothing_is_no_limit() -> None:
    """Zero means that nobody counts, and nothing is remembered."""
    table = paces(0, 0)
    assert not any(table.take(ROOM, 0.0) for _ in range(1000))
    assert table.statistics().keys == 0


def test_a_busy_key_is_remembered_under_any_flood_of_others() -> None:
    """The table stays bounded, and what goes is what was used longest ago."""
    table = paces(0.1, 1, keys_max=3)
    assert not table.take(ROOM, 0.0)
    for number in range(100):
        assert table.take(ROOM, 1.0)
        assert not table.take(f"passing {number}", 1.0)
        assert table.statistics().keys <= 3
    assert not table.take("passing 1", 1.0)


@given(st.integers(1, 6), st.lists(st.floats(0, 3, allow_nan=False), max_size=100))
def test_no_stretch_of_time_holds_more_than_burst_and_rate(burst: int, steps: list[float]) -> None:
    """The law of the bucket: in any t seconds at most burst + rate * t."""
    table = paces(2, burst)
    now, let_through = 77.0, []
    for step in steps:
        now += step
        wait = table.take(ROOM, now)
        if not wait:
            let_through.append(now)
        else:
            assert wait <= 0.5 + 2e-6
    for first, begin in enumerate(let_through):
        for last in range(first, len(let_through)):
            assert last - first + 1 <= burst + 2 * (let_through[last] - begin) + 1e-6
