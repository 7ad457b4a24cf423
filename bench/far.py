"""A database on another machine: a relay that holds everything back for a while in both directions.

It runs as a process of its own, so that its work is nobody's who is measured. What is under way is not slowed down by
what is before it: each piece is held for the same time, as on a long line and not as on a narrow one.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from bench.plain_asyncio import run_asyncio
from bench.server_process import server_process

_CHUNK = 262_144


@contextmanager
def far(url: str, ms: float, *, name: str, directory: Path) -> Iterator[str]:
    """Give a URL of the same server as if it were `ms` milliseconds away each way. Raises ServerFailed."""
    parts = urlsplit(url)
    if parts.hostname is None or parts.port is None:
        raise ValueError("only a server that is named by host and port can be moved away")
    arguments = ["-m", "bench.far", parts.hostname, str(parts.port), str(ms)]
    with server_process(f"far-{name}", arguments, directory=directory) as relay:
        account, at, _ = parts.netloc.rpartition("@")
        yield parts._replace(netloc=f"{account}{at}127.0.0.1:{relay.port}").geturl()


class Line:
    """One direction of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
        self._reader = reader
        self._writer = writer
        self._seconds = seconds
        self._under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def run(self) -> None:
        """Carry everything over until one side hangs up."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take())
            group.create_task(self._give())

    async def _take(self) -> None:
        now = asyncio.get_running_loop().time
        data = b"x"
        while data:
            try:
                data = await self._reader.read(_CHUNK)
            except OSError:
                data = b""
            await self._under_way.put((now() + self._seconds, data))

    async def _give(self) -> None:
        now = asyncio.get_running_loop().time
        with suppress(OSError):
            while True:
                due, data = await self._under_way.get()
                await asyncio.sleep(max(0.0, due - now()))
                if not data:
                    break
                self._writer.write(data)
                await self._writer.drain()
        self._writer.close()


async def relay(host: str, port: int, seconds: float) -> None:
    """Serve on a free port until the process is ended."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, port)
        async with asyncio.TaskGroup() as group:
            group.create_task(Line(reader, back, seconds).run())
            group.create_task(Line(there, writer, seconds).run())

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(f"listens on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    run_asyncio(lambda: relay(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) / 1e3))
