"""One WebSocket connection: opened, used, and ended with a plain account of how it ended.

It owns its TCP stream, because trio-websocket leaves the socket of a closed connection open, and watches it for
silence. Silence counts only while somebody listens: an application that is slow is not a server that is dead.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast

import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, HandshakeError, WebSocketConnection, wrap_client_stream
from wsproto.utilities import ProtocolError

from justchat.client.address import Address
from justchat.client.ending import ABNORMAL, Ended

if TYPE_CHECKING:
    import ssl

# A page of a hundred long messages fits; trio-websocket counts characters.
MESSAGE_MAX_CHARACTERS = 8 * 2**20
RECEIVE_BYTES = 65_536

# What trio-websocket's reader lets out when the peer or the network misbehaves.
_MISHAPS = (HandshakeError, ConnectionClosed, ProtocolError, OSError, UnicodeError, trio.BrokenResourceError)


class LinkEnded(Exception):
    """Raised to whoever sends or receives when the link has ended."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended)
        self.ended = ended


class WatchedStream(trio.abc.Stream):
    """The TCP or TLS stream below, which breaks after `silence_seconds` without a byte while it is being read."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.silence_seconds = float("inf")
        self.ended = trio.Event()
        self.silent = False
        self._stream = stream
        self._reading: trio.CancelScope | None = None

    def watch(self, silence_seconds: float) -> None:
        """Break after so long without a byte, counted from now for a read that is under way."""
        self.silence_seconds = silence_seconds
        if self._reading is not None:
            self._reading.deadline = trio.current_time() + silence_seconds

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Read, but not for ever."""
        data: bytes | bytearray = b""
        try:
            with trio.move_on_after(self.silence_seconds) as self._reading:
                data = await self._stream.receive_some(max_bytes)
            self.silent = self._reading.cancelled_caught
        finally:
            self._reading = None
            if not data:
                self.ended.set()
        if self.silent:
            raise trio.BrokenResourceError(f"nothing came for {self.silence_seconds} s")
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until writing makes sense."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close."""
        self.ended.set()
        await self._stream.aclose()


class Link:
    """An open connection. Frames are text; one task sends, one receives."""

    def __init__(self, socket: WebSocketConnection, stream: WatchedStream, *, write_seconds: float) -> None:
        self._socket = socket
        self._stream = stream
        self._write_seconds = write_seconds

    def expect_life(self, *, silence_seconds: float) -> None:
        """End the link when it is listened to for so long without hearing anything."""
        self._stream.watch(silence_seconds)

    async def receive(self) -> str:
        """Wait for a frame. Raises LinkEnded."""
        try:
            message = await self._socket.get_message()
        except ConnectionClosed as closed:
            raise LinkEnded(self._account(closed)) from None
        if isinstance(message, bytes):
            raise LinkEnded(Ended(ABNORMAL, "the server sent a binary message"))
        return message

    async def send(self, text: str) -> None:
        """Send a frame. Raises LinkEnded, also when it takes too long: half a frame is the end of a connection."""
        try:
            with trio.fail_after(self._write_seconds):
                await self._socket.send_message(text)
        except ConnectionClosed as closed:
            raise LinkEnded(self._account(closed)) from None
        except trio.TooSlowError:
            # The receiving side must not go on with a connection that has half a frame in it.
            await trio.aclose_forcefully(self._stream)
            raise LinkEnded(Ended(ABNORMAL, f"the server took nothing for {self._write_seconds} s")) from None

    async def close(self, *, seconds: float) -> None:
        """Say goodbye, within this time."""
        with trio.move_on_after(seconds):
            await self._socket.aclose()

    def _account(self, closed: ConnectionClosed) -> Ended:
        if self._stream.silent:
            return Ended(ABNORMAL, f"the server was silent for {self._stream.silence_seconds} s")
        if closed.reason is None:
            return Ended(ABNORMAL, "the connection was closed")
        return Ended(closed.reason.code, closed.reason.reason or "")


async def run_link(
    address: Address,
    *,
    token: str,
    converse: Callable[[Link], Awaitable[None]],
    connect_seconds: float,
    write_seconds: float,
    ssl_context: ssl.SSLContext | None = None,
) -> Ended:
    """Open a link, have `converse` use it, close the socket, and tell how it ended.

    `converse` may return, or let LinkEnded out. Whatever else it raises is raised here, in a group.
    """
    ended = Ended(ABNORMAL, "the connection was closed")
    stream: WatchedStream | None = None
    try:
        async with trio.open_nursery() as nursery:
            try:
                with trio.fail_after(connect_seconds):
                    stream = WatchedStream(await _open_stream(address, ssl_context))
                    socket = await _upgrade(nursery, stream, address, token)
                await converse(Link(socket, stream, write_seconds=write_seconds))
            except LinkEnded as end:
                ended = end.ended
            except trio.TooSlowError:
                ended = Ended(ABNORMAL, f"no connection within {connect_seconds} s")
            except OSError as error:
                ended = Ended(ABNORMAL, str(error))
            nursery.cancel_scope.cancel()
    except* ConnectionRejected as group:
        ended = _rejection(_first(group))
    except* _MISHAPS as group:
        ended = Ended(ABNORMAL, f"{type(_first(group)).__name__}: {_first(group)}")
    finally:
        if stream is not None:
            await trio.aclose_forcefully(stream)
    return ended


async def _open_stream(address: Address, ssl_context: ssl.SSLContext | None) -> trio.abc.Stream:
    if not address.secure:
        return await trio.open_tcp_stream(address.host, address.port)
    return await trio.open_ssl_over_tcp_stream(
        address.host, address.port, ssl_context=ssl_context, https_compatible=True
    )


async def _upgrade(nursery: trio.Nursery, stream: WatchedStream, address: Address, token: str) -> WebSocketConnection:
    with trio.CancelScope() as scope:
        # trio-websocket would wait for ever for the answer of a server that has hung up.
        nursery.start_soon(_cancel_at_end, stream, scope)
        return await wrap_client_stream(
            nursery,
            cast("trio.SocketStream", stream),  # any Stream will do
            address.host_header,
            address.resource,
            extra_headers=[(b"Authorization", f"Bearer {token}".encode())],
            max_message_size=MESSAGE_MAX_CHARACTERS,
            receive_buffer_size=RECEIVE_BYTES,
        )
    raise LinkEnded(Ended(ABNORMAL, "the server hung up during the handshake"))


async def _cancel_at_end(stream: WatchedStream, scope: trio.CancelScope) -> None:
    await stream.ended.wait()
    scope.cancel()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _rejection(error: BaseException) -> Ended:
    if not isinstance(error, ConnectionRejected):
        return Ended(ABNORMAL, str(error))
    headers = {name.lower(): value for name, value in error.headers}
    retry_after = headers.get(b"retry-after", b"").decode("ascii", "replace")
    return Ended(
        ABNORMAL,
        (error.body or b"").decode("utf-8", "replace"),
        status=error.status_code,
        retry_after_seconds=float(retry_after) if retry_after.isdecimal() else None,
    )
