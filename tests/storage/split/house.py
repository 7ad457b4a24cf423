"""A split store on the tests' two databases, with faults to order, and a store in RAM to compare it with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import trio

from storage.errors import StorageError
from storage.memory import MemoryDirectory, MemoryJournal, MemoryStore
from storage.mongo import mongo_settings
from storage.ports import Directory, Journal
from storage.postgres import PostgresDirectory, PostgresSettings
from storage.records import Append
from storage.split import SplitJournal, SplitLimits, SplitStore, open_split_store
from storage.split.open import wall_clock_ms
from tests.storage.mongo import server as mongo
from tests.storage.postgres import server as postgres

USERS = ("u_0001", "u_0002", "u_0003")
ITEM_KINDS = ("ban", "pin", "reaction")
"""The kinds of items that these tests make."""


class Crash(Exception):
    """The process ends here."""


class Fault:
    """Raises something at a point of an append, for as long as it is told to."""

    def __init__(self) -> None:
        self.at: str | None = None
        self.error: Exception = Crash()
        self.passed: list[str] = []

    def set(self, point: str, error: Exception) -> None:
        """Raise this from now on."""
        self.at, self.error = point, error

    def clear(self) -> None:
        """Raise nothing any more."""
        self.at = None

    def __call__(self, point: str) -> None:
        """Pass a point."""
        self.passed.append(point)
        if point == self.at:
            raise self.error


class House:
    """An open split store."""

    def __init__(self, store: SplitStore, fault: Fault) -> None:
        self.store = store
        self.journal: SplitJournal = store.journal
        self.directory = PostgresDirectory(store.pool)
        self.fault = fault

    async def places(self, room: str) -> tuple[int, int]:
        """Return the room's head and how far its row is."""
        snapshot = await self.journal.load_room(room)
        if snapshot is None:
            return 0, 0
        return snapshot.head_seq, 0 if snapshot.room is None else snapshot.room.applied_seq

    async def row(self, room: str) -> int:
        """Return how far the room's row is, without waiting for anything."""
        found = await self.directory.room(room)
        return 0 if found is None else found.applied_seq

    async def catch_up(self, appends: Sequence[Append]) -> None:
        """Project what is missing of these appends, as a room does that wakes up behind its journal."""
        for append in appends:
            head, applied = await self.places(append.room)
            if applied < append.entries[-1].seq <= head:
                await self.journal.project(append)


async def empty_databases() -> None:
    """Take everything out of both."""
    await postgres.empty(postgres.shared_database())
    await mongo.empty(mongo.shared_database())


@asynccontextmanager
async def open_house(
    *, limits: SplitLimits | None = None, now: Callable[[], int] = wall_clock_ms
) -> AsyncIterator[House]:
    """Open the tests' databases as they are."""
    fault = Fault()
    async with open_split_store(
        PostgresSettings(postgres.shared_database()),
        mongo_settings(mongo.shared_database()),
        migrate=True,
        limits=limits,
        fault=fault,
        now=now,
    ) as store:
        yield House(store, fault)


async def in_memory(appends: Sequence[Append]) -> tuple[Journal, Directory]:
    """Give the same appends to a store in RAM."""
    store = MemoryStore()
    for append in appends:
        await MemoryJournal(store).append([append])
    return MemoryJournal(store), MemoryDirectory(store)


async def assert_same(house: House, appends: Sequence[Append]) -> None:
    """Check that everything that can be read is as in a store in RAM that was given these appends."""
    journal, directory = await in_memory(appends)
    for room in sorted({append.room for append in appends}):
        assert await house.journal.load_room(room) == await journal.load_room(room)
        entries = await journal.read(room, after=0, limit=1000)
        assert await house.journal.read(room, after=0, limit=1000) == entries
        assert await house.journal.messages(room, limit=1000) == await journal.messages(room, limit=1000)
        assert await house.directory.room(room) == await directory.room(room)
        assert await house.journal.due(room=room, before=100, limit=100) == await journal.due(
            room=room, before=100, limit=100
        )
        for kind in ITEM_KINDS:
            ours = await house.directory.items(kind, room=room, cursor=None, limit=100)
            assert ours == await directory.items(kind, room=room, cursor=None, limit=100)
        keys = [(entry.sender or "", entry.client_msg_id or "") for entry in entries]
        assert await house.journal.find_sent(room, keys) == await journal.find_sent(room, keys)
    assert await house.journal.due(before=100, limit=100) == await journal.due(before=100, limit=100)
    for user in USERS:
        rooms = await house.directory.rooms_of(user, cursor=None, limit=100)
        assert rooms == await directory.rooms_of(user, cursor=None, limit=100)
    assert await house.journal.rooms(limit=1000) == await journal.rooms(limit=1000)


async def until_nothing_is_behind(house: House) -> None:
    """Wait for the retries."""
    with trio.fail_after(60):
        while house.journal.statistics().rooms_behind:  # noqa: ASYNC110  # what happens is in two databases
            await trio.sleep(0.01)


async def eventually_written(house: House, append: Append) -> None:
    """Append until it works, for a while."""
    with trio.fail_after(60):
        while True:
            try:
                return await house.journal.append([append])
            except StorageError:
                await trio.sleep(0.05)
