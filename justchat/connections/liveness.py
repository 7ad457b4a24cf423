"""Whether a peer is still there: what it sent, what it took, and for how long it did neither. Pure."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from justchat.connections.services import ConnectionLimits


class Peer(Protocol):
    """A socket, as it is looked at: when something was received, and when some of what is queued was last taken."""

    @property
    def last_received(self) -> float:
        """When the last frame came."""
        ...

    @property
    def last_progress(self) -> float:
        """When something was last taken, or nothing was waiting to be."""
        ...

    @property
    def queued(self) -> int:
        """How much is waiting to be taken."""
        ...


class Sign(Enum):
    """What there is to do about a peer."""

    PING = "ping"
    SILENT = "silent"
    STALLED = "stalled"


class Liveness:
    """The signs of life of one connection, looked at about once a second. Times are seconds of the event loop."""

    __slots__ = ("_heard_at", "_pinged_at", "_was_queued")

    def __init__(self, now: float) -> None:
        self._heard_at = now
        self._pinged_at: float | None = None
        self._was_queued = False

    def look(self, now: float, peer: Peer, limits: ConnectionLimits) -> Sign | None:
        """Say what to do about a peer."""
        progress = peer.last_progress
        if now - progress > limits.stall_seconds:
            return Sign.STALLED
        if peer.queued:
            # A ping would be stuck behind what is queued: that some of it is taken is the sign of life.
            self._heard_at = progress
            self._was_queued = True
            return None
        if self._was_queued:
            # Taken since the last look, perhaps at one go after a long pause: that was a sign of life, too.
            self._was_queued = False
            self._heard_at = now
        heard_at = max(peer.last_received, self._heard_at)
        if self._pinged_at is not None and heard_at < self._pinged_at:
            # Counted from the ping, which may have gone out late: nobody is silent who was not asked.
            return Sign.SILENT if now - self._pinged_at > limits.pong_seconds else None
        if now - heard_at > limits.heartbeat_seconds:
            self._pinged_at = now
            return Sign.PING
        return None
