"""Where Trio meets the database drivers that only speak asyncio.

It owns one asyncio loop on top of Trio, and runs each unit of work as one asyncio task, detached from its caller: a
caller that is cancelled or out of time leaves at once, however long the driver takes to let go. A read that is left is
cancelled behind its caller's back. A write (`finish`) goes on to its end or its own deadline, so that a transaction is
not cut in half because somebody lost patience, and `settle` waits for those. How many calls may be under way is for the
caller to bound.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar, cast

import trio
from msgspec import Struct
from trio_asyncio import open_loop

from storage.errors import OutcomeUnknown, StorageUnavailable

T = TypeVar("T")

CLOSE_SECONDS = 5.0

logger = logging.getLogger(__name__)


class SeamStatistics(Struct, frozen=True):
    """What is on the asyncio side."""

    under_way: int
    left_behind: int
    """Of these, the ones that nobody waits for any more."""


class _Call(Generic[T]):
    """One unit of work, and the Trio task that waits for it: None once that has been woken or has left."""

    __slots__ = ("begun", "deadline", "error", "finish", "job", "over", "task", "value")

    def __init__(self, task: trio.lowlevel.Task, *, deadline: float, finish: bool) -> None:
        self.task: trio.lowlevel.Task | None = task
        self.deadline = deadline  # Trio's time
        self.finish = finish
        self.value: T | None = None
        self.error: BaseException | None = None
        self.job: asyncio.Task[None] | None = None
        self.begun = False
        self.over = trio.Event()


class AsyncioSeam:
    """Runs asyncio coroutines for Trio tasks. Open it with `open_seam`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, nursery: trio.Nursery) -> None:
        self._loop = loop
        self._nursery = nursery
        self._under_way: set[_Call[object]] = set()
        self._closed = False

    async def call(
        self, work: Callable[[], Awaitable[T]], *, deadline_seconds: float | None = None, finish: bool = False
    ) -> T:
        """Run `work` as one asyncio task and return what it returns or raise what it raises.

        Works in any Trio task, also in one that was started before the loop was. A caller that is cancelled leaves at
        once; then the work is cancelled, or goes on until its deadline if it is to `finish`.

        Raises:
            StorageUnavailable: at the deadline, after `aclose`, or if something else cancelled the work.
            OutcomeUnknown: instead of that for work that is to `finish`, once it was begun.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._closed:
            raise StorageUnavailable("the storage loop is closed")
        deadline = math.inf if deadline_seconds is None else trio.current_time() + deadline_seconds
        call: _Call[T] = _Call(trio.lowlevel.current_task(), deadline=deadline, finish=finish)
        self._under_way.add(cast("_Call[object]", call))
        call.job = self._loop.create_task(self._run(call, work))
        left = False
        try:
            with trio.CancelScope(deadline=deadline):
                await trio.lowlevel.wait_task_rescheduled(lambda _: _leave(call))
        finally:
            if left := not call.over.is_set():
                self._see_off(call)
        if left:
            raise _lost(call, f"no answer within {deadline_seconds:g} s")
        error, call.error = call.error, None
        if error is None:
            return cast("T", call.value)
        try:
            raise error
        finally:
            del error  # the traceback holds this frame: do not make it a cycle

    async def settle(self) -> None:
        """Wait until the writes that their callers have left behind by now are over."""
        for call in [call for call in self._under_way if call.finish and call.task is None]:
            await call.over.wait()

    def statistics(self) -> SeamStatistics:
        """Count the calls."""
        left = sum(call.task is None for call in self._under_way)
        return SeamStatistics(under_way=len(self._under_way), left_behind=left)

    async def aclose(self, *, seconds: float) -> None:
        """Refuse new calls, give the writes that are under way this long, and cancel what is left."""
        self._closed = True
        with trio.move_on_after(seconds, shield=True) as scope:
            for call in list(self._under_way):
                if call.finish:
                    await call.over.wait()
        if scope.cancelled_caught:
            logger.error("event=storage_calls_cut_off count=%d", len(self._under_way))
        for call in list(self._under_way):
            call.deadline = -math.inf
            self._cancel(call)

    # On the asyncio side.

    async def _run(self, call: _Call[T], work: Callable[[], Awaitable[T]]) -> None:
        call.begun = True
        try:
            call.value = await work()
        except asyncio.CancelledError:
            call.error = _lost(call, "the call was cancelled")
        except BaseException as error:  # noqa: BLE001  # it is the caller's, in the caller's task
            call.error = error
        self._end(call)

    def _end(self, call: _Call[T]) -> None:
        self._under_way.discard(cast("_Call[object]", call))
        call.over.set()
        task, call.task = call.task, None
        if task is not None:
            trio.lowlevel.reschedule(task)
        elif call.error is not None:
            logger.log(
                logging.WARNING if call.finish else logging.DEBUG,
                "event=left_behind_call_failed error=%s: %s",
                type(call.error).__name__,
                call.error,
            )

    # On the Trio side.

    def _see_off(self, call: _Call[T]) -> None:
        if not call.finish or trio.current_time() >= call.deadline:
            self._cancel(call)
        elif call.deadline < math.inf:
            self._nursery.start_soon(self._watch, call)

    async def _watch(self, call: _Call[T]) -> None:
        with trio.move_on_at(call.deadline):
            await call.over.wait()
        if not call.over.is_set():
            self._cancel(call)

    def _cancel(self, call: _Call[T]) -> None:
        if call.job is not None:
            call.job.cancel()
        if not call.begun:  # a task that is cancelled before its first step never takes one
            call.error = StorageUnavailable("the call was cancelled before it began")
            self._end(call)


@asynccontextmanager
async def open_seam(*, close_seconds: float = CLOSE_SECONDS) -> AsyncIterator[AsyncioSeam]:
    """Run an asyncio loop for the body; on leaving, writes that are under way get up to `close_seconds`.

    What the body raises comes out as it is, not in the groups of the nurseries in between.
    """
    failure: Exception | None = None
    async with open_loop() as loop:
        loop.set_exception_handler(_log_problem)
        async with trio.open_nursery() as nursery:
            seam = AsyncioSeam(loop, nursery)
            try:
                yield seam
            except Exception as error:  # noqa: BLE001  # raised again below
                failure = error
            finally:
                await seam.aclose(seconds=close_seconds)
                nursery.cancel_scope.cancel()
    if failure is not None:
        try:
            raise failure
        finally:
            del failure


def _leave(call: _Call[T]) -> trio.lowlevel.Abort:
    call.task = None
    return trio.lowlevel.Abort.SUCCEEDED


def _lost(call: _Call[T], problem: str) -> StorageUnavailable:
    return OutcomeUnknown(problem) if call.finish else StorageUnavailable(problem)


def _log_problem(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    # The loop's own handler would end the whole tree for an error in any callback of a driver.
    message, error = context.get("message"), context.get("exception")
    if "never retrieved" in str(message):  # what a driver leaves behind when it is cancelled: no news to anybody
        logger.info("event=asyncio_leftover message=%s error=%r", message, error)
        return
    traceback = error if isinstance(error, BaseException) else None
    logger.error("event=asyncio_problem message=%s error=%r", message, error, exc_info=traceback)
