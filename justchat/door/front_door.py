"""The front door: accepts connections on one port, judges each request head, and hands the rest to its server.

Owns every accepted socket from accept to close. Promises that no connection outlives its deadlines without progress,
that no exception of one connection reaches another or the process, that at most `max_connections` are open, and that
when `serve` returns, whether drained or cancelled, nothing is left open. A WebSocket costs two tasks: the
connection's own, in which the product's handler runs, and trio-websocket's reader.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import trio
from msgspec import Struct

from justchat.door.answer import answer_and_linger, closing_response, problem_body
from justchat.door.containment import Containment
from justchat.door.head import HeadRefusal, RequestGuard, UpgradeRequest
from justchat.door.hypercorn_adapter import AsgiApp, HypercornAdapter
from justchat.door.limits import DoorLimits
from justchat.door.socket import Handshake, SocketClosed
from justchat.wire.errors import ErrorCode

_READ_BYTES = 16_384
_NETWORK_ERRORS = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)
_MAX_TURNING_AWAY = 64
_TURN_AWAY_SECONDS = 0.5

Listener = trio.abc.Listener[trio.SocketStream]


class DoorStatistics(Struct, frozen=True, kw_only=True):
    """What the door holds now, and what it has seen since it was made."""

    reading_head: int = 0
    http: int = 0
    websockets: int = 0
    accepted: int = 0
    upgraded: int = 0
    """WebSocket handshakes given to the product."""
    refused: int = 0
    """Heads answered by the door itself."""
    timed_out: int = 0
    """Heads that did not come in time."""
    turned_away: int = 0
    """Connections beyond the limit, or while draining."""
    forced: int = 0
    """Connections cut at the end of a drain."""
    contained: int = 0
    """Exceptions of libraries and handlers that ended one connection."""
    escaped: int = 0
    """Exceptions that only the last net caught: a bug of the door."""


class FrontDoor:
    """One port for REST and WebSockets."""

    def __init__(
        self, app: AsgiApp, on_websocket: Callable[[Handshake], Awaitable[None]], limits: DoorLimits | None = None
    ) -> None:
        """Serve HTTP with an ASGI app, and give each WebSocket handshake to `on_websocket` in a task of its own."""
        self._limits = limits or DoorLimits()
        self._on_websocket = on_websocket
        self._containment = Containment()
        self._http = HypercornAdapter(app, self._limits, self._containment)
        self._seen: Counter[str] = Counter()
        self._streams: set[trio.SocketStream] = set()
        self._heads: set[trio.CancelScope] = set()
        self._turning_away = 0
        self._connections: trio.Nursery | None = None
        self._accepting = trio.CancelScope()
        self._draining = False
        self._empty = trio.Event()
        self._finished = trio.Event()

    async def serve(
        self,
        listeners: Sequence[Listener],
        *,
        task_status: trio.TaskStatus[list[Listener]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept and serve until drained or cancelled, once; the listeners are closed when accepting ends."""
        try:
            async with self._http.running(), trio.open_nursery() as self._connections:
                try:
                    with self._accepting:
                        await trio.serve_listeners(
                            self._connection,
                            list(listeners),
                            handler_nursery=self._connections,
                            task_status=task_status,
                        )
                    await self._http.drain()
                    await self._empty.wait()
                finally:
                    self._cut_all()
        finally:
            self._finished.set()
            with trio.CancelScope(shield=True):
                for listener in listeners:
                    await trio.aclose_forcefully(listener)

    def start_draining(self) -> None:
        """Stop accepting: new connections are refused, idle HTTP connections close, busy ones finish.

        WebSockets are the product's to close.
        """
        self._draining = True
        self._accepting.cancel()
        for scope in self._heads:
            scope.cancel()
        self._note_if_empty()

    async def wait_closed(self, seconds: float) -> int:
        """Wait until a draining door is empty and `serve` has returned; after `seconds` cut what is left.

        Returns how many connections were cut.
        """
        if self._connections is None:
            return 0
        with trio.move_on_after(seconds):
            await self._finished.wait()
        forced = len(self._streams)
        self._seen["forced"] += forced
        if forced:
            self._cut_all()
            self._connections.cancel_scope.cancel()
        await self._finished.wait()
        return forced

    def statistics(self) -> DoorStatistics:
        """Report open connections by kind, and totals."""
        return DoorStatistics(
            reading_head=len(self._heads),
            contained=self._containment.contained,
            escaped=self._containment.escaped,
            **self._seen,
        )

    async def _connection(self, stream: trio.SocketStream) -> None:
        """Serve one accepted connection; whatever happens in it ends here. The accept loop closes the socket."""
        if self._draining or len(self._streams) >= self._limits.max_connections:
            await self._turn_away(stream)
            return
        self._seen["accepted"] += 1
        self._streams.add(stream)
        try:
            await self._serve(stream)
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - the net below all others
            self._containment.escape(error, where="door", expected=_NETWORK_ERRORS)
        finally:
            self._streams.discard(stream)
            self._note_if_empty()

    async def _serve(self, stream: trio.SocketStream) -> None:
        guard = RequestGuard(max_head_bytes=self._limits.head_bytes)
        released = await self._read_head(stream, guard)
        if released and not await self._serve_http(stream, guard, released):
            return
        barrier = guard.barrier
        del guard  # A WebSocket lives long; its HTTP parser need not.
        if isinstance(barrier, UpgradeRequest):
            await self._serve_websocket(stream, barrier)
        elif barrier is not None:
            await self._refuse(stream, barrier)

    async def _read_head(self, stream: trio.SocketStream, guard: RequestGuard) -> bytes:
        """Read until the guard lets something through or has an objection; b"" without one means nothing came."""
        with trio.move_on_after(self._limits.head_seconds) as scope:
            self._heads.add(scope)
            try:
                while data := await stream.receive_some(_READ_BYTES):
                    released = guard.feed(data)
                    if released or guard.barrier is not None:
                        return released
            finally:
                self._heads.discard(scope)
        if scope.cancelled_caught and not self._draining:
            self._seen["timed_out"] += 1
            if guard.in_head:
                await self._refuse(stream, HeadRefusal(408, ErrorCode.VALIDATION_FAILED, "The request took too long."))
        return b""

    async def _serve_http(self, stream: trio.SocketStream, guard: RequestGuard, released: bytes) -> bool:
        self._seen["http"] += 1
        try:
            return await self._http.serve(stream, guard, released)
        finally:
            self._seen["http"] -= 1

    async def _serve_websocket(self, stream: trio.SocketStream, request: UpgradeRequest) -> None:
        peer = _peer(stream)
        self._seen["websockets"] += 1
        self._seen["upgraded"] += 1
        try:
            async with trio.open_nursery() as nursery:
                handshake = Handshake(
                    stream, nursery, request, self._limits, peer=peer, on_reader_error=self._reader_failed
                )
                try:
                    code = await self._handle(handshake)
                    await handshake.finish(code=code)
                finally:
                    if handshake.socket is not None:
                        handshake.socket.kill()
                nursery.cancel_scope.cancel()
        finally:
            self._seen["websockets"] -= 1

    async def _handle(self, handshake: Handshake) -> int:
        """Run the product's handler; return the code to close with what it leaves open."""
        try:
            await self._on_websocket(handshake)
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - a handler's failure ends its connection only
            if self._containment.contain(error, where="websocket handler", expected=(SocketClosed,)):
                return 1011
        return 1000

    def _reader_failed(self, error: Exception) -> None:
        self._containment.contain(error, where="websocket reader")

    async def _refuse(self, stream: trio.SocketStream, refusal: HeadRefusal) -> None:
        self._seen["refused"] += 1
        body = problem_body(refusal.status, refusal.code, refusal.detail)
        response = closing_response(refusal.status, body, refusal.headers)
        await answer_and_linger(stream, response, seconds=self._limits.linger_seconds)

    async def _turn_away(self, stream: trio.SocketStream) -> None:
        """Say 503 to a connection too many; to many of them at once say nothing."""
        self._seen["turned_away"] += 1
        if self._turning_away >= _MAX_TURNING_AWAY:
            return
        self._turning_away += 1
        body = problem_body(503, ErrorCode.DRAINING if self._draining else ErrorCode.RATE_LIMITED, "Try again later.")
        try:
            with trio.move_on_after(_TURN_AWAY_SECONDS):
                await stream.receive_some(_READ_BYTES)
                response = closing_response(503, body, (("retry-after", "5"),))
                await answer_and_linger(stream, response, seconds=_TURN_AWAY_SECONDS)
        except _NETWORK_ERRORS:
            pass
        finally:
            self._turning_away -= 1

    def _note_if_empty(self) -> None:
        if self._draining and not self._streams:
            self._empty.set()

    def _cut_all(self) -> None:
        # Closing the sockets also ends sends that a library shields from cancellation.
        for stream in self._streams:
            stream.socket.close()


def _peer(stream: trio.SocketStream) -> str:
    """Name the client's address, without the port; an IPv4 client of a dual-stack listener by its IPv4 address."""
    address = str(stream.socket.getpeername()[0])
    return address.removeprefix("::ffff:")
