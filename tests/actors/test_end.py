"""Ends from outside: kill, stop, cancellation, interrupt."""

from __future__ import annotations

from functools import partial
from random import Random

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors import ActorStopped, Inbox, Supervisor
from tests.actors.scripted import POLICY, Planted, Scripted, outcome, supervise, tell


@pytest.fixture
def inbox() -> Inbox[str]:
    return Inbox(capacity=20)


async def test_a_killed_actor_crashes_with_that_error(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """In the middle of a message: which is run again, and answered."""
    actor = Scripted(inbox)
    async with trio.open_nursery() as nursery:
        child = supervise(nursery, actor)
        reply = tell(inbox, "sleep")
        await trio.sleep(0.5)
        assert child.kill(Planted("from outside"))
        await trio.sleep(1.2)
        assert outcome(reply) == "sleep"
        assert actor.began == ["sleep", "sleep"]
        assert (child.last_error, child.restarts, child.quarantined) == ("Planted: from outside", 1, 0)
        nursery.cancel_scope.cancel()


async def test_killing_an_idle_actor_charges_no_message(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """What it did before is done, whether it was told or asked."""
    actor = Scripted(inbox)
    async with trio.open_nursery() as nursery:
        child = supervise(nursery, actor)
        inbox.tell("a")
        await wait_all_tasks_blocked()
        child.kill(Planted())
        await wait_all_tasks_blocked()
        inbox.tell("b")
        await trio.sleep(1)
        assert actor.began == ["a", "b"]
        nursery.cancel_scope.cancel()


async def test_an_actor_between_two_incarnations_cannot_be_killed(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """Before it starts, while it is parked, and when it has stopped: there is nothing to crash."""
    actor = Scripted(inbox)
    actor.fails_at_start = 9
    async with trio.open_nursery() as nursery:
        child = supervise(nursery, actor)
        assert not child.kill(Planted())
        await trio.sleep(1)
        assert child.state == "parked"
        assert not child.kill(Planted())
        child.stop()
    assert not child.kill(Planted())
    assert child.restarts == 2


async def test_a_kill_that_comes_too_late_is_no_crash(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """An actor that returns without noticing has finished, and is not started again."""
    starts: list[float] = []

    async def run() -> None:
        starts.append(trio.current_time())
        child.kill(Planted())

    async with trio.open_nursery() as nursery:
        child = Supervisor(nursery, policy=POLICY, random=Random(1)).start("x", run, inbox)
    assert starts == [0.0]
    assert child.last_error is None


async def test_a_stopped_actor_answers_everybody(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """In hand or waiting: ActorStopped; on_end is called; the siblings go on."""
    other: Inbox[str] = Inbox(capacity=9)
    ended: list[str] = []
    actor = Scripted(inbox)
    async with trio.open_nursery() as nursery:
        sibling = supervise(nursery, Scripted(other))
        child = supervise(nursery, actor, on_end=lambda: ended.append("x"))
        replies = [tell(inbox, message) for message in ("sleep", "a")]
        await trio.sleep(0.5)
        child.stop()
        await wait_all_tasks_blocked()
        assert [outcome(reply) for reply in replies] == [ActorStopped, ActorStopped]
        assert (child.state, sibling.state, ended, actor.running) == ("stopped", "running", ["x"], 0)
        with pytest.raises(ActorStopped):
            inbox.tell("b")
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("failures", [0, 2, 9])
async def test_an_actor_can_be_stopped_in_every_state(
    autojump_clock: MockClock, inbox: Inbox[str], failures: int
) -> None:
    """Running, backing off or parked: it ends at once, without waiting for the time to pass."""
    actor = Scripted(inbox)
    actor.fails_at_start = failures
    async with trio.open_nursery() as nursery:
        child = supervise(nursery, actor)
        await trio.sleep(0.02)
        if failures == 9:
            await trio.sleep(1)
        expected = {0: "running", 2: "backing_off", 9: "parked"}
        assert child.state == expected[failures]
        before = trio.current_time()
        child.stop()
    assert trio.current_time() == before
    assert inbox.closed


async def test_an_actor_stopped_before_it_starts_still_ends_properly(inbox: Inbox[str]) -> None:
    """Its caller is answered and on_end is called."""
    ended: list[str] = []
    reply = tell(inbox, "sleep")
    async with trio.open_nursery() as nursery:
        supervise(nursery, Scripted(inbox), on_end=lambda: ended.append("x")).stop()
    assert outcome(reply) is ActorStopped
    assert ended == ["x"]


async def test_cancelling_the_nursery_ends_each_child(autojump_clock: MockClock) -> None:
    """Inboxes are closed, callers answered, on_end called, whatever state each child was in."""
    inboxes: list[Inbox[str]] = [Inbox(capacity=9) for _ in range(3)]
    ended: list[int] = []
    replies = [tell(inbox, "sleep") for inbox in inboxes]
    async with trio.open_nursery() as nursery:
        for number, inbox in enumerate(inboxes):
            actor = Scripted(inbox)
            actor.fails_at_start = number * 2
            supervise(nursery, actor, on_end=partial(ended.append, number))
        await trio.sleep(0.02)
        nursery.cancel_scope.cancel()
    assert sorted(ended) == [0, 1, 2]
    assert all(inbox.closed for inbox in inboxes)
    assert [outcome(reply) for reply in replies] == [ActorStopped] * 3


async def test_a_failure_while_being_cancelled_is_logged_and_does_not_replace_the_cancellation(
    autojump_clock: MockClock, inbox: Inbox[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A clean-up in the actor's own nursery raises: the house still closes in good order."""

    async def fail_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Planted("in clean-up")

    async def run() -> None:
        async with trio.open_nursery() as own:
            own.start_soon(trio.sleep_forever)
            own.start_soon(fail_when_cancelled)
            await inbox.take(1)

    async with trio.open_nursery() as nursery:
        Supervisor(nursery, policy=POLICY, random=Random(1)).start("x", run, inbox)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert inbox.closed
    assert ["event=crashed_while_cancelled" in record.getMessage() for record in caplog.records] == [True]


async def test_a_clean_up_that_swallows_the_cancellation_does_not_restart(
    autojump_clock: MockClock, inbox: Inbox[str]
) -> None:
    """A plain error raised in place of the cancellation is a crash, but the child still ends."""
    starts: list[float] = []

    async def run() -> None:
        starts.append(trio.current_time())
        try:
            await inbox.take(1)
        finally:
            raise Planted("in clean-up")

    async with trio.open_nursery() as nursery:
        child = Supervisor(nursery, policy=POLICY, random=Random(1)).start("x", run, inbox)
        await wait_all_tasks_blocked()
        child.stop()
    assert starts == [0.0]
    assert child.state == "stopped"


async def test_an_interrupt_is_never_swallowed(inbox: Inbox[str]) -> None:
    """KeyboardInterrupt leaves the nursery, alone or in a group; callers are answered first."""
    for error in (KeyboardInterrupt(), BaseExceptionGroup("", [KeyboardInterrupt(), Planted()])):
        own: Inbox[str] = Inbox(capacity=9)
        reply = tell(own, "a")

        async def run(error: BaseException = error) -> None:
            raise error

        with pytest.RaisesGroup(KeyboardInterrupt, flatten_subgroups=True):
            async with trio.open_nursery() as nursery:
                Supervisor(nursery, policy=POLICY, random=Random(1)).start("x", run, own)
        assert outcome(reply) is ActorStopped
