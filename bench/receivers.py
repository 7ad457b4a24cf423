"""The process with most of the receivers: it reads rarely, in large pieces, and checks at the speed of memcmp.

Receivers must cost less than the server they measure. Reading every few milliseconds instead of at once lets the
kernel gather what the server sent, and spares the server the wake-up of a sleeping reader, which clients elsewhere on
a network would not cost it either. Latency is therefore not measured here.
"""

from __future__ import annotations

import select
import time

from bench.connection import Connection, close_all, open_connections
from bench.frames import PONG, client_frame
from bench.orderly import obey_orders
from bench.orders import Answer, Collect, Collected, Failed, Open, Opened, Order
from bench.streams import Reader, Reference, Tally, Twin

POLL_SECONDS = 0.010
RECEIVE_BYTES = 1 << 20
QUIET_SECONDS = 3.0


class Receivers:
    """Receivers of one room. The first one opened is decoded and is the reference of the others."""

    def __init__(self) -> None:
        self._connections: list[Connection] = []
        self._twins: dict[int, Twin] = {}
        self._sockets: dict[int, Connection] = {}
        self._ahead: list[Twin] = []
        self._reference = Reference(0)
        self._leader: Connection | None = None
        self._leading = Reader(Tally(0))
        self._ready = select.epoll()
        self._buffer = bytearray(1 << 20)
        self._view = memoryview(self._buffer)
        self._received_bytes = 0
        self._tallies: list[Tally] = []

    def close(self) -> None:
        """Close every socket."""
        self._ready.close()
        close_all(self._connections)

    def obey(self, order: Order) -> Answer:
        """Open receivers or collect. Raises ServerRefused, FrameBroken, OSError."""
        if isinstance(order, Open):
            return self._open(order)
        if isinstance(order, Collect):
            return self._collect(order)
        return Failed(f"receivers do not understand {type(order).__name__}")

    def _open(self, order: Open) -> Opened:
        opened = open_connections(order.port, order.greetings, receive_bytes=RECEIVE_BYTES)
        self._connections += opened
        for connection in opened:
            connection.socket.setblocking(False)
            number = connection.socket.fileno()
            self._sockets[number] = connection
            self._ready.register(number, select.EPOLLIN)
            if self._leader is None:
                self._leader = connection
                self._reference.restart(connection.seq)
                self._leading = Reader(Tally(connection.seq), self._reference.append)
                self._tallies.append(self._leading.tally)
            else:
                twin = Twin(self._reference, connection.seq)
                self._twins[number] = twin
                self._tallies.append(twin.tally)
        return Opened(len(opened), opened[-1].seq if opened else 0)

    def idle(self) -> None:
        """Read whatever has come."""
        for number, _ in self._ready.poll(0, max(1, len(self._connections))):
            self._read(number)
        ahead, self._ahead = self._ahead, []
        for twin in ahead:
            twin.feed(b"")
            if twin.ahead:
                self._ahead.append(twin)

    def _read(self, number: int) -> None:
        size = self._receive(number)
        chunk = self._view[:size]
        twin = self._twins.get(number)
        if twin is None:
            self._leading.feed(chunk)
            self._answer_pings(number, self._leading.tally)
            return
        twin.feed(chunk)
        if twin.ahead and self._leader is not None:
            # The twin was sent this before it was read: the reference can be brought up to it now.
            leader = self._leader.socket.fileno()
            self._leading.feed(self._view[: self._receive(leader)])
            twin.feed(b"")
            if twin.ahead and twin not in self._ahead:
                self._ahead.append(twin)
        if twin.tally.pings:
            self._answer_pings(number, twin.tally)

    def _receive(self, number: int) -> int:
        """Read into the buffer; 0 when there was nothing. A connection that has ended is counted once."""
        connection = self._sockets[number]
        try:
            size = connection.socket.recv_into(self._buffer)
        except BlockingIOError:
            return 0
        except ConnectionError:
            size = 0
        if size == 0:
            self._ready.unregister(number)
            twin = self._twins.get(number)
            (twin.tally if twin else self._leading.tally).closed = True
        self._received_bytes += size
        return size

    def _answer_pings(self, number: int, tally: Tally) -> None:
        for payload in tally.pings:
            self._sockets[number].socket.send(client_frame(payload, PONG))
        tally.pings.clear()

    def _collect(self, order: Collect) -> Collected:
        self._restart()
        base = self._leading.tally.last_seq
        goal = base + order.messages
        began, cpu = time.monotonic(), time.process_time()
        finished, received = began, 0
        while time.monotonic() - began < order.seconds:
            self.idle()
            if self._received_bytes > received:
                finished, received = time.monotonic(), self._received_bytes
            if self._leading.tally.last_seq >= goal and all(t.last_seq >= goal for t in self._twins.values()):
                break
            if received and time.monotonic() - finished > QUIET_SECONDS:
                break
            time.sleep(POLL_SECONDS)
        wall, cpu = time.monotonic() - began, time.process_time() - cpu
        for twin in self._twins.values():
            twin.settle()
        return self._summary(base, finished_at=finished, cpu_seconds=cpu, wall_seconds=wall)

    def _restart(self) -> None:
        """Start a new reference and new counts; what is behind stays behind and is counted from where it stands."""
        base = self._leading.tally.last_seq
        for twin in self._twins.values():
            twin.rebase(base)
        self._reference.restart(base)
        for tally in self._tallies:
            tally.restart()
        self._received_bytes = 0

    def _summary(self, base: int, *, finished_at: float, cpu_seconds: float, wall_seconds: float) -> Collected:
        tallies = self._tallies
        lagging = sum(tally.others["lagging"] for tally in tallies)
        return Collected(
            receivers=len(tallies),
            least=min(tally.last_seq for tally in tallies) - base,
            most=max(tally.last_seq for tally in tallies) - base,
            events=sum(tally.events for tally in tallies),
            gaps=sum(tally.gaps for tally in tallies),
            repeats=sum(tally.repeats for tally in tallies),
            lagging=lagging,
            others=sum(tally.others.total() for tally in tallies) - lagging,
            closed=sum(tally.closed for tally in tallies),
            received_bytes=self._received_bytes,
            finished_at=finished_at,
            cpu_seconds=cpu_seconds,
            wall_seconds=wall_seconds,
        )


if __name__ == "__main__":
    obey_orders(Receivers())
