"""Supervision: what a crash does, and what it does not do."""

from __future__ import annotations

import logging
from random import Random

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors import ActorCrashed, ActorStopped, Inbox, RestartPolicy, Supervisor
from tests.actors.scripted import POLICY, Planted, Scripted, outcome, supervise, tell


@pytest.fixture
def inbox() -> Inbox[str]:
    return Inbox(capacity=20)


async def test_queued_messages_survive_a_crash(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """They are answered by the next incarnation, in order; the guilty one is run twice and then answered."""
    actor = Scripted(inbox)
    replies = [tell(inbox, message) for message in ("a", "crash", "b", "c")]
    async with trio.open_nursery() as nursery:
        child = supervise(nursery, actor)
        await trio.sleep(1)
        assert [outcome(reply) for reply in replies] == ["a", ActorCrashed, "b", "c"]
        assert actor.began == ["a", "crash", "crash", "b", "c"]
        assert (child.state, child.restarts, child.quarantined) == ("running", 2, 1)
        nursery.cancel_scope.cancel()


async def test_in_a_batch_only_the_guilty_message_is_quarantined(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """Those that were in hand with it are run again, alone, and answered."""
    actor = Scripted(inbox, limit=10)
    inbox.tell("silent")
    replies = [tell(inbox, message) for message in ("a", "crash", "b")]
    async with trio.open_nursery() as nursery:
        supervise(nursery, actor)
        await trio.sleep(1)
        assert [outcome(reply) for reply in replies] == ["a", ActorCrashed, "b"]
        assert actor.began == ["silent", "a", "crash", "silent", "crash", "b"]
        nursery.cancel_scope.cancel()


async def test_the_first_restart_is_at_once_and_later_ones_back_off(
    autojump_clock: MockClock, inbox: Inbox[str]
) -> None:
    """The incarnations start at 0, 0, 0.05 and 0.15 seconds."""
    actor = Scripted(inbox)
    actor.fails_at_start = 3
    async with trio.open_nursery() as nursery:
        child = supervise(nursery, actor, policy=RestartPolicy(jitter=0.0))
        await trio.sleep(5)
        assert actor.starts == pytest.approx([0.0, 0.0, 0.05, 0.15])
        assert child.last_restart_seconds == pytest.approx(0.15)
        assert child.restarts == 3
        nursery.cancel_scope.cancel()


async def test_the_time_to_restart_runs_from_the_crash_to_the_next_take(
    autojump_clock: MockClock, inbox: Inbox[str]
) -> None:
    """It includes failed attempts in between, and starts anew with the next crash."""
    actor = Scripted(inbox)
    async with trio.open_nursery() as nursery:
        child = supervise(nursery, actor)
        await trio.sleep(5)
        assert child.last_restart_seconds is None
        for failures, expected in ((1, 0.05), (0, 0.0)):
            actor.fails_at_start = failures
            child.kill(Planted())
            await trio.sleep(40)
            assert child.last_restart_seconds == pytest.approx(expected)
        nursery.cancel_scope.cancel()


async def test_a_crash_at_start_charges_no_message(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """What was never taken is never suspected, however often the actor fails before its first take."""
    actor = Scripted(inbox)
    actor.fails_at_start = 2
    reply = tell(inbox, "a")
    async with trio.open_nursery() as nursery:
        child = supervise(nursery, actor)
        await trio.sleep(5)
        assert outcome(reply) == "a"
        assert child.quarantined == 0
        nursery.cancel_scope.cancel()


async def test_a_crash_does_not_disturb_the_siblings(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """While one actor crashes until it is parked, another in the same nursery answers without a pause or a restart."""
    other: Inbox[str] = Inbox(capacity=20)
    calm = Scripted(other)
    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(nursery, policy=POLICY, random=Random(1))
        wild = Scripted(inbox)
        wild.fails_at_start = 99
        bad = supervisor.start("bad", wild.run, inbox)
        good = supervisor.start("good", calm.run, other)
        for _ in range(20):
            reply = tell(other, "a")
            await trio.sleep(0.1)
            assert outcome(reply) == "a"
        assert (bad.state, good.state, good.restarts) == ("parked", "running", 0)
        assert calm.starts == [0.0]
        nursery.cancel_scope.cancel()


async def test_an_exception_group_is_a_crash_like_any(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """An actor may have a nursery of its own."""
    actor = Scripted(inbox)
    async with trio.open_nursery() as nursery:
        child = supervise(nursery, actor)
        tell(inbox, "group")
        reply = tell(inbox, "a")
        await trio.sleep(1)
        assert outcome(reply) == "a"
        assert child.restarts == 2
        nursery.cancel_scope.cancel()


async def test_quarantined_messages_are_handed_over(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """With the actor's name and the error; and a handler that fails itself does no harm."""
    seen: list[tuple[str, object, str]] = []

    def on_quarantine(name: str, message: object, error: BaseException) -> None:
        seen.append((name, message, str(error)))
        raise ZeroDivisionError

    actor = Scripted(inbox)
    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(nursery, policy=POLICY, random=Random(1), on_quarantine=on_quarantine)
        supervisor.start("x", actor.run, inbox)
        inbox.tell("crash")
        reply = tell(inbox, "a")
        await trio.sleep(1)
        assert seen == [("x", "crash", "as ordered")]
        assert outcome(reply) == "a"
        assert supervisor.statistics().quarantined == 1
        nursery.cancel_scope.cancel()


async def test_a_crash_is_logged_with_its_traceback_and_without_messages(
    autojump_clock: MockClock, inbox: Inbox[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Name, decision and traceback; of the quarantined message only its type."""
    actor = Scripted(inbox)
    async with trio.open_nursery() as nursery:
        with caplog.at_level(logging.INFO):
            child = supervise(nursery, actor, name="room-1")
            inbox.tell("crash")
            await trio.sleep(1)
        assert child.last_error == "Planted: as ordered"
        nursery.cancel_scope.cancel()
    crashes = [record for record in caplog.records if "event=crashed" in record.getMessage()]
    assert len(crashes) == 2
    assert all("actor=room-1" in record.getMessage() and record.exc_info is not None for record in crashes)
    assert any("event=quarantined message_type=str" in record.getMessage() for record in caplog.records)


async def test_an_actor_that_returns_is_gone(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """Its inbox is closed, those that wait learn it, on_end is called once, and the supervisor forgets it."""
    ended: list[bool] = []
    actor = Scripted(inbox)
    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(nursery, policy=POLICY, random=Random(1))
        child = supervisor.start("x", actor.run, inbox, on_end=lambda: ended.append(inbox.closed))
        replies = [tell(inbox, message) for message in ("return", "a")]
        await trio.sleep(1)
    assert [outcome(reply) for reply in replies] == [ActorStopped, ActorStopped]
    assert ended == [True]
    assert child.state == "stopped"
    assert supervisor.children() == []
    assert child.restarts == 0


async def test_an_actor_whose_inbox_is_closed_ends_quietly(
    autojump_clock: MockClock, inbox: Inbox[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Its take raises ActorStopped, which is no crash; nor is it one when it comes out of the actor's own nursery."""
    nested: Inbox[str] = Inbox(capacity=1)

    async def run_in_a_nursery() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Scripted(nested).run)

    async with trio.open_nursery() as nursery:
        children = [supervise(nursery, Scripted(inbox))]
        supervisor = Supervisor(nursery, policy=POLICY, random=Random(1))
        children.append(supervisor.start("nested", run_in_a_nursery, nested))
        await wait_all_tasks_blocked()
        inbox.close()
        nested.close()
    assert [child.state for child in children] == ["stopped", "stopped"]
    assert caplog.records == []


async def test_a_crash_after_the_end_is_logged_and_not_restarted(
    autojump_clock: MockClock, inbox: Inbox[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing could reach another incarnation."""
    starts: list[float] = []

    async def run() -> None:
        starts.append(trio.current_time())
        inbox.close()
        raise Planted("after close")

    async with trio.open_nursery() as nursery:
        Supervisor(nursery, policy=POLICY, random=Random(1)).start("x", run, inbox)
    assert starts == [0.0]
    assert ["event=crashed_after_close" in record.getMessage() for record in caplog.records] == [True]


async def test_an_on_end_that_fails_does_not_disturb_the_siblings(
    autojump_clock: MockClock, inbox: Inbox[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Its error is logged, not raised into the nursery."""

    def on_end() -> None:
        raise ZeroDivisionError

    other: Inbox[str] = Inbox(capacity=1)
    async with trio.open_nursery() as nursery:
        sibling = supervise(nursery, Scripted(other))
        child = supervise(nursery, Scripted(inbox), on_end=on_end)
        inbox.tell("return")
        await trio.sleep(1)
        assert (child.state, sibling.state) == ("stopped", "running")
        nursery.cancel_scope.cancel()
    assert any("event=on_end_failed" in record.getMessage() for record in caplog.records)


async def test_starting_in_a_nursery_that_has_ended_is_refused(inbox: Inbox[str]) -> None:
    """The caller learns it, and so does whoever waits in the inbox."""
    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(nursery, policy=POLICY, random=Random(1))
    reply = tell(inbox, "a")
    with pytest.raises(ActorStopped, match="supervisor has ended"):
        supervisor.start("late", Scripted(inbox).run, inbox)
    assert outcome(reply) is ActorStopped
    assert supervisor.children() == []


async def test_a_run_that_fails_before_its_first_await_is_a_crash(autojump_clock: MockClock, inbox: Inbox[str]) -> None:
    """Even if it is not an async function at all: the supervisor's loop is not blocked by it."""

    async def run() -> None:
        raise Planted("at once")

    async with trio.open_nursery() as nursery:
        child = Supervisor(nursery, policy=POLICY, random=Random(1)).start("x", run, inbox)
        await trio.sleep(1)
        assert child.state == "parked"
        nursery.cancel_scope.cancel()


async def test_statistics_tell_the_states_and_the_totals(autojump_clock: MockClock) -> None:
    """Of those that live, and the totals also of those that are gone."""
    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(nursery, policy=POLICY, random=Random(1))
        inboxes: dict[str, Inbox[str]] = {name: Inbox(capacity=9) for name in ("calm", "parked", "gone")}
        for name, inbox in inboxes.items():
            actor = Scripted(inbox)
            actor.fails_at_start = 9 if name == "parked" else 0
            supervisor.start(name, actor.run, inbox)
        for message in ("crash", "return"):
            inboxes["gone"].tell(message)
        await trio.sleep(1)
        seen = supervisor.statistics()
        assert (seen.children, seen.started, seen.states) == (2, 3, {"running": 1, "parked": 1})
        assert (seen.restarts, seen.quarantined) == (4, 1)
        assert seen.restart_p50_seconds == pytest.approx(0.0)
        assert seen.restart_p99_seconds == pytest.approx(0.05)
        assert [(child.name, child.state) for child in supervisor.children()] == [
            ("calm", "running"),
            ("parked", "parked"),
        ]
        nursery.cancel_scope.cancel()
