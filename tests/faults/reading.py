"""What one client was given of one room, held against the promise: every seq once, in order, none skipped.

Pure. It counts what it sees and forgives nothing; a client that resumes goes on with the same reading.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

Frame = dict[str, Any]


class Given(Struct, frozen=True):
    """One durable event, as far as tests compare it."""

    seq: int
    type: str
    client_msg_id: str | None
    subject: str | None
    """The user whom an event of membership is about."""


class Reading:
    """One room through one client's eyes; `last` is what a resume continues from."""

    def __init__(self, room: str) -> None:
        self.room = room
        self.epoch = ""
        self.first = self.last = 0
        self.given: list[Given] = []
        self.gaps = 0
        self.repeats = 0
        self.resets = 0
        self.lagging = 0
        self.caught_up = 0
        self.ended: tuple[str, int] | None = None
        """Reason and seq of `unsubscribed`."""
        self.after_end: list[int] = []
        """What came after that: must stay empty."""
        self.refused: str | None = None
        self.behind = False
        """Whether it was told that it lags, and not yet that it has caught up."""
        self.ended_behind = False

    def take(self, frame: Frame) -> None:
        """Look at one frame of this room."""
        kind = frame["type"]
        match kind:
            case "subscribed":
                self._begin(frame["data"])
            case "lagging":
                self.lagging += 1
                self.behind = True
            case "caught_up":
                self.caught_up += 1
                self.behind = False
            case "reset":
                self.resets += 1
            case "unsubscribed":
                self.ended = (frame["data"]["reason"], frame["data"]["seq"])
                self.ended_behind, self.behind = self.ended_behind or self.behind, False
            case "error":
                self.refused = frame["data"]["code"]
            case _ if "actor" in frame:
                self._event(frame)

    def resume(self) -> dict[str, object]:
        """Say where this reading stands, as a hello does."""
        return {"epoch": self.epoch, "seq": self.last}

    def _begin(self, data: Frame) -> None:
        self.ended = self.refused = None
        if not self.epoch:
            self.epoch = data["epoch"]
            self.first = self.last = data["head_seq"]

    def _event(self, frame: Frame) -> None:
        seq = frame["seq"]
        if self.ended is not None:
            self.after_end.append(seq)
        if seq <= self.last:
            self.repeats += 1
            return
        if seq != self.last + 1:
            self.gaps += 1
        self.last = seq
        data = frame.get("data") or {}
        self.given.append(Given(seq, frame["type"], data.get("client_msg_id"), data.get("user")))
