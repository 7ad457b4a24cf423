"""One accepted WebSocket as the product sees it, and the handshake it comes from.

Sending is `offer` and `force`: they take encoded frames and never wait. Receiving is `receive`: one text at a time,
in order. `close` may be called from anywhere, says goodbye in the background within its deadline and ends `receive`.
Whatever the client does, the product sees `SocketClosed` and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import cast

import trio
from trio_websocket import CloseReason, ConnectionClosed, WebSocketConnection, wrap_server_stream

from actors.outbox import OutboxStatistics
from justchat.door.answer import answer_and_linger, closing_response, problem_body
from justchat.door.frame_stream import FrameStream
from justchat.door.head import UpgradeRequest
from justchat.door.library_reader import LibraryReader
from justchat.door.limits import DoorLimits
from justchat.wire.errors import ErrorCode

_NO_CLOSE_FRAME = 1006


class SocketClosed(Exception):
    """The WebSocket is closed or closing; 1006 means that the client left without a close frame."""

    def __init__(self, code: int, reason: str = "") -> None:
        """Keep the close code and reason."""
        super().__init__(f"{code} {reason}".strip())
        self.code = code
        self.reason = reason


class WebSocket:
    """One client's socket."""

    __slots__ = (
        "_close_seconds",
        "_connection",
        "_end",
        "_gone",
        "_message_bytes",
        "_nursery",
        "_receiving",
        "_stream",
        "headers",
        "peer",
    )

    def __init__(
        self,
        connection: WebSocketConnection,
        stream: FrameStream,
        nursery: trio.Nursery,
        request: UpgradeRequest,
        limits: DoorLimits,
        *,
        peer: str,
    ) -> None:
        """Wrap an accepted connection; made by `Handshake.accept`."""
        self.peer = peer
        self.headers = request.headers
        self._connection = connection
        self._stream = stream
        self._nursery = nursery
        self._close_seconds = limits.close_seconds
        self._message_bytes = limits.message_bytes
        self._end: tuple[int, str] | None = None
        self._gone: trio.Event | None = None
        self._receiving: trio.CancelScope | None = None

    @property
    def closed(self) -> bool:
        """Whether nothing more can be sent."""
        return self._stream.closed

    @property
    def last_received(self) -> float:
        """Trio time at which the last byte came in, pings and pongs included."""
        return self._stream.last_received

    @property
    def queued(self) -> bool:
        """Whether frames wait for a client that does not read them fast enough."""
        return self._stream.queued

    @property
    def last_progress(self) -> float:
        """Trio time at which the client last took a byte off our hands; now, when nothing is queued."""
        return self._stream.last_progress

    def offer(self, frames: bytes, count: int = 1) -> bool:
        """Send or queue whole frames; False, and nothing queued, when over a bound or closed."""
        return self._stream.offer(frames, count)

    def force(self, frames: bytes, count: int = 1) -> None:
        """Send or queue what may not be dropped, beyond the bounds.

        Its producer waits for room before it makes more: far beyond the bounds the client is cut.
        """
        self._stream.force(frames, count)

    @property
    def congested(self) -> bool:
        """Whether the outbox is at its bounds: whoever makes more should wait for room first."""
        return self._stream.congested

    async def wait_room(self) -> None:
        """Wait until less than half of the bounds is used, or the socket is closed."""
        await self._stream.wait_room()

    async def receive(self) -> str:
        """Wait for the next text message.

        Raises:
            SocketClosed: closed by either side; also after a binary (1003), oversized (1009) or malformed message.
        """
        if self._gone is None:
            text = await self._stream.receive_text()
            if text is None:
                text = await self._receive_from_library()
            if text is not None and self._gone is None:
                return text
        raise SocketClosed(*(self._end or (_NO_CLOSE_FRAME, "")))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye in the background: what is queued, then a close frame; then the socket goes. Ends `receive`."""
        if self._gone is not None:
            return
        self._gone = trio.Event()
        if self._end is None:
            self._end = (code, reason)
        self._stream.start_closing(code, reason)
        if self._receiving is not None:
            self._receiving.cancel()
        self._nursery.start_soon(self._say_goodbye)

    async def wait_closed(self) -> None:
        """Wait until the goodbye is over and the socket is closed."""
        if self._gone is not None:
            await self._gone.wait()

    def kill(self) -> None:
        """Close the socket at once, without a goodbye."""
        self._stream.kill()

    def statistics(self) -> OutboxStatistics:
        """Report what is queued and what went through."""
        return self._stream.statistics()

    async def _receive_from_library(self) -> str | None:
        """Wait for a message that came in fragments; None, with `_end` set, when there is no further one."""
        if self._gone is not None:
            return None
        try:
            with trio.CancelScope() as self._receiving:
                return self._checked(await self._connection.get_message())
        except ConnectionClosed as closed:
            self._note_end(closed.reason)
        finally:
            self._receiving = None
        return None

    def _note_end(self, reason: CloseReason | None) -> None:
        """Take over the reason for the end, and answer a breach of the protocol with it."""
        if self._end is not None:
            return
        if self._stream.violation is not None:
            self._end = self._stream.violation
        elif reason is not None:
            self._end = (reason.code, reason.reason or "")
        else:
            self._end = (_NO_CLOSE_FRAME, "")
        if not self._stream.closed and self._end[0] != _NO_CLOSE_FRAME:
            self.close(*self._end)

    def _checked(self, message: str | bytes) -> str | None:
        if isinstance(message, bytes):
            self.close(1003, "binary messages are not spoken here")
            return None
        # trio-websocket counts characters, the limit is in bytes.
        if not message.isascii() and len(message.encode()) > self._message_bytes:
            self.close(1009, f"a message may have {self._message_bytes} bytes")
            return None
        return message

    async def _say_goodbye(self) -> None:
        try:
            with trio.move_on_after(self._close_seconds):
                await self._stream.finish()
        finally:
            self._stream.kill()
            if self._gone is not None:
                self._gone.set()


class Handshake:
    """A client that asks for a WebSocket: answer it with `accept` or `reject`."""

    __slots__ = (
        "_accepting",
        "_limits",
        "_nursery",
        "_on_reader_error",
        "_request",
        "_stream",
        "answered",
        "peer",
        "socket",
    )

    def __init__(
        self,
        stream: trio.SocketStream,
        nursery: trio.Nursery,
        request: UpgradeRequest,
        limits: DoorLimits,
        *,
        peer: str,
        on_reader_error: Callable[[Exception], None],
    ) -> None:
        """Offer this upgrade request to the product; made by the front door."""
        self.peer = peer
        self.answered = False
        self.socket: WebSocket | None = None
        self._stream = stream
        self._nursery = nursery
        self._request = request
        self._limits = limits
        self._on_reader_error = on_reader_error
        self._accepting: trio.CancelScope | None = None

    @property
    def path(self) -> str:
        """The path without the query."""
        return self._request.path

    @property
    def query(self) -> Mapping[str, str]:
        """The query's parameters; of a repeated one the first."""
        return self._request.query

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's headers by lower-case name; repeated ones are joined by ", "."""
        return self._request.headers

    @property
    def origin(self) -> str | None:
        """The page the client says it comes from; None for what is not a browser."""
        return self._request.headers.get("origin")

    @property
    def subprotocols(self) -> Sequence[str]:
        """The subprotocols that the client offers, in its order of preference."""
        offered = self._request.headers.get("sec-websocket-protocol", "")
        return [name for part in offered.split(",") if (name := part.strip())]

    async def accept(self, *, subprotocol: str | None = None) -> WebSocket:
        """Switch protocols.

        Raises:
            SocketClosed: the client is gone.
        """
        self._answer_once()
        limits, request = self._limits, self._request
        stream = FrameStream(self._stream.socket, self._nursery, limits, head=request.raw, rest=request.rest)
        connection = None
        with trio.move_on_after(limits.head_seconds) as self._accepting:
            reader = LibraryReader(self._nursery, partial(self._reader_ended, stream))
            connection = await _accept(reader, stream, limits, subprotocol)
        self._accepting = None
        if connection is None:
            stream.kill()
            raise SocketClosed(_NO_CLOSE_FRAME, "gone during the handshake")
        stream.open()
        self.socket = WebSocket(connection, stream, self._nursery, request, limits, peer=self.peer)
        return self.socket

    async def reject(self, status: int, problem_body: bytes, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Answer with this status and problem+json body instead; the connection ends."""
        self._answer_once()
        response = closing_response(status, problem_body, headers)
        await answer_and_linger(self._stream, response, seconds=self._limits.linger_seconds)

    async def finish(self, *, code: int) -> None:
        """Answer what the product left unanswered, close with this code what it left open, and wait for the end."""
        if not self.answered:
            detail = "The server could not handle this handshake."
            await self.reject(500, problem_body(500, ErrorCode.INTERNAL, detail))
        if self.socket is not None:
            self.socket.close(code)
            await self.socket.wait_closed()

    def _answer_once(self) -> None:
        if self.answered:
            raise RuntimeError("a handshake is answered once")
        self.answered = True

    def _reader_ended(self, stream: FrameStream, error: Exception | None) -> None:
        if self._accepting is not None:
            # Its answer will never come.
            self._accepting.cancel()
        stream.hand_over()
        if error is not None:
            stream.kill()
            self._on_reader_error(error)


async def _accept(
    reader: LibraryReader, stream: FrameStream, limits: DoorLimits, subprotocol: str | None
) -> WebSocketConnection | None:
    try:
        request = await wrap_server_stream(
            cast("trio.Nursery", reader),
            stream,
            message_queue_size=1,
            max_message_size=limits.message_bytes,
            receive_buffer_size=None,
        )
        return await request.accept(subprotocol=subprotocol)
    except ConnectionClosed:
        return None
