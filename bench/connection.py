"""Opening many WebSockets to a server on this machine, in waves, with blocking sockets.

A wave goes through the handshake together, so that opening is bounded by the server and not by round trips. What comes
out is a `Connection`: the socket and what has been read of it. It belongs to the caller, who closes it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import msgspec
from msgspec import Struct

from bench.frames import PING, PONG, TEXT, Frame, FrameWalker, client_frame
from bench.inbound import Inbound, decode_inbound

HOST = "127.0.0.1"
WAVE = 64
DEADLINE_SECONDS = 30.0
_CHUNK_BYTES = 65_536


class ServerRefused(Exception):
    """The server did not answer the way the protocol says, or not in time."""


class Greeting(Struct, frozen=True):
    """How one connection introduces itself: with a token, and with the room it subscribes to or resumes from `seq`."""

    token: str
    room: str = ""
    resume_epoch: str = ""
    resume_seq: int = 0


class Connection:
    """An open WebSocket. `seq` and `epoch` say where its room stood when it subscribed."""

    __slots__ = ("epoch", "seq", "socket", "unread", "walker")

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.walker = FrameWalker()
        self.unread: list[Frame] = []
        self.seq = 0
        self.epoch = ""

    def close(self) -> None:
        """Drop the connection, as a network that fails would."""
        self.socket.close()

    def send(self, payload: bytes) -> None:
        """Send one text frame and wait until the kernel has it."""
        self.socket.sendall(client_frame(payload))

    def receive(self) -> list[Frame]:
        """Wait for data and give the frames it completes. Raises ServerRefused if the server hung up."""
        if self.unread:
            frames, self.unread = self.unread, []
            return frames
        try:
            chunk = self.socket.recv(_CHUNK_BYTES)
        except TimeoutError:
            raise ServerRefused("the server gave no answer in time") from None
        if not chunk:
            raise ServerRefused("the server closed the connection")
        return self.walker.feed(chunk)

    def wait_for(self, *types: str) -> Inbound:
        """Read until a frame of one of these types has come; what follows it stays unread. Raises ServerRefused."""
        while True:
            frames = self.receive()
            for index, frame in enumerate(frames):
                if frame.opcode == PING:
                    self.socket.sendall(client_frame(frame.payload, PONG))
                if frame.opcode != TEXT:
                    continue
                inbound = decode_inbound(frame.payload)
                if inbound.type in types:
                    self.unread = frames[index + 1 :]
                    return inbound
                if inbound.type == "error":
                    raise ServerRefused(f"{inbound.data.code}: {inbound.data.detail}")


def upgrade_request(port: int, token: str) -> bytes:
    """Make the request that asks for a WebSocket. The key is fixed: nothing here caches or checks it."""
    lines = [
        "GET /ws HTTP/1.1",
        f"Host: {HOST}:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def greeting_frames(greeting: Greeting) -> bytes:
    """Make the frames that introduce a connection: hello, and subscribe unless the hello resumes."""
    resume = {}
    if greeting.resume_epoch:
        resume = {greeting.room: {"epoch": greeting.resume_epoch, "seq": greeting.resume_seq}}
    hello = {"type": "hello", "data": {"resume": resume}}
    frames = client_frame(msgspec.json.encode(hello))
    if greeting.room and not greeting.resume_epoch:
        subscribe = {"type": "subscribe", "room": greeting.room, "data": {"history": 0}}
        frames += client_frame(msgspec.json.encode(subscribe))
    return frames


def start_connection(port: int, greeting: Greeting, *, receive_bytes: int = 0) -> Connection:
    """Connect and ask for the upgrade. `receive_bytes` sizes the kernel's buffer; 0 leaves it to the kernel."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        sock.settimeout(DEADLINE_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect((HOST, port))
        sock.sendall(upgrade_request(port, greeting.token))
    except BaseException:
        sock.close()
        raise
    return Connection(sock)


def finish_upgrade(connection: Connection) -> None:
    """Read the server's answer to the upgrade. Raises ServerRefused."""
    head = b""
    while b"\r\n\r\n" not in head:
        chunk = connection.socket.recv(_CHUNK_BYTES)
        if not chunk:
            raise ServerRefused("the server closed the connection during the handshake")
        head += chunk
    head, _, rest = head.partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].decode("latin-1")
    if " 101 " not in f"{status} ":
        raise ServerRefused(f"no upgrade: {status}")
    connection.unread = connection.walker.feed(rest)


def finish_greeting(connection: Connection, greeting: Greeting) -> None:
    """Wait until the server has welcomed the connection and subscribed it. Raises ServerRefused."""
    connection.wait_for("welcome")
    if greeting.room:
        subscribed = connection.wait_for("subscribed")
        connection.seq, connection.epoch = subscribed.data.head_seq, subscribed.data.epoch


def open_connections(port: int, greetings: Sequence[Greeting], *, receive_bytes: int = 0) -> list[Connection]:
    """Open one connection per greeting, each welcomed and subscribed. Raises ServerRefused, OSError."""
    opened: list[Connection] = []
    waiting = iter(greetings)
    try:
        while wave := list(islice(waiting, WAVE)):
            begun = []
            for greeting in wave:
                begun.append(start_connection(port, greeting, receive_bytes=receive_bytes))
                opened.append(begun[-1])
            for connection, greeting in zip(begun, wave, strict=True):
                finish_upgrade(connection)
                connection.socket.sendall(greeting_frames(greeting))
            for connection, greeting in zip(begun, wave, strict=True):
                finish_greeting(connection, greeting)
    except BaseException:
        close_all(opened)
        raise
    return opened


def close_all(connections: Sequence[Connection]) -> None:
    """Close every connection."""
    for connection in connections:
        connection.close()


@contextmanager
def connections(port: int, greetings: Sequence[Greeting]) -> Iterator[list[Connection]]:
    """Hold open connections for the length of a block."""
    opened = open_connections(port, greetings)
    try:
        yield opened
    finally:
        close_all(opened)
