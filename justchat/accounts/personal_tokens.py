"""Personal tokens: long-lived, named, with scopes, for programs. Only their fingerprints are stored."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from msgspec import Struct

from justchat.accounts.identity import Identity, Scope, ServerRole
from justchat.accounts.sessions import BAD_TOKEN
from justchat.ids import new_id
from justchat.wire.errors import ErrorCode, Refusal
from storage.account_ports import Sessions
from storage.account_records import CredentialRecord
from storage.errors import Conflict
from storage.records import UserRecord

PREFIX = "jc_"
"""How every personal token begins, so that people and secret scanners know one when they see it."""
KIND = "token"
TOKENS_MAX = 50

_BYTES = 32
_NOT_FOR_GUESTS = Refusal(ErrorCode.FORBIDDEN, "guests have no personal tokens")
_TOO_MANY = Refusal(ErrorCode.CONFLICT, f"at most {TOKENS_MAX} personal tokens; revoke one first")


class MadeToken(Struct, frozen=True):
    """A new token; its text is told once."""

    record: CredentialRecord
    text: str

    def __repr__(self) -> str:
        return f"MadeToken({self.record.id!r})"


class PersonalTokens:
    """Makes, recognises and revokes personal tokens; `ended` is told the ids of those that are good no more."""

    def __init__(self, stored: Sessions, *, clock: Callable[[], float], ended: Callable[[Sequence[str]], None]) -> None:
        self._stored = stored
        self._clock = clock
        self._ended = ended

    async def create(
        self,
        user: UserRecord,
        *,
        name: str,
        scopes: Iterable[Scope],
        expires_in_seconds: int | None,
        session: str | None = None,
    ) -> MadeToken | Refusal:
        """Make a token of a user that allows what its scopes say; none if the `session` that asks ends meanwhile.

        Guests have none.
        """
        if user.role == ServerRole.GUEST:
            return _NOT_FOR_GUESTS
        now, text = self._now(), f"{PREFIX}{secrets.token_urlsafe(_BYTES)}"
        record = CredentialRecord(
            id=new_id("k"),
            kind=KIND,
            user=user.id,
            digest=fingerprint_of(text),
            name=name,
            scopes=tuple(sorted({scope.value for scope in scopes})),
            created_at=now,
            expires_at=None if expires_in_seconds is None else now + expires_in_seconds * 1000,
        )
        try:
            await self._stored.create_credential(record, most=TOKENS_MAX)
        except Conflict as conflict:
            if conflict.kind != "full":
                raise
            return _TOO_MANY
        if session is not None and await self._stored.session(session) is None:
            # Whoever ended it, and all tokens with it, may not have seen this one.
            await self.revoke(user.id, only=record.id)
            return BAD_TOKEN
        return MadeToken(record, text)

    async def recognise(self, text: str) -> Identity | Refusal:
        """Give who is behind a token, as they are now."""
        found = await self._stored.credential(KIND, fingerprint_of(text))
        if found is None:
            return BAD_TOKEN
        record, user = found
        if user is None or user.disabled or not self._is_good(record):
            return BAD_TOKEN
        return Identity(user, credential=record.id, scopes=frozenset(record.scopes), expires_at=record.expires_at)

    async def of_user(self, user: str) -> list[CredentialRecord]:
        """List a user's tokens, the newest first."""
        return [record for record in await self._stored.credentials_of(KIND, user=user) if self._is_good(record)]

    async def revoke(self, user: str, *, only: str | None = None) -> list[str]:
        """Revoke one of a user's tokens, or all, and close what is open by them."""
        ended = await self._stored.drop_credentials(KIND, user, only=only)
        if ended:
            self._ended(ended)
        return ended

    def _is_good(self, record: CredentialRecord) -> bool:
        return record.expires_at is None or self._now() < record.expires_at

    def _now(self) -> int:
        return int(self._clock() * 1000)


def fingerprint_of(text: str) -> bytes:
    """Give what is stored of a token, and of anything else that is random and told once."""
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
