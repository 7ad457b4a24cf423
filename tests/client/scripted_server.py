"""A WebSocket server on a real socket whose every step is written in the test.

It speaks through the `websockets` library's protocol without I/O, so the client is not tested against the library that
it uses itself. Tests await what the client does and say what the server does next, down to cutting a frame in half.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio
from websockets.frames import Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from justchat.wire.frames import (
    ClientFrame,
    CommandFrame,
    Fetch,
    Hello,
    Ping,
    Refresh,
    Send,
    Subscribe,
    Unsubscribe,
    decode_frame,
)
from tests.client import frames

# For whatever must come; a busy machine may stand still for seconds.
PATIENCE_SECONDS = 30.0


class Peer:
    """One accepted connection, from the server's side."""

    def __init__(self, stream: trio.SocketStream, protocol: ServerProtocol, request: Request) -> None:
        self.request = request
        self.closed = trio.Event()
        self.sent = 0
        self.pongs = 0
        self._stream = stream
        self._protocol = protocol
        self._writing = trio.Lock()
        self._put, self._texts = trio.open_memory_channel[str](1000)
        self._reads = trio.Event()
        self._reads.set()

    def stop_reading(self) -> None:
        """Take at most one more read's worth of bytes from the client, ever."""
        self._reads = trio.Event()

    @property
    def bearer(self) -> str | None:
        """The token that came with the upgrade."""
        return self.request.headers.get("Authorization", "").removeprefix("Bearer ") or None

    @property
    def close_code(self) -> int | None:
        """The code that the client closed with."""
        received = self._protocol.close_rcvd
        return None if received is None else received.code

    async def receive(self) -> ClientFrame:
        """Wait for a frame; it has to be a proper one."""
        with trio.fail_after(PATIENCE_SECONDS):
            text = await self._texts.receive()
        frame = decode_frame(text)
        assert isinstance(frame, Hello | CommandFrame | Fetch | Subscribe | Unsubscribe | Refresh | Ping), (text, frame)
        return frame

    async def hello(self) -> Hello:
        """Wait for the first frame."""
        frame = await self.receive()
        assert isinstance(frame, Hello)
        return frame

    async def post(self) -> Send:
        """Wait for a post."""
        frame = await self.receive()
        assert isinstance(frame, Send), frame
        return frame

    async def question(self) -> Subscribe:
        """Wait for a subscribe."""
        frame = await self.receive()
        assert isinstance(frame, Subscribe), frame
        return frame

    async def refresh(self) -> Refresh:
        """Wait for a fresh token."""
        frame = await self.receive()
        assert isinstance(frame, Refresh), frame
        return frame

    async def say(self, *payloads: bytes) -> None:
        """Send frames."""
        for payload in payloads:
            await self._write(self.framed(payload))
            self.sent += 1

    def framed(self, payload: bytes) -> bytes:
        """Give the bytes that a frame is on the wire."""
        self._protocol.send_text(payload)
        return b"".join(self._protocol.data_to_send())

    async def say_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        await self._write(data)

    async def say_binary(self, payload: bytes) -> None:
        """Send a binary message."""
        self._protocol.send_binary(payload)
        await self._flush()

    async def ping(self, payload: bytes) -> None:
        """Send a WebSocket ping."""
        self._protocol.send_ping(payload)
        await self._flush()

    async def close(self, code: int, reason: str = "") -> None:
        """Send a close frame, wait until the client hangs up."""
        self._protocol.send_close(code, reason)
        await self._flush()
        await self.gone()

    async def hang_up(self) -> None:
        """End the TCP connection without a close frame, as a proxy does."""
        await self._stream.aclose()

    async def reset(self) -> None:
        """Make the TCP connection break with a reset, as a crashed machine does."""
        self._stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await trio.aclose_forcefully(self._stream)

    async def gone(self) -> None:
        """Wait until this connection has ended."""
        with trio.fail_after(PATIENCE_SECONDS):
            await self.closed.wait()

    async def run(self) -> None:
        """Read until the end."""
        try:
            while self._protocol.state is not State.CLOSED:
                await self._reads.wait()
                data = await self._stream.receive_some()
                if not data:
                    break
                self._protocol.receive_data(data)
                self._pass_on()
                await self._flush()
                if self._protocol.close_rcvd is not None:
                    # Not already when we began to close: our close frame may still have to be written.
                    break
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self.closed.set()
            await self._put.aclose()
            await trio.aclose_forcefully(self._stream)

    def _pass_on(self) -> None:
        for event in self._protocol.events_received():
            if getattr(event, "opcode", None) is Opcode.PONG:
                self.pongs += 1
            if getattr(event, "opcode", None) is Opcode.TEXT:
                self._put.send_nowait(bytes(event.data).decode())  # type: ignore[union-attr]

    async def _flush(self) -> None:
        await self._write(b"".join(self._protocol.data_to_send()))

    async def _write(self, data: bytes) -> None:
        async with self._writing:
            await self._stream.send_all(data)


@dataclass(frozen=True)
class Turning:
    """An HTTP answer instead of an upgrade."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class ScriptedServer:
    """Listens on a free port of the loopback address, and hands connections to the test in the order they come."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.turning: list[Turning] = []
        self.hangs_up_early = 0
        self.turned_away = 0
        self._put, self._peers = trio.open_memory_channel[Peer](100)

    async def peer(self) -> Peer:
        """Wait for the next connection."""
        with trio.fail_after(PATIENCE_SECONDS):
            return await self._peers.receive()

    async def greeted(self, payload: bytes | None = None) -> Peer:
        """Wait for the next connection, take its hello and say welcome."""
        peer = await self.peer()
        await peer.hello()
        await peer.say(frames.welcome() if payload is None else payload)
        return peer

    def idle(self) -> bool:
        """Tell whether no connection waits to be taken by the test."""
        return self._peers.statistics().current_buffer_used == 0

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one TCP connection."""
        if self.hangs_up_early:
            self.hangs_up_early -= 1
            await stream.aclose()
            return
        protocol = ServerProtocol(max_size=None)
        request = await self._upgrade(stream, protocol)
        if request is None:
            await stream.aclose()
            return
        peer = Peer(stream, protocol, request)
        self._put.send_nowait(peer)
        await peer.run()

    async def _upgrade(self, stream: trio.SocketStream, protocol: ServerProtocol) -> Request | None:
        while True:
            data = await stream.receive_some()
            if not data:
                return None
            protocol.receive_data(data)
            for event in protocol.events_received():
                assert isinstance(event, Request)
                if self.turning:
                    self.turned_away += 1
                    await stream.send_all(_http(self.turning.pop(0)))
                    return None
                protocol.send_response(protocol.accept(event))
                await stream.send_all(b"".join(protocol.data_to_send()))
                return event


def _http(turning: Turning) -> bytes:
    head = [f"HTTP/1.1 {turning.status} Planted", f"Content-Length: {len(turning.body)}", "Connection: close"]
    head.extend(f"{name}: {value}" for name, value in turning.headers)
    return "\r\n".join([*head, "", ""]).encode() + turning.body


@asynccontextmanager
async def open_server() -> AsyncIterator[ScriptedServer]:
    """Serve for the length of the block."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server = ScriptedServer(listeners[0].socket.getsockname()[1])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, server.serve, listeners)
        yield server
        nursery.cancel_scope.cancel()
