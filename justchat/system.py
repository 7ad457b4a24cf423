"""The running system, as the edges see it: what REST handlers and health endpoints are built over."""

from __future__ import annotations

from collections.abc import Callable

from actors import Supervisor
from justchat.accounts.accounts import Accounts
from justchat.accounts.last_seen import LastSeen
from justchat.config import Config
from justchat.connections.index import ConnectionIndex
from justchat.connections.warden import Warden
from justchat.rooms.blocks import Blocks
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
        last_seen: LastSeen,
        blocks: Blocks,
        index: ConnectionIndex,
        warden: Warden,
        supervisor: Supervisor,
        wall_ms: Callable[[], int],
    ) -> None:
        self.config = config
        self.storage = storage
        self.rooms = rooms
        self.accounts = accounts
        self.last_seen = last_seen
        self.blocks = blocks
        self.index = index
        self.warden = warden
        self.supervisor = supervisor
        self.wall_ms = wall_ms
        self.draining = False
