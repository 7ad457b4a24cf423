"""Catching up: what is behind is written in the end, also for rooms that are written to all the time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import trio
import trio.testing

from storage.errors import StorageUnavailable
from storage.memory.store import MemoryStore
from storage.records import Append
from storage.split.commits import Commits
from storage.split.limits import SplitLimits
from storage.split.projections import Projections
from storage.split.projector import Projector
from tests.storage.samples import posts

LIMITS = SplitLimits(retry_seconds=0.5)
WRITE_SECONDS = 0.05


class SlowProjections:
    """Takes a moment for each write, and more for many rows; `marks` are those that were written."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.down = False
        self.most_rows = 0
        self.marks: list[int] = []

    async def write(self, appends: Sequence[Append], *, mark: int | None) -> list[str]:
        """Write, or fail after a while."""
        rows = sum(len(append.changes) for append in appends)
        await trio.sleep(WRITE_SECONDS + rows / 1000)
        if self.down:
            raise StorageUnavailable("down")
        self.most_rows = max(self.most_rows, rows)
        for append in appends:
            self.store.project(append.changes)
        if mark is not None:
            self.marks.append(mark)
        return []


async def test_a_room_that_never_rests_catches_up(autojump_clock: trio.testing.MockClock) -> None:
    """After an outage what waits is written once, and then what came meanwhile: it does not grow with the room.

    The room's posts come faster than they can be written one by one, and nobody waits for the databases.
    """
    projections = SlowProjections()
    commits = Commits(now=lambda: 0, mark=0)
    projector = Projector(cast("Projections", projections), commits=commits, limits=LIMITS, fault=lambda _: None)

    async def post(first: int, last: int) -> None:
        for seq in range(first, last + 1):
            commit = commits.begin()
            await projector.write([posts("r_1", seq, seq)], commit, torn=())
            commits.end(commit)
            await trio.sleep(0.01)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(projector.run)
        projections.down = True
        await post(1, 200)
        assert projector.statistics(under_way=0).rows_behind >= 200
        projections.down = False
        await trio.sleep(2)
        projections.most_rows = 0
        projections.down = True
        await post(201, 202)
        projections.down = False
        await post(203, 1000)
        assert projections.most_rows < 100
        assert projections.marks[-1] > 900, "what is projected is known to be, while more keeps coming"
        await trio.sleep(2)
        assert projector.statistics(under_way=0).rooms_behind == 0
        nursery.cancel_scope.cancel()
    assert len(projections.store.messages) == 1000
    assert projections.store.rooms["r_1"].applied_seq == 1000
