"""A disk that is full, and a database file that somebody else has locked, under a server that is at work on SQLite.

Whoever posts is told that nothing was stored, or gets an ack that is true; when the fault has gone, all is as before.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest
from msgspec import Struct

from tests.faults.api import api_of
from tests.faults.checker import Report
from tests.faults.killing import acks_everywhere, acks_more
from tests.faults.load import Cast, Crowd, cast, gather, on_asyncio
from tests.faults.seeds import seed_of
from tests.support.backends import REQUIRE_ALL
from tests.support.server import ServerProcess, running_server

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

DISK_MIB = 32
ASK_SECONDS = 2.0
# What an answer may be late by: nothing to speak of on a quiet machine; elsewhere that there is one is what counts.
SHORT_SLACK_SECONDS, FULL_SLACK_SECONDS = 20.0, 2.0
SETTINGS: dict[str, object] = {
    "profile": "loadtest",
    "log_level": "warning",
    "storage_deadline_seconds": 1.0,
    "ask_seconds": ASK_SECONDS,
    "probe_seconds": 0.5,
}
REFUSED = "storage_unavailable"
EXPECTED = {"", REFUSED, "room_unavailable"}
Fault = Callable[[Path], AbstractContextManager[None]]


class Course(Struct, frozen=True):
    """How long a run is: how often the fault comes, and how many posts are refused each time before it goes."""

    faults: int
    refused: int
    people: int
    rooms: int
    slack_seconds: float


SHORT = Course(faults=2, refused=6, people=4, rooms=2, slack_seconds=SHORT_SLACK_SECONDS)
FULL = Course(faults=12, refused=20, people=8, rooms=4, slack_seconds=FULL_SLACK_SECONDS)


class Outcome(Struct):
    """What a run brought."""

    report: Report
    answers: Counter[str]
    slowest_seconds: float
    surprises: list[str]
    silent: Sequence[str]
    hushed: bool

    def show(self, name: str, seconds: float) -> None:
        """Print the figures."""
        print(f"{name}: {self.report}")
        print(f"  answers={dict(self.answers)} slowest_s={self.slowest_seconds:.2f} seconds={seconds:.1f}")


@contextmanager
def full_disk(database: Path) -> Iterator[None]:
    """Fill the disk that a database lies on to the last byte."""
    filling = database.parent / "filling"
    with filling.open("wb", buffering=0) as file:
        for size in (65_536, 4096, 1):
            _fill(file.fileno(), size)
        try:
            yield
        finally:
            filling.unlink()


def _fill(file: int, size: int) -> None:
    piece = b"x" * size
    while True:
        try:
            os.write(file, piece)
        except OSError:
            return


@contextmanager
def locked_file(database: Path) -> Iterator[None]:
    """Be another program that writes to a database, and does not come to an end."""
    with closing(sqlite3.connect(database, timeout=30.0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a small disk in RAM, which takes the rights to do so."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ("mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder))
    mounted = subprocess.run(mounting, check=False, capture_output=True, text=True)
    if mounted.returncode != 0:
        assert os.environ.get(REQUIRE_ALL) != "1", mounted.stderr
        pytest.skip(f"no disk of our own to fill, which takes root: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(("umount", "--lazy", str(folder)), check=True)


async def _refused(crowd: Crowd, count: int) -> None:
    """Wait until so many more posts were refused."""
    goal = crowd.answers[REFUSED] + count
    assert await crowd.until(lambda: crowd.answers[REFUSED] >= goal), "nobody noticed"


async def go_through(
    server: ServerProcess, cast: Cast, course: Course, database: Path, fault: Fault, seed: int
) -> Outcome:
    """Have the fault come and go while the crowd talks."""
    silent: list[str] = []
    async with gather(server, cast, seed=seed) as crowd:
        await crowd.chat(window=3)
        for _ in range(course.faults):
            await acks_more(crowd, 30)
            with fault(database):
                await _refused(crowd, course.refused)
            silent += await acks_everywhere(crowd, 2)
        hushed = await crowd.hush()
        report = await crowd.judge(answer_seconds=ASK_SECONDS + course.slack_seconds)
        return Outcome(report, crowd.answers, crowd.slowest_seconds, crowd.surprises(), silent, hushed)


def run(folder: Path, database: Path, name: str, fault: Fault, course: Course) -> None:
    seed = seed_of(name)
    place = {"database": f"sqlite:///{database}"}
    with running_server(folder, module="justchat", **SETTINGS, **place) as server:
        with api_of(server) as api:
            everybody = cast(api, people=course.people, rooms=course.rooms)
        began = time.monotonic()
        outcome = on_asyncio(go_through(server, everybody, course, database, fault, seed))
    outcome.show(name, time.monotonic() - began)
    assert outcome.report.violations == {}
    assert outcome.surprises == []
    assert outcome.silent == []
    assert outcome.hushed
    assert set(outcome.answers) <= EXPECTED
    assert outcome.answers[REFUSED] >= course.faults * course.refused
    assert outcome.slowest_seconds <= ASK_SECONDS + course.slack_seconds


COURSES = [
    pytest.param(SHORT, id="short"),
    pytest.param(FULL, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(900)]),
]


@pytest.mark.parametrize("course", COURSES)
def test_on_a_full_disk_nothing_is_acked_and_nothing_lost(tmp_path: Path, small_disk: Path, course: Course) -> None:
    """The disk fills up to the last byte and is emptied again, several times."""
    run(tmp_path, small_disk / "chat.db", "full disk", full_disk, course)


@pytest.mark.parametrize("course", COURSES)
def test_while_another_program_holds_the_file_nothing_is_acked_and_nothing_lost(tmp_path: Path, course: Course) -> None:
    """Another writer holds the lock for longer than anybody waits, and lets go again, several times."""
    run(tmp_path, tmp_path / "chat.db", "locked file", locked_file, course)
