"""Delays: how long they can get, and when failed tries are forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from justchat.client.backoff import HINT_CAP_SECONDS, Backoff, Reconnects

JITTER = st.floats(min_value=0, max_value=1, exclude_max=True)


def test_the_ceiling_doubles_up_to_the_cap() -> None:
    """With the greatest jitter the delays are the ceilings themselves."""
    backoff = Backoff(base_seconds=0.5, cap_seconds=30.0)
    assert [backoff.next(1.0) for _ in range(8)] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


@given(st.lists(JITTER, max_size=200), st.floats(0.01, 10), st.floats(10, 100))
def test_every_delay_lies_between_zero_and_the_cap(jitters: list[float], base: float, cap: float) -> None:
    """However long it fails, no delay is negative, beyond the cap or not a number."""
    backoff = Backoff(base_seconds=base, cap_seconds=cap)
    assert all(0 <= backoff.next(jitter) <= cap for jitter in jitters)


@given(JITTER)
def test_full_jitter_spreads_a_delay_over_its_whole_range(jitter: float) -> None:
    """The delay is the ceiling times the jitter, so a crowd of clients does not return in step."""
    assert Backoff(base_seconds=2.0).next(jitter) == jitter * 2.0


def test_a_connection_that_held_forgets_the_failed_tries() -> None:
    """Thirty good seconds make the next delay short again."""
    reconnects = Reconnects(Backoff(), healthy_seconds=30.0)
    for now in range(5):
        reconnects.lost(now, jitter=1.0)
    reconnects.opened(10.0)
    assert reconnects.lost(40.0, jitter=1.0) == 0.5


def test_a_connection_that_broke_soon_counts_as_a_failed_try() -> None:
    """A server that accepts and hangs up is not hammered."""
    reconnects = Reconnects(Backoff(), healthy_seconds=30.0)
    delays = []
    for now in range(0, 100, 20):
        reconnects.opened(float(now))
        delays.append(reconnects.lost(now + 19.9, jitter=1.0))
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_good_time_is_counted_once_per_connection() -> None:
    """Failed attempts after a good connection add up, although that connection lies long back."""
    reconnects = Reconnects(Backoff(), healthy_seconds=30.0)
    reconnects.opened(0.0)
    assert [reconnects.lost(now, jitter=1.0) for now in (100.0, 101.0, 102.0)] == [0.5, 1.0, 2.0]


def test_the_servers_hint_replaces_the_delay_within_reason() -> None:
    """A restarting server spreads its clients itself; an absurd hint does not park a client for ever."""
    reconnects = Reconnects(Backoff())
    assert reconnects.lost(0.0, jitter=0.0, hint_seconds=2.5) == 2.5
    assert reconnects.lost(0.0, jitter=0.0, hint_seconds=1e9) == HINT_CAP_SECONDS
    assert reconnects.lost(0.0, jitter=0.0, hint_seconds=-1.0) == 0.0


def test_coming_back_at_once_is_for_the_first_time() -> None:
    """A connection that held may be followed by the next without a delay; ones that end right away may not."""
    reconnects = Reconnects(Backoff(), healthy_seconds=30.0)
    delays = []
    for now in range(0, 40, 10):
        reconnects.opened(float(now))
        delays.append(reconnects.lost(now + 1.0, jitter=1.0, at_once=True))
    assert delays == [0.0, 1.0, 2.0, 4.0]
    reconnects.opened(50.0)
    assert reconnects.lost(80.0, jitter=1.0, at_once=True) == 0.0
    assert reconnects.lost(80.0, jitter=1.0, hint_seconds=3.0, at_once=True) == 3.0
