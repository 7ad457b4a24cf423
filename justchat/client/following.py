"""Every room that a client follows, and what each frame from the server means for its run of events. Pure.

Frames of the server go in; items for the application and resumptions to ask for come out. It promises the law of
`justchat.client.items` for any frames in any order: what does not fit is dropped and asked for again, and what cannot
be had any more ends the run openly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from justchat.client.backoff import Backoff
from justchat.client.items import Reset, RoomEvent, Subscribed, Unsubscribed
from justchat.client.track import Sight, Standing, Track
from justchat.wire.frames import Position, SubscribeData
from justchat.wire.server_frames import ResetData, SubscribedData

# What hello takes besides the positions, with a token in it; and one position's punctuation.
_HELLO_BYTES = 1024


class Following:
    """The tracks of all rooms, over all connections of one client.

    `everything` says that the server subscribes to every room of the user by itself.
    """

    def __init__(self, *, everything: bool, answer_seconds: float, jitter: Callable[[], float]) -> None:
        self.everything = everything
        self.jumps = 0
        self.duplicates = 0
        self.overflows = 0
        self.resets = 0
        self._answer_seconds = answer_seconds
        self._jitter = jitter
        self._tracks: dict[str, Track] = {}
        # The tracks that are not LIVE, so that a wake-up need not look at every room.
        self._behind: dict[str, Track] = {}
        # Rooms that came along unasked; where their events begin is known with the first of them.
        self._opening: dict[str, tuple[SubscribedData, tuple[RoomEvent, ...]]] = {}
        self._known: frozenset[str] = frozenset()
        # With `everything`: rooms that the application does not want, and those still to be unsubscribed from.
        self._muted: set[str] = set()
        self._unwanted: dict[str, None] = {}
        self._questions = 0

    def __len__(self) -> int:
        return len(self._tracks)

    @property
    def behind(self) -> int:
        """Count the rooms that wait for something missing."""
        return len(self._behind)

    def begin(self, positions: Mapping[str, Position]) -> None:
        """Follow rooms from positions that the application kept."""
        for room, position in positions.items():
            self._tracks[room] = self._track(position.epoch, position.seq)

    def position(self, room: str) -> Position | None:
        """Give the last accepted event of a room."""
        track = self._tracks.get(room)
        return None if track is None or track.seq is None else Position(track.epoch, track.seq)

    # A connection begins.

    def resume(self, now: float, *, frame_max_bytes: int) -> dict[str, Position]:
        """Begin a connection: give the positions for hello. Those that would make the frame too large follow later."""
        self._opening.clear()
        self._unwanted.clear()
        # Without a position there is nothing to resume: `everything` brings the room along anew.
        self._tracks = {room: track for room, track in self._tracks.items() if track.seq is not None}
        self._behind = dict(self._tracks)
        resumed: dict[str, Position] = {}
        room_left = frame_max_bytes - _HELLO_BYTES
        for room, track in self._tracks.items():
            position = Position(track.epoch, track.seq or 0)
            room_left -= len(msgspec.json.encode({room: position}))
            track.disconnected(now)
            if room_left >= 0:
                resumed[room] = position
                track.ask(now, question=None, answer_seconds=self._answer_seconds)
        return resumed

    def welcomed(self, rooms: Iterable[str]) -> None:
        """Note the rooms that the server named in its welcome: with `everything`, those begin at their head."""
        self._known = frozenset(rooms)

    # The application's own subscriptions.

    def want(self, room: str) -> None:
        """Note that the application is about to subscribe to this room."""
        self._muted.discard(room)
        self._unwanted.pop(room, None)

    def subscribed_by_request(
        self, room: str, after: int | None, data: SubscribedData, history: tuple[RoomEvent, ...]
    ) -> Subscribed:
        """Begin the run that the application asked for; an earlier one of this room ends with it."""
        self._opening.pop(room, None)
        return self._start(room, data.head_seq if after is None else after, data, history)

    def mute(self, room: str) -> None:
        """Note that the application does not want this room, even if the server subscribes to it by itself."""
        if self.everything:
            self._muted.add(room)

    # Frames.

    def opened(self, room: str, seq: int, *, caught_up: bool = False) -> Subscribed | None:
        """Begin the run of a room that came along unasked, now that its first seq is known."""
        opening = self._opening.pop(room, None)
        if opening is None:
            return None
        data, history = opening
        return self._start(room, seq if caught_up else seq - 1, data, history)

    def event(self, room: str, seq: int, now: float, *, full: bool) -> bool:
        """Tell whether this event is to be delivered now; `full` says that there is no place for it."""
        track = self._tracks.get(room)
        if track is None:
            return False
        sight = track.place(seq)
        if sight is Sight.SEEN:
            self.duplicates += 1
            return False
        if sight is Sight.NEXT and not full:
            track.accept(seq)
            return True
        if track.standing is Standing.LIVE:
            if sight is Sight.NEXT:
                self.overflows += 1
            else:
                self.jumps += 1
            self._fall_behind(room, track, now)
        return False

    def caught_up(self, room: str, seq: int, now: float) -> None:
        """Check the server's claim that everything up to `seq` has been sent."""
        track = self._tracks.get(room)
        if track is not None and track.standing is Standing.LIVE and track.seq is not None and seq > track.seq:
            self.jumps += 1
            self._fall_behind(room, track, now)

    def subscribed(
        self, room: str, frame_id: str | None, data: SubscribedData, history: tuple[RoomEvent, ...], now: float
    ) -> Subscribed | Reset | None:
        """Take a `subscribed` that answers no command of the application."""
        track = self._tracks.get(room)
        if track is None:
            return self._came_along(room, data, history)
        if track.standing is Standing.ASKED and track.question == frame_id:
            return self._resumed(room, track, data, history)
        if track.standing is Standing.LIVE and track.seq is not None and data.head_seq > track.seq:
            # Live from its head, which is past our place: what lies between will not come by itself.
            self.jumps += 1
            self._fall_behind(room, track, now)
        return None

    def reset(self, room: str, data: ResetData) -> Reset | None:
        """End a run that cannot be resumed."""
        track = self._tracks.get(room)
        if track is None or track.seq is None:
            return None
        return self._end_by_reset(room, data.reason, track.seq, data.epoch, data.head_seq)

    def unsubscribed(self, room: str, reason: str, ended_at: int | None) -> Unsubscribed | None:
        """End a run for good."""
        self._opening.pop(room, None)
        self._unwanted.pop(room, None)
        track = self._tracks.get(room)
        if track is None:
            return None
        self._forget(room)
        return Unsubscribed(room, reason, track.seq or 0, ended_at)

    def room_asked_by(self, frame_id: str | None, room: str | None) -> str | None:
        """Find the room whose resumption an `error` frame refuses; None when it refuses none."""
        for name, track in self._behind.items():
            if track.standing is not Standing.ASKED or track.question != frame_id:
                continue
            if frame_id is not None or name == room:
                return name
        return None

    def refused(self, room: str, now: float, *, retry_after_seconds: float) -> None:
        """Note that a resumption has to be asked for again later."""
        self._fall_behind(room, self._tracks[room], now, retry_after_seconds=retry_after_seconds)

    # What to ask the server for.

    def next_question(self, now: float) -> tuple[str, str, SubscribeData] | None:
        """Give the next resumption that is due, as the frame's id, the room and the data."""
        for room, track in self._behind.items():
            if track.due_at > now:
                continue
            if track.standing is Standing.ASKED:
                self._fall_behind(room, track, now)
                if track.due_at > now:
                    continue
            self._questions += 1
            question = f"resume-{self._questions}"
            track.ask(now, question=question, answer_seconds=self._answer_seconds)
            if track.seq is None:
                return question, room, SubscribeData(history=0)
            return question, room, SubscribeData(after=track.seq, epoch=track.epoch)
        return None

    def next_unwanted(self) -> str | None:
        """Give a room to unsubscribe from, once."""
        return None if not self._unwanted else self._unwanted.popitem()[0]

    def next_due(self) -> float:
        """Give the time at which `next_question` will have something to say."""
        if self._unwanted:
            return 0.0
        return min((track.due_at for track in self._behind.values()), default=float("inf"))

    # Inside.

    def _track(self, epoch: str, seq: int | None) -> Track:
        return Track(epoch, seq, Backoff())

    def _start(self, room: str, seq: int, data: SubscribedData, history: tuple[RoomEvent, ...]) -> Subscribed:
        self._forget(room)
        self._tracks[room] = self._track(data.epoch, seq)
        return Subscribed(room, data.epoch, seq, data.head_seq, data.state, history)

    def _forget(self, room: str) -> None:
        self._tracks.pop(room, None)
        self._behind.pop(room, None)

    def _fall_behind(self, room: str, track: Track, now: float, *, retry_after_seconds: float = 0.0) -> None:
        track.fall_behind(now, jitter=self._jitter(), retry_after_seconds=retry_after_seconds)
        self._behind[room] = track

    def _came_along(self, room: str, data: SubscribedData, history: tuple[RoomEvent, ...]) -> Subscribed | None:
        if room in self._muted:
            self._unwanted[room] = None
            return None
        if self.everything and room not in self._known:
            self._opening[room] = (data, history)
            return None
        return self._start(room, data.head_seq, data, history)

    def _resumed(
        self, room: str, track: Track, data: SubscribedData, history: tuple[RoomEvent, ...]
    ) -> Subscribed | Reset | None:
        if track.seq is None:
            return self._start(room, data.head_seq, data, history)
        if data.epoch != track.epoch:
            # A server should have said so with a reset; believing its seqs would join two different histories.
            if not self.everything:
                self._unwanted[room] = None
            return self._end_by_reset(room, "epoch", track.seq, data.epoch, data.head_seq)
        track.resumed()
        self._behind.pop(room, None)
        return None

    def _end_by_reset(self, room: str, reason: str, seq: int, epoch: str, head_seq: int) -> Reset:
        self.resets += 1
        self._forget(room)
        if self.everything:
            self._tracks[room] = self._behind[room] = self._track("", None)
        return Reset(room, reason, seq, epoch, head_seq)
