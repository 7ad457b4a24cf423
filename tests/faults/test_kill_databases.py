"""Killed while its data is in PostgreSQL, or in PostgreSQL and MongoDB, the server keeps every promise it gave."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.api import api_of
from tests.faults.killing import Course, Outcome, kill_under_load
from tests.faults.load import cast, on_asyncio
from tests.faults.seeds import seed_of
from tests.faults.site import KINDS, Kind, site_of
from tests.support.server import running_server

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

SHORT = Course(kills=1, acks=40, between=(20, 40), people=4, rooms=3)
# The stand-in for MongoDB reads a whole collection where a real one looks into an index: it must not become a long one,
# so there are several courses, each with databases of its own.
FULL: dict[Kind, Course] = {
    "postgres": Course(kills=30, acks=1500, between=(20, 100), people=10, rooms=5),
    "split": Course(kills=30, acks=600, between=(5, 35), people=5, rooms=4, window=2),
}


COURSES: list[tuple[Kind, int]] = [("postgres", 1), *(("split", number) for number in (1, 2, 3))]


def run(folder: Path, kind: Kind, course: Course, *, number: int = 1) -> Outcome:
    name = f"kill on {kind}" if number == 1 else f"kill on {kind}, course {number}"
    seed = seed_of(name)
    with (
        site_of(folder, kind) as site,
        running_server(folder, module="justchat", profile="loadtest", log_level="warning", **site.settings) as server,
    ):
        with api_of(server) as api:
            everybody = cast(api, people=course.people, rooms=course.rooms)
        began = time.monotonic()
        outcome = on_asyncio(kill_under_load(server, everybody, course, seed=seed))
    outcome.show(name, time.monotonic() - began)
    return outcome


def confirm(outcome: Outcome, course: Course) -> None:
    assert outcome.report.violations == {}
    assert outcome.surprises == []
    assert outcome.hushed
    assert outcome.report.kills_in_flight >= course.kills
    assert outcome.report.acks >= course.acks
    assert outcome.report.resumes >= course.people * course.rooms


@pytest.mark.parametrize("kind", KINDS)
def test_killed_under_load_it_finds_everything_in_its_databases_again(tmp_path: Path, kind: Kind) -> None:
    """A kill: every figure of the checker is zero, and the kill hit posts in flight."""
    confirm(run(tmp_path, kind, SHORT), SHORT)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("kind", "number"), COURSES)
def test_thirty_kills_leave_no_trace_in_its_databases(tmp_path: Path, kind: Kind, number: int) -> None:
    """The full length; it also finds posts whose ack was cut off."""
    outcome = run(tmp_path, kind, FULL[kind], number=number)
    confirm(outcome, FULL[kind])
    assert outcome.report.recovered > 0
