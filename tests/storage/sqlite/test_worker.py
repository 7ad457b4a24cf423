"""The threads between Trio and SQLite. On the real clock, waiting on events and never for a time."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from functools import partial

import pytest
import trio

from storage.errors import StorageUnavailable
from storage.sqlite.connection import connect
from storage.sqlite.session import Session
from storage.sqlite.settings import SqliteSettings
from storage.sqlite.worker import WorkerThreads

pytestmark = pytest.mark.real_clock


class Held:
    """Work that says when it has begun and ends when it is told."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.release = threading.Event()
        self.ended = False

    def __call__(self, _: Session) -> str:
        self.begun.set()
        if not self.release.wait(30):
            raise TimeoutError
        self.ended = True
        return "held"


@pytest.fixture
async def worker(settings: SqliteSettings) -> AsyncIterator[WorkerThreads]:
    """Run one thread that takes three calls at a time."""
    threads = WorkerThreads("test", [Session(partial(connect, settings, read_only=False))], waiting=3)
    yield threads
    await threads.aclose(seconds=5)


async def begun(held: Held) -> None:
    """Wait until a thread has begun this work."""
    await trio.to_thread.run_sync(held.begun.wait, 30)
    assert held.begun.is_set()


async def test_work_runs_in_the_thread_and_its_value_comes_back(worker: WorkerThreads) -> None:
    """All of it runs in one thread that is not Trio's."""
    names = {await worker.call(lambda _: threading.current_thread().name) for _ in range(3)}
    assert names == {"test-0"}


async def test_an_error_is_raised_where_the_call_was_made(worker: WorkerThreads) -> None:
    """Also one that is no Exception: nothing kills the thread, and the next call works."""
    for error in (ZeroDivisionError("no"), KeyboardInterrupt()):

        def work(_: Session, error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)):
            await worker.call(work)
    assert await worker.call(lambda _: 1) == 1


async def test_calls_run_in_their_order(worker: WorkerThreads) -> None:
    """The writer commits in the order of the calls, whoever makes them."""
    order: list[int] = []
    held = Held()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.call, held)
        await begun(held)
        for number in range(2):
            nursery.start_soon(worker.call, lambda _, number=number: order.append(number))
            await trio.testing.wait_all_tasks_blocked()
        held.release.set()
    assert order == [0, 1]


async def test_a_cancelled_caller_leaves_at_once_and_its_work_goes_on(worker: WorkerThreads) -> None:
    """A dropped connection does not wait for the disk, and does not cut a transaction in half."""
    held = Held()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.call, held)
        await begun(held)
        nursery.cancel_scope.cancel()
    assert not held.ended  # we are out, and it is still at work
    held.release.set()
    assert await worker.call(lambda _: held.ended)


async def test_settling_waits_for_the_work_that_was_left_behind(worker: WorkerThreads) -> None:
    """Who wants to know how an abandoned transaction ended can wait for its end; when there is none it waits for
    nothing.
    """
    held, settled = Held(), trio.Event()

    async def settle() -> None:
        await worker.settle()
        settled.set()

    await worker.settle()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.call, held)
        await begun(held)
        nursery.cancel_scope.cancel()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(settle)
        await trio.testing.wait_all_tasks_blocked()
        assert not settled.is_set()
        held.release.set()
    assert held.ended
    assert worker._left_behind == 0


async def test_work_whose_caller_left_before_it_was_begun_is_dropped(worker: WorkerThreads) -> None:
    """What nobody waits for and nothing has begun is not done: the disk has enough to do."""
    held, ran = Held(), threading.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.call, held)
        await begun(held)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                inner.start_soon(worker.call, lambda _: ran.set())
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        held.release.set()
    await worker.call(lambda _: None)
    assert not ran.is_set()


async def test_a_caller_that_is_already_cancelled_hands_over_nothing(worker: WorkerThreads) -> None:
    """The call is a checkpoint before it is anything else."""
    ran = threading.Event()
    with trio.CancelScope() as scope:
        scope.cancel()
        await worker.call(lambda _: ran.set())
    assert scope.cancelled_caught
    await worker.call(lambda _: None)
    assert not ran.is_set()


async def test_no_more_than_a_bounded_number_of_calls_is_with_the_thread(worker: WorkerThreads) -> None:
    """Also the abandoned ones count until the thread has passed them, so a stuck disk cannot fill the queue."""
    held = Held()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.call, held)
        await begun(held)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                for _ in range(2):
                    inner.start_soon(worker.call, lambda _: None)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        fourth = trio.CancelScope()

        async def call() -> None:
            with fourth:
                await worker.call(lambda _: None)

        nursery.start_soon(call)
        await trio.testing.wait_all_tasks_blocked()
        assert worker._places.value == 0
        assert worker._queue.qsize() == 2
        fourth.cancel()
        held.release.set()
    await worker.call(lambda _: None)
    assert worker._places.value == 3


async def test_closing_finishes_what_was_called_and_refuses_what_comes_after(settings: SqliteSettings) -> None:
    """A shutdown loses nothing that was begun, its threads end, and late callers are told."""
    worker = WorkerThreads("closing", [Session(partial(connect, settings, read_only=False))], waiting=9)
    held, done = Held(), threading.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.call, held)
        await begun(held)
        nursery.start_soon(worker.call, lambda _: done.set())
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(partial(worker.aclose, seconds=5))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(StorageUnavailable, match="closed"):
            await worker.call(lambda _: None)
        held.release.set()
    assert done.is_set()
    for thread in threading.enumerate():
        if thread.name.startswith("closing"):
            await trio.to_thread.run_sync(thread.join, 30)
            assert not thread.is_alive()


def test_closing_gives_up_on_a_thread_that_hangs(settings: SqliteSettings, caplog: pytest.LogCaptureFixture) -> None:
    """A dead disk does not keep the process from ending, and an answer that comes after Trio has ended is harmless."""
    held = Held()

    async def main() -> None:
        worker = WorkerThreads("hanging", [Session(partial(connect, settings, read_only=False))], waiting=9)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.call, held)
            await begun(held)
            nursery.cancel_scope.cancel()
        await worker.aclose(seconds=0)

    trio.run(main)
    assert "event=threads_still_running name=hanging count=1" in caplog.text
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "hanging-0")
    held.release.set()
    thread.join(30)
    assert not thread.is_alive()
