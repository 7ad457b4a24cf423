"""One room's place in its sequence of events: what comes next, what is old, what is missing. Pure.

The rule is the whole of it: the event after the last one is accepted, an older one dropped, and a jump means that
something was lost, so the track asks to be resumed from where it stands. It accepts the next event in any standing,
since an event is the same whichever subscription brought it.
"""

from __future__ import annotations

from enum import Enum

from justchat.client.backoff import Backoff


class Standing(Enum):
    """Where a track is with the server."""

    LIVE = "live"  # every event is expected to arrive by itself
    BEHIND = "behind"  # something is missing and nobody has been asked yet
    ASKED = "asked"  # a resumption is on its way


class Sight(Enum):
    """What an event is to a track."""

    NEXT = "next"
    SEEN = "seen"
    AHEAD = "ahead"


class Track:
    """The last accepted `seq` of a room under `epoch`; `seq` None is a room that is wanted from its head on.

    `due_at` is when to ask next while BEHIND, and when to stop waiting for the answer while ASKED.
    """

    __slots__ = ("_backoff", "due_at", "epoch", "question", "seq", "standing")

    def __init__(self, epoch: str, seq: int | None, backoff: Backoff) -> None:
        self.epoch = epoch
        self.seq = seq
        self.standing = Standing.LIVE if seq is not None else Standing.BEHIND
        self.due_at = 0.0
        self.question: str | None = None
        self._backoff = backoff

    def place(self, seq: int) -> Sight:
        """Tell what an event with this seq would be; changes nothing."""
        if self.seq is None or seq > self.seq + 1:
            return Sight.AHEAD
        return Sight.NEXT if seq == self.seq + 1 else Sight.SEEN

    def accept(self, seq: int) -> None:
        """Move on to this seq, which must be the next one."""
        if self.place(seq) is not Sight.NEXT:
            raise ValueError(f"seq {seq} does not follow {self.seq}")
        self.seq = seq
        if self.standing is Standing.LIVE:
            self._backoff.reset()

    def fall_behind(self, now: float, *, jitter: float, retry_after_seconds: float = 0.0) -> None:
        """Note that something is missing. Asking is due at once the first time, then later and later."""
        delay = self._backoff.next(jitter) if self._backoff.attempts else self._first_delay()
        self.standing = Standing.BEHIND
        self.question = None
        self.due_at = now + max(delay, retry_after_seconds)

    def disconnected(self, now: float) -> None:
        """Note that a new connection knows nothing of this room yet; past trouble does not count on it."""
        self.standing = Standing.BEHIND
        self.question = None
        self.due_at = now
        self._backoff.reset()

    def ask(self, now: float, *, question: str | None, answer_seconds: float) -> None:
        """Note that the server has been asked to resume this room, by the frame with this id (None: by hello)."""
        self.standing = Standing.ASKED
        self.question = question
        self.due_at = now + answer_seconds

    def resumed(self) -> None:
        """Note that the server resumes from here."""
        self.standing = Standing.LIVE
        self.question = None

    def _first_delay(self) -> float:
        self._backoff.next(0.0)
        return 0.0
