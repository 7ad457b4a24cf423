"""The restart policy, as a pure function of times."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors import Escalate, Park, RestartAfter, RestartHistory, RestartPolicy

Decision = RestartAfter | Park | Escalate


def test_the_first_crash_restarts_at_once_and_the_next_back_off() -> None:
    """0, then 0.05 s doubling to the maximum."""
    history = RestartHistory(RestartPolicy(intensity=9))
    decisions = [history.crashed(0.0, 0.0) for _ in range(9)]
    assert decisions == [RestartAfter(s) for s in (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0)]


def test_one_crash_over_the_intensity_parks() -> None:
    """Five restarts in thirty seconds are allowed, the sixth crash parks, and so does each crash while probing."""
    history = RestartHistory(RestartPolicy(intensity=5, probe_seconds=7.0))
    decisions = [history.crashed(float(now), 0.0) for now in range(8)]
    assert [type(decision) for decision in decisions[:5]] == [RestartAfter] * 5
    assert decisions[5:] == [Park(7.0)] * 3
    assert history.probing


def test_or_escalates_if_the_policy_says_so() -> None:
    """The same limit, another end."""
    history = RestartHistory(RestartPolicy(intensity=1, escalate=True))
    assert history.crashed(0.0, 0.0) == RestartAfter(0.0)
    assert history.crashed(0.0, 0.0) == Escalate()


def test_crashes_older_than_the_period_do_not_count() -> None:
    """A crash every 16 seconds never exceeds two in thirty."""
    history = RestartHistory(RestartPolicy(intensity=2))
    assert all(isinstance(history.crashed(now * 16.0, 0.0), RestartAfter) for now in range(50))


def test_a_healthy_time_wipes_the_slate_clean() -> None:
    """Back-off, count and park are forgotten once an incarnation has worked for the healthy time, not before."""
    history = RestartHistory(RestartPolicy(intensity=1, healthy_seconds=30.0))
    history.crashed(0.0, 0.0)
    assert isinstance(history.crashed(1.0, 0.0), Park)
    history.ready(31.0)
    assert not history.healthy(60.9)
    assert isinstance(history.crashed(60.9, 0.0), Park)
    history.ready(91.0)
    assert history.healthy(121.0)
    assert history.crashed(121.0, 0.0) == RestartAfter(0.0)
    assert not history.probing


def test_time_before_readiness_is_not_healthy_time() -> None:
    """An incarnation that never gets ready, however long it takes, is not healthy."""
    history = RestartHistory(RestartPolicy(intensity=9))
    history.crashed(0.0, 0.0)
    assert history.crashed(100.0, 0.0) == RestartAfter(0.05)


def test_an_intensity_of_zero_allows_no_restart() -> None:
    """The first crash parks."""
    assert isinstance(RestartHistory(RestartPolicy(intensity=0)).crashed(0.0, 0.0), Park)


def test_the_back_off_does_not_overflow() -> None:
    """After thousands of slow crashes it is still the maximum."""
    history = RestartHistory(RestartPolicy(intensity=5))
    decisions = [history.crashed(now * 29.0, 0.0) for now in range(3000)]
    assert decisions[-1] == RestartAfter(5.0)


@pytest.mark.parametrize(
    "policy",
    [
        lambda: RestartPolicy(intensity=-1),
        lambda: RestartPolicy(jitter=1.5),
        lambda: RestartPolicy(backoff_min_seconds=0.0),
        lambda: RestartPolicy(backoff_min_seconds=9.0),
        lambda: RestartPolicy(period_seconds=0.0),
        lambda: RestartPolicy(healthy_seconds=-1.0),
        lambda: RestartPolicy(probe_seconds=0.0),
    ],
)
def test_a_policy_without_sense_is_refused(policy: Callable[[], RestartPolicy]) -> None:
    """At once, where it is written, and not at the first crash."""
    with pytest.raises(ValueError, match="must"):
        policy()


GAPS = st.lists(st.floats(0.0, 40.0), min_size=1, max_size=60)
JITTER = st.floats(0.0, 1.0, exclude_max=True)


@given(gaps=GAPS, intensity=st.integers(0, 6), period=st.floats(1.0, 60.0), jitter=JITTER)
@example(gaps=[15.0, 1.9385612365204445], intensity=1, period=1.9385612365204445, jitter=0.0)
def test_no_period_ever_sees_more_restarts_than_the_intensity(
    gaps: list[float], intensity: int, period: float, jitter: float
) -> None:
    """However crashes fall, without a healthy time in between; and once parked it stays parked.

    A difference of two times that rounds to more than the period is more than the period, and the policy may forget
    the first; a sum of time and period may round past a time that lies beyond it, as in the example.
    """
    history = RestartHistory(RestartPolicy(intensity=intensity, period_seconds=period))
    now = 0.0
    restarts: list[float] = []
    parked = False
    for gap in gaps:
        now += gap
        decision = history.crashed(now, jitter)
        assert not (parked and isinstance(decision, RestartAfter))
        parked = isinstance(decision, Park)
        if not parked:
            restarts.append(now)
    for start in restarts:
        assert sum(0.0 <= at - start <= period for at in restarts) <= intensity


@given(jitters=st.lists(JITTER, min_size=1, max_size=30), fraction=st.floats(0.0, 1.0))
def test_the_back_off_stays_between_its_bounds(jitters: list[float], fraction: float) -> None:
    """Jitter only shortens, by no more than its fraction, and the unjittered back-off never shrinks."""
    policy = RestartPolicy(intensity=100, jitter=fraction)
    jittered, plain = RestartHistory(policy), RestartHistory(policy)
    base: list[float] = []
    for jitter in jitters:
        decision, full = jittered.crashed(0.0, jitter), plain.crashed(0.0, 0.0)
        assert isinstance(decision, RestartAfter)
        assert isinstance(full, RestartAfter)
        assert full.seconds * (1 - fraction) - 1e-12 <= decision.seconds <= full.seconds
        base.append(full.seconds)
    assert all(a <= b for a, b in pairwise(base))
    assert base[0] == 0.0
    assert max(base) <= policy.backoff_max_seconds


@given(gaps=GAPS)
def test_a_crash_after_a_healthy_time_always_restarts_at_once(gaps: list[float]) -> None:
    """Whatever went before."""
    history = RestartHistory(RestartPolicy(intensity=1))
    now = 0.0
    for gap in gaps:
        now += gap
        history.crashed(now, 0.5)
    history.ready(now)
    assert history.crashed(math.nextafter(now + 30.0, math.inf), 0.5) == RestartAfter(0.0)
