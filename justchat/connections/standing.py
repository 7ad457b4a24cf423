"""By which right a connection is open: what that right covers, and when it runs out."""

from __future__ import annotations

from enum import Enum

from justchat.accounts.identity import Identity, Scope
from justchat.wire.errors import Refusal

WARNING_SECONDS = 60.0
"""How long before its end a token's holder is told."""


class Notice(Enum):
    """What there is to say about the end of a right."""

    EXPIRING = "expiring"
    EXPIRED = "expired"


class Standing:
    """One connection's right. `wall_ms` is the time of the clock that tokens go by, `now` that of the event loop."""

    __slots__ = ("_ends_at", "_warned", "identity", "may_read", "may_write")

    def __init__(self, identity: Identity, *, now: float, wall_ms: int) -> None:
        self.identity = identity.without_secrets()
        self.may_read: Refusal | None = None
        self.may_write: Refusal | None = None
        self._ends_at: float | None = None
        self._warned = False
        self._cover()
        self._end(now, wall_ms)

    def renew(self, identity: Identity, *, now: float, wall_ms: int) -> None:
        """Go on by another right of the same user, or by what has become of the present one."""
        same_end = identity.expires_at == self.identity.expires_at
        self.identity = identity.without_secrets()
        self._cover()
        if not same_end:
            # Only then: measured on two clocks, the same end would not be the same twice, and be warned of twice.
            self._end(now, wall_ms)

    def _cover(self) -> None:
        self.may_read = self.identity.refusal(Scope.MESSAGES_READ, changes=False)
        self.may_write = self.identity.refusal(Scope.MESSAGES_WRITE, changes=True)

    def _end(self, now: float, wall_ms: int) -> None:
        expires_at = self.identity.expires_at
        self._ends_at = None if expires_at is None else now + (expires_at - wall_ms) / 1000
        self._warned = False

    def left_ms(self, now: float) -> int:
        """Say for how many milliseconds the right is still good; 0 where it has no end, too."""
        return 0 if self._ends_at is None else max(0, round((self._ends_at - now) * 1000))

    def notice(self, now: float) -> Notice | None:
        """Say what is to be done about its end by now; the warning comes once."""
        if self._ends_at is None or now < self._ends_at - WARNING_SECONDS:
            return None
        if now >= self._ends_at:
            return Notice.EXPIRED
        if self._warned:
            return None
        self._warned = True
        return Notice.EXPIRING
