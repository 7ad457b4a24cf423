"""The throttle: the eleventh failure waits, others do not, and memory stays bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from justchat.accounts.throttle import Throttle

HERE, THERE = "192.0.2.1", "192.0.2.2"


def fail(throttle: Throttle, times: int, *, account: str = "ann", address: str = HERE, now: float = 0.0) -> None:
    """Fail so many times, each of which must be permitted."""
    for _ in range(times):
        assert throttle.begin(account, address, now=now) is None
        throttle.failed(account, address, now=now)


def test_the_eleventh_attempt_is_refused_until_the_first_failure_is_out_of_the_window() -> None:
    """Ten may fail within ten minutes; the answer says exactly how long to wait."""
    throttle = Throttle(failures=10, window_seconds=600)
    fail(throttle, 1, now=100.0)
    fail(throttle, 9, now=200.0)
    assert throttle.begin("ann", HERE, now=300.0) == 400.0
    assert throttle.begin("ann", HERE, now=699.5) == 0.5
    assert throttle.statistics().refused == 2
    fail(throttle, 1, now=700.0)
    assert throttle.begin("ann", HERE, now=700.0) == 100.0


def test_other_accounts_and_other_addresses_are_not_concerned() -> None:
    """A stranger cannot lock anybody out from elsewhere."""
    throttle = Throttle(failures=10, window_seconds=600)
    fail(throttle, 10)
    assert throttle.begin("ann", HERE, now=1.0) is not None
    assert throttle.begin("ann", THERE, now=1.0) is None
    assert throttle.begin("bob", HERE, now=1.0) is None


def test_a_success_forgives_earlier_failures() -> None:
    """Who knows the password was only clumsy."""
    throttle = Throttle(failures=10, window_seconds=600)
    fail(throttle, 9)
    assert throttle.begin("ann", HERE, now=1.0) is None
    throttle.succeeded("ann", HERE)
    assert throttle.statistics().pairs == 0
    fail(throttle, 10, now=2.0)


def test_attempts_under_way_count_so_parallel_guesses_gain_nothing() -> None:
    """Ten at a time are permitted; the next hears to come back in a moment, not in ten minutes."""
    throttle = Throttle(failures=10, window_seconds=600)
    assert [throttle.begin("ann", HERE, now=0.0) for _ in range(11)] == [None] * 10 + [1.0]
    throttle.withdrew("ann", HERE)
    assert throttle.begin("ann", HERE, now=0.0) is None
    for _ in range(10):
        throttle.failed("ann", HERE, now=5.0)
    assert throttle.begin("ann", HERE, now=5.0) == 600.0


def test_an_attempt_without_result_does_not_count() -> None:
    """A store that was away is not the caller's failure, and leaves nothing behind."""
    throttle = Throttle(failures=1, window_seconds=600)
    for _ in range(5):
        assert throttle.begin("ann", HERE, now=0.0) is None
        throttle.withdrew("ann", HERE)
    assert throttle.statistics().pairs == 0
    fail(throttle, 1, now=0.0)
    throttle.withdrew("ann", HERE)
    assert throttle.begin("ann", HERE, now=1.0) is not None


def test_the_pair_that_was_quiet_longest_is_forgotten_first() -> None:
    """Memory has a bound, and a flood of names pushes out the idle before the busy."""
    throttle = Throttle(failures=2, window_seconds=600, pairs_max=3)
    fail(throttle, 2, account="ann")
    for name in ("bob", "cat"):
        fail(throttle, 1, account=name)
    fail(throttle, 1, account="bob")
    fail(throttle, 1, account="dan")
    fail(throttle, 1, account="eve")
    assert throttle.statistics().pairs == 3
    assert throttle.begin("bob", HERE, now=1.0) is not None
    assert throttle.begin("ann", HERE, now=1.0) is None


def test_all_of_one_customers_addresses_count_as_one() -> None:
    """An IPv6 caller has 2**64 addresses and still only so many failures."""
    throttle = Throttle(failures=2, window_seconds=600)
    for number in range(2):
        throttle.begin("ann", f"2001:db8:1:2::{number}", now=0.0)
        throttle.failed("ann", f"2001:db8:1:2::{number}", now=0.0)
    assert throttle.begin("ann", "2001:db8:1:2:ffff::", now=1.0) is not None
    assert throttle.begin("ann", "2001:db8:1:3::", now=1.0) is None


EVENTS = st.lists(st.tuples(st.sampled_from(["begin", "failed", "succeeded", "withdrew"]), st.integers(0, 2)))


@given(EVENTS, st.integers(1, 3))
def test_no_sequence_of_events_breaks_the_bounds(events: list[tuple[str, int]], failures: int) -> None:
    """Even ends without a beginning, or after being forgotten, leave bounded memory and no negative counts."""
    throttle = Throttle(failures=failures, window_seconds=10, pairs_max=2)
    under_way = [0, 0, 0]
    for now, (event, who) in enumerate(events):
        if event == "begin":
            under_way[who] += throttle.begin(str(who), HERE, now=now) is None
        elif event == "failed":
            throttle.failed(str(who), HERE, now=now)
        elif event == "succeeded":
            throttle.succeeded(str(who), HERE)
        else:
            throttle.withdrew(str(who), HERE)
        assert throttle.statistics().pairs <= 2
    # Whatever happened, the window ends it: a fresh pair's allowance is back, for those who have nothing under way.
    for who in range(3):
        if not under_way[who]:
            assert throttle.begin(str(who), HERE, now=len(events) + 10) is None
