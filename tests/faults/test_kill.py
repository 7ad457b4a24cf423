"""The server is killed in the middle of its work, again and again, and keeps every promise it gave.

A real process on a SQLite file, a crowd that talks over real sockets, `kill -9` at a moment that depends on how many
acks came in, and the same port again. `make soak` runs the full length.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.api import api_of
from tests.faults.killing import Course, Outcome, die_at, kill_under_load
from tests.faults.load import cast, on_asyncio, p95
from tests.faults.seeds import seed_of
from tests.support.server import running_server

pytestmark = pytest.mark.real_clock


def run(folder: Path, course: Course, name: str) -> Outcome:
    seed = seed_of(name)
    began = time.monotonic()
    with running_server(folder, profile="loadtest", log_level="warning") as server:
        with api_of(server) as api:
            everybody = cast(api, people=course.people, rooms=course.rooms)
        outcome = on_asyncio(kill_under_load(server, everybody, course, seed=seed))
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


@pytest.mark.thorough
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
        outcome = on_asyncio(die_at(server, everybody, tmp_path, points, seed=seed))
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
