"""Threads that run database work for Trio tasks: one for writes, a few for reads.

A call is one queue put on the way there and one `run_sync_soon` on the way back, which is cheaper than a thread pool's
hop. Each thread owns one session. A cancelled caller leaves at once: its work is dropped if it has not begun, and
otherwise goes on to its end, so a transaction is never cut in half.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar, cast

import trio

from storage.errors import StorageUnavailable
from storage.sqlite.session import Session

T = TypeVar("T")

logger = logging.getLogger(__name__)


class _Job(Generic[T]):
    """One piece of work, and the task that waits for it: None once that has been woken or has left."""

    __slots__ = ("error", "task", "value", "work")

    def __init__(self, work: Callable[[Session], T], task: trio.lowlevel.Task) -> None:
        self.work = work
        self.task: trio.lowlevel.Task | None = task
        self.value: T | None = None
        self.error: BaseException | None = None


class WorkerThreads:
    """Threads over one queue, in the order of the calls when there is one thread."""

    def __init__(self, name: str, sessions: list[Session], *, waiting: int) -> None:
        """Start a thread for each session, at most `waiting` calls being with them at a time; needs a running Trio."""
        self._name = name
        self._queue: SimpleQueue[_Job[object] | None] = SimpleQueue()
        self._places = trio.Semaphore(waiting)
        self._token = trio.lowlevel.current_trio_token()
        self._running = len(sessions)
        self._left_behind = 0  # calls that are with a thread while nobody waits for them any more
        self._closed = False
        self._ended = trio.Event()
        for number, session in enumerate(sessions):
            # Daemons: a thread that hangs in a dead disk must not keep the process from ending.
            Thread(target=self._live, args=(session,), name=f"{name}-{number}", daemon=True).start()

    async def call(self, work: Callable[[Session], T]) -> T:
        """Run `work` in a thread and return what it returns or raise what it raises.

        Waits while too many calls are with the threads. Raises StorageUnavailable after `aclose`.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self._places.acquire_nowait()
        except trio.WouldBlock:
            await self._places.acquire()
        if self._closed:
            self._places.release()
            raise StorageUnavailable("the database is closed")
        job = _Job(work, trio.lowlevel.current_task())
        self._queue.put(cast("_Job[object]", job))

        def leave(_: object) -> trio.lowlevel.Abort:
            job.task = None
            self._left_behind += 1
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(leave)
        error, job.error = job.error, None
        if error is None:
            return cast("T", job.value)
        try:
            raise error
        finally:
            del error  # the traceback holds this frame: do not make it a cycle

    async def settle(self) -> None:
        """Wait until work that its callers have left behind is over, where there is one thread; else return at once."""
        if self._left_behind:
            await self.call(lambda _: None)  # it comes after them

    async def aclose(self, *, seconds: float) -> None:
        """Refuse new calls, finish those begun or waiting, and close the sessions; give up after `seconds`."""
        self._closed = True
        for _ in range(self._running):
            self._queue.put(None)
        with trio.move_on_after(seconds, shield=True) as scope:
            await self._ended.wait()
        if scope.cancelled_caught:
            logger.error("event=threads_still_running name=%s count=%d", self._name, self._running)

    def _live(self, session: Session) -> None:
        while (job := self._queue.get()) is not None:
            # Looked at without a lock: work that is begun although its caller is just leaving simply goes on.
            if job.task is not None:
                try:
                    job.value = job.work(session)
                except BaseException as error:  # noqa: BLE001  # it is the caller's, in the caller's task
                    job.error = error
            self._tell_trio(partial(self._finish, job))
            del job
        session.close()
        self._tell_trio(self._end)

    def _tell_trio(self, callback: Callable[[], None]) -> None:
        try:
            self._token.run_sync_soon(callback)
        except trio.RunFinishedError:
            logger.debug("event=answer_after_the_end name=%s", self._name)

    # These two run in the Trio thread.

    def _finish(self, job: _Job[object]) -> None:
        self._places.release()
        task, job.task = job.task, None
        if task is not None:
            trio.lowlevel.reschedule(task)
        else:
            self._left_behind -= 1

    def _end(self) -> None:
        self._running -= 1
        if self._running == 0:
            self._ended.set()
