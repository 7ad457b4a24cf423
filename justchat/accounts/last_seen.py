"""When people were last there: noted at once, written every few seconds, for all of them together.

The memory is bounded: of too many people at once, those who do not fit are not noted. What is not written when the
process is killed is lost; that somebody was there a few seconds later is no promise.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import trio

from storage.account_ports import Relations
from storage.errors import StorageError

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0
_USERS_MAX = 50_000
_BATCH = 500
_LAST_SECONDS = 3.0


class LastSeen:
    """Notes people; `run` writes what was noted, and what is left when it is cancelled."""

    def __init__(
        self,
        relations: Relations,
        *,
        now_ms: Callable[[], int],
        flush_seconds: float = FLUSH_SECONDS,
        users_max: int = _USERS_MAX,
    ) -> None:
        self._relations = relations
        self._now_ms = now_ms
        self._flush_seconds = flush_seconds
        self._users_max = users_max
        self._noted: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._noted)

    def note(self, user: str) -> None:
        """Remember that somebody is there now."""
        if user in self._noted or len(self._noted) < self._users_max:
            self._noted[user] = self._now_ms()

    def since(self, user: str) -> int | None:
        """Give when somebody was there last, as far as that is not yet written."""
        return self._noted.get(user)

    async def run(self) -> None:
        """Write what was noted, every few seconds and once more at the end."""
        try:
            while True:
                await trio.sleep(self._flush_seconds)
                await self.flush()
        finally:
            with trio.move_on_after(_LAST_SECONDS, shield=True):
                await self.flush()

    async def flush(self) -> None:
        """Write what was noted; what cannot be written now stays noted."""
        left = list(self._noted)
        while left:
            batch = {user: self._noted[user] for user in left[:_BATCH]}
            del left[:_BATCH]
            try:
                await self._relations.seen(batch)
            except StorageError as error:
                logger.warning("event=last_seen_not_written users=%d error=%s", len(self._noted), error)
                return
            for user, at in batch.items():
                # Not those who were seen again meanwhile.
                if self._noted.get(user) == at:
                    del self._noted[user]
