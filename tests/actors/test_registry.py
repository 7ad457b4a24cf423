"""The registry: one activation for each key, and passivation that loses nothing."""

from __future__ import annotations

from random import Random

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from actors import Inbox, Registry, RegistryFull, Reply, Supervisor
from tests.actors.scripted import POLICY, Planted


class Sleepers:
    """Keyed actors that answer with a running count, passivate after one idle second, and say when two overlap."""

    def __init__(self, nursery: trio.Nursery, *, capacity: int = 10) -> None:
        self.supervisor = Supervisor(nursery, policy=POLICY, random=Random(1))
        self.registry: Registry[str, Inbox[str]] = Registry(self.spawn, capacity=capacity)
        self.counts: dict[str, int] = {}
        self.running: set[str] = set()
        self.overlaps = 0

    def spawn(self, key: str) -> Inbox[str]:
        inbox: Inbox[str] = Inbox(capacity=10)

        async def run() -> None:
            await self.run(key, inbox)

        self.supervisor.start(key, run, inbox, on_end=lambda: self.registry.forget(key, inbox))
        return inbox

    async def run(self, key: str, inbox: Inbox[str]) -> None:
        self.overlaps += key in self.running
        self.running.add(key)
        try:
            while True:
                batch = await inbox.take_within(5, 1)
                if not batch and self.registry.passivate(key, inbox):
                    return
                for envelope in batch:
                    self.answer(key, envelope.message, envelope.reply)
        finally:
            self.running.discard(key)

    def answer(self, key: str, message: str, reply: Reply[object] | None) -> None:
        if message == "crash":
            raise Planted
        self.counts[key] = self.counts.get(key, 0) + 1
        if reply is not None:
            reply.set(self.counts[key])

    async def ask(self, key: str, message: str = "count") -> int:
        reply: Reply[int] = Reply()
        return await self.registry.activate(key).ask(message, reply, deadline_seconds=60)


async def test_an_actor_is_started_when_first_needed_and_found_after_that(autojump_clock: MockClock) -> None:
    """find does not start; activate starts once."""
    async with trio.open_nursery() as nursery:
        sleepers = Sleepers(nursery)
        assert sleepers.registry.find("a") is None
        inbox = sleepers.registry.activate("a")
        assert sleepers.registry.activate("a") is inbox
        assert sleepers.registry.find("a") is inbox
        assert dict(sleepers.registry.items()) == {"a": inbox}
        assert await sleepers.ask("a") == 1
        nursery.cancel_scope.cancel()


async def test_an_idle_actor_passivates_and_is_started_again_when_needed(autojump_clock: MockClock) -> None:
    """Nobody who asks can tell the difference."""
    async with trio.open_nursery() as nursery:
        sleepers = Sleepers(nursery)
        assert await sleepers.ask("a") == 1
        await trio.sleep(5)
        assert len(sleepers.registry) == 0
        assert sleepers.supervisor.children() == []
        assert await sleepers.ask("a") == 2
        seen = sleepers.registry.statistics()
        assert (seen.active, seen.capacity, seen.activated, seen.passivated, seen.refused) == (1, 10, 2, 1, 0)


async def test_a_full_registry_refuses_until_one_passivates(autojump_clock: MockClock) -> None:
    """Those that are active are found all the same."""
    async with trio.open_nursery() as nursery:
        sleepers = Sleepers(nursery, capacity=2)
        for key in "ab":
            sleepers.registry.activate(key)
        with pytest.raises(RegistryFull):
            sleepers.registry.activate("c")
        assert await sleepers.ask("a") == 1
        assert sleepers.registry.statistics().refused == 1
        await trio.sleep(5)
        assert await sleepers.ask("c") == 1


async def test_a_tell_just_before_passivation_keeps_the_actor(autojump_clock: MockClock) -> None:
    """The actor that asks to go is told that it has something to do."""
    async with trio.open_nursery() as nursery:
        sleepers = Sleepers(nursery)
        inbox = sleepers.registry.activate("a")
        inbox.tell("count")
        assert not sleepers.registry.passivate("a", inbox)
        assert sleepers.registry.find("a") is inbox
        assert not inbox.closed
        await wait_all_tasks_blocked()
        assert sleepers.registry.passivate("a", inbox)


