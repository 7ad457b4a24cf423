"""A front door on a real port for the tests of this folder, with a small Quart app behind and raw clients before it."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio
from quart import Response, request
from quart_trio import QuartTrio

from justchat.door.frames import text_frame
from justchat.door.front_door import FrontDoor
from justchat.door.hypercorn_adapter import AsgiApp
from justchat.door.limits import DoorLimits
from justchat.door.socket import Handshake

Handler = Callable[[Handshake], Awaitable[None]]
# For whatever must come; a busy machine may stand still for seconds.
PATIENCE_SECONDS = 30.0
# A deadline that nobody here waits for: what ends within the patience has not waited for this one.
NEVER_SECONDS = 600.0


class NotUpgradedError(Exception):
    """The door answered an upgrade with something else, or with nothing."""


class App:
    """A Quart app whose handlers can be held and watched."""

    def __init__(self) -> None:
        """Build the routes."""
        self.entered = trio.Event()
        self.release = trio.Event()
        self.cancelled = trio.Event()
        self.quart = QuartTrio(__name__)
        self.quart.config["MAX_CONTENT_LENGTH"] = 200_000
        self.quart.add_url_rule("/hi", view_func=self.hi, methods=["GET"])
        self.quart.add_url_rule("/echo", view_func=self.echo, methods=["POST"])
        self.quart.add_url_rule("/early", view_func=self.early, methods=["POST"])
        self.quart.add_url_rule("/held", view_func=self.held, methods=["GET"])
        self.quart.add_url_rule("/big/<int:size>", view_func=self.big, methods=["GET"])
        self.quart.add_url_rule("/group", view_func=self.group, methods=["GET"])

    async def hi(self) -> str:
        """Answer at once."""
        return "hi"

    async def echo(self) -> str | bytes:
        """Answer with the request's body."""
        return await request.get_data()

    async def early(self) -> tuple[str, int]:
        """Answer without looking at the body."""
        return "no", 401

    async def held(self) -> str:
        """Answer when the test says so."""
        self.entered.set()
        try:
            await self.release.wait()
        except trio.Cancelled:
            self.cancelled.set()
            raise
        return "released"

    async def big(self, size: int) -> Response:
        """Answer with many bytes, in pieces."""

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(size // 65_536):
                yield bytes(65_536)

        return Response(pieces(), content_type="application/octet-stream")

    async def group(self) -> str:
        """Fail as nurseries fail."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._fail)
        return "never"

    async def _fail(self) -> None:
        raise LookupError("planted")


class Running:
    """A door that serves."""

    def __init__(self, door: FrontDoor, app: App, port: int, nursery: trio.Nursery) -> None:
        """Keep the parts together."""
        self.door = door
        self.app = app
        self.port = port
        self.nursery = nursery

    @property
    def url(self) -> str:
        """Base URL for HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        """URL of the WebSocket."""
        return f"ws://127.0.0.1:{self.port}/ws"

    async def connect(self) -> trio.SocketStream:
        """Open a raw connection."""
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def ask(self, sent: bytes) -> bytes:
        """Send raw bytes on a new connection and return all that comes back until its end."""
        stream = await self.connect()
        async with stream:
            await stream.send_all(sent)
            return await read_to_end(stream)

    async def upgrade(self, *, behind: bytes = b"") -> trio.SocketStream:
        """Open a raw WebSocket; `behind` is sent together with the head."""
        stream = await self.connect()
        await stream.send_all(upgrade_head() + behind)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = await stream.receive_some(1)
            if not byte:
                await stream.aclose()
                raise NotUpgradedError(head)
            head += byte
        if not head.startswith(b"HTTP/1.1 101 "):
            await stream.aclose()
            raise NotUpgradedError(head)
        return stream


def upgrade_head(target: str = "/ws", *, first: str = "GET", extra: str = "", version: str = "13") -> bytes:
    """Write a WebSocket upgrade request."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"{first} {target} HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        f"Sec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: {key}\r\n{extra}\r\n"
    ).encode("latin-1")


async def read_until(stream: trio.abc.ReceiveStream, end: bytes) -> bytes:
    """Read until what has been read ends with these bytes."""
    data = b""
    with trio.fail_after(PATIENCE_SECONDS):
        while not data.endswith(end):
            more = await stream.receive_some(65_536)
            assert more, f"the stream ended after {data!r}"
            data += more
    return data


async def read_to_end(stream: trio.abc.ReceiveStream) -> bytes:
    """Read until the end of the stream, a reset included."""
    data = b""
    try:
        while more := await stream.receive_some(65_536):
            data += more
    except trio.BrokenResourceError:
        pass
    return data


async def until(condition: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> None:
    """Let the loop turn until the condition holds; fail when it does not in time."""
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is a figure, not an event
            await trio.sleep(0.001)


async def echo(handshake: Handshake) -> None:
    """Answer every text with itself."""
    socket = await handshake.accept()
    while True:
        socket.force(text_frame((await socket.receive()).encode()))


@asynccontextmanager
async def running(
    on_websocket: Handler = echo, *, limits: DoorLimits | None = None, app: AsgiApp | None = None
) -> AsyncIterator[Running]:
    """Serve on a free port of the loopback, and cancel at the end."""
    parts = App()
    door = FrontDoor(app or parts.quart, on_websocket, limits)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(door.serve, await trio.open_tcp_listeners(0, host="127.0.0.1"))
        yield Running(door, parts, listeners[0].socket.getsockname()[1], nursery)
        nursery.cancel_scope.cancel()
