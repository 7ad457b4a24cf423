"""Kills under load: a crowd talks, and the server dies when so many acks have come in, and starts again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from tests.faults.checker import Report
from tests.faults.load import PATIENCE_SECONDS, Cast, Crowd, gather, p95
from tests.support.server import ServerProcess


class Course(Struct, frozen=True):
    """How long a run is: kills that cut off an answer, acks, and how many acks lie between two kills."""

    kills: int
    acks: int
    between: tuple[int, int]
    people: int
    rooms: int
    window: int = 4


class Outcome(Struct):
    """What a run brought."""

    report: Report
    surprises: list[str]
    first_acks: list[tuple[float, float]]
    hushed: bool

    def show(self, name: str, seconds: float) -> None:
        """Print the figures."""
        print(f"{name}: {self.report}")
        from_start, from_address = zip(*self.first_acks, strict=True)
        print(
            f"{name}: kills={len(self.first_acks)} seconds={seconds:.1f} first ack after restart: "
            f"p95={p95(from_start):.2f}s from the start of the process, p95={p95(from_address):.2f}s from its address"
        )


async def kill_under_load(server: ServerProcess, cast: Cast, course: Course, *, seed: int) -> Outcome:
    """Kill while the crowd talks, until there were enough kills that cut off an answer, and enough acks."""
    choice = random.Random(seed)
    first_acks: list[tuple[float, float]] = []
    async with gather(server, cast, seed=seed) as crowd:
        await crowd.chat(window=course.window, cuts=0.002)
        while crowd.landed < course.kills or crowd.acks < course.acks:
            await acks_more(crowd, choice.randint(*course.between))
            await crowd.kill()
            first_acks.append(await crowd.restart())
        hushed = await crowd.hush()
        return Outcome(await crowd.judge(), crowd.surprises(), first_acks, hushed)


async def die_at(server: ServerProcess, cast: Cast, folder: Path, points: Sequence[str], *, seed: int) -> Outcome:
    """Have the server die at each of these points while the crowd talks."""
    first_acks: list[tuple[float, float]] = []
    async with gather(server, cast, seed=seed) as crowd:
        await crowd.chat(window=4)
        for point in points:
            await acks_more(crowd, 40)
            await crowd.die_at(folder, point)
            first_acks.append(await crowd.restart())
        hushed = await crowd.hush()
        return Outcome(await crowd.judge(), crowd.surprises(), first_acks, hushed)


async def acks_more(crowd: Crowd, count: int) -> None:
    """Wait for so many more acks."""
    goal = crowd.acks + count
    assert await crowd.until(lambda: crowd.acks >= goal, seconds=2 * PATIENCE_SECONDS), "the crowd fell silent"


async def acks_everywhere(crowd: Crowd, count: int) -> list[str]:
    """Wait until every room has taken so many more posts; give the rooms that do not."""
    goals = {room: crowd.acks_in(room) + count for room in crowd.cast.rooms}
    await crowd.until(lambda: all(crowd.acks_in(room) >= goal for room, goal in goals.items()))
    return [room for room, goal in goals.items() if crowd.acks_in(room) < goal]
