"""A socket without a network: the surface of the front door's `WebSocket` that connections use, on the virtual clock.

Its client reads everything at once, or nothing, or as many frames as it is told; what is not read waits in an outbox
that is bounded in frames and answers like the real one.
"""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Callable
from typing import Any

import trio

from justchat.door.socket import SocketClosed

Frame = dict[str, Any]
PINGED: Frame = {"type": "(ping)"}
_numbers = itertools.count(1)


def frames_of(raw: bytes) -> list[Frame]:
    """Decode unmasked frames as a server sends them: text frames with one JSON object each, and pings."""
    found, at = [], 0
    while at < len(raw):
        kind, size, at = raw[at], raw[at + 1], at + 2
        if size in {126, 127}:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(raw[at : at + width], "big"), at + width
        found.append(PINGED if kind == 0x89 else json.loads(raw[at : at + size]))
        at += size
    return found


class FakeSocket:
    """Both ends: the connection's methods, and the client's `say`, `hold`, `read` and `leave`."""

    def __init__(self, *, max_items: int = 512) -> None:
        self.peer = "192.0.2.1"
        self.headers: dict[str, str] = {}
        self.max_items = max_items
        self.seen: list[Frame] = []
        self.on_queued: Callable[[Frame], None] | None = None
        self.closed_with: tuple[int, str] | None = None
        self.last_received = trio.current_time()
        self.peak_items = 0
        self.mute = False
        self.gone = trio.Event()
        self.gone.set()
        self._progress = trio.current_time()
        self._holding = False
        self._outbox: deque[Frame] = deque()
        self._room = trio.Event()
        self._to_server, self._from_client = trio.open_memory_channel[str](1000)

    # What the connection uses.

    @property
    def closed(self) -> bool:
        return self.closed_with is not None

    @property
    def queued(self) -> bool:
        return bool(self._outbox)

    @property
    def last_progress(self) -> float:
        return self._progress if self._outbox else trio.current_time()

    @property
    def congested(self) -> bool:
        return len(self._outbox) >= self.max_items

    def offer(self, frames: bytes, count: int = 1) -> bool:
        if self.closed or (self._outbox and len(self._outbox) + count > self.max_items):
            return False
        self.force(frames, count)
        return True

    def force(self, frames: bytes, count: int = 1) -> None:
        if self.closed:
            return
        if not self._outbox:
            self._progress = trio.current_time()
        decoded = frames_of(frames)
        assert len(decoded) == count
        self._outbox.extend(decoded)
        if self.on_queued is not None:
            for frame in decoded:
                self.on_queued(frame)
        self.peak_items = max(self.peak_items, len(self._outbox))
        if not self._holding:
            self.read(len(self._outbox))

    async def wait_room(self) -> None:
        await trio.lowlevel.checkpoint()
        while len(self._outbox) * 2 >= self.max_items and not self.closed:
            await self._room.wait()

    async def receive(self) -> str:
        try:
            text = await self._from_client.receive()
        except trio.EndOfChannel:
            raise SocketClosed(*(self.closed_with or (1006, ""))) from None
        if self.closed_with is not None:
            raise SocketClosed(*self.closed_with)
        return text

    def close(self, code: int = 1000, reason: str = "") -> None:
        if self.closed_with is None:
            self.closed_with = (code, reason)
            self._to_server.close()
            self._room.set()

    async def wait_closed(self) -> None:
        await self.gone.wait()

    # What the client does.

    def say(self, kind: str, *, room: str | None = None, data: object = None) -> str:
        frame_id = f"f{next(_numbers)}"
        frame = {"type": kind, "id": frame_id, "room": room, "data": data}
        self.raw(json.dumps({key: value for key, value in frame.items() if value is not None}))
        return frame_id

    def raw(self, text: str) -> None:
        if not self.closed:
            self.last_received = trio.current_time()
            self._to_server.send_nowait(text)

    def hold(self) -> None:
        """Read nothing from here on."""
        self._holding = True

    def release(self) -> None:
        """Read everything, now and from here on."""
        self._holding = False
        self.read(len(self._outbox))

    def read(self, count: int) -> None:
        """Read this many frames."""
        for _ in range(min(count, len(self._outbox))):
            self._progress = trio.current_time()
            frame = self._outbox.popleft()
            self.seen.append(frame)
            if frame is PINGED and not self.mute:
                self.last_received = trio.current_time()
        if len(self._outbox) * 2 < self.max_items:
            self._room.set()
            self._room = trio.Event()

    def linger(self) -> None:
        """Leave the server's goodbye unanswered until `gone` is set."""
        self.gone = trio.Event()

    def leave(self) -> None:
        """Be gone without a word."""
        self.close(1006, "")

    # What tests ask.

    def of(self, room: str) -> list[Frame]:
        return [frame for frame in self.seen if frame.get("room") == room]

    def seqs(self, room: str) -> list[int]:
        return [frame["seq"] for frame in self.of(room) if "actor" in frame]

    def kinds(self, room: str) -> list[str]:
        return [frame["type"] for frame in self.of(room)]

    def answers(self, frame_id: str) -> list[Frame]:
        return [frame for frame in self.seen if frame.get("id") == frame_id]
