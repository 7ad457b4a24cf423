"""A client that judges: it checks every frame that is queued for it against what the protocol promises."""

from __future__ import annotations

from collections.abc import Callable

from tests.connections.fake_socket import PINGED, FakeSocket, Frame


class Stream:
    """One subscription: its last seq (None until the first event says where it begins), and the head at its begin."""

    def __init__(self, last: int | None, *, head: int) -> None:
        self.last = last
        self.head = head
        self.over = False


class Reader:
    """Watches one socket. `streams` are the subscriptions that live, `lost` the rooms that it was told to ask anew."""

    def __init__(self, socket: FakeSocket, user: str, head_of: Callable[[str], int]) -> None:
        self.socket = socket
        self.user = user
        self.streams: dict[str, Stream] = {}
        self.lost: set[str] = set()
        self.unanswered: set[str] = set()
        self._head_of = head_of
        self._asked: dict[str, tuple[str, int | None]] = {}
        socket.on_queued = self._judge

    def ask(self, kind: str, room: str, data: object = None, *, after: int | None = None) -> None:
        frame_id = self.socket.say(kind, room=room, data=data)
        self.unanswered.add(frame_id)
        self._asked[frame_id] = (kind, after)

    def subscribe(self, room: str, *, after: int | None = None, history: int = 0) -> None:
        self.ask("subscribe", room, {"history": history} if after is None else {"after": after}, after=after)

    def positions(self) -> dict[str, int]:
        """Give the last seq that was read of each room."""
        return {frame["room"]: frame["seq"] for frame in self.socket.seen if "actor" in frame}

    def _judge(self, frame: Frame) -> None:
        frame_id, room = frame.get("id"), frame.get("room", "")
        if frame_id is not None:
            assert frame_id in self.unanswered, f"answered twice: {frame}"
            self.unanswered.discard(frame_id)
        if "actor" in frame:
            self._event(frame, room)
            return
        match frame["type"]:
            case "subscribed":
                self._subscribed(frame, room)
            case "unsubscribed":
                self._unsubscribed(frame, room)
            case "caught_up" | "lagging":
                assert self.streams[room].last in {None, frame["data"]["seq"]}, (frame, self.streams[room].last)
            case "reset":
                self._forget(room)
            case "error" if frame_id is None or self._asked[frame_id][0] == "subscribe":
                self._forget(room)
            case _:
                assert frame is PINGED or frame["type"] in {"welcome", "ack", "error", "page"}, frame

    def _forget(self, room: str) -> None:
        self.streams.pop(room, None)
        self.lost.add(room)

    def _event(self, frame: Frame, room: str) -> None:
        stream = self.streams.get(room)
        assert stream is not None, f"not subscribed: {frame}"
        assert not stream.over, f"above the end: {frame}"
        assert stream.last is None or frame["seq"] == stream.last + 1, f"{stream.last} is followed by {frame}"
        stream.last = frame["seq"]
        # A replay passes over earlier removals of somebody who is back; one after its begin is the end.
        ends = frame["type"] in {"member.removed", "member.left"} and frame["data"]["user"] == self.user
        stream.over = ends and frame["seq"] > stream.head

    def _subscribed(self, frame: Frame, room: str) -> None:
        data, frame_id = frame["data"], frame.get("id")
        after = None if frame_id is None else self._asked[frame_id][1]
        if frame_id is not None and after is None:
            seqs = [event["seq"] for event in data["events"]]
            assert seqs == list(range(data["head_seq"] - len(seqs) + 1, data["head_seq"] + 1))
            after = data["head_seq"]
        self.streams[room] = Stream(after, head=self._head_of(room))
        self.lost.discard(room)

    def _unsubscribed(self, frame: Frame, room: str) -> None:
        stream = self.streams.pop(room, None)
        if frame["data"]["reason"] == "asked":
            self.lost.add(room)
        elif stream is not None:
            assert stream.last in {None, frame["data"]["seq"]}, (frame, stream.last)
