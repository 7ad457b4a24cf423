"""The inbox as the supervisor sees it: what a crash, a park and an end do to those who wait."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors import ActorCrashed, ActorStopped, ActorUnavailable, Inbox, Reply
from tests.actors.scripted import outcome, tell


async def test_after_a_crash_what_was_in_hand_comes_first_and_alone() -> None:
    """Suspects return to the front in their order, one to a batch; the rest follow in batches."""
    inbox: Inbox[str] = Inbox(capacity=9)
    for message in "abcd":
        inbox.tell(message)
    await inbox.take(2)
    assert inbox.recover() == []
    batches = []
    for _ in range(3):
        batches.append([e.message for e in await inbox.take(9)])
        inbox.settle()
    assert batches == [["a"], ["b"], ["c", "d"]]


async def test_what_was_answered_is_not_run_again() -> None:
    """Of a batch that crashed half way only the unanswered come back."""
    inbox: Inbox[str] = Inbox(capacity=9)
    replies = [tell(inbox, message) for message in "abc"]
    (first, *_) = await inbox.take(3)
    assert first.reply is not None
    first.reply.set("done")
    inbox.recover()
    assert [e.message for e in await inbox.take(9)] == ["b"]
    assert [outcome(reply) for reply in replies] == ["done", "open", "open"]


async def test_what_was_settled_is_not_run_again() -> None:
    """A tell that was settled before the crash is done with."""
    inbox: Inbox[str] = Inbox(capacity=9)
    inbox.tell("a")
    await inbox.take(1)
    inbox.settle()
    assert inbox.recover() == []
    assert len(inbox) == 0


async def test_a_message_in_hand_at_two_crashes_is_quarantined() -> None:
    """It is answered ActorCrashed, given to the supervisor, counted, and never seen by the actor again."""
    inbox: Inbox[str] = Inbox(capacity=9)
    guilty, innocent = tell(inbox, "guilty"), tell(inbox, "innocent")
    await inbox.take(2)
    assert inbox.recover() == []
    await inbox.take(2)
    assert [e.message for e in inbox.recover()] == ["guilty"]
    assert outcome(guilty) is ActorCrashed
    assert outcome(innocent) == "open"
    assert [e.message for e in await inbox.take(2)] == ["innocent"]
    assert inbox.statistics().quarantined == 1


async def test_a_crash_returns_messages_even_to_a_full_inbox() -> None:
    """Nothing is dropped to keep the bound; new messages are refused until there is room."""
    inbox: Inbox[str] = Inbox(capacity=2)
    inbox.tell("a")
    inbox.tell("b")
    await inbox.take(2)
    inbox.tell("c")
    inbox.tell("d")
    inbox.recover()
    assert len(inbox) == 4
    for expected in (["a"], ["b"], ["c", "d"]):
        assert [e.message for e in await inbox.take(9)] == expected
        inbox.settle()


async def test_an_abandoned_message_is_not_run_a_second_time() -> None:
    """If the caller left during the first attempt there is nobody to run it for."""
    inbox: Inbox[str] = Inbox(capacity=9)
    reply = tell(inbox, "a")
    inbox.tell("b")
    await inbox.take(1)
    reply.abandon()
    inbox.recover()
    assert [e.message for e in await inbox.take(9)] == ["b"]
    assert reply.done


async def test_an_answer_put_off_is_failed_by_a_crash() -> None:
    """Its message was settled, so it is not run again; but its caller does not wait for ever."""
    inbox: Inbox[str] = Inbox(capacity=9)
    reply = tell(inbox, "a")
    await inbox.take(1)
    inbox.settle()
    assert outcome(reply) == "open"
    assert not inbox.idle
    assert inbox.recover() == []
    assert outcome(reply) is ActorCrashed
    assert inbox.idle


async def test_an_answer_put_off_is_failed_by_the_end() -> None:
    """Closing answers what is owed."""
    inbox: Inbox[str] = Inbox(capacity=9)
    reply = tell(inbox, "a")
    await inbox.take(1)
    inbox.settle()
    inbox.close()
    assert outcome(reply) is ActorStopped


async def test_an_actor_cannot_put_off_answers_without_bound() -> None:
    """Owing more answers than the inbox holds messages is a bug; those given in the end do not count."""
    inbox: Inbox[str] = Inbox(capacity=3)
    replies: list[Reply[object]] = []
    for _ in range(20):
        replies.append(tell(inbox, "a"))
        await inbox.take(1)
        inbox.settle()
        if len(replies) >= 3:
            replies[-3].set("late")
    tell(inbox, "as many as it may")
    await inbox.take(1)
    inbox.settle()
    tell(inbox, "one too many")
    await inbox.take(1)
    with pytest.raises(RuntimeError, match="owes more than 3"):
        inbox.settle()


async def test_a_suspended_inbox_answers_everybody_at_once(autojump_clock: MockClock) -> None:
    """Those that wait and those that come, each with the time that is left; resuming ends it."""
    inbox: Inbox[str] = Inbox(capacity=9)
    waiting = tell(inbox, "a")
    inbox.tell("b")
    inbox.suspend(30)
    with pytest.raises(ActorUnavailable) as caught:
        waiting.result()
    assert caught.value.retry_after_seconds == pytest.approx(30)
    assert len(inbox) == 0
    await trio.sleep(10)
    with pytest.raises(ActorUnavailable) as caught:
        inbox.tell("c")
    assert caught.value.retry_after_seconds == pytest.approx(20)
    await trio.sleep(25)
    with pytest.raises(ActorUnavailable) as caught:
        inbox.tell("c")
    assert caught.value.retry_after_seconds == 0
    inbox.resume()
    inbox.tell("d")
    assert [e.message for e in await inbox.take(9)] == ["d"]
    assert inbox.statistics().discarded == 2


async def test_a_closed_inbox_answers_everybody() -> None:
    """In hand, waiting, taking and coming: each learns that the actor has stopped, for good."""
    inbox: Inbox[str] = Inbox(capacity=9)
    in_hand = tell(inbox, "a")
    await inbox.take(1)
    waiting = tell(inbox, "b")
    inbox.close()
    inbox.close()
    assert inbox.closed
    assert [outcome(in_hand), outcome(waiting)] == [ActorStopped, ActorStopped]
    inbox.suspend(1)
    inbox.resume()
    with pytest.raises(ActorStopped):
        inbox.tell("c")
    with pytest.raises(ActorStopped):
        await inbox.take(1)
    with pytest.raises(ActorStopped):
        await inbox.take_within(1, 1)


async def test_closing_wakes_the_actor() -> None:
    """A take that waits raises ActorStopped."""
    inbox: Inbox[str] = Inbox(capacity=9)
    async with trio.open_nursery() as nursery:

        async def close() -> None:
            await wait_all_tasks_blocked()
            inbox.close()

        nursery.start_soon(close)
        with pytest.raises(ActorStopped):
            await inbox.take(1)


async def test_a_message_told_before_closing_is_not_taken_after_it() -> None:
    """An actor that was woken by a tell, but has not run when the inbox closes, gets ActorStopped."""
    inbox: Inbox[str] = Inbox(capacity=9)
    async with trio.open_nursery() as nursery:

        async def tell_and_close() -> None:
            await wait_all_tasks_blocked()
            reply = tell(inbox, "a")
            inbox.close()
            assert outcome(reply) is ActorStopped

        nursery.start_soon(tell_and_close)
        with pytest.raises(ActorStopped):
            await inbox.take(1)


async def test_a_callback_may_tell_while_the_inbox_closes_or_parks() -> None:
    """It is refused like anybody, and the others are answered all the same."""
    for end in (Inbox.close, lambda inbox: inbox.suspend(1)):
        inbox: Inbox[str] = Inbox(capacity=9)
        refused: list[type[Exception]] = []

        def again(_: Reply[object], inbox: Inbox[str] = inbox, refused: list[type[Exception]] = refused) -> None:
            try:
                inbox.tell("again")
            except (ActorStopped, ActorUnavailable) as error:
                refused.append(type(error))

        inbox.tell("a", Reply(again))
        last = tell(inbox, "b")
        end(inbox)
        assert len(refused) == 1
        assert last.done
        assert len(inbox) == 0
