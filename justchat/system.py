"""The running system, as the edges see it: what REST handlers and health endpoints are built over."""

from __future__ import annotations

from collections.abc import Callable

from actors import Supervisor
from justchat.accounts.accounts import Accounts
from justchat.config import Config
from justchat.connections.index import ConnectionIndex
from justchat.rooms.room import Rooms
from storage.open import Storage


class System:
    """References to the parts; whoever composes the process owns their lives."""

    def __init__(
        self,
        *,
        config: Config,
        storage: Storage,
        rooms: Rooms,
        accounts: Accounts,
        index: ConnectionIndex,
        supervisor: Supervisor,
        wall_ms: Callable[[], int],
    ) -> None:
        self.config = config
        self.storage = storage
        self.rooms = rooms
        self.accounts = accounts
        self.index = index
        self.supervisor = supervisor
        self.wall_ms = wall_ms
        self.draining = False
