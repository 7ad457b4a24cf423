"""How connections end, and what follows from it: come back, come back with another token, or give up. Pure."""

from __future__ import annotations

from msgspec import Struct

from justchat.client.errors import ClientError, ClosedByServer, UpgradeRefused
from justchat.wire.close_codes import CloseCode, may_reconnect
from justchat.wire.server_frames import GoodbyeData

ABNORMAL = 1006
_NO_STATUS = 1005
_UNAUTHORIZED = 401
# 4xx that say "later" and not "never": request timeout, too early, too many requests.
_PASSING_STATUS = frozenset({408, 425, 429})
# An ended session is the end for who has only that; who has a password may begin another one.
_TOKEN_CODES = frozenset({int(CloseCode.TOKEN_EXPIRED), int(CloseCode.UNAUTHENTICATED), int(CloseCode.SESSION_REVOKED)})


class Ended(Struct, frozen=True):
    """How a connection, or the attempt at one, ended.

    `code` is the WebSocket close code (1006 without one), `status` the HTTP status of a refused upgrade.
    """

    code: int
    reason: str
    status: int | None = None
    retry_after_seconds: float | None = None

    def __str__(self) -> str:
        return f"{self.status or self.code} {self.reason}".rstrip()

    @property
    def about_the_token(self) -> bool:
        """Tell whether another token may help."""
        return self.status == _UNAUTHORIZED or self.code in _TOKEN_CODES

    @property
    def final(self) -> bool:
        """Tell whether trying again is pointless, also with another token."""
        if self.about_the_token:
            return False
        if self.status is not None:
            return 400 <= self.status < 500 and self.status not in _PASSING_STATUS
        return self.code != _NO_STATUS and not may_reconnect(self.code)

    def hint_seconds(self, goodbye: GoodbyeData | None) -> float | None:
        """Give the server's wish for when to come back."""
        return self.retry_after_seconds if goodbye is None else goodbye.reconnect_after_ms / 1000

    def error(self) -> ClientError:
        """Give what to raise when this is the end."""
        if self.status is not None:
            return UpgradeRefused(self.status, self.reason)
        return ClosedByServer(self.code, self.reason)
