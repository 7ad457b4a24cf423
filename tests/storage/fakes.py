"""Backends in RAM that do as they are told: wait, fail, or fail after they have written.

They are the memory backend with a script in front, and pass the contract like any other store while the script is
empty.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import trio

from storage.errors import StorageError
from storage.memory import MemoryDirectory, MemoryJournal, MemoryStore
from storage.records import Append, Entry, UserRecord


class ScriptedJournal(MemoryJournal):
    """A journal that notes its commits, and can be slow, failing or gone."""

    __slots__ = ("commits", "poison", "reading", "seconds", "seconds_to_fail", "to_raise", "to_raise_after")

    def __init__(self, store: MemoryStore | None = None) -> None:
        super().__init__(store or MemoryStore())
        self.commits: list[list[str]] = []
        """The rooms of each append that was tried."""
        self.seconds = 0.0
        """How long an append or a read takes."""
        self.seconds_to_fail = 0.0
        self.to_raise: deque[StorageError | Exception | None] = deque()
        """For each append to come: raise this instead."""
        self.to_raise_after: deque[StorageError | None] = deque()
        """For each append to come: write, then raise this."""
        self.poison: dict[str, Exception] = {}
        """Raise this for every append that holds this room."""
        self.reading = 0

    async def append(self, appends: Sequence[Append]) -> None:
        """Follow the script, then append."""
        self.commits.append([append.room for append in appends])
        if self.seconds:
            await trio.sleep(self.seconds)
        error = self.to_raise.popleft() if self.to_raise else None
        for append in appends:
            error = error or self.poison.get(append.room)
        if error is not None:
            await trio.sleep(self.seconds_to_fail)
            raise error
        await super().append(appends)
        if self.to_raise_after and (late := self.to_raise_after.popleft()) is not None:
            raise late

    async def read(self, room: str, *, after: int, upto: int | None = None, limit: int) -> list[Entry]:
        """Take a while, then read."""
        self.reading += 1
        try:
            if self.seconds:
                await trio.sleep(self.seconds)
            return await super().read(room, after=after, upto=upto, limit=limit)
        finally:
            self.reading -= 1


class ScriptedDirectory(MemoryDirectory):
    """A directory that can be slow or gone."""

    __slots__ = ("down", "in_calls", "most_in_calls", "probed_at", "seconds")

    def __init__(self, store: MemoryStore | None = None) -> None:
        super().__init__(store or MemoryStore())
        self.seconds = 0.0
        """How long a probe or a call takes."""
        self.down: StorageError | None = None
        """What every probe and call raises."""
        self.probed_at: list[float] = []
        self.in_calls = self.most_in_calls = 0

    async def probe(self) -> None:
        """Follow the script."""
        self.probed_at.append(trio.current_time())
        await self._act()
        await super().probe()

    async def create_user(self, user: UserRecord) -> None:
        """Follow the script, then create."""
        await self._act()
        await super().create_user(user)

    async def user(self, user: str) -> UserRecord | None:
        """Follow the script, then look."""
        self.in_calls += 1
        self.most_in_calls = max(self.most_in_calls, self.in_calls)
        try:
            await self._act()
            return await super().user(user)
        finally:
            self.in_calls -= 1

    async def _act(self) -> None:
        if self.seconds:
            await trio.sleep(self.seconds)
        if self.down is not None:
            raise type(self.down)(str(self.down))
