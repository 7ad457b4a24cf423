"""Senders and followers at work in some rooms, and the reckoning afterwards."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from msgspec import Struct

from tests.faults.api import Api, Person
from tests.faults.follower import Follower
from tests.faults.reading import Reading
from tests.faults.sender import Sender
from tests.faults.verdict import Verdict, judge

FINISH_SECONDS = 60.0
_LOOK_SECONDS = 0.02


class Cast(Struct, frozen=True):
    """How many take part, and how busy they are. Rates are messages a second and sender."""

    rooms: int
    senders: int
    followers: int
    rate: float
    window: int = 16
    padding: int = 0


class Conversation:
    """People in rooms; the first is the owner of all of them, and only reads history."""

    def __init__(self, api: Api, port: int, cast: Cast, *, seed: int) -> None:
        self.api = api
        people = api.people(1 + cast.senders + cast.followers)
        self.owner = people[0]
        self.rooms = [api.room(self.owner, *people[1:]) for _ in range(cast.rooms)]
        self.senders = [self._sender(port, cast, person, seed) for person in people[1 : 1 + cast.senders]]
        self.followers = [
            Follower(port, person.token, self.rooms, choice=random.Random(f"{seed} {person.username}"))
            for person in people[1 + cast.senders :]
        ]

    def _sender(self, port: int, cast: Cast, person: Person, seed: int) -> Sender:
        return Sender(
            port,
            person.token,
            self.rooms,
            tag=person.username,
            choice=random.Random(f"{seed} {person.username}"),
            rate=cast.rate,
            window=cast.window,
            padding=cast.padding,
        )

    @property
    def readings(self) -> list[Reading]:
        """Every follower's reading of every room."""
        return [reading for follower in self.followers for reading in follower.readings.values()]

    @property
    def closes(self) -> Counter[int]:
        """Close codes that anybody got."""
        codes = [sender.closes for sender in self.senders] + [follower.closes for follower in self.followers]
        return sum(codes, start=Counter[int]())

    @property
    def answers(self) -> Counter[str]:
        """Answers to posts, by their kind."""
        return sum((sender.answers for sender in self.senders), start=Counter[str]())

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Have everybody at work for the length of a block; at its end the senders finish what they have begun.

        Then wait until every follower has what history holds, or for as long as that may take.
        """
        with trio.fail_after(600):
            async with trio.open_nursery() as following:
                for follower in self.followers:
                    with trio.fail_after(FINISH_SECONDS):
                        await following.start(follower.run)
                async with trio.open_nursery() as sending:
                    for sender in self.senders:
                        sending.start_soon(sender.run)
                    yield
                    sending.cancel_scope.deadline = trio.current_time() + FINISH_SECONDS
                    for sender in self.senders:
                        sender.stop()
                with trio.move_on_after(FINISH_SECONDS):
                    await self._all_caught_up()
                following.cancel_scope.cancel()

    async def _all_caught_up(self) -> None:
        page = {room: await self.api.acall(self.owner, "GET", f"/rooms/{room}") for room in self.rooms}
        while any(reading.last < page[reading.room]["head_seq"] for reading in self.readings):  # noqa: ASYNC110
            await trio.sleep(_LOOK_SECONDS)

    def verdict(self) -> Verdict:
        """Compare everybody's account with history, and print the sums."""
        histories = {room: self.api.history(self.owner, room) for room in self.rooms}
        verdict = judge(histories, self.senders, self.readings)
        left = sum(len(sender.pending) for sender in self.senders)
        print(f"  {verdict.table()} left={left}")
        print(f"  answers={dict(self.answers)} closes={dict(self.closes)}")
        assert not left, f"{left} posts never got an answer that counts"
        return verdict
