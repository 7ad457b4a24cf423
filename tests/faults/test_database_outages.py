"""The databases die, hang, or are cut off in mid-commit under a server that is at work, which then mends itself.

Whoever waits is told in time that nothing can be stored, or gets an ack that is true; and when the fault has gone, all
is as before, without anybody's help.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from tests.faults.api import Api, api_of
from tests.faults.checker import Report
from tests.faults.load import Cast, cast, gather, on_asyncio
from tests.faults.outages import Fault, Outages
from tests.faults.seeds import seed_of
from tests.faults.site import KINDS, Kind, Site, site_of
from tests.support.server import ServerProcess, running_server

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

# Of one call to the store, and of one post. In the split store a commit waits 2 s for projections that are late.
DEADLINES: dict[Kind, tuple[float, float]] = {"postgres": (2.0, 3.0), "split": (4.0, 5.0)}
# What a deadline may be late by on a quiet machine; elsewhere that there is an answer at all is what counts.
SHORT_SLACK_SECONDS, FULL_SLACK_SECONDS = 20.0, 2.0
EXPECTED = {"", "storage_unavailable", "room_unavailable"}
_PROXIED = ("latency", "stall", "reset", "half open", "cut request", "cut answer")
FAULTS: dict[Kind, tuple[Fault, ...]] = {
    "postgres": tuple(Fault(name, "database") for name in (*_PROXIED, "pause", "crash", "backend", "immediate")),
    "split": (
        *(Fault(name, "journal") for name in (*_PROXIED, "pause", "crash")),
        *(Fault(name, "database") for name in ("reset", "half open", "cut answer", "pause", "crash", "backend")),
    ),
}
BRIEF: dict[Kind, tuple[Fault, ...]] = {
    "postgres": tuple(Fault(name, "database") for name in ("backend", "cut request", "cut answer", "reset", "pause")),
    "split": (
        *(Fault(name, "journal") for name in ("cut request", "cut answer", "reset", "crash")),
        Fault("cut answer", "database"),
    ),
}


class Course(Struct, frozen=True):
    """How long a run is: how often each fault strikes, and how long a frozen database stays so at least."""

    rounds: int
    pause_seconds: float
    people: int
    rooms: int
    window: int = 3
    slack_seconds: float = FULL_SLACK_SECONDS


SHORT = Course(rounds=1, pause_seconds=0.0, people=4, rooms=3, slack_seconds=SHORT_SLACK_SECONDS)
# The stand-in for MongoDB reads a whole collection where a real one looks into an index: it must not become a long one.
FULL: dict[Kind, Course] = {
    "postgres": Course(rounds=3, pause_seconds=5.0, people=8, rooms=5),
    "split": Course(rounds=2, pause_seconds=5.0, people=4, rooms=3, window=1),
}


class Outcome(Struct):
    """What a run brought."""

    report: Report
    outages: Outages
    surprises: list[str]
    answers: Counter[str]
    slowest_seconds: float
    hushed: bool
    backend: dict[str, Any]

    def show(self, name: str, seconds: float) -> None:
        """Print the figures."""
        outages, postgres = self.outages, self.backend["postgres"]
        print(f"{name}: {self.report}")
        print(
            f"  faults={dict(outages.did)} unready={outages.unready} in_commit={outages.in_commit}"
            f" in_doubt={outages.in_doubt}"
        )
        print(f"  well again after s: { {what: round(took, 1) for what, took in outages.well_again.items()} }")
        print(
            f"  answers={dict(self.answers)} slowest_s={self.slowest_seconds:.2f} rest={dict(outages.statuses)}"
            f" slowest_rest_s={outages.slowest_call_seconds:.2f} seconds={seconds:.1f}"
        )
        print(f"  postgres: {postgres}\n  mongo: {self.backend.get('mongo')}")


async def go_through(
    server: ServerProcess,
    api: Api,
    site: Site,
    cast: Cast,
    faults: Sequence[Fault],
    course: Course,
    *,
    seed: int,
    ask_seconds: float,
) -> Outcome:
    """Have the faults strike one by one while the crowd talks."""
    async with gather(server, cast, seed=seed) as crowd:
        outages = Outages(site, api, crowd, seed=seed, pause_seconds=course.pause_seconds)
        await crowd.chat(window=course.window)
        for fault in faults:
            await outages.strike(fault)
        hushed = await crowd.hush()
        backend = await outages.settled()
        report = await crowd.judge(answer_seconds=ask_seconds + course.slack_seconds)
        return Outcome(report, outages, crowd.surprises(), crowd.answers, crowd.slowest_seconds, hushed, backend)


def run(folder: Path, kind: Kind, faults: Sequence[Fault], course: Course) -> Outcome:
    name = f"outages of {kind}"
    seed = seed_of(name)
    storage_seconds, ask_seconds = DEADLINES[kind]
    settings: dict[str, object] = {
        "profile": "loadtest",
        "log_level": "warning",
        "storage_deadline_seconds": storage_seconds,
        "ask_seconds": ask_seconds,
        "probe_seconds": 1.0,
    }
    chosen = [*faults] * course.rounds
    random.Random(seed).shuffle(chosen)
    with (
        site_of(folder, kind, own=True) as site,
        running_server(folder, module="justchat", **settings, **site.settings) as server,
        api_of(server) as api,
    ):
        everybody = cast(api, people=course.people, rooms=course.rooms)
        began = time.monotonic()
        outcome = on_asyncio(
            go_through(server, api, site, everybody, chosen, course, seed=seed, ask_seconds=ask_seconds)
        )
    outcome.show(name, time.monotonic() - began)
    return outcome


def confirm(outcome: Outcome, kind: Kind, faults: Sequence[Fault], slack_seconds: float) -> None:
    storage_seconds, ask_seconds = DEADLINES[kind]
    assert outcome.report.violations == {}
    assert outcome.surprises == []
    assert outcome.hushed
    assert set(outcome.answers) <= EXPECTED
    assert outcome.slowest_seconds <= ask_seconds + slack_seconds
    assert set(outcome.outages.statuses) <= {200, 503}
    # A call by REST asks the room first, and then the store.
    assert outcome.outages.slowest_call_seconds <= ask_seconds + storage_seconds + slack_seconds
    assert outcome.answers["storage_unavailable"] + outcome.answers["room_unavailable"] > 0
    assert outcome.outages.in_doubt > 0
    assert outcome.outages.unready >= sum(fault.name in ("pause", "crash", "stall") for fault in faults) > 0
    postgres = outcome.backend["postgres"]
    assert postgres["idle"] == postgres["size"]
    assert postgres["reconnects"] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_befalls_the_databases_every_promise_is_kept_and_all_is_well_again(tmp_path: Path, kind: Kind) -> None:
    """Killed backends, cut commits, resets and an outage that the server admits: the checker finds nothing wrong."""
    faults = BRIEF[kind]
    confirm(run(tmp_path, kind, faults, SHORT), kind, faults, SHORT.slack_seconds)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_a_long_row_of_outages_leaves_no_trace(tmp_path: Path, kind: Kind) -> None:
    """The full length: every fault several times, in any order; whoever is frozen is so for 5 s."""
    faults, course = FAULTS[kind], FULL[kind]
    outcome = run(tmp_path, kind, faults, course)
    confirm(outcome, kind, faults * course.rounds, course.slack_seconds)
    assert outcome.outages.in_commit > 0
