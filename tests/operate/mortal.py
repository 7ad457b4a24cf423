"""Stores in RAM that outlive the process which copies into them: it dies at a write that the test chooses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from storage.account_ports import Relations, Sessions
from storage.memory import MemoryDirectory, MemoryJournal, MemoryRelations, MemorySessions, MemoryStore
from storage.records import Append, DropItem, PutItem, UserRecord
from tests.storage.contract.backends import Stores


class CutOff(Exception):
    """What ends a copy in a test."""


class Countdown:
    """Lets some writes through and ends the copy before, or right behind, the next one."""

    def __init__(self, writes: int, *, behind: bool) -> None:
        self._left = writes
        self._behind = behind

    def before(self) -> None:
        self._left -= 1
        if self._left < 0 and not self._behind:
            raise CutOff

    def after(self) -> None:
        if self._left < 0:
            raise CutOff


class DyingJournal(MemoryJournal):
    """A journal of a store that the copy's process does not survive."""

    countdown = Countdown(1_000_000, behind=False)

    async def append(self, appends: Sequence[Append]) -> None:
        self.countdown.before()
        await super().append(appends)
        self.countdown.after()


class SplitJournal(DyingJournal):
    """A journal that is committed before its rows are written, which the process may not live to see."""

    async def append(self, appends: Sequence[Append]) -> None:
        (append,) = appends
        # Of a large page a part may be all that was durable.
        for entries in (append.entries[: len(append.entries) // 2], append.entries[len(append.entries) // 2 :]):
            self.countdown.before()
            await MemoryJournal.append(self, [Append(append.room, entries, ())])
            self.countdown.after()
        await self.project(append)

    async def project(self, append: Append, *, repair: bool = False) -> None:
        self.countdown.before()
        snapshot = await self.load_room(append.room)
        applied = 0 if snapshot is None or snapshot.room is None else snapshot.room.applied_seq
        assert repair or applied == append.entries[0].seq - 1, "a hole between the rows and what comes next"
        await super().project(append, repair=repair)
        self.countdown.after()


class DyingDirectory(MemoryDirectory):
    """The directory of such a store."""

    countdown = Countdown(1_000_000, behind=False)

    async def put_user(self, user: UserRecord) -> None:
        self.countdown.before()
        await super().put_user(user)
        self.countdown.after()

    async def set_fact(self, name: str, value: str | None) -> None:
        self.countdown.before()
        await super().set_fact(name, value)
        self.countdown.after()

    async def keep(self, changes: Sequence[PutItem | DropItem]) -> None:
        self.countdown.before()
        await super().keep(changes)
        self.countdown.after()


class Dying:
    """Any other port of such a store, in which everything but a listing is a write."""

    def __init__(self, port: object, countdown: Countdown) -> None:
        self._port = port
        self._countdown = countdown

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
        call: Callable[..., Awaitable[object]] = getattr(self._port, name)

        async def write(*positional: object, **named: object) -> object:
            self._countdown.before()
            answer = await call(*positional, **named)
            self._countdown.after()
            return answer

        return call if name.startswith("all_") else write


class Mortal:
    """A store in RAM whose copying process dies at the given write."""

    def __init__(self, journal: type[DyingJournal] = DyingJournal) -> None:
        self._store = MemoryStore()
        self._journal = journal

    def site(self, writes: int = 1_000_000, *, behind: bool = False) -> Stores:
        journal, directory = self._journal(self._store), DyingDirectory(self._store)
        journal.countdown = directory.countdown = Countdown(writes, behind=behind)
        sessions = Dying(MemorySessions(self._store), journal.countdown)
        relations = Dying(MemoryRelations(self._store), journal.countdown)
        return Stores(journal, directory, cast("Sessions", sessions), cast("Relations", relations))
