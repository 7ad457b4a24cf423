"""The runtime's first promise: whatever happens to an actor, nobody who asked is left without an answer."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from actors import (
    ActorStopped,
    ActorUnavailable,
    Child,
    Inbox,
    InboxFull,
    Reply,
    RestartPolicy,
    Supervisor,
)
from tests.actors.scripted import Planted, Scripted, outcome, tell

TELLS = ["a", "a", "a", "crash", "group", "sleep", "put off"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), st.sampled_from(TELLS)),
        st.tuples(st.just("tell"), st.sampled_from(TELLS)),
        st.tuples(st.sampled_from(["kill", "abandon", "answer", "settle", "probe", "fail at start"]), st.just("")),
        st.tuples(st.just("pass"), st.sampled_from(["0", "0.05", "0.5", "3", "40"])),
        st.tuples(st.just("end"), st.sampled_from(["return", "stop", "close", "cancel", "", "", "", ""])),
    ),
    max_size=40,
)
POLICY = RestartPolicy(intensity=2, jitter=0.5)


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    """Thousands of planted crashes: formatting their tracebacks would take most of the time."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


class Play:
    """One supervised actor, the steps done to it, and every reply that was ever asked for."""

    def __init__(self, nursery: trio.Nursery, limit: int) -> None:
        self.nursery = nursery
        self.inbox: Inbox[str] = Inbox(capacity=6)
        self.actor = Scripted(self.inbox, limit=limit)
        self.replies: list[Reply[object]] = []
        self.called_back: Counter[int] = Counter()
        self.ends = 0
        supervisor = Supervisor(nursery, policy=POLICY, random=Random(1))
        self.child: Child = supervisor.start("x", self.actor.run, self.inbox, on_end=self.end)

    def end(self) -> None:
        self.ends += 1

    async def step(self, kind: str, argument: str) -> None:
        match kind:
            case "tell":
                self.tell(argument)
            case "kill":
                self.child.kill(Planted("killed"))
            case "abandon" if self.replies:
                self.replies[-1].abandon()
            case "answer" if self.actor.put_off:
                self.actor.put_off.pop().set("late")
            case "probe":
                self.child.probe_now()
            case "fail at start":
                self.actor.fails_at_start += 1
            case "pass" if argument == "0":
                await wait_all_tasks_blocked()
            case "pass":
                await trio.sleep(float(argument))
            case "end":
                self.order_end(argument)

    def tell(self, message: str) -> None:
        number = len(self.replies)
        reply: Reply[object] = Reply(lambda _: self.called_back.update([number]))
        try:
            self.inbox.tell(message, reply)
        except (InboxFull, ActorStopped, ActorUnavailable):
            return
        self.replies.append(reply)

    def order_end(self, how: str) -> None:
        match how:
            case "return":
                self.tell("return")
            case "stop":
                self.child.stop()
            case "close":
                self.inbox.close()
            case "cancel":
                self.nursery.cancel_scope.cancel()
            case _:
                pass


@settings(max_examples=100, deadline=None)
@given(steps=STEPS, limit=st.integers(1, 4))
def test_every_reply_is_done_after_any_history(steps: list[tuple[str, str]], limit: int) -> None:
    """Tells, crashes, kills, parks, probes, put-off answers and ends in any order, and a stop or a cancellation.

    Every reply is done, every callback came exactly once unless its caller had left, and the actor ended exactly once.
    """
    plays: list[Play] = []

    async def main() -> None:
        # Cancelling the nursery is one of the steps, so what follows may not need it.
        async with trio.open_nursery() as nursery:
            play = Play(nursery, limit)
            plays.append(play)
            for kind, argument in steps:
                await play.step(kind, argument)
            play.child.stop()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    (play,) = plays
    assert all(reply.done for reply in play.replies), [outcome(reply) for reply in play.replies]
    for number, reply in enumerate(play.replies):
        assert play.called_back[number] == (0 if reply.abandoned else 1)
    assert (play.ends, play.actor.running, play.child.state) == (1, 0, "stopped")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["a", "crash", "sleep"]), max_size=12), st.integers(1, 5))
def test_no_message_is_begun_more_than_twice(messages: list[str], limit: int) -> None:
    """And each that does not crash the actor is answered with its own answer, whatever was in hand beside it."""

    async def main() -> None:
        inbox: Inbox[str] = Inbox(capacity=20)
        actor = Scripted(inbox, limit=limit)
        replies = [tell(inbox, message) for message in messages]
        async with trio.open_nursery() as nursery:
            patient = RestartPolicy(intensity=1000)
            supervisor = Supervisor(nursery, policy=patient, random=Random(1))
            supervisor.start("x", actor.run, inbox)
            await trio.sleep(1000)
            nursery.cancel_scope.cancel()
        for message, reply in zip(messages, replies, strict=True):
            assert (outcome(reply) == message) == (message != "crash")
        begun, told = Counter(actor.began), Counter(messages)
        # Once is enough if it was in hand, not begun, when another crashed the batch.
        assert told["crash"] <= begun["crash"] <= 2 * told["crash"]
        assert begun["a"] == told["a"]
        assert begun["sleep"] == told["sleep"]

    trio.run(main, clock=MockClock(autojump_threshold=0))
