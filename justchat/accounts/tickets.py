"""Tickets: each opens one WebSocket, within seconds, for who cannot send a header and should not send a token.

Kept in memory only: a ticket outlives neither its seconds nor the process, and whoever loses one asks for another.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from justchat.accounts.identity import Identity

PREFIX = "wst_"
_BYTES = 32
_TICKETS_MAX = 10_000


class _Ticket(Struct, frozen=True):
    identity: Identity
    expires_at: float


class Tickets:
    """The tickets that have not been used; of too many the oldest go first. Pure but for randomness and `clock`."""

    def __init__(self, *, seconds: float, clock: Callable[[], float], most: int = _TICKETS_MAX) -> None:
        self.seconds = seconds
        self._clock = clock
        self._most = most
        self._open: OrderedDict[str, _Ticket] = OrderedDict()

    def issue(self, identity: Identity) -> str:
        """Make a ticket for somebody who has shown who they are."""
        now = self._clock()
        while self._open and (len(self._open) >= self._most or next(iter(self._open.values())).expires_at <= now):
            self._open.popitem(last=False)
        text = f"{PREFIX}{secrets.token_urlsafe(_BYTES)}"
        self._open[text] = _Ticket(identity, now + self.seconds)
        return text

    def redeem(self, text: str) -> Identity | None:
        """Give whose ticket this is, once."""
        ticket = self._open.pop(text, None)
        return None if ticket is None or ticket.expires_at <= self._clock() else ticket.identity
