"""Sessions: who signed in with which device, continued by refresh tokens, ended by whoever has the right to.

Every request reads its session, so that one that has ended is out at once and a store that is down lets nobody in.
Whoever presents a token that is no longer good has a copy of it: the session ends, for nobody can tell who is the thief
(RFC 9700, 4.14.2). Only right after a renewal the former token leads to the same successor, for a lost answer.

Failures of the store are raised, as `storage.errors` has them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from justchat.accounts.identity import Identity
from justchat.accounts.refresh_tokens import (
    RefreshToken,
    fingerprint,
    fresh_nonce,
    fresh_token,
    parse_token,
    successor,
)
from justchat.accounts.tokens import TokenProblem, Tokens
from justchat.ids import new_id
from justchat.wire.errors import ErrorCode, Refusal
from storage import account_ports
from storage.account_records import SessionRecord
from storage.records import UserRecord

logger = logging.getLogger(__name__)

GRACE_MS = 10_000
"""How long a token that was renewed leads to its successor once more."""
_USER_AGENT_MAX_CHARACTERS = 200

BAD_TOKEN = Refusal(ErrorCode.UNAUTHENTICATED, "the access token is not valid, or its session has ended")
_OLD_TOKEN = Refusal(ErrorCode.TOKEN_EXPIRED, "the access token has expired; renew it or log in again")
_BAD_REFRESH = Refusal(ErrorCode.UNAUTHENTICATED, "the refresh token is not valid; log in again")


class SessionLimits(Struct, frozen=True):
    """Seconds without renewal, seconds in all, and sessions per user."""

    idle_seconds: int
    max_seconds: int
    per_user: int


class Device(Struct, frozen=True):
    """What a session is shown to its owner as. `address` is an IP address without a port."""

    user_agent: str
    address: str

    @classmethod
    def of(cls, user_agent: str, address: str) -> Device:
        """Describe a device by what it sent, cut to what is shown."""
        shown = "".join(character for character in user_agent if character.isprintable())
        return cls(shown[:_USER_AGENT_MAX_CHARACTERS], address)


class SignedIn(Struct, frozen=True):
    """A user who has just proven who they are, and the tokens to go on with. Times are seconds from now."""

    user: UserRecord
    session: str
    access_token: str
    expires_in_seconds: int
    refresh_token: str
    refresh_seconds: int

    def __repr__(self) -> str:
        return f"SignedIn(user={self.user.id!r}, session={self.session!r})"


class Sessions:
    """Starts, continues, recognises and ends sessions.

    `ended` is told the ids of those that are over, `seen` who has just come or renewed.
    """

    def __init__(
        self,
        stored: account_ports.Sessions,
        *,
        tokens: Tokens,
        limits: SessionLimits,
        clock: Callable[[], float],
        ended: Callable[[Sequence[str]], None],
        seen: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._stored = stored
        self._tokens = tokens
        self._limits = limits
        self._clock = clock
        self._ended = ended
        self._seen = seen

    async def start(self, user: UserRecord, device: Device) -> SignedIn:
        """Sign a user in; if they have too many sessions, the one used longest ago ends."""
        now, token, limits = self._now(), fresh_token(), self._limits
        ends_at = now + limits.max_seconds * 1000
        session = SessionRecord(
            id=new_id("s"),
            user=user.id,
            family=fingerprint(token.family),
            digest=fingerprint(token.secret),
            created_at=now,
            seen_at=now,
            expires_at=min(now + limits.idle_seconds * 1000, ends_at),
            ends_at=ends_at,
            user_agent=device.user_agent,
            address=device.address,
        )
        self._over(await self._stored.create_session(session, most=limits.per_user))
        logger.info("event=signed_in user=%s session=%s", user.id, session.id)
        return self._signed_in(session, user, token)

    async def renew(self, refresh_token: str, device: Device) -> SignedIn | Refusal:
        """Exchange a refresh token for its successor and a fresh access token."""
        token = parse_token(refresh_token)
        if token is None:
            return _BAD_REFRESH
        family, digest = fingerprint(token.family), fingerprint(token.secret)
        found = await self._stored.session_of_family(family)
        if found is not None and found[0].digest == digest and self._lives(*found):
            nonce = fresh_nonce()
            following = successor(token, nonce)
            renewed = self._renewed(found[0], following, nonce, device)
            if await self._stored.rotate_session(renewed, replacing=digest):
                return self._signed_in(renewed, found[1], following)
            # The same token, twice at the same moment: the other was first.
            found = await self._stored.session_of_family(family)
        if found is None or not self._lives(*found):
            return _BAD_REFRESH
        session, user = found
        if digest == session.previous and self._now() - (session.rotated_at or 0) <= GRACE_MS:
            return self._signed_in(session, user, successor(token, session.nonce))
        logger.warning("event=refresh_token_reused user=%s session=%s address=%s", user.id, session.id, device.address)
        await self.end(session.user, only=[session.id])
        return _BAD_REFRESH

    async def recognise(self, access_token: str) -> Identity | Refusal:
        """Give who is behind an access token, as they are now."""
        claims = self._tokens.verify(access_token)
        if isinstance(claims, TokenProblem):
            return _OLD_TOKEN if claims is TokenProblem.TOKEN_EXPIRED else BAD_TOKEN
        return await self.identity(claims.sid, expires_at=claims.exp * 1000, user=claims.sub)

    async def identity(self, session: str, *, expires_at: int | None, user: str) -> Identity | Refusal:
        """Give who is behind a session of this user, as they are now."""
        found = await self._stored.session(session)
        if found is None or found[0].user != user or not self._lives(*found):
            return BAD_TOKEN
        # A token may claim to be good for longer than its session is.
        over_at = min(found[0].expires_at, found[0].ends_at)
        return Identity(
            found[1], session=session, expires_at=over_at if expires_at is None else min(expires_at, over_at)
        )

    async def of_refresh_token(self, refresh_token: str) -> SessionRecord | None:
        """Give the session that a refresh token would continue now."""
        token = parse_token(refresh_token)
        found = None if token is None else await self._stored.session_of_family(fingerprint(token.family))
        if token is None or found is None or fingerprint(token.secret) not in (found[0].digest, found[0].previous):
            return None
        return found[0] if self._lives(*found) else None

    async def of_user(self, user: str) -> list[SessionRecord]:
        """List a user's sessions, the one seen latest first."""
        now = self._now()
        return [session for session in await self._stored.sessions_of(user) if _is_open(session, now)]

    async def end(self, user: str, *, only: Sequence[str] | None = None, keep: str | None = None) -> list[str]:
        """End sessions of a user, all or `only` these but not `keep`, and close what is open by them."""
        ended = await self._stored.end_sessions(user, only=only, keep=keep)
        self._over(ended)
        return ended

    def jwks(self) -> Mapping[str, object]:
        """Give the public keys that access tokens can be checked with."""
        return self._tokens.jwks()

    def _renewed(self, session: SessionRecord, following: RefreshToken, nonce: bytes, device: Device) -> SessionRecord:
        now = self._now()
        return replace(
            session,
            digest=fingerprint(following.secret),
            previous=session.digest,
            nonce=nonce,
            rotated_at=now,
            seen_at=now,
            expires_at=min(now + self._limits.idle_seconds * 1000, session.ends_at),
            user_agent=device.user_agent,
            address=device.address,
        )

    def _signed_in(self, session: SessionRecord, user: UserRecord, token: RefreshToken) -> SignedIn:
        self._seen(user.id)
        access_token, expires_in_seconds = self._tokens.issue(user.id, session.id)
        left = max(0, session.expires_at - self._now()) // 1000
        # A session may end before its token would: who renews in time has to know.
        return SignedIn(user, session.id, access_token, min(expires_in_seconds, left), token.text, left)

    def _lives(self, session: SessionRecord, user: UserRecord) -> bool:
        return _is_open(session, self._now()) and not user.disabled

    def _over(self, sessions: Sequence[str]) -> None:
        if sessions:
            self._ended(sessions)

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _is_open(session: SessionRecord, now: int) -> bool:
    return now < session.expires_at and now < session.ends_at
