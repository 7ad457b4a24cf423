"""The reply: one answer, to one waiter or one callback."""

from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from actors import ActorStopped, AskTimeout, Reply


async def test_a_waiting_task_gets_the_value() -> None:
    """A task parked in wait is woken with what is set later."""
    reply: Reply[int] = Reply()
    async with trio.open_nursery() as nursery:

        async def answer() -> None:
            await wait_all_tasks_blocked()
            reply.set(7)

        nursery.start_soon(answer)
        assert await reply.wait() == 7
    assert reply.done
    assert not reply.abandoned


async def test_a_failed_reply_raises_in_the_waiter() -> None:
    """A failure set before the wait, or during it, is raised by wait."""
    early: Reply[int] = Reply()
    early.fail(ActorStopped())
    with pytest.raises(ActorStopped):
        await early.wait()
    late: Reply[int] = Reply()
    async with trio.open_nursery() as nursery:

        async def answer() -> None:
            await wait_all_tasks_blocked()
            late.fail(AskTimeout())

        nursery.start_soon(answer)
        with pytest.raises(AskTimeout):
            await late.wait()


def test_the_first_answer_wins() -> None:
    """Later answers of either kind change nothing and raise nothing."""
    answered: Reply[int] = Reply()
    answered.set(1)
    answered.set(2)
    answered.fail(ActorStopped())
    assert answered.result() == 1
    failed: Reply[int] = Reply()
    failed.fail(ActorStopped())
    failed.set(1)
    with pytest.raises(ActorStopped):
        failed.result()


def test_none_is_an_answer() -> None:
    """An answer of None is told apart from no answer."""
    reply: Reply[None] = Reply()
    reply.set(None)
    assert reply.done
    assert reply.result() is None


def test_a_callback_is_called_once_and_at_once() -> None:
    """No task and no loop is needed: the callback has run when set returns."""
    seen: list[int] = []
    reply: Reply[int] = Reply(lambda done: seen.append(done.result()))
    reply.set(3)
    assert seen == [3]
    reply.set(4)
    assert seen == [3]


def test_a_callback_that_raises_does_not_reach_the_answerer(caplog: pytest.LogCaptureFixture) -> None:
    """Its error is logged with a traceback, and set returns normally."""

    def on_done(_: Reply[int]) -> None:
        raise ZeroDivisionError

    reply: Reply[int] = Reply(on_done)
    with caplog.at_level(logging.ERROR):
        reply.set(1)
    assert reply.result() == 1
    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_cancelling_the_waiter_abandons_the_reply(autojump_clock: MockClock) -> None:
    """The actor can see that nobody waits, and answering is still allowed."""
    reply: Reply[int] = Reply()
    with trio.move_on_after(1):
        await reply.wait()
    assert reply.abandoned
    assert not reply.done
    reply.set(1)
    assert reply.result() == 1


def test_an_abandoned_reply_does_not_call_back() -> None:
    """Whoever left is not called, but the reply is done."""
    seen: list[object] = []
    reply: Reply[int] = Reply(seen.append)
    reply.abandon()
    reply.set(1)
    assert seen == []
    assert reply.done


def test_a_done_reply_cannot_be_abandoned() -> None:
    """Leaving after the answer means nothing."""
    reply: Reply[int] = Reply()
    reply.set(1)
    reply.abandon()
    assert not reply.abandoned


def test_the_result_of_an_open_reply_is_an_error() -> None:
    """Reading too early is a bug of the reader, not an ActorError."""
    with pytest.raises(RuntimeError, match="not done"):
        Reply[int]().result()


async def test_a_second_waiter_is_refused() -> None:
    """A reply has one waiter; the first is not disturbed by the second."""
    reply: Reply[int] = Reply()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reply.wait)
        await wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="already waits"):
            await reply.wait()
        reply.set(1)


async def test_waiting_for_a_done_reply_is_a_checkpoint() -> None:
    """A loop of asks that are answered at once does not starve the others."""
    reply: Reply[int] = Reply()
    reply.set(1)
    with assert_checkpoints():
        await reply.wait()


async def test_a_reply_abandoned_by_another_still_answers_its_waiter() -> None:
    """Abandoning from outside does not strand the task that waits."""
    reply: Reply[int] = Reply()
    async with trio.open_nursery() as nursery:

        async def leave_and_answer() -> None:
            await wait_all_tasks_blocked()
            reply.abandon()
            reply.set(5)

        nursery.start_soon(leave_and_answer)
        assert await reply.wait() == 5
