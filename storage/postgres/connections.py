"""The connections of a pool, on the asyncio side: who has one, who waits for one, and what becomes of a broken one.

A connection is taken for one piece of work and given back sound or not. Giving back a sound one is one step that cannot
be interrupted. One that was cut off in the middle, by an error, a time-out or a cancelled caller, is mended behind the
caller's back: what it was at is called off and rolled back at the server, and only then somebody else may have it. If
that does not work it is dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from storage.errors import StorageUnavailable
from storage.postgres.connection import Connection, close

logger = logging.getLogger(__name__)


class Connections:
    """At most so many connections, opened when they are needed and closed when nobody has needed them for a while."""

    def __init__(
        self, connect: Callable[[], Awaitable[Connection]], *, most: int, idle_seconds: float, mend_seconds: float
    ) -> None:
        self._connect = connect
        self._places = asyncio.Semaphore(most)
        self._idle_seconds = idle_seconds
        self._mend_seconds = mend_seconds
        self._idle: list[tuple[Connection, float]] = []  # and since when, the latest last
        self._open: set[Connection] = set()
        self._mends: set[asyncio.Task[None]] = set()
        self._closed = False
        self._all_back = asyncio.Event()
        self.taken = 0

    @property
    def size(self) -> int:
        """How many are open."""
        return sum(not connection.is_closed() for connection in self._open)

    @property
    def idle(self) -> int:
        """How many of these nobody has."""
        return sum(not connection.is_closed() for connection, _ in self._idle)

    @property
    def mending(self) -> bool:
        """Whether something that was cut off is still being called off at the server."""
        return bool(self._mends)

    async def take(self) -> Connection:
        """Wait for a connection, opening it if need be. Raises StorageUnavailable when closed, or as `connect` does."""
        await self._places.acquire()
        try:
            if self._closed:
                raise StorageUnavailable("the database is closed")
            connection = self._take_idle() or await self._connect()
        except BaseException:
            self._places.release()
            raise
        self._open.add(connection)
        self.taken += 1
        return connection

    def give_back(self, connection: Connection, *, sound: bool) -> None:
        """Let others have it, at once if it is `sound`."""
        if sound or connection.is_closed():
            self._put(connection)
            return
        task = asyncio.get_running_loop().create_task(self._mend(connection))
        self._mends.add(task)
        task.add_done_callback(self._mends.discard)

    async def mended(self) -> None:
        """Wait until what was cut off by now has been called off, or given up."""
        if self._mends:
            await asyncio.wait(list(self._mends))

    async def aclose(self, *, seconds: float) -> None:
        """Let nobody have one any more, wait a while for those that are out, and close all."""
        self._closed = True
        try:
            async with asyncio.timeout(seconds):
                await self.mended()
                if self.taken:
                    await self._all_back.wait()
                await asyncio.gather(*(close(connection) for connection, _ in self._idle))
        except TimeoutError:
            logger.warning("event=connections_cut_off count=%d", self.taken)
        finally:
            for connection in self._open:
                connection.terminate()
            await self.mended()

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection, _ = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._open.discard(connection)
        return None

    def _put(self, connection: Connection) -> None:
        self.taken -= 1
        self._places.release()
        if self._closed and not self.taken:
            self._all_back.set()
        now = asyncio.get_running_loop().time()
        if connection.is_closed():
            self._open.discard(connection)
        else:
            self._idle.append((connection, now))
        while self._idle and self._idle[0][1] < now - self._idle_seconds:
            self._drop(self._idle.pop(0)[0])

    async def _mend(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(self._mend_seconds):
                # Either waits until the server has let go of the statement before it.
                await connection.execute("ROLLBACK" if connection.is_in_transaction() else "SELECT 1")
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # nobody waits: it is dropped
            logger.info("event=connection_dropped error=%s", type(error).__name__)
            connection.terminate()
            while self._idle:  # what broke it may have broken the others: better to find out by opening new ones
                self._drop(self._idle.pop()[0])
        self._put(connection)

    def _drop(self, connection: Connection) -> None:
        self._open.discard(connection)
        connection.terminate()
