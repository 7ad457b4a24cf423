"""A bound on the calls that are with a backend at the same time, and on those that wait for their turn.

Everything that a storage actor passes through goes by here: so no caller waits longer than its deadline, no queue is
unbounded, and a backend that hangs costs a known number of tasks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio
from msgspec import Struct

from storage.errors import OutcomeUnknown, StorageUnavailable

T = TypeVar("T")


class GateStatistics(Struct, frozen=True):
    """How many calls are in and before a gate, and what has become of the others."""

    concurrency: int
    in_use: int
    waiting: int
    calls: int
    refused: int
    """Turned away at once, because the line was full."""
    timed_out: int
    failed: int
    """Ended by StorageUnavailable, deadlines included and refusals not."""
    last_error: str | None


class Gate:
    """Lets `concurrency` calls through at a time and up to `waiting` others wait, each no longer than its deadline."""

    __slots__ = (
        "_calls",
        "_concurrency",
        "_deadline_seconds",
        "_failed",
        "_last_error",
        "_limiter",
        "_on_failure",
        "_refused",
        "_timed_out",
        "_waiting",
        "_waiting_now",
    )

    def __init__(
        self,
        *,
        concurrency: int,
        waiting: int,
        deadline_seconds: float,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        """Set the bounds; `on_failure` is called when the store, and not the line before it, fails a call."""
        self._limiter = trio.CapacityLimiter(concurrency)
        self._concurrency = concurrency
        self._waiting = waiting
        self._deadline_seconds = deadline_seconds
        self._on_failure = on_failure
        self._waiting_now = 0
        self._calls = self._refused = self._timed_out = self._failed = 0
        self._last_error: str | None = None

    async def call(self, work: Callable[[], Awaitable[T]], *, writes: bool = False) -> T:
        """Run `work` when it is its turn and return what it returns.

        Raises StorageUnavailable when the line is full, or at the deadline; OutcomeUnknown at the deadline of a work
        that `writes` and had begun; and what `work` raises.
        """
        self._calls += 1
        begun = False
        try:
            with trio.move_on_after(self._deadline_seconds):
                await self._enter()
                try:
                    begun = True
                    return await work()
                finally:
                    self._limiter.release()
            self._timed_out += 1
            problem = f"no answer from the store within {self._deadline_seconds:g} s"
            raise OutcomeUnknown(problem) if writes and begun else StorageUnavailable(problem)
        except _LineFull:
            self._refused += 1
            raise StorageUnavailable(f"{self._waiting} calls already wait for the store") from None
        except StorageUnavailable as error:
            self._failed += 1
            self._last_error = str(error)
            self._on_failure()
            raise

    def statistics(self) -> GateStatistics:
        """Report what is going on and the totals."""
        return GateStatistics(
            concurrency=self._concurrency,
            in_use=self._limiter.borrowed_tokens,
            waiting=self._waiting_now,
            calls=self._calls,
            refused=self._refused,
            timed_out=self._timed_out,
            failed=self._failed,
            last_error=self._last_error,
        )

    async def _enter(self) -> None:
        try:
            self._limiter.acquire_nowait()
        except trio.WouldBlock:
            if self._waiting_now >= self._waiting:
                raise _LineFull from None
            self._waiting_now += 1
            try:
                await self._limiter.acquire()
            finally:
                self._waiting_now -= 1


class _LineFull(Exception):
    pass
