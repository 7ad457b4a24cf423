"""What is said on the connection, without the connection: frames in, frames out, items and answers for the application.

It outlives every single connection and owns all state that has to: the tracks, the unanswered commands and the buffered
items. Pure: time and randomness come in with the calls, and waiting is left to whoever drives it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from justchat.client.backoff import Backoff
from justchat.client.buffer import ItemBuffer
from justchat.client.commands import RETRYABLE, Commands
from justchat.client.errors import ClientError, PositionLost
from justchat.client.following import Following
from justchat.client.inbound import Inbound, NotAFrame, read_data, read_event, read_events, read_frame
from justchat.client.items import Ack, Answer, Item, Page, Reset, Unsubscribed
from justchat.client.renewal import Renewal
from justchat.client.settings import ClientSettings
from justchat.wire.errors import Problem
from justchat.wire.frames import Hello, HelloData, Ping, Subscribe, Unsubscribe
from justchat.wire.server_frames import (
    AckData,
    ExpiringData,
    GoodbyeData,
    PageData,
    RefreshedData,
    ResetData,
    SeqData,
    SubscribedData,
    WelcomeData,
)

logger = logging.getLogger(__name__)

# What a server takes as long as it has not said otherwise.
DEFAULT_FRAME_MAX_BYTES = 16_384
_encode = msgspec.json.Encoder().encode


class Conversation:
    """The state of one client towards its server. `jitter` gives numbers in [0, 1)."""

    def __init__(self, settings: ClientSettings, *, everything: bool, jitter: Callable[[], float]) -> None:
        self.buffer = ItemBuffer(settings.event_buffer)
        self.commands = Commands()
        self.following = Following(everything=everything, answer_seconds=settings.answer_seconds, jitter=jitter)
        self.renewal = Renewal(
            Backoff(base_seconds=settings.retry_base_seconds, cap_seconds=settings.retry_cap_seconds)
        )
        self.welcome: WelcomeData | None = None
        self.goodbye: GoodbyeData | None = None
        self._jitter = jitter

    @property
    def frame_max_bytes(self) -> int:
        """The largest frame that the server takes."""
        return DEFAULT_FRAME_MAX_BYTES if self.welcome is None else self.welcome.limits.frame_max_bytes

    @property
    def wants_frames(self) -> bool:
        """Tell whether reading on makes sense.

        With the buffer full it does not, except when somebody waits for an answer: that may lie behind any number of
        events, and the one who waits may be the very one who would have made room.
        """
        return not self.buffer.full or len(self.commands) > 0

    # A connection's life.

    def hello(self, now: float) -> str:
        """Begin a connection: give its first frame."""
        self.commands.disconnected()
        self.renewal.connected()
        resume = self.following.resume(now, frame_max_bytes=self.frame_max_bytes)
        data = HelloData(resume=resume, subscribe="all" if self.following.everything else None)
        return _encode(Hello(data)).decode()

    def welcomed(self, data: WelcomeData) -> None:
        """Take the answer to hello."""
        self.welcome = data
        self.following.welcomed(room.id for room in data.rooms)

    def take(self, text: str, now: float) -> None:
        """Take a frame from the server. Raises NotAFrame, after which the connection is of no more use."""
        frame = read_frame(text)
        match frame.type:
            case "ack":
                self._ack(frame)
            case "page":
                self._page(frame)
            case "error":
                self._error(frame, now)
            case "subscribed":
                self._subscribed(frame, now)
            case "unsubscribed":
                self._unsubscribed(frame)
            case "reset":
                self._reset(frame)
            case "caught_up":
                self._caught_up(frame, now)
            case "expiring":
                self.renewal.expiring(read_data(frame, ExpiringData).in_ms / 1000, now)
            case "refreshed":
                self._refreshed(frame)
            case "goodbye":
                self.goodbye = read_data(frame, GoodbyeData)
            case _:
                self._event(frame, now)

    def next_frame(self, now: float) -> str | None:
        """Give the next frame to send now; it then counts as sent on this connection."""
        if self.renewal.has_frame:
            return self.renewal.next_frame()
        unwanted = self.following.next_unwanted()
        if unwanted is not None:
            return _encode(Unsubscribe(unwanted)).decode()
        command = self.commands.next_due(now)
        if command is not None:
            return command.text
        question = self.following.next_question(now) if self.buffer.roomy else None
        if question is None:
            return None
        frame_id, room, data = question
        return _encode(Subscribe(room, data, id=frame_id)).decode()

    def next_due(self) -> float:
        """Give the time at which `next_frame` will have something to give."""
        if self.renewal.has_frame:
            return 0.0
        questions = self.following.next_due() if self.buffer.roomy else float("inf")
        return min(self.commands.due_at(), questions)

    def fail(self, error: ClientError) -> None:
        """End every wait with this error."""
        self.commands.fail_all(error)

    # Frames by type.

    def _event(self, frame: Inbound, now: float) -> None:
        room, seq = frame.room, frame.seq
        if room is None or seq is None:
            # Ephemeral, or of a later version: nothing that a room's sequence depends on.
            return
        self._deliver(self.following.opened(room, seq))
        if self.following.event(room, seq, now, full=self.buffer.full):
            self.buffer.push(read_event(frame))

    def _ack(self, frame: Inbound) -> None:
        data = read_data(frame, AckData)
        ack = Ack(
            room=_room(frame),
            seq=frame.seq or 0,
            message_id=data.message_id,
            msg_no=data.msg_no,
            client_msg_id=data.client_msg_id,
            duplicate=data.duplicate,
            changed=data.changed,
            queued_ms=data.queued_ms,
            commit_ms=data.commit_ms,
        )
        self._answer(frame, ack)

    def _page(self, frame: Inbound) -> None:
        data = read_data(frame, PageData)
        self._answer(frame, Page(_room(frame), read_events(data.events), data.more, data.head_seq))

    def _error(self, frame: Inbound, now: float) -> None:
        problem = read_data(frame, Problem)
        command = self.commands.find(frame.id)
        if command is not None:
            self.commands.refuse(command, problem, now, jitter=self._jitter())
            return
        if self.renewal.is_asked_by(frame.id):
            logger.warning("server refuses a fresh token error=%s detail=%s", problem.code, problem.detail)
            self.renewal.refused(problem, now, jitter=self._jitter(), passes=problem.code in RETRYABLE)
            return
        room = self.following.room_asked_by(frame.id, frame.room)
        if room is None:
            logger.warning("server reports error=%s detail=%s", problem.code, problem.detail)
        elif problem.code in RETRYABLE:
            self.following.refused(room, now, retry_after_seconds=problem.retry_after or 0.0)
        else:
            self._deliver(self.following.unsubscribed(room, problem.code, None))

    def _refreshed(self, frame: Inbound) -> None:
        data = read_data(frame, RefreshedData)
        if self.renewal.is_asked_by(frame.id):
            self.renewal.refreshed(data.expires_in_ms / 1000)

    def _subscribed(self, frame: Inbound, now: float) -> None:
        data = read_data(frame, SubscribedData)
        room, history = _room(frame), read_events(data.events)
        command = self.commands.find(frame.id)
        if command is None:
            self._deliver(self.following.subscribed(room, frame.id, data, history, now))
            return
        item = self.following.subscribed_by_request(room, command.after, data, history)
        self._deliver(item)
        self._answer(frame, item)

    def _unsubscribed(self, frame: Inbound) -> None:
        data = read_data(frame, SeqData)
        room, reason = _room(frame), data.reason or "unknown"
        item = self.following.unsubscribed(room, reason, data.seq)
        self._deliver(item)
        if frame.id in self.commands:
            self._answer(frame, item or Unsubscribed(room, reason, data.seq, data.seq))

    def _reset(self, frame: Inbound) -> None:
        data = read_data(frame, ResetData)
        room = _room(frame)
        item = self.following.reset(room, data)
        self._deliver(item)
        command = self.commands.find(frame.id)
        if command is not None:
            lost = item or Reset(room, data.reason, command.after or 0, data.epoch, data.head_seq)
            self.commands.fail(command, PositionLost(lost))

    def _caught_up(self, frame: Inbound, now: float) -> None:
        data = read_data(frame, SeqData)
        room = _room(frame)
        self._deliver(self.following.opened(room, data.seq, caught_up=True))
        self.following.caught_up(room, data.seq, now)

    # Inside.

    def _deliver(self, item: Item | None) -> None:
        if item is not None:
            self.buffer.push(item)

    def _answer(self, frame: Inbound, answer: Answer) -> None:
        command = self.commands.find(frame.id)
        if command is not None and not self.commands.answer(command, answer):
            logger.warning("server answers with type=%s, which is no answer to that command", frame.type)


def _room(frame: Inbound) -> str:
    if frame.room is None:
        raise NotAFrame(f"{frame.type} without a room")
    return frame.room


PING = _encode(Ping()).decode()
