"""Where the exceptions of single connections end: counted, and logged at a bounded rate.

Cancellation and KeyboardInterrupt are never held back, not even where they come in one group with a failure.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import trio

_log = logging.getLogger(__name__)
_LOG_INTERVAL_SECONDS = 1.0

Expected = tuple[type[Exception], ...]


class Containment:
    """The ledger of contained exceptions of one front door."""

    def __init__(self, now: Callable[[], float] = trio.current_time) -> None:
        """Start with a clean ledger."""
        self.contained = 0
        self.escaped = 0
        self._now = now
        self._next_log_at = float("-inf")
        self._suppressed = 0

    def contain(self, error: BaseException, *, where: str, expected: Expected = ()) -> bool:
        """Record an exception caught where one may come: at the edge of a library or of the product.

        Returns whether there was more in it than the expected types. Raises what may not be held back.
        """
        failure, rest = _split(error, expected)
        if failure is not None:
            self.contained += 1
            self._report(failure, where)
        if rest is not None:
            raise rest
        return failure is not None

    def escape(self, error: BaseException, *, where: str, expected: Expected = ()) -> None:
        """Record an exception that only the last net caught: a bug of the door. Raises what may not be held back."""
        failure, rest = _split(error, expected)
        if failure is not None:
            self.escaped += 1
            self._report(failure, where)
        if rest is not None:
            raise rest

    def _report(self, error: BaseException, where: str) -> None:
        if self._now() < self._next_log_at:
            self._suppressed += 1
            return
        self._next_log_at = self._now() + _LOG_INTERVAL_SECONDS
        _log.error("connection_failed where=%s suppressed=%d", where, self._suppressed, exc_info=error)
        self._suppressed = 0


def _split(error: BaseException, expected: Expected) -> tuple[BaseException | None, BaseException | None]:
    """Take an exception apart: the failure in it, and what may not be held back; the expected types are left out."""
    if not isinstance(error, BaseExceptionGroup):
        if isinstance(error, Exception):
            return (None if isinstance(error, expected) else error), None
        return None, error
    failures, rest = error.split(Exception)
    if failures is not None and expected:
        _, failures = failures.split(expected)
    return failures, rest
