"""The process that sends the messages and times them: senders, and a few receivers that decode everything at once.

It is an open loop: a message leaves when its time has come, whatever the server does. Its body begins with the reading
of the monotonic clock at that moment, which is how a decoding receiver knows how long the delivery took.
"""

from __future__ import annotations

import select
import time

from bench.connection import Connection, ServerRefused, close_all, open_connections
from bench.frames import CLOSE, PING, PONG, TEXT, Frame, client_frame
from bench.inbound import Inbound, decode_inbound
from bench.orderly import obey_orders
from bench.orders import Answer, Failed, Generate, Generated, Open, Opened, OpenSenders, Order
from bench.percentile import percentile
from bench.streams import Reader, Tally

STAMP_CHARACTERS = 19
_CHUNK_BYTES = 1 << 18
_LONGEST_WAIT_SECONDS = 0.05


def stamped_body(stamp_ns: int, size: int) -> bytes:
    """Make a body of `size` characters that carries the time it was made."""
    return b"%0*d" % (STAMP_CHARACTERS, stamp_ns) + b"x" * (size - STAMP_CHARACTERS)


def send_frame(room: bytes, number: int, run: int, body: bytes) -> bytes:
    """Make the frame of one post. `run` keeps the client_msg_id of one round apart from another's."""
    return client_frame(
        b'{"type":"send","id":"%d","room":"%b","data":{"client_msg_id":"%d-%d","body":"%b"}}'
        % (number, room, run, number, body)
    )


class Sender:
    """One sending connection: what the kernel did not take yet, and what came back."""

    __slots__ = ("connection", "unsent")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.unsent = bytearray()

    def offer(self, data: bytes) -> None:
        """Send without waiting; what does not go now goes later, in order."""
        self.unsent += data
        self.push()

    def push(self) -> None:
        """Send what waits, as far as the kernel takes it."""
        try:
            size = self.connection.socket.send(self.unsent)
        except BlockingIOError:
            return
        del self.unsent[:size]


