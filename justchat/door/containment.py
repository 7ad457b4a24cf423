"""Counts what went wrong in connections, and logs it at a bounded rate: the noise of hostile clients fills no disk."""

from __future__ import annotations

import logging
from collections.abc import Callable

import trio

_log = logging.getLogger(__name__)
_LOG_INTERVAL_SECONDS = 1.0


class Containment:
    """The ledger of contained exceptions of one front door."""

    def __init__(self, now: Callable[[], float] = trio.current_time) -> None:
        """Start with a clean ledger."""
        self.contained = 0
        self.escaped = 0
        self._now = now
        self._next_log_at = float("-inf")
        self._suppressed = 0

    def contain(self, error: BaseException, *, where: str) -> None:
        """Record an exception caught where it was expected: at the edge of a library or of the product."""
        self.contained += 1
        self._report(error, where)

    def escape(self, error: BaseException, *, where: str) -> None:
        """Record an exception that only the last net caught: a bug of the door."""
        self.escaped += 1
        self._report(error, where)

    def _report(self, error: BaseException, where: str) -> None:
        if self._now() < self._next_log_at:
            self._suppressed += 1
            return
        self._next_log_at = self._now() + _LOG_INTERVAL_SECONDS
        _log.error("connection_failed where=%s suppressed=%d", where, self._suppressed, exc_info=error)
        self._suppressed = 0
