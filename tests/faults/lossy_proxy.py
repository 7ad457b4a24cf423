"""A bad network between clients and a server on this machine: a TCP proxy with a fate for every connection.

Slow, stalling, one byte at a time, cut in the middle of a frame, reset, or silent for ever with both ends open. The
fate of the n-th connection depends on the seed and n alone. The proxy knows nothing of what passes through it.
"""

from __future__ import annotations

import math
import random
from collections import Counter

import trio
from msgspec import Struct

HOST = "127.0.0.1"
_CHUNK_BYTES = 16_384
ENDINGS = ("cut", "cut", "reset", "half_open")


class Fate(Struct, frozen=True):
    """What happens to one connection. Delays are seconds; the ending comes after so many bytes in both directions."""

    ending: str
    after_bytes: float
    delay_most: float
    stall_share: float
    tiny_bytes: int
    """So many bytes at the beginning of each direction go one by one."""


class Network(Struct, frozen=True):
    """How bad the network is."""

    delay_most: float = 0.02
    stall_share: float = 0.05
    stall_seconds: float = 0.4
    bytes_most: int = 60_000


CALM = Fate("none", math.inf, 0.0, 0.0, 0)


class LossyProxy:
    """Passes connections on to a port of the loopback, as badly as they deserve."""

    def __init__(self, upstream_port: int, network: Network, *, seed: int) -> None:
        self.port = 0
        self.sessions = 0
        self.ends: Counter[str] = Counter()
        self.stalls = 0
        self.calm = False
        """Set it, and new connections are well, and old ones are no longer ended."""
        self._upstream_port = upstream_port
        self._network = network
        self._seed = seed

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; what is half open stays so until then."""
        listeners = await trio.open_tcp_listeners(0, host=HOST)
        self.port = listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, self._connection, listeners)
            task_status.started()

    def fate(self, number: int) -> Fate:
        """Draw the fate of a connection; the endings take turns, so that none is missing from a short run."""
        choice = random.Random(f"{self._seed}/{number}")
        network = self._network
        return Fate(
            ending=ENDINGS[number % len(ENDINGS)],
            after_bytes=choice.randrange(200, network.bytes_most),
            delay_most=choice.choice((0.0, network.delay_most)),
            stall_share=choice.choice((0.0, network.stall_share)),
            tiny_bytes=choice.choice((0, 0, 2000)),
        )

    async def _connection(self, client: trio.SocketStream) -> None:
        self.sessions += 1
        fate = CALM if self.calm else self.fate(self.sessions)
        session = _Session(self, fate, random.Random(f"{self._seed}/{self.sessions}/way"), self._network)
        try:
            async with await trio.open_tcp_stream(HOST, self._upstream_port) as server:
                await session.run(client, server)
        except OSError:
            self.ends["unreachable"] += 1


class _Session:
    def __init__(self, proxy: LossyProxy, fate: Fate, choice: random.Random, network: Network) -> None:
        self._proxy = proxy
        self._fate = fate
        self._choice = choice
        self._network = network
        self._passed = 0
        self._silent = False

    async def run(self, client: trio.SocketStream, server: trio.SocketStream) -> None:
        """Pass on in both directions until one ends, or fate says so."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pass_on, client, server, nursery.cancel_scope)
            nursery.start_soon(self._pass_on, server, client, nursery.cancel_scope)
        if self._silent:
            self._proxy.ends["half_open"] += 1
            # Neither end hears of the other's leaving, as when a cable is pulled.
            await trio.sleep_forever()
        if self._fate.ending == "reset":
            for stream in (client, server):
                stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    async def _pass_on(self, source: trio.SocketStream, target: trio.SocketStream, both: trio.CancelScope) -> None:
        tiny = self._fate.tiny_bytes
        try:
            while data := bytes(await source.receive_some(_CHUNK_BYTES)):
                await self._loiter()
                head, rest = data[:tiny], data[tiny:]
                tiny -= len(head)
                for value in head:
                    await target.send_all(bytes((value,)))
                left = self._left()
                await target.send_all(rest[: int(min(left, len(rest)))])
                self._passed += len(data)
                if len(data) >= left:
                    self._end()
                    break
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        both.cancel()

    def _left(self) -> float:
        """Count the bytes until the ending."""
        if self._proxy.calm or self._fate.ending == "none":
            return math.inf
        return max(0.0, self._fate.after_bytes - self._passed)

    def _end(self) -> None:
        if self._fate.ending == "half_open":
            self._silent = True
        else:
            self._proxy.ends[self._fate.ending] += 1

    async def _loiter(self) -> None:
        if self._choice.random() < self._fate.stall_share:
            self._proxy.stalls += 1
            await trio.sleep(self._choice.uniform(0.0, self._network.stall_seconds))
        elif self._fate.delay_most:
            await trio.sleep(self._choice.uniform(0.0, self._fate.delay_most))
