"""One WebSocket on Trio, under the test's full control: it reads as fast, as slowly or as little as it is told to.

It speaks the framing itself, so that a thousand frames cost little, and takes nothing for granted: a frame that is
masked or fragmented is an error. Pings are answered only while somebody reads, as with any real client.
"""

from __future__ import annotations

import itertools
import json
import socket
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import trio

from bench.frames import CLOSE, PING, PONG, TEXT, FrameWalker, client_frame

Frame = dict[str, Any]

HOST = "127.0.0.1"
NO_CLOSE_FRAME = 1006
DEADLINE_SECONDS = 30.0
_SEGMENT_BYTES = 1400
_READ_BYTES = 65_536
_numbers = itertools.count(1)


class Gone(Exception):
    """The connection has ended, with this close code (1006: without a close frame)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Participant:
    """An open WebSocket; one task reads and any may send."""

    def __init__(self, sock: trio.socket.SocketType, raw: socket.socket) -> None:
        self.stream = trio.SocketStream(sock)
        self._raw = raw
        self.code: int | None = None
        self._walker = FrameWalker()
        self._frames: deque[Frame] = deque()
        self._sending = trio.Lock()

    def __del__(self) -> None:
        """Leave nothing open behind a test that failed: its failure is what is to be read, not a warning."""
        self._raw.close()

    @classmethod
    async def connect(cls, port: int, *, receive_bytes: int = 0, head: bytes = b"") -> Participant:
        """Connect and upgrade; `receive_bytes` bounds what the kernel takes in for a client that does not read."""
        raw = socket.socket()
        sock = trio.socket.from_stdlib_socket(raw)
        try:
            if receive_bytes:
                sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, receive_bytes)
                # Segments as on a network. The loopback's own are larger than the whole buffer, and the kernel would
                # then wait for its timers between one and the next.
                sock.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_MAXSEG, _SEGMENT_BYTES)
            await sock.connect((HOST, port))
            participant = cls(sock, raw)
            await participant._upgrade(port)
        except BaseException:
            sock.close()
            raise
        return participant

    @classmethod
    async def greeted(
        cls, port: int, token: str, *, receive_bytes: int = 0, resume: Mapping[str, object] | None = None
    ) -> Participant:
        """Connect and say hello; what follows the welcome stays unread."""
        participant = await cls.connect(port, receive_bytes=receive_bytes)
        try:
            await participant.say("hello", data={"token": token, "resume": dict(resume or {})})
            await participant.until("welcome")
        except BaseException:
            participant.drop()
            raise
        return participant

    async def _upgrade(self, port: int) -> None:
        await self.stream.send_all(
            f"GET /ws HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            data = await self._receive(_READ_BYTES)
            if not data:
                raise Gone(NO_CLOSE_FRAME)
            head += data
        head, _, rest = head.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            self.code = int(head[9:12])
            raise Gone(self.code)
        await self._feed(rest)

    async def say(self, kind: str, *, room: str | None = None, data: object = None, frame_id: str | None = None) -> str:
        """Send one frame and give its id. Raises Gone."""
        frame_id = frame_id or f"p{next(_numbers)}"
        frame: Frame = {"type": kind, "id": frame_id}
        if room is not None:
            frame["room"] = room
        if data is not None:
            frame["data"] = data
        await self.raw(client_frame(json.dumps(frame).encode()))
        return frame_id

    async def raw(self, data: bytes) -> None:
        """Send bytes as they are. Raises Gone."""
        try:
            async with self._sending:
                await self.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise Gone(self.code or NO_CLOSE_FRAME) from None

    async def next(self) -> Frame:
        """Wait for the next frame. Raises Gone."""
        while not self._frames:
            await self.read()
        return self._frames.popleft()

    async def read(self, max_bytes: int = _READ_BYTES) -> int:
        """Take this much off the network, at most, and give its number; the frames it completes go to `next`."""
        if self.code is not None:
            raise Gone(self.code)
        data = await self._receive(max_bytes)
        if not data:
            self.code = NO_CLOSE_FRAME
            raise Gone(self.code)
        await self._feed(data)
        return len(data)

    @property
    def in_a_frame(self) -> bool:
        """Whether what has been read so far ends in the middle of a frame."""
        return not self._walker.between_frames

    def taken(self) -> list[Frame]:
        """Give the frames that reads have completed so far."""
        frames = list(self._frames)
        self._frames.clear()
        return frames

    async def until(self, *kinds: str, frame_id: str | None = None) -> Frame:
        """Skip to a frame of one of these types (and with this id); fails after 30 s. Raises Gone."""
        with trio.fail_after(DEADLINE_SECONDS):
            while True:
                frame = await self.next()
                if frame["type"] in kinds and (frame_id is None or frame.get("id") == frame_id):
                    return frame

    async def ask(self, kind: str, **frame: Any) -> Frame:
        """Send a frame and skip to its answer, whatever it is. Raises Gone."""
        frame_id = await self.say(kind, **frame)
        with trio.fail_after(DEADLINE_SECONDS):
            while True:
                answer = await self.next()
                if answer.get("id") == frame_id:
                    return answer

    async def subscribe(self, room: str, **data: object) -> Frame:
        """Subscribe and skip to the answer."""
        return await self.ask("subscribe", room=room, data=data)

    async def closed(self, look: Callable[[Frame], None] = lambda _: None) -> int:
        """Read to the end, have each frame looked at, and give the close code; fails after 30 s."""
        with trio.fail_after(DEADLINE_SECONDS):
            try:
                while True:
                    look(await self.next())
            except Gone as gone:
                return gone.code

    def drop(self) -> None:
        """Leave without a word."""
        self.stream.socket.close()

    def reset(self) -> None:
        """Leave with a reset."""
        self.stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.stream.socket.close()

    async def _receive(self, max_bytes: int) -> bytes:
        try:
            return bytes(await self.stream.receive_some(max_bytes))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    async def _feed(self, data: bytes) -> None:
        for frame in self._walker.feed(data):
            if frame.opcode == TEXT:
                self._frames.append(json.loads(frame.payload))
            elif frame.opcode == PING:
                await self.raw(client_frame(frame.payload, PONG))
            elif frame.opcode == CLOSE:
                self.code = int.from_bytes(frame.payload[:2], "big") if len(frame.payload) >= 2 else 1005
                # Say goodbye too, if the other side still listens.
                try:
                    await self.raw(client_frame(frame.payload[:2], CLOSE))
                except Gone:
                    return
