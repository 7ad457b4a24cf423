"""Where sessions begin and go on, as a model: refresh tokens that are good once, on the clock of Trio.

It behaves as the server does (the same test is run against both), and can be told to be out of reach, to be busy, or to
do its work and have the answer lost.
"""

from __future__ import annotations

from collections import deque

import trio

from justchat.client import Credentials, Refused
from justchat.client.rest_answers import Session
from justchat.wire.errors import ErrorCode, Refusal, problem
from tests.client.frames import ALICE

GRACE_SECONDS = 10.0
DEADLINE_SECONDS = 10.0  # of a request, which gives up with OSError
PASSWORD = "correct horse battery"


class Desk:
    """One user's sessions. `troubles` are what happens to the next requests, in their order."""

    def __init__(self, *, access_seconds: int = 600, password: str = PASSWORD) -> None:
        self.password = password
        self.troubles: deque[str] = deque()
        self.logins = 0
        self.refreshes = 0
        self.reuses = 0
        self.running = 0
        self.most_at_once = 0
        self._access_seconds = access_seconds
        # refresh token -> its session; of each session the present token, the one before, and when it was replaced
        self._families: dict[str, int] = {}
        self._present: dict[int, tuple[str, str | None, float]] = {}
        # access token -> session, good until
        self._access: dict[str, tuple[int, float]] = {}
        self._made = 0

    # As clients see it.

    async def login(self, credentials: Credentials) -> Session:
        trouble = await self._arrive()
        self.logins += 1
        if credentials.password != self.password:
            raise Refused(problem(Refusal(ErrorCode.UNAUTHENTICATED, "the name or the password is wrong")))
        return await self._leave(self.begin(), trouble)

    async def refresh(self, refresh_token: str) -> Session:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            trouble = await self._arrive()
            self.refreshes += 1
            return await self._leave(self._renewed(refresh_token), trouble)
        finally:
            self.running -= 1

    # As the world sees it.

    def begin(self) -> Session:
        """Begin a session."""
        number = len(self._families) + 1
        return self._session(number, before=None)

    def accepts_for(self, access_token: str) -> float:
        """Tell for how many seconds an access token is still good."""
        session, good_until = self._access.get(access_token, (0, 0.0))
        return good_until - trio.current_time() if session in self._present else 0.0

    def would_renew(self, refresh_token: str) -> bool:
        """Tell whether a refresh token leads on at this moment."""
        return self._is_good(refresh_token)

    def end_all(self) -> None:
        """End every session, as a logout from everywhere does."""
        self._present.clear()

    # Inside.

    async def _arrive(self) -> str | None:
        trouble = self.troubles.popleft() if self.troubles else None
        await trio.sleep(0.01)
        if trouble == "unreachable":
            raise OSError("planted")
        if trouble == "busy":
            raise Refused(problem(Refusal(ErrorCode.RATE_LIMITED, "planted", (), 1.0)))
        return trouble

    async def _leave(self, session: Session, trouble: str | None) -> Session:
        if trouble == "lost":
            await trio.sleep(DEADLINE_SECONDS)
            raise OSError("planted")
        if trouble == "cut":
            raise OSError("planted")
        await trio.sleep(2.0 if trouble == "slow" else 0.01)
        return session

    def _renewed(self, refresh_token: str) -> Session:
        session = self._families.get(refresh_token, 0)
        if not self._is_good(refresh_token):
            if self._present.pop(session, None):
                self.reuses += 1
            raise Refused(problem(Refusal(ErrorCode.UNAUTHENTICATED, "the refresh token is not valid; log in again")))
        present, _, _ = self._present[session]
        if refresh_token != present:
            return self._answer(session, present)
        return self._session(session, before=refresh_token)

    def _is_good(self, refresh_token: str) -> bool:
        session = self._families.get(refresh_token, 0)
        if session not in self._present:
            return False
        present, before, replaced_at = self._present[session]
        is_late = trio.current_time() > replaced_at + GRACE_SECONDS
        return refresh_token == present or (refresh_token == before and not is_late)

    def _session(self, session: int, *, before: str | None) -> Session:
        self._made += 1
        token = f"refresh-{self._made}"
        self._families[token] = session
        self._present[session] = (token, before, trio.current_time())
        return self._answer(session, token)

    def _answer(self, session: int, refresh_token: str) -> Session:
        self._made += 1
        access_token = f"access-{self._made}"
        self._access[access_token] = (session, trio.current_time() + self._access_seconds)
        return Session(
            ALICE, access_token, self._access_seconds, session_id=f"s_{session}", refresh_token=refresh_token
        )
