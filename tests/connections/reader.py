"""A client that judges: it checks every frame on arrival against what the protocol promises, room by room."""

from __future__ import annotations

from tests.connections.fake_socket import FakeSocket, Frame


class Stream:
    """One subscription as its client sees it; `last` is None until the first event says where it begins."""

    def __init__(self, last: int | None) -> None:
        self.last = last
        self.ended_by_event = False


class Reader:
    """Watches one socket. `streams` are the subscriptions that live, `lost` the rooms that it was told to ask anew."""

    def __init__(self, socket: FakeSocket, user: str) -> None:
        self.socket = socket
        self.user = user
        self.streams: dict[str, Stream] = {}
        self.lost: set[str] = set()
        self.position: dict[str, int] = {}
        self._asked: dict[str, tuple[str, int | None]] = {}
        self._open: set[str] = set()
        socket.on_frame = self._on_frame

    def ask(self, kind: str, room: str, data: object = None, *, after: int | None = None) -> None:
        frame_id = self.socket.say(kind, room=room, data=data)
        self._open.add(frame_id)
        self._asked[frame_id] = (kind, after)

    def subscribe(self, room: str, *, after: int | None = None, history: int = 0) -> None:
        self.ask("subscribe", room, {"history": history} if after is None else {"after": after}, after=after)

    @property
    def unanswered(self) -> set[str]:
        return self._open

    def _on_frame(self, frame: Frame) -> None:
        frame_id, room = frame.get("id"), frame.get("room", "")
        if frame_id is not None:
            assert frame_id in self._open, f"answered twice: {frame}"
            self._open.discard(frame_id)
        if "actor" in frame:
            self._event(frame, room)
            return
        match frame["type"]:
            case "subscribed":
                self._subscribed(frame, room)
            case "unsubscribed":
                self._unsubscribed(frame, room)
            case "reset":
                self.streams.pop(room, None)
                self.lost.add(room)
            case "caught_up" | "lagging":
                stream = self.streams[room]
                assert stream.last in {None, frame["data"]["seq"]}, (frame, stream.last)
            case "error" if frame_id is None or self._asked[frame_id][0] == "subscribe":
                self.streams.pop(room, None)
                self.lost.add(room)
            case _:
                pass

    def _event(self, frame: Frame, room: str) -> None:
        stream = self.streams.get(room)
        assert stream is not None, f"not subscribed: {frame}"
        assert not stream.ended_by_event, f"above the end: {frame}"
        assert stream.last is None or frame["seq"] == stream.last + 1, f"{stream.last} is followed by {frame}"
        stream.last = self.position[room] = frame["seq"]
        if frame["type"] in {"member.removed", "member.left"} and frame["data"]["user"] == self.user:
            # A replay may pass over an earlier removal of somebody who is back; what follows says which it was.
            stream.ended_by_event = not self._is_back(frame["seq"], room)

    def _is_back(self, seq: int, room: str) -> bool:
        return any(back > seq for back in self.backs.get(room, ()))

    backs: dict[str, list[int]] = {}

    def _subscribed(self, frame: Frame, room: str) -> None:
        data, frame_id = frame["data"], frame.get("id")
        seqs = [event["seq"] for event in data["events"]]
        if frame_id is None:
            stream = Stream(None)
        else:
            after = self._asked[frame_id][1]
            if after is None:
                assert seqs == list(range(data["head_seq"] - len(seqs) + 1, data["head_seq"] + 1))
            stream = Stream(data["head_seq"] if after is None else after)
        self.streams[room] = stream
        self.lost.discard(room)
        if stream.last is not None:
            self.position[room] = stream.last

    def _unsubscribed(self, frame: Frame, room: str) -> None:
        stream = self.streams.pop(room, None)
        if frame["data"]["reason"] != "asked":
            assert stream is not None, f"nothing to end: {frame}"
            assert stream.last in {None, frame["data"]["seq"]}, (frame, stream.last)
        elif stream is not None:
            self.lost.add(room)
