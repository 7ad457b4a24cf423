"""The inbox against a model of a few lines, over random histories."""

from __future__ import annotations

from typing import Literal

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from actors import ActorCrashed, ActorStopped, ActorUnavailable, AskTimeout, Inbox, InboxFull, Reply
from tests.actors.scripted import outcome

CAPACITY = 4

Step = tuple[
    Literal[
        "tell", "tell without reply", "abandon", "answer", "take", "settle", "recover", "suspend", "resume", "close"
    ],
    int,
]

STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["tell", "take"]), st.integers(1, 5)),
        st.tuples(st.sampled_from(["tell", "tell without reply", "abandon", "answer"]), st.integers(0, 30)),
        st.tuples(st.sampled_from(["settle", "recover"]), st.just(0)),
        st.tuples(st.sampled_from(["suspend", "resume", "resume"]), st.just(0)),
        st.tuples(st.just("close"), st.integers(0, 9)),
    ),
    max_size=60,
)


class Model:
    """What an inbox should do: lists of message numbers, and one outcome for each message that has a reply."""

    def __init__(self) -> None:
        self.waiting: list[int] = []
        self.in_hand: list[int] = []
        self.owed: list[int] = []
        self.attempts: dict[int, int] = {}
        self.outcomes: dict[int, object] = {}
        self.left: set[int] = set()
        self.shut: type[Exception] | None = None

    def answer(self, number: int, value: object) -> None:
        if self.outcomes.get(number) == "open":
            self.outcomes[number] = value

    def open(self, number: int) -> bool:
        return self.outcomes.get(number, "open") == "open"

    def tell(self, number: int, *, reply: bool) -> type[Exception] | None:
        if self.shut is not None or len(self.waiting) >= CAPACITY:
            return self.shut or InboxFull
        self.waiting.append(number)
        if reply:
            self.outcomes[number] = "open"
        return None

    def settle(self) -> None:
        self.owed += [n for n in self.in_hand if n in self.outcomes and self.open(n)]
        self.in_hand = []

    def take(self, limit: int) -> list[int]:
        self.settle()
        while self.waiting and len(self.in_hand) < limit:
            number = self.waiting[0]
            suspect = self.attempts.get(number, 0) > 0
            if suspect and self.in_hand:
                break
            self.waiting.pop(0)
            if number in self.left:
                self.answer(number, AskTimeout)
                continue
            self.in_hand.append(number)
            if suspect:
                break
        return list(self.in_hand)

    def recover(self) -> list[int]:
        suspects = [n for n in self.in_hand if self.open(n)]
        for number in suspects:
            self.attempts[number] = self.attempts.get(number, 0) + 1
        guilty = [n for n in suspects if self.attempts[n] == 2]
        for number in guilty + self.owed:
            self.answer(number, ActorCrashed)
        self.waiting[:0] = [n for n in suspects if n not in guilty]
        self.in_hand, self.owed = [], []
        return guilty

    def shut_with(self, error: type[Exception]) -> None:
        self.shut = error
        for number in self.waiting:
            self.answer(number, error)
        self.waiting = []
        if error is ActorStopped:
            for number in self.in_hand + self.owed:
                self.answer(number, error)
            self.in_hand, self.owed = [], []


class Pair:
    """An inbox and its model, stepped together."""

    def __init__(self) -> None:
        self.inbox: Inbox[int] = Inbox(capacity=CAPACITY)
        self.model = Model()
        self.replies: dict[int, Reply[object]] = {}
        self.told = 0

    async def step(self, kind: str, argument: int) -> None:
        model, inbox = self.model, self.inbox
        match kind:
            case "tell" | "tell without reply":
                self.tell(with_reply=kind == "tell")
            case "abandon" | "answer" if self.replies:
                self.touch(kind, argument % self.told)
            case "take":
                await self.take(argument)
            case "settle" if len(model.owed) + len(model.in_hand) <= CAPACITY:
                model.settle()
                inbox.settle()
            case "recover":
                assert [e.message for e in inbox.recover()] == model.recover()
            case "suspend" if model.shut is not ActorStopped:
                model.shut_with(ActorUnavailable)
                inbox.suspend(1)
            case "resume" if model.shut is not ActorStopped:
                model.shut = None
                inbox.resume()
            case "close" if argument == 0:
                model.shut_with(ActorStopped)
                inbox.close()

    def tell(self, *, with_reply: bool) -> None:
        number, self.told = self.told, self.told + 1
        reply: Reply[object] | None = Reply() if with_reply else None
        raised: type[Exception] | None = None
        try:
            self.inbox.tell(number, reply)
        except (InboxFull, ActorStopped, ActorUnavailable) as error:
            raised = type(error)
        assert raised == self.model.tell(number, reply=with_reply)
        if reply is not None and raised is None:
            self.replies[number] = reply

    def touch(self, kind: str, number: int) -> None:
        if number not in self.replies:
            return
        if kind == "answer":
            self.replies[number].set("answer")
            self.model.answer(number, "answer")
            return
        self.replies[number].abandon()
        if self.model.open(number):
            self.model.left.add(number)

    async def take(self, limit: int) -> None:
        if len(self.model.owed) + len(self.model.in_hand) > CAPACITY:
            return
        if self.model.shut is ActorStopped:
            self.model.settle()
            try:
                await self.inbox.take_within(limit, 0)
            except ActorStopped:
                return
            raise AssertionError("a take on a closed inbox must raise")
        expected = self.model.take(limit)
        assert [e.message for e in await self.inbox.take_within(limit, 0)] == expected

    def compare(self) -> None:
        model, inbox = self.model, self.inbox
        assert len(inbox) == len(model.waiting)
        assert {n: outcome(reply) for n, reply in self.replies.items()} == model.outcomes
        assert inbox.closed == (model.shut is ActorStopped)
        assert inbox.statistics().in_hand == sum(model.open(n) for n in model.in_hand)
        busy = model.waiting or [n for n in model.in_hand + model.owed if model.open(n)]
        assert inbox.idle == (not busy)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_an_inbox_behaves_like_its_model(steps: list[Step]) -> None:
    """Order, bounds, suspects, quarantine and each reply's outcome agree after every step of any history."""

    async def play() -> None:
        pair = Pair()
        for kind, argument in steps:
            await pair.step(kind, argument)
            pair.compare()
        pair.inbox.close()
        assert all(reply.done for reply in pair.replies.values())

    trio.run(play, clock=MockClock(autojump_threshold=0))
