"""Load: a crowd of speakers in a few rooms of one server, and what to do with it before, during and after a fault.

The crowd outlives the server: it is there before the kill, comes back after the restart, and in the end waits for every
answer and every event before its logs are judged.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from signal import SIGKILL
from typing import TypeVar

from msgspec import Struct

from tests.faults.api import Api, Person, api_of
from tests.faults.checker import ANSWER_SECONDS, Answered, ClientLog, Item, Report, check
from tests.faults.dying_server import give_order
from tests.faults.speaker import Speaker, item_of
from tests.support.server import ServerProcess

T = TypeVar("T")

PATIENCE_SECONDS = 30.0
"""How long anything may take that must happen at all, on a busy machine."""
_MOMENT_SECONDS = 0.01
_FILLING = "the quick brown fox jumps over the lazy dog " * 20


class Cast(Struct, frozen=True):
    """Who is there, and in which rooms: everybody in every room."""

    people: list[Person]
    rooms: list[str]


def cast(api: Api, *, people: int, rooms: int) -> Cast:
    """Register people and put them all into new rooms."""
    everybody = api.people(people)
    return Cast(everybody, [api.room(everybody[0], *everybody[1:]) for _ in range(rooms)])


def drain(api: Api, cast: Cast) -> list[Item]:
    """Read the whole history of every room by REST."""
    return [item_of(event) for room in cast.rooms for event in api.history(cast.people[0], room)]


class Crowd:
    """Speakers at work. Made by `gather`; all of them live on the event loop of the caller."""

    def __init__(self, server: ServerProcess, cast: Cast, *, seed: int, others: Sequence[ServerProcess] = ()) -> None:
        """Take `others` that have the same data: the speakers are shared out among all of them."""
        self.cast = cast
        self.kills: list[float] = []
        self.landed = 0
        """How many of the kills cut off an answer that somebody waited for."""
        self.server = server
        self._choice = random.Random(seed)
        self._changed = asyncio.Event()
        self._hushed = False
        self._chatting: list[asyncio.Task[None]] = []
        self._ids = itertools.count(1)
        servers = itertools.cycle((server, *others))
        self.speakers = [Speaker(next(servers), person, heard=self._changed.set) for person in cast.people]

    @property
    def acks(self) -> int:
        """How many acks came in, repeated ones included."""
        return sum(speaker.acks for speaker in self.speakers)

    def acks_in(self, room: str) -> int:
        """Count those of one room."""
        return sum(speaker.acked[room] for speaker in self.speakers)

    @property
    def answers(self) -> Counter[str]:
        """Answers to posts, by their code; empty for acks."""
        return Counter(answer.code for speaker in self.speakers for answer in speaker.log.of(Answered))

    @property
    def slowest_seconds(self) -> float:
        """The longest that an answer took."""
        return max(speaker.slowest_seconds for speaker in self.speakers)

    async def until(self, happened: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> bool:
        """Wait until this is so; False if it took too long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not happened():
                    self._changed.clear()
                    await self._changed.wait()
        return happened()

    async def chat(self, *, window: int, cuts: float = 0.0) -> None:
        """Begin to talk: each speaker keeps `window` posts unanswered and now and then loses its connection."""
        self._hushed = False
        for speaker in self.speakers:
            choice = random.Random(self._choice.getrandbits(64))
            talk = (self._chat(speaker, choice, cuts=cuts) for _ in range(window))
            self._chatting += [asyncio.create_task(each) for each in talk]

    async def _chat(self, speaker: Speaker, choice: random.Random, *, cuts: float) -> None:
        while not self._hushed:
            number = next(self._ids)
            body = f"{number} {_FILLING[: choice.randrange(len(_FILLING))]}"
            answer = speaker.post(choice.choice(self.cast.rooms), body, client_msg_id=f"c{number}")
            if choice.random() < cuts:
                # After a turn of the loop, so that the post may be on its way.
                await asyncio.sleep(choice.random() * 0.005)
                speaker.cut()
            await answer
            # Else the crowd falls into step with the server's commits.
            await asyncio.sleep(choice.random() * _MOMENT_SECONDS)

    async def hush(self) -> bool:
        """Stop talking and wait for every answer; False if one stays out."""
        self._hushed = True
        answered = await self.until(lambda: all(speaker.idle for speaker in self.speakers))
        for task in self._chatting:
            task.cancel()
        await asyncio.gather(*self._chatting, return_exceptions=True)
        self._chatting.clear()
        return answered

    async def kill(self) -> None:
        """End the server as a power cut would, a random moment from now."""
        await asyncio.sleep(self._choice.random() * _MOMENT_SECONDS)
        killed_at = time.monotonic()
        self.server.send_signal(SIGKILL)
        await asyncio.to_thread(self.server.wait)
        await self._all_cut_off()
        self._count_kill(killed_at)

    async def die_at(self, folder: Path, point: str) -> None:
        """Have a `dying_server` with its data in `folder` kill itself as soon as a room reaches this fault point."""
        ordered_at = time.monotonic()
        give_order(folder, point)
        code = await asyncio.to_thread(self.server.wait, PATIENCE_SECONDS)
        assert code == -SIGKILL, f"it ended by itself, with {code}"
        await self._all_cut_off()
        # Nobody knows when it died, but it was before the first connection broke.
        broken = [speaker.broken_at for speaker in self.speakers if speaker.broken_at > ordered_at]
        self._count_kill(min(broken, default=ordered_at))

    async def _all_cut_off(self) -> None:
        assert await self.until(lambda: not any(speaker.connected for speaker in self.speakers))

    def _count_kill(self, killed_at: float) -> None:
        self.kills.append(killed_at)
        self.landed += any(speaker.cut_off_by(killed_at) for speaker in self.speakers)

    async def restart(self) -> tuple[float, float]:
        """Start the server again and wait for the first ack: seconds to it from the start, and from the address."""
        began = time.monotonic()
        await asyncio.to_thread(self.server.start)
        listening = time.monotonic()
        await self.until(lambda: self._first_ack(began) is not None)
        first = self._first_ack(began)
        assert first is not None, f"no ack after the restart:\n{self.server.log[-4000:]}"
        return first - began, first - listening

    def _first_ack(self, after: float) -> float | None:
        acks = [s.first_ack_at for s in self.speakers if s.opened_at > after and s.first_ack_at is not None]
        return min(acks, default=None)

    async def judge(self, *extra: ClientLog, drained: bool = True, answer_seconds: float = ANSWER_SECONDS) -> Report:
        """Let everybody see everything, read the history, and compare. Nobody may be talking any more.

        Without `drained` nobody is expected to have seen the end.
        """
        with api_of(self.server) as api:
            history = await asyncio.to_thread(drain, api, self.cast)
        heads = {room: max(item.seq for item in history if item.room == room) for room in self.cast.rooms}
        if drained:
            await self.until(lambda: all(_at_the_end(speaker, heads) for speaker in self.speakers))
        for speaker in self.speakers:
            speaker.log.drained = drained
        logs = [*(speaker.log for speaker in self.speakers), *extra]
        return check(logs, history, kills=self.kills, answer_seconds=answer_seconds)

    def surprises(self) -> list[str]:
        """Give the frames that nobody expected."""
        return [surprise for speaker in self.speakers for surprise in speaker.surprises]


