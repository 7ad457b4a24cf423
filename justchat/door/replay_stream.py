"""The stream that Hypercorn takes for the network: it replays what the door has read, and keeps time.

Every later head on the same connection is judged like the first. Bodies must arrive, and responses must be taken, at
a minimum pace; these deadlines hold even where the caller is shielded. When a later head is not for Hypercorn the
stream ends there, and `guard.barrier` tells the door what to do with the socket, which is then left open.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from justchat.door.answer import closing_response, discard_input, problem_body
from justchat.door.head import RequestGuard
from justchat.door.limits import DoorLimits
from justchat.wire.errors import ErrorCode

_READ_BYTES = 65_536
_SEND_BYTES = 65_536
_BARE_REFUSAL = b"HTTP/1.1 400 "


class ReplayStream(trio.abc.HalfCloseableStream):
    """One HTTP connection, with the bytes `released` already read."""

    def __init__(
        self,
        stream: trio.SocketStream,
        guard: RequestGuard,
        released: bytes,
        limits: DoorLimits,
        *,
        on_idle_end: Callable[[], None],
    ) -> None:
        """Continue `stream`; call `on_idle_end` when it ends with no request in progress."""
        self.socket = stream.socket
        self.handed_back = False
        """Whether the door takes the connection on, at the guard's barrier."""
        self._stream = stream
        self._guard = guard
        self._ready = released
        self._limits = limits
        self._on_idle_end = on_idle_end
        self._sending = trio.StrictFIFOLock()
        self._over = False
        self._closing = False
        self._refused = False
        self._answered = 0
        self._idle: trio.Event | None = None
        self._reading: trio.Event | None = None
        self._clock = trio.current_time()
        self._body_bytes = 0

    @property
    def idle(self) -> bool:
        """Whether every request let through has been answered."""
        return self._answered >= self._guard.requests

    def response_finished(self) -> None:
        """Note that a response is complete; the app's wrapper says so."""
        self._answered += 1
        if not self.idle:
            return
        if self._idle is not None:
            self._idle.set()
        if self._over:
            self._on_idle_end()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return the next bytes of requests; b"" at the end."""
        if self._ready:
            await trio.lowlevel.checkpoint()
        while not self._ready and not self._over:
            await self._read_more()
        size = len(self._ready) if max_bytes is None else max_bytes
        data, self._ready = self._ready[:size], self._ready[size:]
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, with a deadline for each 64 KiB; a client that takes nothing is cut."""
        # Hypercorn answers a body that breaks off from its reader, while the app may be sending its own answer.
        async with self._sending:
            view = memoryview(self._worded(data))
            for at in range(0, len(view) or 1, _SEND_BYTES):
                with trio.move_on_after(self._limits.send_seconds) as scope:
                    await self._stream.send_all(view[at : at + _SEND_BYTES])
                if scope.cancelled_caught:
                    self.socket.close()
                    raise trio.BrokenResourceError("the client does not read")

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the socket takes more."""
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """End our side, unless the door takes the connection on."""
        if self.handed_back:
            await trio.lowlevel.checkpoint()
            return
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close, after a short wait for a client that is still sending a body nobody wants."""
        if self.handed_back:
            await trio.lowlevel.checkpoint()
            return
        try:
            if self._guard.in_body and not self._over and not self._closing:
                self._closing = True
                await self._linger()
        finally:
            self._closing = self._over = True
            await self._stream.aclose()

    def _worded(self, data: bytes | bytearray | memoryview) -> bytes | bytearray | memoryview:
        """Put a problem in the place of Hypercorn's bare refusal of a body that broke off or broke its framing."""
        if self._refused:
            return b""
        broke = self._guard.broken or (self._over and self._guard.in_body)
        if not (broke and bytes(data[: len(_BARE_REFUSAL)]) == _BARE_REFUSAL):
            return data
        self._refused = True
        return closing_response(400, problem_body(400, ErrorCode.VALIDATION_FAILED, "The body is not whole."))

    async def _linger(self) -> None:
        with trio.move_on_after(self._limits.linger_seconds):
            try:
                if self._reading is not None:
                    await self._reading.wait()
                else:
                    await discard_input(self._stream)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass

    async def _read_more(self) -> None:
        if self._guard.barrier is not None:
            await self._stop_at_barrier()
            return
        if self._guard.broken:
            self._end()
            return
        try:
            data = await self._receive_in_time()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._end()
            raise
        if self._closing or not data:
            self._end()
            return
        self._body_bytes += len(data)
        stage = self._stage()
        if not (self._guard.in_body or self._guard.in_head):
            self._start_clock()
        self._ready = self._guard.feed(data)
        if self._stage() != stage:
            # A head or a body has ended: the time of what follows starts now.
            self._start_clock()

    async def _receive_in_time(self) -> bytes:
        """Receive once, before the deadline of what the client is in the middle of."""
        self._reading = trio.Event()
        try:
            with trio.CancelScope(deadline=self._deadline()) as scope:
                data = await self._stream.receive_some(_READ_BYTES)
                if self._closing:
                    await discard_input(self._stream)
                return data
        finally:
            self._reading.set()
            self._reading = None
            if scope.cancelled_caught:
                self.socket.close()
        raise trio.BrokenResourceError("the client is too slow")

    def _deadline(self) -> float:
        if self._guard.in_body:
            earned = self._body_bytes / self._limits.body_bytes_per_second
            return self._clock + self._limits.body_read_seconds + earned
        if self._guard.in_head:
            return self._clock + self._limits.head_seconds
        return float("inf")

    def _stage(self) -> tuple[int, bool]:
        return self._guard.requests, self._guard.in_body

    def _start_clock(self) -> None:
        self._clock = trio.current_time()
        self._body_bytes = 0

    async def _stop_at_barrier(self) -> None:
        """Let the answers to earlier requests finish, then give the connection back."""
        if not self.idle:
            self._idle = trio.Event()
            with trio.move_on_after(self._limits.head_seconds):
                await self._idle.wait()
        self.handed_back = self.idle
        self._end()
        await trio.lowlevel.checkpoint()

    def _end(self) -> None:
        self._over = True
        if self.idle:
            self._on_idle_end()
