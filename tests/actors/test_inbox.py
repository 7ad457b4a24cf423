"""The inbox as callers and the actor see it: order, bounds, waiting, deadlines."""

from __future__ import annotations

import math

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from actors import ActorStopped, ActorUnavailable, AskTimeout, Envelope, Inbox, InboxFull, Reply
from tests.actors.scripted import outcome, tell


def messages(batch: list[Envelope[str]]) -> list[str]:
    return [envelope.message for envelope in batch]


async def test_messages_are_taken_in_order_and_up_to_the_limit() -> None:
    """First in, first out, in batches."""
    inbox: Inbox[str] = Inbox(capacity=10)
    for message in "abcde":
        inbox.tell(message)
    assert messages(await inbox.take(3)) == ["a", "b", "c"]
    assert len(inbox) == 2
    assert messages(await inbox.take(3)) == ["d", "e"]


async def test_a_full_inbox_refuses_and_says_when_to_retry(autojump_clock: MockClock) -> None:
    """The hint is what the first in line has waited, within 0.1 to 5 seconds."""
    inbox: Inbox[str] = Inbox(capacity=2)
    inbox.tell("a")
    inbox.tell("b")
    hints = []
    for pause in (0, 2, 60):
        await trio.sleep(pause)
        with pytest.raises(InboxFull) as caught:
            inbox.tell("c")
        hints.append(caught.value.retry_after_seconds)
    assert hints == pytest.approx([0.1, 2.0, 5.0])
    assert len(inbox) == 2
    assert inbox.statistics().refused == 3
    await inbox.take(1)
    inbox.tell("c")
    assert messages(await inbox.take(9)) == ["b", "c"]


async def test_a_tell_wakes_the_actor() -> None:
    """A take on an empty inbox waits until something comes."""
    inbox: Inbox[str] = Inbox(capacity=1)
    async with trio.open_nursery() as nursery:

        async def tell_later() -> None:
            await wait_all_tasks_blocked()
            inbox.tell("a")

        nursery.start_soon(tell_later)
        assert messages(await inbox.take(5)) == ["a"]


async def test_a_take_is_a_checkpoint_even_when_messages_wait() -> None:
    """A busy actor gives way, by either take."""
    inbox: Inbox[str] = Inbox(capacity=5)
    inbox.tell("a")
    with assert_checkpoints():
        await inbox.take(1)
    inbox.tell("b")
    with assert_checkpoints():
        await inbox.take_within(1, 1)


async def test_a_cancelled_take_loses_nothing(autojump_clock: MockClock) -> None:
    """Cancelled while waiting, or with messages there: they stay in the inbox."""
    inbox: Inbox[str] = Inbox(capacity=5)
    with trio.move_on_after(1):
        await inbox.take(1)
    inbox.tell("a")
    with trio.CancelScope() as scope:
        scope.cancel()
        await inbox.take(1)
    assert scope.cancelled_caught
    assert messages(await inbox.take(1)) == ["a"]


async def test_an_abandoned_message_is_dropped_if_not_begun() -> None:
    """Nobody waits for it: it is counted and never reaches the actor, and its reply is done all the same."""
    inbox: Inbox[str] = Inbox(capacity=5)
    left = tell(inbox, "a")
    left.abandon()
    tell(inbox, "b")
    assert messages(await inbox.take(5)) == ["b"]
    assert inbox.statistics().abandoned == 1
    assert outcome(left) is AskTimeout


async def test_take_waits_on_when_all_that_waited_was_abandoned() -> None:
    """A take never returns an empty batch."""
    inbox: Inbox[str] = Inbox(capacity=5)
    tell(inbox, "a").abandon()
    async with trio.open_nursery() as nursery:

        async def tell_later() -> None:
            await wait_all_tasks_blocked()
            inbox.tell("b")

        nursery.start_soon(tell_later)
        assert messages(await inbox.take(5)) == ["b"]


async def test_the_first_take_marks_the_incarnation_ready() -> None:
    """Once for each call of on_ready, by either take, or by hand."""
    inbox: Inbox[str] = Inbox(capacity=5)
    seen: list[str] = []
    inbox.on_ready(lambda: seen.append("take"))
    for message in "abcd":
        inbox.tell(message)
    await inbox.take(1)
    await inbox.take(1)
    inbox.on_ready(lambda: seen.append("take_within"))
    await inbox.take_within(1, 1)
    inbox.on_ready(lambda: seen.append("ready"))
    inbox.ready()
    await inbox.take(1)
    assert seen == ["take", "take_within", "ready"]


