"""The server is killed in the middle of its work, again and again, and keeps every promise it gave.

A real process on a SQLite file, a crowd that talks over real sockets, `kill -9` at a moment that depends on how many
acks came in, and the same port again. `make soak` runs the full length.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec import Struct

from tests.faults.api import api_of
from tests.faults.checker import Report
from tests.faults.load import PATIENCE_SECONDS, Cast, Crowd, cast, gather, p95
from tests.faults.seeds import seed_of
from tests.support.server import ServerProcess, running_server

pytestmark = pytest.mark.real_clock


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
    goal = crowd.acks + count
    assert await crowd.until(lambda: crowd.acks >= goal, seconds=2 * PATIENCE_SECONDS), "the crowd fell silent"


def run(folder: Path, course: Course, name: str) -> Outcome:
    seed = seed_of(name)
    began = time.monotonic()
    with running_server(folder, profile="loadtest", log_level="warning") as server:
        with api_of(server) as api:
            everybody = cast(api, people=course.people, rooms=course.rooms)
        outcome = asyncio.run(kill_under_load(server, everybody, course, seed=seed))
    outcome.show(name, time.monotonic() - began)
    return outcome


def test_killed_under_load_it_loses_repeats_and_misorders_nothing(tmp_path: Path) -> None:
    """Six kills: every figure of the checker is zero, and the kills hit posts in flight."""
    outcome = run(tmp_path, Course(kills=6, acks=300, between=(40, 160), people=8, rooms=4), "kill")
    assert outcome.report.violations == {}
    assert outcome.surprises == []
    assert outcome.hushed
    assert outcome.report.kills_in_flight >= 6
    assert outcome.report.acks >= 300
    assert outcome.report.resumes >= 8 * 4


def test_killed_between_deciding_and_answering_it_keeps_what_it_wrote_and_says_so_later(tmp_path: Path) -> None:
    """A kill before the commit, between commit and fan-out, and between fan-out and ack; the outcome is never guessed.

    What was committed and not acked is found by the repeat; what nobody was told of is simply sent again.
    """
    seed = seed_of("placed kills")
    began = time.monotonic()
    points = ("before_commit", "after_commit", "after_fan_out")
    with running_server(tmp_path, module="tests.faults.dying_server", profile="loadtest") as server:
        with api_of(server) as api:
            everybody = cast(api, people=4, rooms=2)
        outcome = asyncio.run(die_at(server, everybody, tmp_path, points, seed=seed))
    outcome.show("placed kills", time.monotonic() - began)
    assert outcome.report.violations == {}
    assert outcome.surprises == []
    assert outcome.hushed
    assert outcome.report.kills_in_flight == len(points)
    assert outcome.report.recovered >= 2


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_hundred_kills_and_ten_thousand_acks_leave_no_trace(tmp_path: Path) -> None:
    """The full length: 20 senders in 10 rooms; it also finds posts whose ack was cut off, and is quickly back."""
    outcome = run(tmp_path, Course(kills=100, acks=10_000, between=(20, 220), people=20, rooms=10), "kill soak")
    assert outcome.report.violations == {}
    assert outcome.surprises == []
    assert outcome.hushed
    assert outcome.report.kills_in_flight >= 100
    assert outcome.report.acks >= 10_000
    assert outcome.report.recovered > 0
    assert p95([from_address for _, from_address in outcome.first_acks]) < 2.0
