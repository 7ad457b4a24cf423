"""Many clients that come back at once: connected, dropped, and resumed from where each was, without blocking.

What every client must get is known beforehand: the events of the room since the drop, as a listener that stayed saw
them. So each is compared with that at the speed of memcmp, and decodes only what is its own: welcome, subscribed,
caught_up. Time runs from the moment the storm breaks, not from a client's own start.
"""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Sequence

from msgspec import Struct

from bench.connection import HOST, Greeting, ServerRefused, greeting_frames, upgrade_request
from bench.frames import PONG, client_frame
from bench.streams import Reference, Tally, Twin

# Small until the events begin, so that little besides is decoded.
_HEAD_CHUNK_BYTES = 4096
_CHUNK_BYTES = 1 << 18
_WAIT_SECONDS = 0.5


class Returned(Struct, frozen=True):
    """How a storm ended."""

    clients: int
    caught_up: int
    gapless: int
    seconds: list[float]
    cpu_seconds: float
    wall_seconds: float


class ReturningClient:
    """One client on its way back."""

    __slots__ = ("_greeting", "_head", "_welcomed", "seconds", "socket", "twin")

    def __init__(self, port: int, greeting: Greeting, reference: Reference) -> None:
        self._greeting = greeting
        self._head = b""
        self._welcomed = False
        self.seconds: float | None = None
        self.twin = Twin(reference, greeting.resume_seq)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        code = self.socket.connect_ex((HOST, port))
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, "connect")

    @property
    def tally(self) -> Tally:
        """What it saw."""
        return self.twin.tally

    def connected(self, port: int) -> None:
        """Ask for the upgrade, now that the socket can be written to. Raises OSError."""
        code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, "connect")
        self.socket.send(upgrade_request(port, self._greeting.token))

    def read(self) -> bool:
        """Read once; whether it has caught up. Raises ServerRefused, FrameBroken, OSError."""
        chunk = self.socket.recv(_CHUNK_BYTES if self._welcomed else _HEAD_CHUNK_BYTES)
        if not chunk:
            raise ServerRefused("the server closed a returning connection")
        if not self._welcomed:
            chunk = self._upgraded(chunk)
        self.twin.feed(chunk)
        if self.twin.ahead:
            # Past the events that were missed: what follows is this client's own.
            self.twin.decode_early()
        for payload in self.tally.pings:
            self.socket.send(client_frame(payload, PONG))
        self.tally.pings.clear()
        if self.tally.others["error"] or self.tally.others["reset"]:
            raise ServerRefused("the server did not resume a returning connection")
        return self.tally.others["caught_up"] > 0

    def _upgraded(self, chunk: bytes) -> bytes:
        """Take the answer to the upgrade, greet, and give what follows it."""
        self._head += chunk
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not end:
            return b""
        if b" 101 " not in head.split(b"\r\n", 1)[0] + b" ":
            raise ServerRefused(f"no upgrade: {head[:80].decode('latin-1')}")
        self._welcomed = True
        self.socket.send(greeting_frames(self._greeting))
        return rest


class Storm:
    """All of them, on one poll."""

    def __init__(self, port: int, reference: Reference) -> None:
        self._port = port
        self._reference = reference
        self._clients: dict[int, ReturningClient] = {}
        self._ready = select.epoll()

    def close(self) -> None:
        """Close every socket."""
        self._ready.close()
        for client in self._clients.values():
            client.socket.close()

    def break_out(self, greetings: Sequence[Greeting], *, seconds: float) -> Returned:
        """Bring every client back at once; wait until all have caught up, or `seconds` are over."""
        began, cpu = time.monotonic(), time.process_time()
        for greeting in greetings:
            client = ReturningClient(self._port, greeting, self._reference)
            self._clients[client.socket.fileno()] = client
            self._ready.register(client.socket.fileno(), select.EPOLLOUT)
        waiting = len(self._clients)
        while waiting and time.monotonic() - began < seconds:
            for number, event in self._ready.poll(_WAIT_SECONDS):
                waiting -= self._serve(number, event, began)
        wall, cpu = time.monotonic() - began, time.process_time() - cpu
        return self._returned(cpu_seconds=cpu, wall_seconds=wall)

    def _serve(self, number: int, event: int, began: float) -> bool:
        client = self._clients[number]
        if event & select.EPOLLOUT:
            client.connected(self._port)
            self._ready.modify(number, select.EPOLLIN)
            return False
        if not client.read():
            return False
        client.seconds = time.monotonic() - began
        self._ready.unregister(number)
        return True

    def _returned(self, *, cpu_seconds: float, wall_seconds: float) -> Returned:
        clients = list(self._clients.values())
        goal = self._reference.base_seq + len(self._reference.ends)
        tallies = [client.twin.settle() for client in clients]
        gapless = [tally.last_seq == goal and not tally.gaps and not tally.repeats for tally in tallies]
        seconds = [client.seconds for client in clients if client.seconds is not None]
        return Returned(len(clients), len(seconds), sum(gapless), seconds, cpu_seconds, wall_seconds)
