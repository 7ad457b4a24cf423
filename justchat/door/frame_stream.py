"""The stream between one socket and trio-websocket: it owns both directions and lets each side have its shortcut.

Outgoing, control frames of trio-websocket and pre-encoded data frames share one ordered writer. Incoming, complete
text messages go straight to `receive_text`, everything else to trio-websocket. Before `open()` only the handshake
passes; after a close frame has been queued nothing else leaves and only the client's close frame is looked for. Ends
closed, always.
"""

from __future__ import annotations

import trio

from actors.outbox import OutboxStatistics
from justchat.door.frame_reader import FrameReader, Violation
from justchat.door.frame_writer import FrameWriter
from justchat.door.frames import close_frame, is_close
from justchat.door.limits import DoorLimits

_READ_BYTES = 16_384
_TEXTS_AHEAD = 8
_MAX_DISCARDED_BYTES = 4 * 1_048_576


class FrameStream(trio.abc.Stream):
    """What trio-websocket takes for the network."""

    __slots__ = (
        "_close_seconds",
        "_inbound_over",
        "_opened",
        "_over",
        "_reader",
        "_reading",
        "_ready",
        "_rest",
        "_socket",
        "_taken",
        "_text_waiter",
        "_writer",
        "last_received",
    )

    def __init__(
        self, socket: trio.socket.SocketType, nursery: trio.Nursery, limits: DoorLimits, *, head: bytes, rest: bytes
    ) -> None:
        """Replay `head` to trio-websocket; keep `rest`, frames that came with it, until the socket is open."""
        self.last_received = trio.current_time()
        self._socket = socket
        self._close_seconds = limits.close_seconds
        self._ready = head
        self._rest = rest
        self._reader = FrameReader(max_text_bytes=limits.message_bytes, max_fragments=limits.message_fragments)
        self._writer = FrameWriter(
            socket,
            nursery,
            max_items=limits.outbox_items,
            max_bytes=limits.outbox_bytes,
            on_kill=self._killed,
        )
        self._opened: trio.Event | None = trio.Event()
        self._text_waiter: trio.Event | None = None
        self._taken: trio.Event | None = None
        self._over: trio.Event | None = None
        self._inbound_over = False
        self._reading = False

    # -- for the product's side -------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether the socket is closed, or its last frame is queued."""
        return self._writer.closed or self._writer.sealed

    @property
    def queued(self) -> bool:
        """Whether frames wait for the kernel to take them."""
        return self._writer.queued

    @property
    def last_progress(self) -> float:
        """Trio time of the last outgoing progress; now, when nothing is queued."""
        return self._writer.last_progress

    @property
    def violation(self) -> Violation | None:
        """What the client did against the protocol; nothing is read after it."""
        return self._reader.violation

    def open(self) -> None:
        """Let frames pass: the 101 has been sent."""
        self._writer.opened = True
        if self._opened is not None:
            self._opened.set()
            self._opened = None

    def offer(self, frames: bytes, count: int = 1) -> bool:
        """Send or queue whole frames; False, and nothing queued, when over a bound, not yet open, or closed."""
        return self._writer.offer(frames, count)

    def force(self, frames: bytes, count: int = 1) -> None:
        """Send or queue what may not be dropped, beyond the bounds; dropped only when closed."""
        self._writer.force(frames, count)

    @property
    def congested(self) -> bool:
        """Whether the outbox is at its bounds."""
        return self._writer.full

    async def wait_room(self) -> None:
        """Wait until less than half of the bounds is used, or the socket is closed."""
        await self._writer.wait_room()

    async def receive_text(self) -> str | None:
        """Wait for the next text message; None when trio-websocket has the next word, or there is none."""
        texts = self._reader.texts
        while not texts:
            if self._reader.handed_over or self._reader.violation or self._inbound_over or self.closed:
                return None
            self._text_waiter = trio.Event()
            await self._text_waiter.wait()
        if self._taken is not None:
            self._taken.set()
        return texts.pop(0)

    def start_closing(self, code: int, reason: str) -> None:
        """Queue the close frame behind what is queued, then take nothing more in either direction."""
        self._writer.force(close_frame(code, reason))
        self._seal()

    async def finish(self) -> None:
        """Flush, wait for the client's close frame or its end, and close the socket; the caller sets the deadline."""
        try:
            await self._writer.wait_flushed()
            if self._reader.violation is not None and not self._writer.closed:
                # Frame boundaries are lost: the end of our side is the only thing left to say.
                self._socket.shutdown(trio.socket.SHUT_WR)
            await self._wait_inbound_over()
        except OSError:
            pass
        finally:
            self.kill()

    def kill(self) -> None:
        """Close the socket at once and wake everybody who waits for it."""
        self._writer.kill()

    def hand_over(self) -> None:
        """Send whoever receives to trio-websocket: its reader has ended and knows why."""
        self._reader.handed_over = True
        self._wake_receiver()

    def statistics(self) -> OutboxStatistics:
        """Report what is queued and what went through."""
        return self._writer.statistics()

    # -- for trio-websocket -----------------------------------------------------------------------------------------

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Queue handshake bytes or a whole control frame; a close frame is the last."""
        await trio.lowlevel.checkpoint()
        if self._writer.closed:
            raise trio.ClosedResourceError("the socket is closed")
        frame = bytes(data)
        if is_close(frame) or not self._writer.full:
            # A pong for a client that does not read is dropped: RFC 6455 5.5.3 lets later ones stand for it.
            self._writer.force(frame)
        if self._writer.opened and is_close(frame):
            self._seal()

    async def wait_send_all_might_not_block(self) -> None:
        """Return at once: sending never blocks."""
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait for the next bytes that trio-websocket must see; b"" at the end of the client's side."""
        if self._ready:
            await trio.lowlevel.checkpoint()
            return self._take_ready(max_bytes)
        if self._opened is not None:
            await self._opened.wait()
        while True:
            if self._inbound_over or self._reader.violation or self.closed:
                await trio.lowlevel.checkpoint()
                return b""
            if len(self._reader.texts) >= _TEXTS_AHEAD:
                self._taken = trio.Event()
                await self._taken.wait()
                continue
            self._ready = await self._read()
            if self._ready:
                return self._take_ready(max_bytes)

    async def aclose(self) -> None:
        """Flush a close frame that is queued, then close the socket. Closes at once when cancelled.

        Without a close frame, after a breach that trio-websocket has found, the goodbye is left to the product's side.
        """
        try:
            await trio.lowlevel.checkpoint()
            if self._writer.sealed or not self._writer.opened:
                with trio.move_on_after(self._close_seconds):
                    await self._writer.wait_flushed()
                self.kill()
        except trio.Cancelled:
            self.kill()
            raise
        self._end_inbound()

    # ---------------------------------------------------------------------------------------------------------------

    def _take_ready(self, max_bytes: int | None) -> bytes:
        ready = self._ready
        size = len(ready) if max_bytes is None else max_bytes
        self._ready = ready[size:]
        return ready[:size]

    async def _read(self) -> bytes:
        """Receive once and sort it; b"" if there was nothing for trio-websocket."""
        data, self._rest = self._rest, b""
        if not data:
            data = await self._receive()
        if not data:
            self._end_inbound()
            return b""
        self.last_received = trio.current_time()
        passed = self._reader.read(data)
        if self._reader.peer_closed:
            self._inbound_over = True
        self._wake_receiver()
        return passed

    async def _receive(self) -> bytes:
        self._reading = True
        try:
            return await self._socket.recv(_READ_BYTES)
        except (OSError, trio.ClosedResourceError):
            self.kill()
            return b""
        finally:
            self._reading = False
            if self._over is not None:
                self._over.set()
                self._over = None

    async def _wait_inbound_over(self) -> None:
        """Read and drop until the client's close frame or its end, or wait while trio-websocket's task does so."""
        budget = _MAX_DISCARDED_BYTES
        while not self._inbound_over and budget > 0:
            if self._reading:
                self._over = trio.Event()
                await self._over.wait()
                continue
            data = await self._receive()
            budget -= len(data)
            self._reader.read(data)
            if not data or self._reader.peer_closed:
                self._end_inbound()

    def _seal(self) -> None:
        self._writer.seal()
        self._reader.discard()
        self._wake_receiver()
        if self._taken is not None:
            self._taken.set()

    def _killed(self) -> None:
        self._end_inbound()
        self.open()

    def _end_inbound(self) -> None:
        self._inbound_over = True
        self._wake_receiver()
        if self._taken is not None:
            self._taken.set()

    def _wake_receiver(self) -> None:
        if self._text_waiter is not None:
            self._text_waiter.set()
            self._text_waiter = None
