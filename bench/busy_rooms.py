"""Busy rooms at the journal, in process: what group commit carries when many rooms post at once.

A closed loop of some senders per room. While a room's append is under way its actor takes nothing, and whoever is
answered posts again at once; so a room's next append is one batch of as many posts as it has senders, which is what a
room actor would make of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import trio
from msgspec import Struct

from bench.model_room import ModelRoom
from bench.modes import Mode, StoreMeter, in_store
from bench.turns import turns
from storage.errors import StorageError
from storage.journal_actor import JournalLimits
from storage.open import Storage, StorageLimits

_WARM_UP = 5


class Appended(Struct, frozen=True):
    """What a journal took in a stretch of time. `ms` has one value for each append."""

    entries: int
    appends: int
    commits: int
    seconds: float
    ms: list[float]
    own_cpu_seconds: float
    server_cpu_seconds: float
    others_cores: float
    failed: str
    kept: bool


class _Tally:
    def __init__(self) -> None:
        self.entries = 0
        self.ms: list[float] = []
        self.failed = ""


def append_busily(
    mode: Mode, *, rooms: int, senders: int, body_bytes: int, seconds: float, grouped: bool = True
) -> Appended:
    """Let new rooms post for a time, and see whether all that was acknowledged is there. Raises StoreFailed.

    Where it is not `grouped`, no two appends share a commit; with one sender per room each message has one of its own.
    """
    made = [ModelRoom(body_bytes=body_bytes) for _ in range(rooms)]

    async def work(storage: Storage) -> Appended:
        await storage.journal.append([room.create() for room in made])
        for _ in range(_WARM_UP):  # a connection is opened and the statements are prepared before it counts
            await storage.journal.append([room.post(1) for room in made])
        return await _measure(storage, mode, made, senders=senders, seconds=seconds)

    limits = None if grouped else StorageLimits(journal=JournalLimits(max_commit_entries=1))
    return in_store(mode, work, limits=limits)


async def _measure(
    storage: Storage, mode: Mode, rooms: Sequence[ModelRoom], *, senders: int, seconds: float
) -> Appended:
    tally = _Tally()
    commits = storage.journal.statistics().commits
    meter, cpu, began = StoreMeter(mode), time.process_time(), time.perf_counter()
    async with trio.open_nursery() as nursery:
        for room in rooms:
            nursery.start_soon(_post, storage, room, senders, began + seconds, tally)
    wall, own = time.perf_counter() - began, time.process_time() - cpu
    servers, others = meter.read(own, wall)
    return Appended(
        entries=tally.entries,
        appends=len(tally.ms),
        commits=storage.journal.statistics().commits - commits,
        seconds=wall,
        ms=tally.ms,
        own_cpu_seconds=own,
        server_cpu_seconds=servers,
        others_cores=others,
        failed=tally.failed,
        kept=not tally.failed and await _all_there(storage, rooms),
    )


async def _post(storage: Storage, room: ModelRoom, senders: int, ends: float, tally: _Tally) -> None:
    for began in turns(ends):
        try:
            await storage.journal.append([room.post(senders)])
        except StorageError as error:
            tally.failed = f"{type(error).__name__}: {error}"
            return
        tally.entries += senders
        tally.ms.append((time.perf_counter() - began) * 1e3)


async def _all_there(storage: Storage, rooms: Sequence[ModelRoom]) -> bool:
    for room in rooms:
        found = await storage.journal.load_room(room.id)
        if found is None or found.room is None or not found.head_seq == found.room.applied_seq == room.seq:
            return False
    return True
