"""The end of an account: at once for whoever it is, step by step for what it leaves behind.

What lets anybody in is gone first: the name is free, the password is nothing, sessions, tokens and sockets end. Rooms
are left afterwards by a task that goes on after a restart, because the account says what is still to be done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from msgspec.structs import replace

from justchat.accounts.appearance import DELETED_NAME, is_deleted
from justchat.accounts.personal_tokens import PersonalTokens
from justchat.accounts.sessions import Sessions
from justchat.wire.errors import NO_SUCH_USER, ErrorCode, Refusal
from storage.account_ports import Relations
from storage.errors import Conflict
from storage.ports import Directory
from storage.records import UserRecord

logger = logging.getLogger(__name__)

LEAVING = "leaving"
ERASING = "erasing"
_TRIES = 3
_BUSY = Refusal(ErrorCode.CONFLICT, "the account was changed at the same moment; try again")


class Leaving:
    """Ends accounts; `departed` is told whose rooms are to be left now."""

    def __init__(
        self,
        directory: Directory,
        relations: Relations,
        *,
        sessions: Sessions,
        personal: PersonalTokens,
        departed: Callable[[str], None],
    ) -> None:
        self._directory = directory
        self._relations = relations
        self._sessions = sessions
        self._personal = personal
        self._departed = departed

    async def leave(self, user: str, *, erase: bool) -> Refusal | None:
        """End an account; with `erase` what it wrote is to be erased. May be asked again if it was cut off."""
        refusal = await self._mark(user, ERASING if erase else LEAVING)
        if refusal:
            return refusal
        await self.settle(user)
        logger.info("event=account_left user=%s erase=%s", user, erase)
        self._departed(user)
        return None

    async def settle(self, user: str) -> None:
        """End what lets the account in, and what it is to others."""
        await self._sessions.end(user)
        await self._personal.revoke(user)
        await self._relations.drop_relations(user)

    async def _mark(self, user: str, state: str) -> Refusal | None:
        for _ in range(_TRIES):
            found = await self._directory.user(user)
            if found is None:
                return NO_SUCH_USER
            if is_deleted(found):
                return None
            try:
                await self._directory.change_user(_farewell(found, state))
            except Conflict:
                continue
            return None
        return _BUSY


def _farewell(user: UserRecord, state: str) -> UserRecord:
    """Give the account as it stays: an id, for what it wrote, that nobody can be taken for."""
    return replace(
        user,
        # Longer than a name may be, so nobody can register it.
        username=user.id,
        name_key=user.id,
        display_name=DELETED_NAME,
        email=None,
        email_verified=False,
        password_hash="",
        bio="",
        avatar=None,
        disabled=True,
        state=state,
        rev=user.rev + 1,
    )