async def test_take_within_gives_up_after_its_time(autojump_clock: MockClock) -> None:
    """It returns nothing, at the time it was told, and the inbox works on."""
    inbox: Inbox[str] = Inbox(capacity=5)
    assert await inbox.take_within(5, 3) == []
    assert trio.current_time() == pytest.approx(3)
    inbox.tell("a")
    assert messages(await inbox.take_within(5, 3)) == ["a"]
    assert trio.current_time() == pytest.approx(3)


async def test_take_within_returns_what_comes_in_time(autojump_clock: MockClock) -> None:
    """A message before the end of the time is returned when it comes."""
    inbox: Inbox[str] = Inbox(capacity=5)
    async with trio.open_nursery() as nursery:

        async def tell_later() -> None:
            await trio.sleep(2)
            inbox.tell("a")

        nursery.start_soon(tell_later)
        assert messages(await inbox.take_within(5, 3)) == ["a"]
    assert trio.current_time() == pytest.approx(2)


async def test_a_message_at_the_very_end_of_take_within_is_not_lost(autojump_clock: MockClock) -> None:
    """At the same instant either side may win; the message is taken now or by the next take."""
    for _ in range(20):
        inbox: Inbox[str] = Inbox(capacity=5)
        got: list[str] = []

        async def tell_at_the_end(inbox: Inbox[str] = inbox) -> None:
            await trio.sleep(3)
            inbox.tell("a")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(tell_at_the_end)
            got += messages(await inbox.take_within(5, 3))
            assert got or len(inbox) == 0, "nothing is returned only when nothing is there"
        if not got:
            got += messages(await inbox.take_within(5, 3))
        assert got == ["a"]


async def test_two_tasks_cannot_take_from_one_inbox() -> None:
    """An inbox has one actor: the second is refused."""
    inbox: Inbox[str] = Inbox(capacity=5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(inbox.take, 1)
        await wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="one actor"):
            await inbox.take(1)
        inbox.tell("a")


async def test_nonsense_is_refused() -> None:
    """No capacity, and no limit, is a bug of the programmer."""
    with pytest.raises(ValueError, match="capacity"):
        Inbox(capacity=0)
    inbox: Inbox[str] = Inbox(capacity=1)
    with pytest.raises(ValueError, match="limit"):
        await inbox.take(0)


async def test_send_waits_for_room_and_keeps_its_place() -> None:
    """Sends are admitted in their order, as soon as there is room, and no tell overtakes them."""
    inbox: Inbox[str] = Inbox(capacity=1)
    await inbox.send("a")
    async with trio.open_nursery() as nursery:
        for message in "bc":
            nursery.start_soon(inbox.send, message)
            await wait_all_tasks_blocked()
        assert messages(await inbox.take(5)) == ["a"]
        with pytest.raises(InboxFull):
            inbox.tell("d")
        assert messages(await inbox.take(5)) == ["b"]
        assert messages(await inbox.take(5)) == ["c"]
    assert inbox.statistics().received == 3


async def test_send_is_a_checkpoint_and_queues_before_it_gives_way() -> None:
    """So finding an actor and sending to it is one step, as with a tell."""
    inbox: Inbox[str] = Inbox(capacity=5)
    with assert_checkpoints():
        await inbox.send("a")
    depths: list[int] = []
    async with trio.open_nursery() as nursery:

        async def look() -> None:
            depths.append(len(inbox))

        nursery.start_soon(look)
        await inbox.send("b")
    assert depths == [2]


async def test_a_cancelled_send_sends_nothing(autojump_clock: MockClock) -> None:
    """Cancelled before it starts, or while it waits for room: the message is not queued, nor is it later."""
    inbox: Inbox[str] = Inbox(capacity=1)
    with trio.CancelScope() as scope:
        scope.cancel()
        await inbox.send("never")
    inbox.tell("a")
    with trio.move_on_after(1):
        await inbox.send("never")
    assert messages(await inbox.take(5)) == ["a"]
    assert await inbox.take_within(5, 1) == []


