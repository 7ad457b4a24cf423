"""The outgoing side of one WebSocket's socket: whole frames, in order, never waited for.

Everything that leaves goes through one bounded outbox. When nothing is queued a frame is written at once; what the
kernel does not take is queued, and a flush task runs only for as long as something is. A frame that has begun is
always completed. Once a close frame is queued the writer is sealed: nothing follows it.
"""

from __future__ import annotations

import fcntl
import os
import sys
import termios
from collections.abc import Callable
from contextlib import suppress

import trio

from actors.outbox import Outbox, OutboxStatistics

_WRITE_BYTES = 65_536
_CEILING = 4


class FrameWriter:
    """Writes frames to a socket without waiting for its reader."""

    __slots__ = (
        "_flushed",
        "_flushing",
        "_nursery",
        "_on_kill",
        "_outbox",
        "_progress",
        "_socket",
        "_untaken",
        "closed",
        "opened",
        "sealed",
    )

    def __init__(
        self,
        socket: trio.socket.SocketType,
        nursery: trio.Nursery,
        *,
        max_items: int,
        max_bytes: int,
        on_kill: Callable[[], None],
    ) -> None:
        """Write to this socket, queue within these bounds, flush in this nursery; call `on_kill` when it is closed."""
        self.opened = False
        self.sealed = False
        self.closed = False
        self._socket = socket
        self._nursery = nursery
        self._on_kill = on_kill
        self._outbox = Outbox(max_items=max_items, max_bytes=max_bytes)
        self._flushing = False
        self._flushed: trio.Event | None = None
        self._progress = 0.0
        self._untaken = 0

    @property
    def queued(self) -> bool:
        """Whether frames wait for the kernel to take them."""
        return self._flushing

    @property
    def last_progress(self) -> float:
        """Trio time at which the client was last seen to take a byte; now, when nothing is queued."""
        if not self._flushing:
            return trio.current_time()
        # The kernel takes more in large steps only; a slow client takes little in between, and is alive all the same.
        untaken = _untaken_bytes(self._socket.fileno())
        if untaken < self._untaken:
            self._progress = trio.current_time()
        self._untaken = untaken
        return self._progress

    def offer(self, frames: bytes, count: int = 1) -> bool:
        """Send or queue whole frames; False, and nothing queued, when over a bound, not open, sealed or closed."""
        if not self.opened or self.sealed or self.closed:
            return False
        if self._flushing:
            return self._outbox.offer(frames, count)
        sent = self._write(frames)
        if sent == len(frames):
            return True
        if sent < 0:
            return False
        if sent:
            # Part of it is on the wire, so the rest is owed, bound or no bound.
            self._outbox.force(frames[sent:], count)
        elif not self._outbox.offer(frames, count):
            return False
        self._start_flush()
        return True

    def force(self, frames: bytes, count: int = 1) -> None:
        """Send or queue frames beyond the bounds; dropped when sealed or closed.

        A client so far behind that four times the bound is queued is cut: its producer did not stop in time.
        """
        if self.sealed or self.closed:
            return
        sent = 0 if self._flushing else self._write(frames)
        if sent < 0 or sent == len(frames):
            return
        self._outbox.force(frames[sent:], count)
        if self._outbox.size > _CEILING * self._outbox.max_bytes:
            self.kill()
        elif not self._flushing:
            self._start_flush()

    def seal(self) -> None:
        """Let nothing follow what is queued now."""
        self.sealed = True

    @property
    def full(self) -> bool:
        """Whether a bound is reached or exceeded."""
        return self._outbox.full

    async def wait_room(self) -> None:
        """Wait until less than half of both bounds is used, or the writer is closed."""
        await self._outbox.wait_room()

    async def wait_flushed(self) -> None:
        """Wait until nothing is queued."""
        while self._flushing:
            if self._flushed is None:
                self._flushed = trio.Event()
            await self._flushed.wait()

    def kill(self) -> None:
        """Close the socket at once; what is queued is lost, and whoever waits for room or flushing is woken."""
        if self.closed:
            return
        self.closed = True
        self._socket.close()
        while not self._outbox.empty:
            self._outbox.take(self._outbox.size)
        self._on_kill()

    def statistics(self) -> OutboxStatistics:
        """Report what is queued and what went through."""
        return self._outbox.statistics()

    def _write(self, data: bytes) -> int:
        """Give the kernel what it takes now; -1 for a dead socket, which closes the writer."""
        try:
            # The descriptor is asked for each time: a closed Trio socket answers -1, never a number in other use.
            return os.write(self._socket.fileno(), data)
        except BlockingIOError:
            return 0
        except OSError:
            self.kill()
            return -1

    def _start_flush(self) -> None:
        self._flushing = True
        self._progress = trio.current_time()
        self._nursery.start_soon(self._flush)

    async def _flush(self) -> None:
        try:
            with suppress(OSError, trio.ClosedResourceError):
                while not self._outbox.empty:
                    await trio.lowlevel.wait_writable(self._socket)
                    self._write_queued()
        finally:
            self._flushing = False
            if not self._outbox.empty:
                self.kill()
            if self._flushed is not None:
                self._flushed.set()
                self._flushed = None

    def _write_queued(self) -> None:
        # No await from here: what was taken is either with the kernel or back in the queue.
        chunk = self._outbox.take(_WRITE_BYTES)
        sent = self._write(chunk)
        if sent < 0:
            return
        if sent:
            self._progress = trio.current_time()
        self._outbox.put_back(chunk[sent:])
        # ... to here.


def _untaken_bytes(descriptor: int) -> int:
    """Count what the kernel holds and the client has not acknowledged; 0 where that cannot be asked."""
    if descriptor < 0 or sys.platform != "linux":
        return 0
    return int.from_bytes(fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
