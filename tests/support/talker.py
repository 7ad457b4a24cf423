"""A WebSocket caller for tests, on the `websockets` library: independent of the code that serves it.

Blocking, one thread of its own inside the library; every wait has a deadline.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

_numbers = itertools.count(1)
_open: list[Talker] = []
Frame = dict[str, Any]
DEADLINE_SECONDS = 30.0


class Talker:
    """One socket; frames that are not waited for are kept in `seen`."""

    def __init__(self, ws_url: str, *, headers: dict[str, str] | None = None, origin: str | None = None) -> None:
        self.socket: ClientConnection = connect(
            ws_url,
            additional_headers=headers,
            origin=origin,
            max_size=None,
            compression=None,
            ping_interval=None,
            open_timeout=DEADLINE_SECONDS,
            legacy=True,
            close_timeout=0.5,
            proxy=None,
        )
        self.seen: list[Frame] = []
        _open.append(self)

    @classmethod
    def greeted(cls, ws_url: str, token: str, **data: object) -> Talker:
        """Connect and say hello."""
        talker = cls(ws_url)
        talker.say("hello", data={"token": token, **data})
        talker.until("welcome")
        return talker

    def say(self, kind: str, *, room: str | None = None, data: object = None, frame_id: str | None = None) -> str:
        """Send one frame and give its id."""
        frame_id = frame_id or f"f{next(_numbers)}"
        frame: Frame = {"type": kind, "id": frame_id}
        if room is not None:
            frame["room"] = room
        if data is not None:
            frame["data"] = data
        self.socket.send(json.dumps(frame))
        return frame_id

    def raw(self, text: str | bytes) -> None:
        """Send whatever this is."""
        self.socket.send(text)

    def next(self, seconds: float = DEADLINE_SECONDS) -> Frame:
        """Wait for the next frame."""
        frame = json.loads(self.socket.recv(timeout=seconds))
        self.seen.append(frame)
        return frame

    def until(self, *kinds: str, frame_id: str | None = None, seconds: float = DEADLINE_SECONDS) -> Frame:
        """Wait for a frame of one of these types (and with this id)."""
        while True:
            frame = self.next(seconds)
            if frame["type"] in kinds and (frame_id is None or frame.get("id") == frame_id):
                return frame

    def send(self, room: str, body: str, *, client_msg_id: str | None = None) -> Frame:
        """Post a message and wait for its answer."""
        client_msg_id = client_msg_id or f"w{next(_numbers)}"
        frame_id = self.say("send", room=room, data={"client_msg_id": client_msg_id, "body": body})
        return self.until("ack", "error", frame_id=frame_id)

    def subscribe(self, room: str, **data: object) -> Frame:
        """Subscribe and wait for the answer."""
        return self.until("subscribed", "error", "reset", frame_id=self.say("subscribe", room=room, data=data))

    def events(self, room: str) -> list[Frame]:
        """Give the durable events of a room seen so far, in order."""
        return [frame for frame in self.seen if frame.get("room") == room and "seq" in frame and "actor" in frame]

    def closed(self, seconds: float = DEADLINE_SECONDS) -> int:
        """Read until the server closes and give the close code (1006: without a close frame)."""
        try:
            while True:
                self.next(seconds)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else 1006

    def close(self) -> None:
        """Leave."""
        self.socket.close()


def close_all() -> None:
    """Close every socket that a test left open, as a failed one does."""
    while _open:
        _open.pop().close()