def _at_the_end(speaker: Speaker, heads: dict[str, int]) -> bool:
    # The last event of a resume is not its end: the frame that says so follows, and is what counts the resume.
    return speaker.caught_up and all(speaker.seen.get(room, 0) >= head for room, head in heads.items())


@asynccontextmanager
async def gather(
    server: ServerProcess, cast: Cast, *, seed: int, others: Sequence[ServerProcess] = ()
) -> AsyncIterator[Crowd]:
    """Bring the crowd in and, whatever happens, let all of them leave."""
    crowd = Crowd(server, cast, seed=seed, others=others)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(speaker.run()) for speaker in crowd.speakers]
        try:
            joined = await crowd.until(lambda: all(len(s.seen) == len(cast.rooms) for s in crowd.speakers))
            assert joined, f"not everybody could join:\n{server.log[-4000:]}"
            yield crowd
        finally:
            for task in crowd._chatting:
                task.cancel()
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await asyncio.gather(*(speaker.leave() for speaker in crowd.speakers), return_exceptions=True)
            for task in running:
                task.cancel()


def on_asyncio(main: Coroutine[object, object, T]) -> T:
    """Run this on a plain asyncio loop, and give what it returns.

    `asyncio.run` would run it on Trio once anything has imported the storage, whose bridge puts its own loop in place.
    """
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(main)


def p95(seconds: Sequence[float]) -> float:
    """Give the value that 95 of 100 do not exceed."""
    return sorted(seconds)[max(0, -(-95 * len(seconds) // 100) - 1)]
