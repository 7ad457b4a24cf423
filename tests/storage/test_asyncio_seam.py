"""The seam between Trio and asyncio: who leaves leaves at once, and nothing is lost or left for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from storage.asyncio_seam import AsyncioSeam, SeamStatistics, open_seam
from storage.errors import OutcomeUnknown, StorageUnavailable

IDLE = SeamStatistics(under_way=0, left_behind=0)


@pytest.fixture
async def seam() -> AsyncIterator[AsyncioSeam]:
    """Open a seam. On a virtual clock asyncio sleeps virtually too."""
    async with open_seam() as opened:
        yield opened


class Work:
    """Asyncio work that waits to be let through, and tells what became of it."""

    def __init__(self) -> None:
        self.begun = self.finished = self.cancelled = 0
        self.gate: asyncio.Event | None = None
        self.stubborn_seconds = 0.0
        """How long it takes to let go when it is cancelled."""

    async def __call__(self) -> str:
        self.begun += 1
        self.gate = self.gate or asyncio.Event()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            await asyncio.sleep(self.stubborn_seconds)
            self.cancelled += 1
            raise
        self.finished += 1
        return "done"

    def let_through(self) -> None:
        """Let everything go on."""
        assert self.gate is not None
        self.gate.set()


async def test_a_call_returns_what_its_work_returns(seam: AsyncioSeam) -> None:
    """Plain values and asyncio's own waiting both work, and nothing stays behind."""

    async def work() -> int:
        async with asyncio.timeout(1):
            await asyncio.sleep(0.01)
        return sum(await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2)))

    assert await seam.call(work) == 3
    assert await seam.call(work, deadline_seconds=1, finish=True) == 3
    assert seam.statistics() == IDLE


async def test_an_error_comes_out_as_it_is(seam: AsyncioSeam) -> None:
    """No group around it, whatever it is: callers match on the type."""

    async def fail(error: Exception) -> None:
        await asyncio.sleep(0)
        raise error

    for error in (KeyError("x"), TimeoutError("its own"), ExceptionGroup("many", [ValueError()]), StopAsyncIteration()):
        with pytest.raises(type(error)) as caught:
            await seam.call(lambda error=error: fail(error), deadline_seconds=5)  # type: ignore[misc]
        assert caught.value is error


async def test_an_error_in_the_body_comes_out_as_it_is() -> None:
    """The nurseries in between do not wrap it: what fails at the start of a store is one plain error."""
    error = StorageUnavailable("nobody there")
    with pytest.raises(StorageUnavailable) as caught:
        async with open_seam():
            raise error
    assert caught.value is error


async def test_a_cancelled_caller_leaves_at_once_and_its_work_is_cancelled(
    autojump_clock: MockClock, seam: AsyncioSeam
) -> None:
    """A driver that takes a minute to let go holds up nobody but itself."""
    work = Work()
    work.stubborn_seconds = 60
    started = trio.current_time()
    with trio.move_on_after(1):
        await seam.call(work)
    assert trio.current_time() - started == pytest.approx(1)
    assert seam.statistics() == SeamStatistics(under_way=1, left_behind=1)
    assert work.cancelled == 0
    await trio.sleep(61)
    assert (work.cancelled, work.finished) == (1, 0)
    assert seam.statistics() == IDLE


async def test_work_that_is_to_finish_goes_on_without_its_caller(autojump_clock: MockClock, seam: AsyncioSeam) -> None:
    """A transaction is not cut in half; `settle` waits for exactly those."""
    write, read = Work(), Work()
    read.stubborn_seconds = 1000
    with trio.move_on_after(1):
        await seam.call(write, deadline_seconds=100, finish=True)
    with trio.move_on_after(1):
        await seam.call(read)
    settled = False

    async def settle() -> None:
        nonlocal settled
        await seam.settle()
        settled = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(settle)
        await trio.sleep(10)
        assert not settled
        write.let_through()
    assert (write.finished, write.cancelled) == (1, 0)
    assert seam.statistics() == SeamStatistics(under_way=1, left_behind=1)  # the read, which is nobody's matter


async def test_settle_waits_for_no_write_that_has_a_caller(seam: AsyncioSeam) -> None:
    """Who reads need not wait for what is simply under way."""
    write = Work()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: seam.call(write, finish=True))
        await wait_all_tasks_blocked()
        await seam.settle()
        assert write.finished == 0
        write.let_through()


@pytest.mark.parametrize("finish", [False, True])
async def test_the_deadline_is_the_callers_and_the_works(
    autojump_clock: MockClock, seam: AsyncioSeam, finish: bool
) -> None:
    """The caller is told at its deadline, in words that say what is known, and the work is cancelled."""
    work = Work()
    work.stubborn_seconds = 5
    started = trio.current_time()
    with pytest.raises(StorageUnavailable, match="within 2 s") as caught:
        await seam.call(work, deadline_seconds=2, finish=finish)
    assert isinstance(caught.value, OutcomeUnknown) == finish
    assert trio.current_time() - started == pytest.approx(2)
    await seam.settle()
    assert trio.current_time() - started == pytest.approx(7 if finish else 2)
    await trio.sleep(6)
    assert work.cancelled == 1
    assert seam.statistics() == IDLE


