"""Containment: failures are held and counted, cancellation never is, and the log is bounded."""

from __future__ import annotations

import logging

import pytest
import trio

from justchat.door.containment import Containment


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        """Begin at 0."""
        self.now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def test_what_is_expected_is_not_a_failure_alone_or_in_a_group() -> None:
    """Only the unexpected part counts."""
    ledger = Containment(Clock())
    assert not ledger.contain(OSError(), where="x", expected=(OSError,))
    assert not ledger.contain(ExceptionGroup("g", [OSError(), OSError()]), where="x", expected=(OSError,))
    assert ledger.contain(ExceptionGroup("g", [OSError(), KeyError()]), where="x", expected=(OSError,))
    assert ledger.contain(KeyError(), where="x", expected=(OSError,))
    ledger.escape(OSError(), where="x", expected=(OSError,))
    ledger.escape(KeyError(), where="x")
    assert (ledger.contained, ledger.escaped) == (2, 1)


@pytest.mark.parametrize("method", ["contain", "escape"])
def test_an_interrupt_is_never_held_back(method: str) -> None:
    """Alone or together with a failure: the failure is counted, the interrupt goes on."""
    ledger = Containment(Clock())
    with pytest.raises(KeyboardInterrupt):
        getattr(ledger, method)(KeyboardInterrupt(), where="x")
    with pytest.raises(BaseExceptionGroup) as raised:
        getattr(ledger, method)(BaseExceptionGroup("g", [KeyError(), KeyboardInterrupt()]), where="x")
    assert [type(error) for error in raised.value.exceptions] == [KeyboardInterrupt]
    assert ledger.contained + ledger.escaped == 1


async def test_a_cancellation_with_a_failure_in_it_stays_a_cancellation() -> None:
    """A handler that fails while it is being cancelled: counted, and the scope ends as cancelled."""
    ledger = Containment()
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_fail_at_the_end)
                await trio.sleep_forever()
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - the pattern under test
            ledger.contain(error, where="x")
    assert scope.cancelled_caught
    assert ledger.contained == 1


async def _fail_at_the_end() -> None:
    try:
        await trio.sleep_forever()
    finally:
        raise KeyError("planted")


def test_the_log_is_bounded_and_says_what_it_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """One line a second, with the number of those before it."""
    clock = Clock()
    ledger = Containment(clock)
    with caplog.at_level(logging.ERROR):
        for tick in range(30):
            clock.now = tick / 10
            ledger.contain(KeyError(tick), where="here")
    assert [record.getMessage() for record in caplog.records] == [
        "connection_failed where=here suppressed=0",
        "connection_failed where=here suppressed=9",
        "connection_failed where=here suppressed=9",
    ]
