"""One SQLite file: a writer thread, a few reader threads, and the two ways to use them."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from storage.sqlite.connection import connect, create_file
from storage.sqlite.session import Session
from storage.sqlite.settings import SqliteSettings
from storage.sqlite.worker import WorkerThreads

T = TypeVar("T")


class Database:
    """Runs reads and writes in threads. Open it with `open_database`."""

    __slots__ = ("_readers", "_writer")

    def __init__(self, writer: WorkerThreads, readers: WorkerThreads) -> None:
        self._writer = writer
        self._readers = readers

    async def read(self, work: Callable[[sqlite3.Connection], T], *, snapshot: bool = False) -> T:
        """Run queries in a reader thread; all of them see one state if `snapshot`. Raises as `Session.read`."""
        return await self._readers.call(lambda session: session.read(work, snapshot=snapshot))

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run one transaction in the writer thread. Raises as `Session.write`."""
        return await self._writer.call(lambda session: session.write(work))

    async def settle(self) -> None:
        """Wait for the transactions whose callers have left in the middle: what is read next shows their outcome."""
        await self._writer.settle()

    async def prepare(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run something in the writer thread that makes its own transactions, before anyone else uses the database."""
        return await self._writer.call(lambda session: session.prepare(work))


@asynccontextmanager
async def open_database(
    settings: SqliteSettings, *, prepare: Callable[[sqlite3.Connection], object] | None = None
) -> AsyncIterator[Database]:
    """Create the file if need be, open it and start the threads; `prepare` migrates it before the first reader.

    Raises StorageUnavailable when the file cannot be opened. On leaving, work that has begun is finished first.
    """
    writer = WorkerThreads(
        "sqlite-writer", [Session(partial(connect, settings, read_only=False))], waiting=settings.waiting
    )
    readers = WorkerThreads(
        "sqlite-reader",
        [Session(partial(connect, settings, read_only=True)) for _ in range(settings.readers)],
        waiting=settings.waiting,
    )
    database = Database(writer, readers)
    try:
        await writer.call(lambda _: create_file(settings))
        await database.prepare(prepare or (lambda _: None))
        yield database
    finally:
        # The writer last: as the last connection it checkpoints, and takes the -wal file with it.
        await readers.aclose(seconds=settings.close_seconds)
        await writer.aclose(seconds=settings.close_seconds)
