"""The server's half of the protocol as a model without I/O: journals in memory, frames in a list.

It answers every frame as the contract says, and can be told to misbehave: to lose or repeat an event, to refuse for a
while, to lose a journal's past. What it has committed is the truth that clients are judged by.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from justchat.wire import server_frames
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.frames import (
    ClientFrame,
    Delete,
    Fetch,
    Hello,
    Ping,
    Position,
    Refresh,
    Send,
    Subscribe,
    Unsubscribe,
    decode_frame,
)
from justchat.wire.server_frames import WelcomeRoom
from tests.client import frames


@dataclass
class Journal:
    """One room. `events[n]` is the event with seq n + 1; `archive` has the bodies of every epoch there was."""

    epoch: str = "e1"
    events: list[bytes] = field(default_factory=list)
    posts: dict[str, int] = field(default_factory=dict)
    archive: dict[str, list[str]] = field(default_factory=lambda: {"e1": []})

    @property
    def head(self) -> int:
        return len(self.events)


class ModelServer:
    """One user's server: all rooms are theirs, one connection at a time."""

    def __init__(self, rooms: tuple[str, ...]) -> None:
        self.journals = {room: Journal() for room in rooms}
        self.outgoing: deque[bytes] = deque()
        self.live: set[str] = set()
        self.greeted = False
        self.everything = False
        self.refusals = 0
        self.epochs = 1
        self.tokens: list[str] = []

    # What happens to rooms.

    def post(self, room: str, body: str, *, client_msg_id: str | None = None) -> int:
        """Commit a message and push it to the connection, if that is subscribed."""
        journal = self.journals[room]
        seq = journal.head + 1
        journal.events.append(frames.message_event(room, seq, body, client_msg_id=client_msg_id))
        journal.archive[journal.epoch].append(body)
        if client_msg_id is not None:
            journal.posts[client_msg_id] = seq
        if room in self.live:
            self.outgoing.append(journal.events[-1])
        return seq

    def restore(self, room: str) -> None:
        """Lose the newest half of a journal, as a restore from a backup does: the epoch changes, streams end."""
        journal = self.journals[room]
        self.epochs += 1
        kept = journal.head // 2
        older, journal.epoch = journal.epoch, f"e{self.epochs}"
        journal.archive[journal.epoch] = journal.archive[older][:kept]
        del journal.events[kept:]
        journal.posts = {key: seq for key, seq in journal.posts.items() if seq <= kept}
        if room in self.live:
            self.live.discard(room)
            self._reset(room, None)

    def remove(self, room: str) -> None:
        """End the user's subscription, as a removal does."""
        if room in self.live:
            self.live.discard(room)
            self.outgoing.append(server_frames.unsubscribed(room, reason="removed", seq=self.journals[room].head))

    def warn(self) -> None:
        """Say that the token runs out."""
        if self.greeted:
            self.outgoing.append(server_frames.expiring(in_ms=60_000))

    # What happens to frames under way.

    def lose(self, index: int) -> None:
        """Lose an event frame that is under way; other frames stay."""
        places = [place for place, frame in enumerate(self.outgoing) if b'"message.created"' in frame[:30]]
        if places:
            del self.outgoing[places[index % len(places)]]

    def repeat(self, index: int) -> None:
        """Send an event frame that is under way once more, right after itself."""
        places = [place for place, frame in enumerate(self.outgoing) if b'"message.created"' in frame[:30]]
        if places:
            place = places[index % len(places)]
            self.outgoing.insert(place, self.outgoing[place])

    def disconnect(self) -> None:
        """Lose the connection and everything under way on it."""
        self.outgoing.clear()
        self.live.clear()
        self.greeted = False

    # What the client says.

    def take(self, text: str) -> None:
        """Answer a frame, which has to be a proper one."""
        frame = decode_frame(text)
        assert not isinstance(frame, Refusal), (text, frame)
        self.handle(frame)

    def handle(self, frame: ClientFrame) -> None:
        """Answer a frame."""
        match frame:
            case Hello(data=data):
                assert not self.greeted
                self._greet(data.resume, everything=data.subscribe == "all")
            case Ping():
                self.outgoing.append(server_frames.pong(None))
            case Refresh():
                self._refresh(frame)
            case Send() | Delete() | Fetch() | Subscribe() | Unsubscribe():
                assert self.greeted
                self._command(frame)

    def _greet(self, resume: dict[str, Position], *, everything: bool) -> None:
        self.greeted, self.everything = True, everything
        rooms = (WelcomeRoom(room, journal.epoch, journal.head) for room, journal in self.journals.items())
        self.outgoing.append(frames.welcome(*rooms))
        for room, position in resume.items():
            self._resume(room, position.seq, position.epoch, None)
        for room, journal in self.journals.items():
            if everything and room not in resume:
                self.live.add(room)
                self.outgoing.append(frames.subscribed(room, frame_id=None, head_seq=journal.head, epoch=journal.epoch))

    def _refresh(self, frame: Refresh) -> None:
        if self.refusals:
            self.refusals -= 1
            self.outgoing.append(frames.error(ErrorCode.ROOM_OVERLOADED, frame_id=frame.id, retry_after=0.5))
            return
        self.tokens.append(frame.data.token)
        self.outgoing.append(server_frames.refreshed(frame_id=frame.id, expires_in_ms=600_000))

    def _command(self, frame: ClientFrame) -> None:
        assert isinstance(frame, Send | Delete | Fetch | Subscribe | Unsubscribe)
        if self.refusals:
            self.refusals -= 1
            self.outgoing.append(frames.error(ErrorCode.RATE_LIMITED, frame_id=frame.id, retry_after=0.5))
            return
        journal = self.journals[frame.room]
        match frame:
            case Send(data=data):
                known = journal.posts.get(data.client_msg_id)
                seq = known or self.post(frame.room, data.body, client_msg_id=data.client_msg_id)
                self.outgoing.append(
                    frames.ack(
                        frame.room,
                        frame_id=frame.id,
                        seq=seq,
                        client_msg_id=data.client_msg_id,
                        duplicate=known is not None,
                    )
                )
            case Subscribe(data=data):
                self.live.discard(frame.room)
                if data.after is None:
                    self._snapshot(frame.room, data.history or 0, frame.id)
                else:
                    self._resume(frame.room, data.after, data.epoch, frame.id)
            case Unsubscribe():
                self.live.discard(frame.room)
                self.outgoing.append(
                    server_frames.unsubscribed(frame.room, reason="asked", seq=journal.head, frame_id=frame.id)
                )
            case _:
                raise AssertionError(f"the model does not know {frame}")

    def _snapshot(self, room: str, history: int, frame_id: str | None) -> None:
        journal = self.journals[room]
        newest = tuple(journal.events[max(0, journal.head - history) :]) if history else ()
        self.live.add(room)
        self.outgoing.append(
            frames.subscribed(room, frame_id=frame_id, head_seq=journal.head, epoch=journal.epoch, events=newest)
        )

    def _resume(self, room: str, after: int, epoch: str | None, frame_id: str | None) -> None:
        journal = self.journals[room]
        if after > journal.head or (epoch is not None and epoch != journal.epoch):
            self._reset(room, frame_id)
            return
        self.live.add(room)
        self.outgoing.append(frames.subscribed(room, frame_id=frame_id, head_seq=journal.head, epoch=journal.epoch))
        self.outgoing.extend(journal.events[after:])
        self.outgoing.append(server_frames.caught_up(room, seq=journal.head))

    def _reset(self, room: str, frame_id: str | None) -> None:
        journal = self.journals[room]
        self.outgoing.append(
            server_frames.reset(room, reason="restored", epoch=journal.epoch, head_seq=journal.head, frame_id=frame_id)
        )
