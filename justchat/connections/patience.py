"""How much of a client one connection puts up with: commands per second, and frames that are none. Pure."""

from __future__ import annotations

from justchat.connections.rate import TokenBucket
from justchat.connections.services import ConnectionLimits
from justchat.limiting.pace import Paces


class Patience:
    """The patience with one client. Times are seconds of the event loop."""

    __slots__ = ("_bucket", "_haste", "_limits", "_nonsense", "_of_users", "_user")

    def __init__(self, limits: ConnectionLimits, now: float, *, user: str, of_users: Paces) -> None:
        """Begin with all of it; `of_users` is what all connections of a user share."""
        self._limits = limits
        self._user = user
        self._of_users = of_users
        self._bucket = TokenBucket(per_second=limits.command_rate, burst=limits.command_burst, now=now)
        self._haste = 0
        self._nonsense = 0

    def take(self, now: float) -> float:
        """Permit a frame (0), or give the seconds to wait."""
        return self._bucket.take(now) or self._of_users.take(self._user, now)

    def is_over_for_haste(self) -> bool:
        """Count a frame that came too soon, and tell whether it was one too many."""
        self._haste += 1
        return self._haste >= self._limits.rate_strikes

    def is_over_for_nonsense(self) -> bool:
        """Count a frame that is none, and tell whether it was one too many."""
        self._nonsense += 1
        return self._nonsense >= self._limits.strikes

    def rest(self) -> None:
        """Forget one frame that came too soon; called about once a second."""
        self._haste = max(0, self._haste - 1)
