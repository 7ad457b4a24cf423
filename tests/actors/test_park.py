"""Too many crashes: park, probe, recover, or escalate."""

from __future__ import annotations

from random import Random

import pytest
import trio
from trio.testing import MockClock

from actors import ActorEscalated, ActorStopped, ActorUnavailable, Inbox, RestartPolicy, Supervisor
from tests.actors.scripted import POLICY, Scripted, outcome, supervise, tell


@pytest.fixture
def inbox() -> Inbox[str]:
    return Inbox(capacity=20)


async def test_a_parked_actor_answers_at_once_that_it_is_unavailable(
    autojump_clock: MockClock, inbox: Inbox[str]
) -> None:
    """Those that waited when it was parked, and those that come later, with the time until the probe."""
    actor = Scripted(inbox)
    actor.fails_at_start = 9
    waiting = tell(inbox, "a")
    async with trio.open_nursery() as nursery:
        child = supervise(nursery, actor)
        await trio.sleep(1)
        assert child.statistics().state == "parked"
        assert outcome(waiting) is ActorUnavailable
        with pytest.raises(ActorUnavailable) as caught:
            inbox.tell("b")
        assert caught.value.retry_after_seconds == pytest.approx(30 - 0.95)
        nursery.cancel_scope.cancel()


async def test_a_parked_actor_is_probed_and_parked_again_at_once(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """Three starts within the intensity, then one each probe time, without restarts in between."""
    actor = Scripted(inbox)
    actor.fails_at_start = 5
    async with trio.open_nursery() as nursery:
        child = supervise(nursery, actor)
        await trio.sleep(100)
        assert actor.starts == pytest.approx([0.0, 0.0, 0.05, 30.05, 60.05, 90.05])
        assert child.statistics().state == "probing"
        nursery.cancel_scope.cancel()


async def test_a_probe_that_succeeds_serves_and_becomes_running(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """It answers at once, counts as healthy after its time, and then a crash is the first one again."""
    actor = Scripted(inbox)
    actor.fails_at_start = 3
    async with trio.open_nursery() as nursery:
        child = supervise(nursery, actor)
        await trio.sleep(31)
        reply = tell(inbox, "a")
        await trio.sleep(1)
        assert outcome(reply) == "a"
        assert child.statistics().state == "probing"
        assert child.last_restart_seconds == pytest.approx(30.05)
        await trio.sleep(30)
        assert child.statistics().state == "running"
        inbox.tell("crash")
        reply = tell(inbox, "b")
        await trio.sleep(1)
        assert outcome(reply) == "b"
        assert child.statistics().state == "running"
        nursery.cancel_scope.cancel()


async def test_a_crash_while_probing_parks_even_after_it_has_served(
    autojump_clock: MockClock, inbox: Inbox[str]
) -> None:
    """One crash within the healthy time is enough, and no message is run twice for it."""
    actor = Scripted(inbox)
    actor.fails_at_start = 3
    async with trio.open_nursery() as nursery:
        child = supervise(nursery, actor)
        await trio.sleep(31)
        replies = [tell(inbox, message) for message in ("a", "crash", "b")]
        await trio.sleep(0.1)
        assert child.statistics().state == "parked"
        assert [outcome(reply) for reply in replies] == ["a", ActorUnavailable, ActorUnavailable]
        assert actor.began == ["a", "crash"]
        nursery.cancel_scope.cancel()


async def test_a_probe_can_be_asked_for(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """An operator need not wait for the park or the back-off to end; at other times there is nothing to hurry."""
    actor = Scripted(inbox)
    actor.fails_at_start = 3
    async with trio.open_nursery() as nursery:
        child = supervise(nursery, actor)
        assert not child.probe_now()
        await trio.sleep(1)
        assert child.statistics().state == "parked"
        assert child.probe_now()
        await trio.sleep(0.01)
        assert child.statistics().state == "probing"
        assert not child.probe_now()
        nursery.cancel_scope.cancel()


async def test_messages_wait_while_the_actor_backs_off(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """Callers see latency, not loss."""
    actor = Scripted(inbox)
    actor.fails_at_start = 2
    async with trio.open_nursery() as nursery:
        child = supervise(nursery, actor, policy=RestartPolicy(backoff_min_seconds=2.0, jitter=0.0))
        await trio.sleep(1)
        assert child.statistics().state == "backing_off"
        reply = tell(inbox, "a")
        await trio.sleep(2)
        assert outcome(reply) == "a"
        nursery.cancel_scope.cancel()


async def test_jitter_comes_from_the_random_that_was_passed_in(autojump_clock: MockClock) -> None:
    """The same seed gives the same starts, another seed gives others."""

    async def starts(seed: int) -> list[float]:
        inbox: Inbox[str] = Inbox(capacity=1)
        actor = Scripted(inbox)
        actor.fails_at_start = 4
        begin = trio.current_time()
        async with trio.open_nursery() as nursery:
            Supervisor(nursery, policy=RestartPolicy(), random=Random(seed)).start("x", actor.run, inbox)
            await trio.sleep(5)
            nursery.cancel_scope.cancel()
        return [round(at - begin, 6) for at in actor.starts]

    first = await starts(1)
    assert await starts(1) == first
    assert await starts(2) != first


async def test_an_escalation_ends_the_nursery(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """It raises ActorEscalated with the crash as its cause; every sibling is cancelled and every caller answered."""
    actor = Scripted(inbox)
    actor.fails_at_start = 9
    other: Inbox[str] = Inbox(capacity=9)
    ended: list[str] = []
    reply = tell(inbox, "a")
    with pytest.RaisesGroup(ActorEscalated) as caught:
        async with trio.open_nursery() as nursery:
            supervise(nursery, Scripted(other), on_end=lambda: ended.append("other"))
            policy = RestartPolicy(intensity=1, escalate=True)
            supervise(nursery, actor, name="store", policy=policy, on_end=lambda: ended.append("store"))
            sleeping = tell(other, "sleep")
    (error,) = caught.value.exceptions
    assert "store" in str(error)
    assert str(error.__cause__) == "at start"
    assert sorted(ended) == ["other", "store"]
    assert [outcome(reply), outcome(sleeping)] == [ActorStopped, ActorStopped]


async def test_a_child_may_bring_its_own_policy(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """It replaces the supervisor's."""
    actor = Scripted(inbox)
    actor.fails_at_start = 1
    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(nursery, policy=POLICY, random=Random(1))
        child = supervisor.start("x", actor.run, inbox, policy=RestartPolicy(intensity=0))
        await trio.sleep(1)
        assert child.statistics().state == "parked"
        nursery.cancel_scope.cancel()
