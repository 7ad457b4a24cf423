"""Staying on an open connection by another token: when to get one, and the frame that hands it over. Pure.

The server warns before a token runs out. The first warning is heeded at once; later ones only when half of what the
last token gave is over, so that a server whose tokens last no longer than its warning is not asked for ever. Whatever
fails here costs nothing but the connection, which is then closed and opened anew.
"""

from __future__ import annotations

import msgspec

from justchat.client.backoff import Backoff
from justchat.wire.errors import Problem
from justchat.wire.frames import Refresh, RefreshData

_NEVER = float("inf")
_encode = msgspec.json.Encoder().encode


class Renewal:
    """The token of the present connection. `due_at` is when its source is to be asked for another one."""

    def __init__(self, backoff: Backoff) -> None:
        self.due_at = _NEVER
        self.renewals = 0
        self._backoff = backoff
        self._life_seconds = _NEVER
        self._frame: str | None = None
        self._asked: str | None = None
        self._asks = 0

    @property
    def has_frame(self) -> bool:
        """Tell whether there is a frame to send."""
        return self._frame is not None

    def connected(self) -> None:
        """Begin a connection, about whose token nothing is known yet."""
        self.due_at = _NEVER
        self._life_seconds = _NEVER
        self._frame = self._asked = None
        self._backoff.reset()

    def expiring(self, left_seconds: float, now: float) -> None:
        """Take the server's warning; one that is heeded already is enough."""
        if self._asked is not None or self.due_at < _NEVER:
            return
        half = self._life_seconds / 2
        self.due_at = now if half == _NEVER else now + max(0.0, left_seconds - half)

    def offer(self, token: str | None) -> None:
        """Take what the source gave; None is that it has no other token, and leaves it at that."""
        self.due_at = _NEVER
        if token is None:
            return
        self._asks += 1
        self._asked = f"refresh-{self._asks}"
        self._frame = _encode(Refresh(RefreshData(token), id=self._asked)).decode()

    def put_off(self, now: float, *, jitter: float, retry_after_seconds: float = 0.0) -> None:
        """Ask the source again later: it could not answer, or the server could not take what it gave."""
        self.due_at = now + max(self._backoff.next(jitter), retry_after_seconds)

    def next_frame(self) -> str | None:
        """Give the frame that hands the token over; it then counts as sent."""
        frame, self._frame = self._frame, None
        return frame

    def is_asked_by(self, frame_id: str | None) -> bool:
        """Tell whether a frame with this id answers ours."""
        return frame_id is not None and frame_id == self._asked

    def refreshed(self, life_seconds: float) -> None:
        """Note that the connection goes on by the new token; 0 seconds is a token without an end."""
        self._asked = None
        self._life_seconds = life_seconds or _NEVER
        self.renewals += 1
        self._backoff.reset()

    def refused(self, problem: Problem, now: float, *, jitter: float, passes: bool) -> None:
        """Note that the server did not take the token; `passes` says that it may later."""
        self._asked = None
        if passes:
            self.put_off(now, jitter=jitter, retry_after_seconds=problem.retry_after or 0.0)
