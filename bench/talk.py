"""Rooms of two in conversation: in each, one member keeps a fixed number of messages unacknowledged.

A closed loop: the next message leaves when an acknowledgement has come, so throughput and latency are two sides of one
figure, and the server is never offered more than it takes. Both members are subscribed and every event is checked.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence

from msgspec import Struct

from bench.connection import Connection, Greeting, ServerRefused, close_all, open_connections
from bench.frames import CLOSE, PING, PONG, TEXT, client_frame
from bench.generator import send_frame
from bench.inbound import Inbound, decode_inbound
from bench.streams import Tally
from bench.target import BenchRoom

_CHUNK_BYTES = 1 << 16
_WAIT_SECONDS = 0.1
_DRAIN_SECONDS = 10.0


class Said(Struct, frozen=True):
    """What was said in one conversation of many rooms."""

    acked: int
    refused: int
    unanswered: int
    delivered: int
    gaps: int
    repeats: int
    ack_ms: list[float]
    queued_ms: list[float]
    commit_ms: list[float]
    cpu_seconds: float
    wall_seconds: float


class Member:
    """One connection of a room; the one with a window sends."""

    __slots__ = ("connection", "number", "pending", "room", "tally")

    def __init__(self, connection: Connection, room: str) -> None:
        self.connection = connection
        self.room = room.encode()
        self.number = 0
        self.pending: dict[int, float] = {}
        self.tally = Tally(connection.seq)


class Talk:
    """All rooms, on one poll."""

    def __init__(self, port: int, rooms: Sequence[BenchRoom], *, body_bytes: int) -> None:
        greetings = [Greeting(token, room.id) for room in rooms for token in room.tokens]
        opened = open_connections(port, greetings)
        self._members = [Member(opened[index], greeting.room) for index, greeting in enumerate(greetings)]
        self._senders = self._members[:: len(rooms[0].tokens)]
        self._by_number = {member.connection.socket.fileno(): member for member in self._members}
        self._body = b"x" * body_bytes
        self._run = time.monotonic_ns()
        self._ready = select.epoll()
        for number in self._by_number:
            self._ready.register(number, select.EPOLLIN)
        self._sending = False
        self._refused = 0
        self._ack_ms: list[float] = []
        self._queued_ms: list[float] = []
        self._commit_ms: list[float] = []

    def close(self) -> None:
        """Close every socket."""
        self._ready.close()
        close_all([member.connection for member in self._members])

    def converse(self, *, window: int, seconds: float) -> Said:
        """Talk for a time, then wait for what is under way. Raises ServerRefused, FrameBroken, OSError."""
        began, cpu = time.monotonic(), time.process_time()
        self._sending = True
        for sender in self._senders:
            self._post(sender, window)
        while time.monotonic() - began < seconds:
            self._serve()
        self._sending = False
        wall, cpu = time.monotonic() - began, time.process_time() - cpu
        acked = len(self._ack_ms)
        self._drain()
        return self._said(acked, cpu_seconds=cpu, wall_seconds=wall)

    def _drain(self) -> None:
        deadline = time.monotonic() + _DRAIN_SECONDS
        while time.monotonic() < deadline and not self._at_rest():
            self._serve()

    def _at_rest(self) -> bool:
        """Whether everything is answered and both members of every room have seen the same."""
        heads: dict[bytes, int] = {}
        for member in self._members:
            if member.pending or heads.setdefault(member.room, member.tally.last_seq) != member.tally.last_seq:
                return False
        return len(self._ack_ms) * 2 <= sum(member.tally.events for member in self._members)

    def _post(self, sender: Member, count: int) -> None:
        frames = b""
        now = time.monotonic()
        for _ in range(count):
            sender.number += 1
            sender.pending[sender.number] = now
            frames += send_frame(sender.room, sender.number, self._run, self._body)
        sender.connection.socket.sendall(frames)

    def _serve(self) -> None:
        for number, _ in self._ready.poll(_WAIT_SECONDS):
            member = self._by_number[number]
            chunk = member.connection.socket.recv(_CHUNK_BYTES)
            if not chunk:
                raise ServerRefused("the server closed a member's connection")
            answered = 0
            for frame in member.connection.walker.feed(chunk):
                if frame.opcode == TEXT:
                    answered += self._take(member, decode_inbound(frame.payload))
                elif frame.opcode == PING:
                    member.connection.socket.sendall(client_frame(frame.payload, PONG))
                elif frame.opcode == CLOSE:
                    raise ServerRefused("the server closes a member's connection")
            if answered and self._sending:
                self._post(member, answered)

    def _take(self, member: Member, inbound: Inbound) -> bool:
        """Count one frame; whether it answers a post."""
        if inbound.is_event:
            member.tally.count(inbound.seq)
            return False
        sent_at = member.pending.pop(int(inbound.id), None) if inbound.id else None
        if sent_at is None:
            return False
        if inbound.type != "ack":
            self._refused += 1
            return True
        self._ack_ms.append((time.monotonic() - sent_at) * 1e3)
        self._queued_ms.append(inbound.data.queued_ms)
        self._commit_ms.append(inbound.data.commit_ms)
        return True

    def _said(self, acked: int, *, cpu_seconds: float, wall_seconds: float) -> Said:
        tallies = [member.tally for member in self._members]
        return Said(
            acked=acked,
            refused=self._refused,
            unanswered=sum(len(member.pending) for member in self._members),
            delivered=sum(tally.events for tally in tallies),
            gaps=sum(tally.gaps for tally in tallies),
            repeats=sum(tally.repeats for tally in tallies),
            ack_ms=self._ack_ms,
            queued_ms=self._queued_ms,
            commit_ms=self._commit_ms,
            cpu_seconds=cpu_seconds,
            wall_seconds=wall_seconds,
        )
