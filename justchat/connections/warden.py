"""Looks after the rights of open connections: what was ended, disabled or changed elsewhere takes effect here, too.

Whoever ends a session in this process closes its sockets at once. This is for the rest: another process, an operator's
command, a change of role. Every second the store is asked about the next so many sessions, in turns: with no more than
twice as many open, each is looked at within two seconds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import trio
from msgspec.structs import replace

from justchat.accounts import personal_tokens
from justchat.connections.index import ConnectionIndex
from storage.account_ports import Sessions
from storage.errors import StorageError
from storage.records import UserRecord

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
SESSIONS_A_LOOK = 2000
"""How many sessions are looked at in one round."""
SESSIONS_A_QUESTION = 250
"""How many are asked about at a time: a look-up by key each, so nobody waits long behind them."""


class Warden:
    """One task for all connections."""

    def __init__(
        self, index: ConnectionIndex, sessions: Sessions, *, noticed: Callable[[str], None] = lambda _: None
    ) -> None:
        """Say to `noticed` whose role has changed."""
        self._noticed = noticed
        self._index = index
        self._sessions = sessions
        self._next = 0

    async def run(self) -> None:
        """Look, over and over. A store that does not answer closes nothing: it is asked again."""
        while True:
            await trio.sleep(LOOK_SECONDS)
            try:
                await self.look(self._turn())
            except StorageError as error:
                logger.warning("event=rights_not_checked cause=%s", type(error).__name__)

    async def mind(self, user: str) -> None:
        """Look at one user's connections now. Raises what the store raises."""
        await self.look(list({connection.identity.origin for connection in self._index.connections_of(user)}))

    async def look(self, origins: Sequence[str]) -> None:
        """Close what is open by these sessions and credentials and may not be; let the others be what they are now."""
        whose = self._index.origins()
        asked = [origin for origin in origins if origin in whose]
        if not asked:
            return
        sessions = [origin for origin in asked if origin.startswith("s_")]
        living: dict[str, UserRecord] = {}
        for start in range(0, len(sessions), SESSIONS_A_QUESTION):
            living.update(await self._sessions.living(sessions[start : start + SESSIONS_A_QUESTION]))
        for user in {whose[origin] for origin in asked if not origin.startswith("s_")}:
            living.update(await self._credentials(user))
        for origin in asked:
            self._settle(whose[origin], origin, living.get(origin))

    async def _credentials(self, user: str) -> dict[str, UserRecord]:
        records = await self._sessions.credentials_of(personal_tokens.KIND, user=user)
        for record in records:
            # Any that is still there tells what has become of the user, which is the same for all of them.
            found = await self._sessions.credential(record.kind, record.digest)
            if found is not None and found[1] is not None:
                return dict.fromkeys((each.id for each in records), found[1])
        return {}

    def _settle(self, user: str, origin: str, present: UserRecord | None) -> None:
        if present is None or present.disabled:
            self._index.revoke([origin], user=user)
            return
        for connection in self._index.connections_of(user):
            identity = connection.identity
            if identity.origin == origin and identity.user.role != present.role:
                connection.identify(replace(identity, user=present))
                self._noticed(user)

    def _turn(self) -> list[str]:
        """Name the next sessions to look at, going round."""
        origins = sorted(self._index.origins())
        if len(origins) <= SESSIONS_A_LOOK:
            return origins
        start = self._next % len(origins)
        self._next = start + SESSIONS_A_LOOK
        return (origins + origins)[start : self._next]