async def test_a_send_gets_the_room_of_abandoned_messages() -> None:
    """An actor that finds only abandoned messages goes on with those that waited for room."""
    inbox: Inbox[str] = Inbox(capacity=1)
    reply = tell(inbox, "a")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(inbox.send, "b")
        await wait_all_tasks_blocked()
        reply.abandon()
        with trio.fail_after(1):
            assert messages(await inbox.take(5)) == ["b"]


@pytest.mark.parametrize("error", [ActorStopped, ActorUnavailable])
async def test_a_waiting_send_learns_that_the_actor_is_gone(error: type[Exception]) -> None:
    """Closing or suspending wakes those that wait for room."""
    inbox: Inbox[str] = Inbox(capacity=1)
    inbox.tell("a")
    seen: list[type[Exception]] = []

    async def send() -> None:
        try:
            await inbox.send("b")
        except (ActorStopped, ActorUnavailable) as caught:
            seen.append(type(caught))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        nursery.start_soon(send)
        await wait_all_tasks_blocked()
        inbox.close() if error is ActorStopped else inbox.suspend(1)
    assert seen == [error, error]


async def test_ask_returns_the_answer() -> None:
    """Tell and wait in one."""
    inbox: Inbox[str] = Inbox(capacity=5)
    async with trio.open_nursery() as nursery:

        async def answer() -> None:
            (envelope,) = await inbox.take(1)
            assert envelope.reply is not None
            envelope.reply.set(len(envelope.message))

        nursery.start_soon(answer)
        reply: Reply[int] = Reply()
        assert await inbox.ask("four", reply, deadline_seconds=math.inf) == 4


async def test_ask_gives_up_at_its_deadline(autojump_clock: MockClock) -> None:
    """It raises AskTimeout then, and the message is dropped if not begun."""
    inbox: Inbox[str] = Inbox(capacity=5)
    reply: Reply[str] = Reply()
    with pytest.raises(AskTimeout):
        await inbox.ask("a", reply, deadline_seconds=2)
    assert trio.current_time() == pytest.approx(2)
    assert reply.abandoned
    assert await inbox.take_within(5, 1) == []


async def test_a_cancelled_ask_is_abandoned(autojump_clock: MockClock) -> None:
    """An outer cancellation is not taken for the ask's own deadline."""
    inbox: Inbox[str] = Inbox(capacity=5)
    reply: Reply[str] = Reply()
    with trio.move_on_after(1) as scope:
        await inbox.ask("a", reply, deadline_seconds=5)
    assert scope.cancelled_caught
    assert reply.abandoned


async def test_ask_is_refused_at_once() -> None:
    """Full, parked or closed: nobody waits for the deadline to learn it."""
    inbox: Inbox[str] = Inbox(capacity=1)
    inbox.tell("a")
    with pytest.raises(InboxFull):
        await inbox.ask("b", Reply(), deadline_seconds=5)
    inbox.suspend(1)
    with pytest.raises(ActorUnavailable):
        await inbox.ask("b", Reply(), deadline_seconds=5)
    inbox.close()
    with pytest.raises(ActorStopped):
        await inbox.ask("b", Reply(), deadline_seconds=5)


async def test_statistics_tell_what_is_there_and_what_was(autojump_clock: MockClock) -> None:
    """Depth, age and in hand now; totals since the beginning."""
    inbox: Inbox[str] = Inbox(capacity=3)
    first = tell(inbox, "a")
    tell(inbox, "b").abandon()
    await inbox.take(1)
    tell(inbox, "c")
    await trio.sleep(2)
    seen = inbox.statistics()
    assert (seen.depth, seen.capacity, seen.in_hand) == (2, 3, 1)
    assert seen.oldest_wait_seconds == pytest.approx(2)
    assert (seen.received, seen.refused, seen.abandoned, seen.quarantined, seen.discarded) == (3, 0, 0, 0, 0)
    first.set("done")
    assert inbox.statistics().in_hand == 0
    inbox.close()
    assert inbox.statistics().discarded == 2


def test_an_inbox_is_true_and_needs_no_loop_for_telling() -> None:
    """With a clock of its own it can be filled before the loop runs; and it is no empty container."""
    inbox: Inbox[str] = Inbox(capacity=1, now=lambda: 5.0)
    assert inbox
    inbox.tell("a")
    assert len(inbox) == 1
