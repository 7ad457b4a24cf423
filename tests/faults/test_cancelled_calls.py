"""Callers that lose patience, by the hundred: nothing of theirs stays behind in a store on real databases.

In this process, on the backends themselves: a cancelled append goes on to its end, a cancelled read is called off.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from storage.backend import Backend
from storage.backends import open_backend
from storage.url import parse_url
from tests.faults.seeds import seed_of
from tests.faults.site import KINDS, Kind, site_of
from tests.storage.samples import a_user, posts

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

CALLERS = 16
SETTLE_SECONDS = 60.0
CALL_SECONDS = 30.0
# From before the first byte is sent to about when the last one comes; and some callers wait.
PATIENCE_SECONDS = (0.0005, 0.03)
PATIENT_SHARE = 0.1


class Caller:
    """Appends to a room of its own, reads all over, and loses patience."""

    def __init__(self, backend: Backend, number: int, *, seed: int) -> None:
        self.room = f"r_{number:03d}"
        self.head = 0
        self.counts: Counter[str] = Counter()
        self._backend = backend
        self._choice = random.Random(f"{seed}/{number}")

    async def run(self, enough: Callable[[], bool]) -> None:
        """Call until there were enough."""
        while not enough():
            if self._choice.random() < 0.5:
                await self._append()
            else:
                await self._read()

    async def _impatiently(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Do it; tell whether it came to its end."""
        patient = self._choice.random() < PATIENT_SHARE
        with trio.move_on_after(SETTLE_SECONDS if patient else self._choice.uniform(*PATIENCE_SECONDS)) as scope:
            await work()
        self.counts["cancelled" if scope.cancelled_caught else "done"] += 1
        return not scope.cancelled_caught

    async def _append(self) -> None:
        seq = self.head + 1
        done = await self._impatiently(lambda: self._backend.journal.append((posts(self.room, seq, seq),)))
        if done:
            self.head = seq
            return
        # Whoever was cut off asks what has become of it, and gets an answer that does not change any more.
        snapshot = await self._backend.journal.load_room(self.room)
        found = 0 if snapshot is None else snapshot.head_seq
        assert found in (seq - 1, seq)
        self.counts["went on"] += found == seq
        self.head = found

    async def _read(self) -> None:
        journal, directory, room = self._backend.journal, self._backend.directory, self.room
        calls: tuple[Callable[[], Awaitable[object]], ...] = (
            lambda: journal.load_room(room),
            lambda: journal.read(room, after=0, limit=50),
            lambda: journal.messages(room, limit=20),
            lambda: journal.find_sent(room, [("u_0001", "c1")]),
            lambda: directory.search_users("user", limit=20),
            lambda: directory.rooms_of("u_0001", cursor=None, limit=20),
        )
        await self._impatiently(self._choice.choice(calls))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "cancelled",
    [
        pytest.param(150, id="short"),
        pytest.param(1500, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(600)]),
    ],
)
async def test_cancelled_calls_leave_no_connection_no_call_and_no_half_append_behind(
    tmp_path: Path, kind: Kind, cancelled: int
) -> None:
    """Afterwards every connection is idle, nothing is under way, and each room is as its caller was told."""
    seed = seed_of(f"cancelled calls on {kind}")
    with site_of(tmp_path, kind) as site:
        journal = site.settings.get("journal")
        url = parse_url(str(site.settings["database"]), journal=None if journal is None else str(journal))
        async with open_backend(url, migrate=True, exclusive=False, deadline_seconds=CALL_SECONDS) as backend:
            await backend.directory.create_user(a_user(1))
            callers = [Caller(backend, number, seed=seed) for number in range(CALLERS)]
            async with trio.open_nursery() as nursery:
                for caller in callers:
                    nursery.start_soon(caller.run, lambda: _enough(callers, cancelled))
            counts = _sum(callers)
            await _all_back(backend)
            print(f"  {dict(counts)} {backend.statistics()}")
            await _confirm(backend, callers)
    assert counts["cancelled"] >= cancelled
    assert min(counts["done"], counts["went on"]) > 0


def _enough(callers: list[Caller], cancelled: int) -> bool:
    counts = _sum(callers)
    return counts["cancelled"] >= cancelled and min(counts["done"], counts["went on"]) > 0


def _sum(callers: list[Caller]) -> Counter[str]:
    return sum((caller.counts for caller in callers), start=Counter[str]())


async def _all_back(backend: Backend) -> None:
    """Wait until nothing is under way."""
    with trio.fail_after(SETTLE_SECONDS):
        while _under_way(backend):  # noqa: ASYNC110 - the drivers finish behind our backs
            await trio.sleep(0.005)
    postgres = backend.statistics().postgres
    assert postgres is not None
    assert postgres.idle == postgres.size > 0


def _under_way(backend: Backend) -> int:
    statistics = backend.statistics()
    assert statistics.postgres is not None
    mongo = 0 if statistics.mongo is None else statistics.mongo.in_use
    behind = 0 if statistics.projections is None else statistics.projections.rooms_behind
    return statistics.postgres.in_use + statistics.postgres.left_behind + mongo + behind


async def _confirm(backend: Backend, callers: list[Caller]) -> None:
    """Read every room whole, and see that the next call works."""
    for caller in callers:
        entries = await backend.journal.read(caller.room, after=0, limit=10_000)
        assert [entry.seq for entry in entries] == list(range(1, caller.head + 1))
        await backend.journal.append((posts(caller.room, caller.head + 1, caller.head + 1),))
        snapshot = await backend.journal.load_room(caller.room)
        assert snapshot is not None
        assert snapshot.head_seq == caller.head + 1
    assert await backend.directory.user("u_0001") == a_user(1)