async def test_a_write_that_was_left_still_has_its_deadline(autojump_clock: MockClock, seam: AsyncioSeam) -> None:
    """Nothing goes on for ever because nobody looks at it any more."""
    work = Work()
    started = trio.current_time()
    with trio.move_on_after(1):
        await seam.call(work, deadline_seconds=10, finish=True)
    await seam.settle()
    assert trio.current_time() - started == pytest.approx(10)
    assert work.cancelled == 1


@pytest.mark.parametrize("finish", [False, True])
async def test_many_cancelled_calls_leave_nothing_under_way(seam: AsyncioSeam, finish: bool) -> None:
    """Cancelled before the first step, in the middle or at the end: all are counted out."""

    async def work() -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    for number in range(200):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(lambda: seam.call(work, finish=finish))
                for _ in range(number % 10):
                    await trio.lowlevel.checkpoint()
                scope.cancel()
    await seam.settle()
    await wait_all_tasks_blocked()
    assert seam.statistics() == IDLE
    await seam.call(work)


async def test_a_caller_that_is_cancelled_already_begins_nothing(seam: AsyncioSeam) -> None:
    """As with any other await."""
    work = Work()
    with trio.CancelScope() as scope:
        scope.cancel()
        await seam.call(work)
    await wait_all_tasks_blocked()
    assert work.begun == 0


async def test_work_that_something_else_cancels_is_an_ordinary_failure(seam: AsyncioSeam) -> None:
    """Asyncio's cancellation never reaches a Trio task, where nothing would expect it."""

    async def cancel_itself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    with pytest.raises(StorageUnavailable, match="cancelled"):
        await seam.call(cancel_itself)
    with pytest.raises(OutcomeUnknown, match="cancelled"):
        await seam.call(cancel_itself, finish=True)


async def test_an_error_in_a_callback_is_logged_and_the_loop_lives(
    seam: AsyncioSeam, caplog: pytest.LogCaptureFixture
) -> None:
    """Drivers have bugs: one of them in a timer must not take the whole process down."""

    def explode() -> None:
        raise ValueError("in a callback")

    async def work() -> str:
        asyncio.get_running_loop().call_soon(explode)
        await asyncio.sleep(0.01)
        return "alive"

    assert await seam.call(work) == "alive"
    assert "event=asyncio_problem" in caplog.text
    assert "in a callback" in caplog.text


async def test_what_fails_behind_its_callers_back_is_logged(
    autojump_clock: MockClock, seam: AsyncioSeam, caplog: pytest.LogCaptureFixture
) -> None:
    """A write that nobody waits for any more fails for the operator to see."""

    async def work() -> None:
        await asyncio.sleep(5)
        raise ValueError("too late")

    with trio.move_on_after(1):
        await seam.call(work, finish=True)
    await seam.settle()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "event=left_behind_call_failed error=ValueError: too late" in record.message


async def test_tasks_that_were_there_before_the_loop_may_call(nursery: trio.Nursery) -> None:
    """The loop is found by the seam, not by what a task happens to have inherited."""
    seams, answers = trio.open_memory_channel[AsyncioSeam](1), trio.open_memory_channel[int](1)

    async def old_task() -> None:
        seam = await seams[1].receive()

        async def work() -> int:
            async with asyncio.timeout(1):
                return await asyncio.get_running_loop().create_task(asyncio.sleep(0.001, 7))

        await answers[0].send(await seam.call(work))

    nursery.start_soon(old_task)
    async with open_seam() as seam:
        await seams[0].send(seam)
        assert await answers[1].receive() == 7


async def test_closing_waits_for_writes_and_cancels_the_rest(autojump_clock: MockClock) -> None:
    """What has begun to be written is written, within reason; new calls are refused."""
    slow, stuck, read = Work(), Work(), Work()
    async with trio.open_nursery() as nursery:
        async with open_seam(close_seconds=10) as seam:
            for work, finish in ((slow, True), (stuck, True), (read, False)):
                with trio.move_on_after(1):
                    await seam.call(work, finish=finish)

            async def let_through_later() -> None:
                await trio.sleep(5)
                with pytest.raises(StorageUnavailable, match="closed"):
                    await seam.call(slow)
                slow.let_through()

            nursery.start_soon(let_through_later)
            started = trio.current_time()
        assert trio.current_time() - started == pytest.approx(10)
    assert (slow.finished, stuck.finished, stuck.cancelled, read.cancelled) == (1, 0, 1, 1)
    assert seam.statistics() == IDLE


async def test_a_caller_outside_of_the_body_is_answered_when_the_seam_closes(autojump_clock: MockClock) -> None:
    """Nobody is left waiting for a loop that has gone."""
    work = Work()
    async with trio.open_nursery() as nursery, open_seam() as seam:

        async def outsider() -> None:
            with pytest.raises(StorageUnavailable, match="cancelled"):
                await seam.call(work)

        nursery.start_soon(outsider)
        await wait_all_tasks_blocked()
    assert work.cancelled == 1