async def test_an_unanswered_message_keeps_the_actor() -> None:
    """In hand or put off: an actor that owes an answer is not idle."""
    registry: Registry[str, Inbox[str]] = Registry(lambda _: Inbox(capacity=5), capacity=1)
    inbox = registry.activate("a")
    reply: Reply[object] = Reply()
    inbox.tell("x", reply)
    await inbox.take(1)
    assert not registry.passivate("a", inbox)
    inbox.settle()
    assert not registry.passivate("a", inbox)
    reply.set(1)
    assert registry.passivate("a", inbox)


async def test_a_tell_just_after_passivation_starts_a_successor(autojump_clock: MockClock) -> None:
    """Passivation unregisters and closes in one step: the key is free before anybody else runs."""
    async with trio.open_nursery() as nursery:
        sleepers = Sleepers(nursery)
        first = sleepers.registry.activate("a")
        await wait_all_tasks_blocked()
        assert sleepers.registry.passivate("a", first)
        assert first.closed
        second = sleepers.registry.activate("a")
        assert second is not first
        await wait_all_tasks_blocked()
        assert sleepers.registry.find("a") is second, "the end of the first must not unregister the second"
        assert await sleepers.ask("a") == 1


def test_an_actor_stopped_from_elsewhere_does_not_unregister_its_successor() -> None:
    """It is told to return, and what is registered stays."""
    registry: Registry[str, Inbox[str]] = Registry(lambda _: Inbox(capacity=1, now=lambda: 0.0), capacity=1)
    first = registry.activate("a")
    first.close()
    registry.forget("a", first)
    second = registry.activate("a")
    assert registry.passivate("a", first)
    assert registry.find("a") is second
    registry.forget("a", first)
    assert registry.find("a") is second


def test_a_spawn_that_fails_registers_nothing() -> None:
    """The caller gets its error, and the next one tries anew."""
    failures = [Planted("once")]

    def spawn(_: str) -> str:
        if failures:
            raise failures.pop()
        return "actor"

    registry = Registry(spawn, capacity=1)
    with pytest.raises(Planted):
        registry.activate("a")
    assert len(registry) == 0
    assert registry.activate("a") == "actor"


def test_a_registry_needs_a_place() -> None:
    """Capacity zero is a mistake."""
    with pytest.raises(ValueError, match="capacity"):
        Registry(lambda key: key, capacity=0)


async def test_a_dead_actor_is_never_left_registered(autojump_clock: MockClock) -> None:
    """Stopped or cancelled: the key is free; only crashed: it is not, since its inbox lives on."""
    async with trio.open_nursery() as nursery:
        sleepers = Sleepers(nursery)
        inbox = sleepers.registry.activate("a")
        inbox.tell("crash")
        await trio.sleep(0.5)
        assert sleepers.registry.find("a") is inbox
        nursery.cancel_scope.cancel()
    assert len(sleepers.registry) == 0


CALLS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([0.0, 0.3, 1.0, 1.0, 2.0])), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(CALLS, min_size=1, max_size=3))
def test_no_call_is_lost_between_passivation_and_activation(callers: list[list[tuple[str, float]]]) -> None:
    """Callers that ask at the very moments at which actors go idle all get their answers, each count once."""

    async def play() -> None:
        answers: dict[str, list[int]] = {"a": [], "b": []}
        async with trio.open_nursery() as actors:
            sleepers = Sleepers(actors)

            async def call(plan: list[tuple[str, float]]) -> None:
                for key, pause in plan:
                    await trio.sleep(pause)
                    answers[key].append(await sleepers.ask(key))

            async with trio.open_nursery() as nursery:
                for plan in callers:
                    nursery.start_soon(call, plan)
        for key, counts in answers.items():
            assert sorted(counts) == list(range(1, len(counts) + 1)), key
        assert sleepers.overlaps == 0
        assert len(sleepers.registry) == 0

    trio.run(play, clock=MockClock(autojump_threshold=0))
