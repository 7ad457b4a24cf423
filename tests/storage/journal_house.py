"""A journal actor in RAM that notes what its callers are told, and when."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

import trio
from trio.testing import wait_all_tasks_blocked

from actors import RestartPolicy, Supervisor
from storage.errors import Conflict, StorageError
from storage.journal_actor import JournalActor, JournalLimits
from storage.records import Append
from tests.storage.fakes import ScriptedJournal

LIMITS = JournalLimits(inbox_capacity=8, max_commit_entries=10, deadline_seconds=5.0, reads=2, reads_waiting=2)


class House:
    """A running journal actor, its scripted backend, and what its callers were told."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.backend = ScriptedJournal()
        self.suspected_at: list[float] = []
        self.actor = JournalActor(
            self.backend, limits=LIMITS, on_failure=lambda: self.suspected_at.append(trio.current_time())
        )
        policy = RestartPolicy(jitter=0.0, escalate=True)
        self.child = self.actor.start(Supervisor(nursery, policy=policy, random=Random(1)))
        self.told: dict[str, str] = {}
        self.told_at: dict[str, float] = {}

    async def append(self, *appends: Append, name: str | None = None) -> None:
        """Append, and note the outcome under the room's name."""
        name = name or appends[0].room
        try:
            await self.actor.append(appends)
        except Conflict as conflict:
            self.told[name] = f"conflict {conflict.kind} {conflict.room}"
        except StorageError as error:
            self.told[name] = type(error).__name__
        else:
            self.told[name] = "written"
        self.told_at[name] = trio.current_time()

    async def heads(self, *rooms: str) -> list[int]:
        """Return what the backend really holds."""
        return [self.backend._store.head(room) for room in rooms]


async def together(*calls: Callable[[], Awaitable[None]]) -> None:
    """Start calls in this order, each waiting before the next one starts, and wait for them all."""
    async with trio.open_nursery() as nursery:
        for call in calls:
            nursery.start_soon(call)
            await wait_all_tasks_blocked()
