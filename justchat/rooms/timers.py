"""What a room has to do by itself, and when: the items of it that have a due time.

There is one mechanism for all of them. The store is the truth; this remembers only when to look next, so a crash or a
restart forgets nothing. Bounded: a batch at a time. A timer that was in hand at two crashes rests for a while, and so
does one that is due and has nothing to do: neither may keep the room from its other work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from storage.ports import Journal
from storage.records import Change, ItemRecord, PutItem

BATCH: Final = 64
MAX_ATTEMPTS: Final = 2
REST_SECONDS: Final = 30.0
REST_MAX_SECONDS: Final = 3600.0
RETRY_SECONDS: Final = 1.0
# Later than anything: every timer is due by then.
_FAR_MS: Final = 2**53 - 1

_Name = tuple[str, str]

logger = logging.getLogger(__name__)


class Timers:
    """The timers of one room. Times are milliseconds since the epoch."""

    __slots__ = ("_attempts", "_in_hand", "_journal", "_now_ms", "_resting", "_room", "next_due")

    def __init__(self, room: str, *, journal: Journal, now_ms: Callable[[], int]) -> None:
        self.next_due: int | None = None
        """When to look next; there may be nothing to do then, but there is nothing to do before."""
        self._room = room
        self._journal = journal
        self._now_ms = now_ms
        self._in_hand: Sequence[ItemRecord] = ()
        self._attempts: dict[_Name, int] = {}
        self._resting: dict[_Name, int] = {}

    def is_due(self, *, within_seconds: float = 0.0) -> bool:
        """Tell whether there may be something to do by then."""
        return self.next_due is not None and self.next_due <= self._now_ms() + within_seconds * 1000

    @property
    def resting(self) -> bool:
        """Whether some timer rests: a room that slept meanwhile would be woken for it, and forget that it rests."""
        return bool(self._resting)

    def seconds_left(self) -> float | None:
        """Give the time until the next look; None where none is needed."""
        return None if self.next_due is None else max(0.0, (self.next_due - self._now_ms()) / 1000)

    def recover(self) -> None:
        """Begin another incarnation: what was in hand at the crash is under suspicion, and rests the second time."""
        suspects, self._in_hand = self._in_hand, ()
        for item in suspects:
            name = item.kind, item.key
            attempts = self._attempts[name] = self._attempts.get(name, 0) + 1
            if attempts >= MAX_ATTEMPTS:
                seconds = min(REST_SECONDS * 2.0 ** (attempts - MAX_ATTEMPTS), REST_MAX_SECONDS)
                self._rest(item, seconds)
                logger.error("event=timer_rests room=%s kind=%s seconds=%g", self._room, item.kind, seconds)

    async def load(self) -> None:
        """Learn when to look first."""
        first = await self._journal.due(room=self._room, before=_FAR_MS, limit=1)
        self.next_due = first[0].due_at if first else None

    def note(self, changes: Iterable[Change]) -> None:
        """Learn from what was just made durable."""
        for change in changes:
            if isinstance(change, PutItem) and change.item.due_at is not None:
                self._look_by(change.item.due_at)

    def look_now(self) -> None:
        """Look at the next opportunity, for there may be a timer that nobody told of: a repair may have written it."""
        self._look_by(self._now_ms())

    async def take(self) -> Sequence[ItemRecord]:
        """Take in hand what is due, the earliest first; one alone where some of it may be guilty of a crash."""
        now = self._now_ms()
        self._resting = {name: until for name, until in self._resting.items() if until > now}
        found = await self._journal.due(room=self._room, before=_FAR_MS, limit=BATCH + 1 + len(self._resting))
        names = {(item.kind, item.key) for item in found}
        self._attempts = {name: attempts for name, attempts in self._attempts.items() if name in names}
        due = [item for item in found if self._due_at(item) <= now]
        suspicious = any((item.kind, item.key) in self._attempts for item in due)
        taken = due[: 1 if suspicious else BATCH]
        later = [at for item in found if (at := self._due_at(item)) > now]
        self.next_due = now if len(taken) < len(due) else min(later, default=None)
        self._in_hand = taken
        return taken

    def done(self, *, resting: Iterable[ItemRecord] = ()) -> None:
        """Put away what is in hand, for it was decided; that with nothing to do rests."""
        for item in self._in_hand:
            self._attempts.pop((item.kind, item.key), None)
        self._in_hand = ()
        for item in resting:
            self._rest(item, REST_SECONDS)

    def retry(self) -> None:
        """Look again in a moment, and not before: the store does not answer."""
        self._in_hand = ()
        self.next_due = self._now_ms() + round(RETRY_SECONDS * 1000)

    def _rest(self, item: ItemRecord, seconds: float) -> None:
        until = self._now_ms() + round(seconds * 1000)
        self._resting[item.kind, item.key] = until
        self._look_by(until)

    def _look_by(self, due_at: int) -> None:
        self.next_due = due_at if self.next_due is None else min(self.next_due, due_at)

    def _due_at(self, item: ItemRecord) -> int:
        return max(item.due_at or 0, self._resting.get((item.kind, item.key), 0))
