"""A pool of connections on the asyncio side, and the two ways to use it from the Trio side.

Each read and each write is one asyncio task from taking a connection to giving it back, so that no connection is ever
held while a Trio task does something else. After a fault the next call tries anew. A few connections are kept for
writes. It tells what is known of a failed write from what is not: before COMMIT is sent, nothing was written.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import TypeVar

import trio
from msgspec import Struct

from storage.asyncio_seam import AsyncioSeam
from storage.errors import OutcomeUnknown, StorageError, StorageInUse, StorageUnavailable, Unstorable
from storage.postgres.checks import check_session
from storage.postgres.connection import Connection, Row, Work, commit_failure, connect, translating
from storage.postgres.connections import Connections
from storage.postgres.settings import PostgresSettings
from storage.postgres.site_lock import BUSY, share_site

T = TypeVar("T")


class PostgresStatistics(Struct, frozen=True):
    """How the pool is doing."""

    size: int
    idle: int
    in_use: int
    left_behind: int
    """Calls whose callers have left and that are not over yet."""
    opened: int
    """Connections that were ever opened."""
    reconnects: int
    """How often the server answered again after it had not."""
    last_error: str | None


class _Progress:
    """How far a write has come."""

    __slots__ = ("committing",)

    def __init__(self) -> None:
        self.committing = False


class PostgresPool:
    """Runs reads and writes. Open it with `open_pool`."""

    def __init__(self, seam: AsyncioSeam, settings: PostgresSettings, *, shares_site: bool) -> None:
        self._seam = seam
        self._settings = settings
        self._shares_site = shares_site
        self._connections = Connections(
            self._connect,
            most=settings.connections,
            idle_seconds=settings.idle_seconds,
            mend_seconds=settings.command_seconds,
        )
        self._readers = asyncio.Semaphore(max(1, settings.connections - settings.kept_for_writes))
        self._opened = self._reconnects = 0
        self._failing = False
        self._last_error: str | None = None

    async def read(self, work: Work[T]) -> T:
        """Run queries, which need not see the same state. Raises StorageUnavailable or Unstorable."""
        run = partial(self._read, work)
        try:
            return await self._seam.call(run, deadline_seconds=self._settings.deadline_seconds)
        except StorageUnavailable as error:
            self._note(error)  # again, unless it is that of the deadline
            raise

    async def fetch(self, statement: str, *values: object) -> list[Row]:
        """Run one query. Asked for by values that no database can hold, it finds nothing. Raises StorageUnavailable."""
        try:
            return await self.read(lambda connection: connection.fetch(statement, *values))
        except Unstorable:
            return []

    async def write(self, work: Work[T]) -> T:
        """Run one transaction: all of `work` is committed and durable, or none of it.

        A caller that is cancelled leaves at once and the transaction goes on. What `work` raises rolls back. Raises
        Unstorable and StorageUnavailable when nothing was written, OutcomeUnknown when it was cut off in mid-commit.
        """
        progress = _Progress()
        run = partial(self._write, work, progress)
        try:
            return await self._seam.call(run, deadline_seconds=self._settings.deadline_seconds, finish=True)
        except OutcomeUnknown as error:
            self._note(error)
            if progress.committing:
                raise
            raise StorageUnavailable(str(error)) from error

    async def settle(self) -> None:
        """Wait for the transactions whose callers have left in the middle: what is read next shows their outcome."""
        await self._seam.settle()
        if self._connections.mending:
            await self._seam.call(self._connections.mended)

    def statistics(self) -> PostgresStatistics:
        """Report the connections and the calls."""
        return PostgresStatistics(
            size=self._connections.size,
            idle=self._connections.idle,
            in_use=self._connections.taken,
            left_behind=self._seam.statistics().left_behind,
            opened=self._opened,
            reconnects=self._reconnects,
            last_error=self._last_error,
        )

    async def aclose(self) -> None:
        """Refuse new calls, wait a while for those under way and close the connections."""
        with trio.CancelScope(shield=True):
            await self._seam.call(lambda: self._connections.aclose(seconds=self._settings.close_seconds))

    # On the asyncio side.

    async def _read(self, work: Work[T]) -> T:
        with self._judged():
            async with self._readers:
                connection = await self._connections.take()
                sound = False
                try:
                    result = await work(connection)
                    sound = True
                except Exception as error:
                    sound = await _rolled_back(connection, error)
                    raise
                finally:
                    self._connections.give_back(connection, sound=sound)
        return result

    async def _write(self, work: Work[T], progress: _Progress) -> T:
        with self._judged():
            connection = await self._connections.take()
            sound = False
            try:
                await connection.execute("BEGIN")
                result = await work(connection)
                progress.committing = True
                await _commit(connection)
                sound = True
            except Exception as error:
                sound = await _rolled_back(connection, error)
                raise
            finally:
                self._connections.give_back(connection, sound=sound)
        return result

    async def _connect(self) -> Connection:
        connection = await connect(self._settings)
        fit = False
        try:
            with translating():
                await check_session(connection)
                shared = not self._shares_site or await share_site(connection)
            if not shared:
                raise StorageUnavailable(BUSY) if self._opened else StorageInUse(BUSY)
            fit = True
        finally:
            if not fit:
                connection.terminate()
        self._opened += 1
        return connection

    @contextmanager
    def _judged(self) -> Iterator[None]:
        try:
            with translating():
                yield
        except Exception as error:
            self._note(error)
            raise
        self._note(None)

    def _note(self, error: Exception | None) -> None:
        if isinstance(error, StorageUnavailable):
            self._failing = True
            self._last_error = str(error)
        elif self._failing and (error is None or isinstance(error, StorageError)):
            self._failing = False
            self._reconnects += 1


@asynccontextmanager
async def open_pool(
    seam: AsyncioSeam, settings: PostgresSettings, *, shares_site: bool = True
) -> AsyncIterator[PostgresPool]:
    """Make a pool, whose connections hold the site if it `shares_site`; on leaving, what is under way gets a while.

    Raises StorageInUse if another program has the site for itself alone, and StorageUnavailable.
    """
    pool = PostgresPool(seam, settings, shares_site=shares_site)
    try:
        await pool.fetch("SELECT 1")
        yield pool
    finally:
        await pool.aclose()


async def _commit(connection: Connection) -> None:
    try:
        tag = await connection.execute("COMMIT")
    except Exception as error:
        raise commit_failure(error, alive=not connection.is_closed()) from error
    if tag != "COMMIT":
        raise StorageUnavailable(f"the server answered {tag} to COMMIT")


async def _rolled_back(connection: Connection, error: Exception) -> bool:
    """Tell whether a connection is sound after an error, undoing what it was at if that is quickly done."""
    if isinstance(error, TimeoutError | OutcomeUnknown) or connection.is_closed():
        return False
    if connection.is_in_transaction():
        with suppress(Exception):
            return await connection.execute("ROLLBACK") == "ROLLBACK"
        return False
    return True
