"""A bad network between a server and its database: a TCP proxy that does its worst when told to.

Slow, stalled, reset, silent with both ends open, or cut in the middle of a commit: of its request, so that it never
happened, or between its request and its answer, so that it did and nobody is told. It runs on a thread of its own, so
that it is there before the server starts and whatever loop the clients run on.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self

HOST = "127.0.0.1"
POSTGRES_COMMIT = b"COMMIT\0"
"""A transaction's last statement, on its way to PostgreSQL."""
MONGO_COMMIT = b"\x02insert\0\x08\0\0\0entries\0"
"""The beginning of an insert of entries, on its way to MongoDB."""
Blow = Literal["request", "answer"]
_CHUNK_BYTES = 65_536
_START_SECONDS = 30.0
_RESET = struct.pack("ii", 1, 0)


class DatabaseProxy:
    """Passes connections on to a port of the loopback. Its methods may be called from any thread."""

    def __init__(self, upstream_port: int, *, commit: bytes) -> None:
        self.port = 0
        self.sessions = 0
        self.did: Counter[str] = Counter()
        """What was done to connections that were there."""
        self.latency_seconds = 0.0
        """How long everything takes, each way."""
        self._upstream_port = upstream_port
        self._commit = commit
        self._open: set[_Session] = set()
        self._orders: deque[Blow] = deque()
        self._loop = asyncio.SelectorEventLoop()  # the policy's own may be Trio's
        self._flowing = asyncio.Event()
        self._started = threading.Event()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._live, name="database-proxy", daemon=True)

    def stall(self) -> None:
        """Let nothing pass any more, and break nothing."""
        self.did["stall"] += 1
        self._tell(self._flowing.clear)

    def flow(self) -> None:
        """Let things pass again, also what has waited."""
        self._tell(self._flowing.set)

    def reset(self) -> None:
        """Reset all connections that are open now."""
        self._tell(lambda: self._to_all("reset"))

    def half_open(self) -> None:
        """Have all connections that are open now lead nowhere, with neither end being told, until `forget`."""
        self._tell(lambda: self._to_all("half_open"))

    def forget(self) -> None:
        """Tell both ends of the half-open connections."""
        self._tell(self._end_silent)

    def order(self, blow: Blow) -> None:
        """Cut the next commit: in the middle of its request, or between its request and its answer."""
        self._tell(lambda: self._orders.append(blow))

    def obey(self, data: bytes) -> Blow | None:
        """Tell what to do about bytes on their way to the database; an order that is obeyed is done with."""
        if not self._orders or self._commit not in data:
            return None
        return self._orders.popleft()

    def cut_point(self, data: bytes) -> int:
        """Give a place in the middle of the commit that begins in `data`."""
        begin = data.index(self._commit)
        return begin + (len(data) - begin) // 2

    async def pass_time(self) -> None:
        """Wait as long as something on its way has to."""
        await self._flowing.wait()
        if self.latency_seconds:
            await asyncio.sleep(self.latency_seconds)
            await self._flowing.wait()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(_START_SECONDS), "the proxy did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tell(self._over.set)
        self._thread.join(_START_SECONDS)
        assert not self._thread.is_alive(), "the proxy did not end"

    # On the proxy's own thread.

    def _live(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._flowing.set()
        connections = asyncio.TaskGroup()
        async with connections:
            server = await asyncio.start_server(
                lambda reader, writer: connections.create_task(self._connection(reader, writer)), HOST, 0
            )
            self.port = server.sockets[0].getsockname()[1]
            self._started.set()
            await self._over.wait()
            server.close()
            for session in self._open:
                session.end()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        try:
            upstream = await asyncio.open_connection(HOST, self._upstream_port)
        except OSError:
            self.did["unreachable"] += 1
            writer.transport.abort()
            return
        session = _Session(self, (reader, writer), upstream)
        self._open.add(session)
        try:
            await session.run()
        finally:
            self._open.discard(session)

    def _to_all(self, fate: Literal["reset", "half_open"]) -> None:
        for session in self._open:
            if not session.silent:
                self.did[fate] += 1
                session.silent = fate == "half_open"
                if fate == "reset":
                    session.end()

    def _end_silent(self) -> None:
        for session in self._open:
            if session.silent:
                session.end()

    def _tell(self, what: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(what)


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Session:
    """One connection of the server's to its database."""

    def __init__(self, proxy: DatabaseProxy, client: Ends, database: Ends) -> None:
        self.silent = False
        self._proxy = proxy
        self._client = client
        self._database = database
        self._cut_answer = False
        self._over = asyncio.Event()

    def end(self) -> None:
        """Reset both ends."""
        self._over.set()

    async def run(self) -> None:
        """Pass on in both directions until one ends, or it is told to."""
        ways = [asyncio.create_task(way) for way in (self._requests(), self._answers())]
        try:
            await self._over.wait()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for _, writer in (self._client, self._database):
                with suppress(OSError):
                    raw: socket.socket = writer.get_extra_info("socket")
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()

    async def _requests(self) -> None:
        (reader, _), (_, writer) = self._client, self._database
        with suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                await self._proxy.pass_time()
                if self.silent:
                    continue
                blow = self._proxy.obey(data)
                if blow is not None:
                    self._proxy.did[f"cut {blow}"] += 1
                    self._cut_answer = blow == "answer"
                writer.write(data[: self._proxy.cut_point(data)] if blow == "request" else data)
                await writer.drain()
                if blow == "request":
                    break
        self._ended()

    async def _answers(self) -> None:
        (reader, _), (_, writer) = self._database, self._client
        with suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                await self._proxy.pass_time()
                if self._cut_answer:
                    break
                if not self.silent:
                    writer.write(data)
                    await writer.drain()
        self._ended()

    def _ended(self) -> None:
        # Neither end of a half-open connection hears of the other's leaving, as when a cable is pulled.
        if not self.silent:
            self._over.set()


def database_proxy(upstream_port: int, *, commit: bytes) -> DatabaseProxy:
    """Make a proxy before a port of the loopback, whose commits look like this; it serves as a context manager."""
    return DatabaseProxy(upstream_port, commit=commit)
