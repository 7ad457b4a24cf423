"""What every connection shares: the rooms, the journal, the limits, and the nursery for work done on the side."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import trio
from msgspec import Struct

from justchat.accounts.identity import Identity
from justchat.connections.index import ConnectionIndex
from justchat.limiting.pace import Paces
from justchat.rooms.reading import Reading
from justchat.rooms.room import Rooms
from justchat.wire.errors import Refusal
from justchat.wire.server_frames import Limits
from storage.ports import Directory, Journal

logger = logging.getLogger(__name__)

_USERS_REMEMBERED = 20_000


class ConnectionLimits(Struct, frozen=True):
    """Bounds of one connection. Counts are per connection unless they say otherwise; times are seconds.

    `strikes` frames that are no frames at all close the connection; `rate_strikes` refusals for speed do too. A rate of
    0 is no limit.
    """

    subscriptions: int = 500
    queued_requests: int = 32
    pending_commands: int = 256
    sockets_per_user: int = 10
    command_rate: float = 10.0
    command_burst: int = 20
    user_command_rate: float = 0.0
    user_command_burst: int = 40
    heartbeat_seconds: float = 25.0
    pong_seconds: float = 10.0
    hello_seconds: float = 5.0
    stall_seconds: float = 60.0
    answer_seconds: float = 5.0
    body_characters: int = 4000
    history: int = 50
    history_max: int = 100
    catch_up_page: int = 300
    strikes: int = 3
    rate_strikes: int = 100


class Services:
    """Shared by reference; `spawn` starts contained side work that a connection ends through its own scope."""

    def __init__(
        self,
        *,
        nursery: trio.Nursery,
        rooms: Rooms,
        journal: Journal,
        directory: Directory,
        reading: Reading,
        index: ConnectionIndex,
        limits: ConnectionLimits,
        public_limits: Limits,
        authenticate: Callable[[str], Awaitable[Identity | Refusal]],
        wall_ms: Callable[[], int],
    ) -> None:
        self._nursery = nursery
        self.rooms = rooms
        self.journal = journal
        self.directory = directory
        self.reading = reading
        self.index = index
        self.limits = limits
        self.public_limits = public_limits
        self.authenticate = authenticate
        self.wall_ms = wall_ms
        # Commands of each user over all their connections.
        self.user_paces = Paces(
            per_second=limits.user_command_rate, burst=limits.user_command_burst, keys_max=_USERS_REMEMBERED
        )

    def spawn(self, work: Callable[[], Awaitable[None]]) -> trio.CancelScope:
        """Run `work` beside its connection; what it raises is logged and reaches nobody else."""
        scope = trio.CancelScope()
        self._nursery.start_soon(self._contained, work, scope)
        return scope

    async def _contained(self, work: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
        with scope:
            try:
                await work()
            except Exception:  # a bug in one connection's work must not end the others
                logger.exception("event=connection_work_crashed")