class Generator:
    """Senders and decoding receivers of one room."""

    def __init__(self) -> None:
        self._senders: dict[int, Sender] = {}
        self._order: list[Sender] = []
        self._readers: dict[int, tuple[Connection, Reader]] = {}
        self._ready = select.epoll()
        self._run = time.monotonic_ns()
        self._clear()

    def _clear(self) -> None:
        self._delivery_ms: list[float] = []
        self._ack_ms: list[float] = []
        self._late_ms: list[float] = []
        self._sent_at: list[float] = []
        self._refusals: list[str] = []
        self._closed = 0

    def close(self) -> None:
        """Close every socket."""
        self._ready.close()
        close_all([sender.connection for sender in self._order])
        close_all([connection for connection, _ in self._readers.values()])

    def obey(self, order: Order) -> Answer:
        """Open receivers or senders, or generate. Raises ServerRefused, FrameBroken, OSError."""
        match order:
            case Open():
                return self._open(order)
            case OpenSenders():
                return self._open_senders(order)
            case Generate():
                return self._generate(order)
            case _:
                return Failed(f"a generator does not understand {type(order).__name__}")

    def _open(self, order: Open) -> Opened:
        opened = open_connections(order.port, order.greetings)
        for connection in opened:
            tally = Tally(connection.seq)
            reader = Reader(tally, self._delivered)
            self._register(connection)
            self._readers[connection.socket.fileno()] = (connection, reader)
        return Opened(len(opened), opened[-1].seq if opened else 0)

    def _open_senders(self, order: OpenSenders) -> Opened:
        opened = open_connections(order.port, order.greetings)
        for connection in opened:
            sender = Sender(connection)
            self._register(connection)
            self._senders[connection.socket.fileno()] = sender
            self._order.append(sender)
        return Opened(len(opened), 0)

    def _register(self, connection: Connection) -> None:
        connection.socket.setblocking(False)
        self._ready.register(connection.socket.fileno(), select.EPOLLIN)

    def idle(self) -> None:
        """Read whatever has come."""
        self._serve(0)

    def _serve(self, wait_seconds: float) -> None:
        for number, _ in self._ready.poll(wait_seconds):
            sender = self._senders.get(number)
            if sender is not None:
                self._read_answers(number, sender)
            else:
                self._read_events(number)

    def _receive(self, number: int, connection: Connection) -> bytes:
        try:
            chunk = connection.socket.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return b""
        except ConnectionError:
            chunk = b""
        if not chunk:
            self._ready.unregister(number)
            self._closed += 1
        return chunk

    def _read_events(self, number: int) -> None:
        connection, reader = self._readers[number]
        reader.feed(self._receive(number, connection))
        for payload in reader.tally.pings:
            connection.socket.send(client_frame(payload, PONG))
        reader.tally.pings.clear()

    def _delivered(self, _seq: int, frame: Frame) -> None:
        body = decode_inbound(frame.payload).data.body
        if len(body) >= STAMP_CHARACTERS:
            self._delivery_ms.append((time.monotonic_ns() - int(body[:STAMP_CHARACTERS])) / 1e6)

    def _read_answers(self, number: int, sender: Sender) -> None:
        for frame in sender.connection.walker.feed(self._receive(number, sender.connection)):
            if frame.opcode == TEXT:
                self._take_answer(decode_inbound(frame.payload))
            elif frame.opcode == PING:
                sender.offer(client_frame(frame.payload, PONG))
            elif frame.opcode == CLOSE:
                raise ServerRefused("the server closed a sending connection")

    def _take_answer(self, answer: Inbound) -> None:
        if answer.type == "ack" and answer.id is not None:
            self._ack_ms.append((time.monotonic() - self._sent_at[int(answer.id)]) * 1e3)
        elif answer.type == "error":
            self._refusals.append(f"{answer.data.code} {answer.data.detail}")

    def _generate(self, order: Generate) -> Generated:
        self._clear()
        self._run += 1
        for _, reader in self._readers.values():
            reader.tally.restart()
        bases = {number: reader.tally.last_seq for number, (_, reader) in self._readers.items()}
        began, cpu = time.monotonic(), time.process_time()
        while time.monotonic() - began < order.seconds:
            self._send_due(order, began)
            if self._finished(order, bases):
                break
            self._serve(self._pause(order, began))
        wall, cpu = time.monotonic() - began, time.process_time() - cpu
        return self._summary(bases, started_at=began, cpu_seconds=cpu, wall_seconds=wall)

    def _send_due(self, order: Generate, began: float) -> None:
        """Send every message whose time has come; messages that are due together leave in one write per connection."""
        now = time.monotonic()
        sent, due = len(self._sent_at), min(order.messages, int((now - began) * order.rate) + 1)
        room = order.room.encode()
        batches: dict[int, bytes] = {}
        for number in range(sent, due):
            self._late_ms.append((now - began - number / order.rate) * 1e3)
            frame = send_frame(room, number, self._run, stamped_body(time.monotonic_ns(), order.body_bytes))
            turn = number % len(self._order)
            batches[turn] = batches.get(turn, b"") + frame
            self._sent_at.append(time.monotonic())
        for turn, data in batches.items():
            self._order[turn].offer(data)
        for sender in self._order:
            if sender.unsent:
                sender.push()

    def _pause(self, order: Generate, began: float) -> float:
        sent = len(self._sent_at)
        if sent == order.messages:
            return _LONGEST_WAIT_SECONDS
        return min(_LONGEST_WAIT_SECONDS, max(0.0, began + sent / order.rate - time.monotonic()))

    def _finished(self, order: Generate, bases: dict[int, int]) -> bool:
        if len(self._ack_ms) + len(self._refusals) < order.messages:
            return False
        goals = {number: base + len(self._ack_ms) for number, base in bases.items()}
        return all(self._readers[number][1].tally.last_seq >= goal for number, goal in goals.items())

    def _summary(
        self, bases: dict[int, int], *, started_at: float, cpu_seconds: float, wall_seconds: float
    ) -> Generated:
        tallies = {number: reader.tally for number, (_, reader) in self._readers.items()}
        return Generated(
            sent=len(self._sent_at),
            acked=len(self._ack_ms),
            refused=len(self._refusals),
            refusal=self._refusals[0] if self._refusals else "",
            receivers=len(tallies),
            least=min((tally.last_seq - bases[number] for number, tally in tallies.items()), default=0),
            most=max((tally.last_seq - bases[number] for number, tally in tallies.items()), default=0),
            gaps=sum(tally.gaps for tally in tallies.values()),
            repeats=sum(tally.repeats for tally in tallies.values()),
            lagging=sum(tally.others["lagging"] for tally in tallies.values()),
            closed=self._closed,
            delivery_p50_ms=_rank(self._delivery_ms, 50),
            delivery_p99_ms=_rank(self._delivery_ms, 99),
            ack_p50_ms=_rank(self._ack_ms, 50),
            ack_p99_ms=_rank(self._ack_ms, 99),
            late_p99_ms=_rank(self._late_ms, 99),
            started_at=started_at,
            cpu_seconds=cpu_seconds,
            wall_seconds=wall_seconds,
        )


def _rank(values: list[float], percent: float) -> float:
    return percentile(values, percent) if values else 0.0


if __name__ == "__main__":
    obey_orders(Generator())
