"""The timekeeper: wakes the rooms that sleep while something of theirs comes due.

One task for all rooms. Every few seconds it asks the store for the timers of the near future and wakes their rooms,
which then mind them to the millisecond. It fires nothing itself, so being late or asking twice does no harm. A store
that does not answer is asked less and less often; rooms that cannot be woken are tried again at the next look.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

import trio

from actors import Child, Inbox, Supervisor
from justchat.rooms.room import Rooms
from storage.errors import StorageError
from storage.ports import Journal
from storage.records import ItemRecord

logger = logging.getLogger(__name__)

LOOKED_AT: Final = 500
LOOKED_AT_MOST: Final = 32_000
# Each of them is loaded from the store, where others wait as well.
WOKEN_AT_ONCE: Final = 100
# A full page of timers means that there are more of them behind it.
SOON_SECONDS: Final = 0.5
BACKOFF_MAX_SECONDS: Final = 30.0


class Timekeeper:
    """The timekeeper of one process. `start` it under a supervisor."""

    __slots__ = ("_failures", "_inbox", "_journal", "_limit", "_now_ms", "_rooms", "_seconds")

    def __init__(self, rooms: Rooms, *, journal: Journal, now_ms: Callable[[], int], seconds: float) -> None:
        """Look every so many `seconds`; `now_ms` gives wall-clock milliseconds."""
        self._rooms = rooms
        self._journal = journal
        self._now_ms = now_ms
        self._seconds = seconds
        # Nobody tells it anything, but every actor has an inbox by which its supervisor knows it.
        self._inbox: Inbox[None] = Inbox(capacity=1)
        self._limit = LOOKED_AT
        self._failures = 0

    def start(self, supervisor: Supervisor) -> Child:
        """Start looking."""
        return supervisor.start("timekeeper", self.run, self._inbox)

    async def run(self) -> None:
        """Look, over and over."""
        self._inbox.ready()
        while True:
            seconds = await self._look()
            await trio.sleep(seconds)

    async def _look(self) -> float:
        """Wake who has to be awake by the next look; the answer is the time until then."""
        now = self._now_ms()
        # Twice as far as the next look, in case that one is late.
        horizon = now + round(2 * self._seconds * 1000)
        try:
            found = await self._journal.due(before=horizon, limit=self._limit)
        except StorageError as error:
            return self._back_off(error)
        self._failures = 0
        waiting = self._wake(found, now=now)
        if len(found) < self._limit:
            self._limit = LOOKED_AT
            return min(SOON_SECONDS, self._seconds) if waiting else self._seconds
        # Timers that stay, because their rooms rest after crashes, must not hide those behind them for ever.
        self._limit = min(2 * self._limit, LOOKED_AT_MOST)
        return min(SOON_SECONDS, self._seconds)

    def _wake(self, timers: Sequence[ItemRecord], *, now: int) -> bool:
        """Wake the rooms of these timers; tell whether there are more of them than are woken at once."""
        first_due: dict[str, int] = {}
        for item in timers:
            first_due.setdefault(item.room, item.due_at or 0)
        asleep = [room for room in first_due if not self._rooms.is_awake(room)]
        # One that is awake minds its timers itself; the wall's clock may have leapt while it slept until one is due.
        reminded = [room for room, due_at in first_due.items() if due_at <= now and self._rooms.is_awake(room)]
        for room in (*asleep[:WOKEN_AT_ONCE], *reminded):
            self._rooms.wake(room)
        return len(asleep) > WOKEN_AT_ONCE

    def _back_off(self, error: StorageError) -> float:
        self._failures += 1
        if self._failures == 1:
            logger.warning("event=timekeeper_waits error=%s", error)
        return min(self._seconds * 2.0 ** min(self._failures - 1, 16), max(BACKOFF_MAX_SECONDS, self._seconds))
