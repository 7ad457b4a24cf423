"""The `Sessions` port behind the directory's gate: the same deadline and bounds, for it is the same database."""

from __future__ import annotations

from collections.abc import Sequence

from storage.account_ports import Sessions
from storage.account_records import CredentialRecord, SessionRecord
from storage.gate import Gate
from storage.records import UserRecord


class GatedSessions:
    """Passes every call through a gate. Writes raise OutcomeUnknown at the deadline, once begun."""

    __slots__ = ("_backend", "_gate")

    def __init__(self, backend: Sessions, gate: Gate) -> None:
        self._backend = backend
        self._gate = gate

    async def create_session(self, session: SessionRecord, *, most: int) -> list[str]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.create_session(session, most=most), writes=True)

    async def session(self, session: str) -> tuple[SessionRecord, UserRecord] | None:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.session(session))

    async def session_of_family(self, family: bytes) -> tuple[SessionRecord, UserRecord] | None:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.session_of_family(family))

    async def rotate_session(self, session: SessionRecord, *, replacing: bytes) -> bool:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.rotate_session(session, replacing=replacing), writes=True)

    async def sessions_of(self, user: str) -> list[SessionRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.sessions_of(user))

    async def living(self, sessions: Sequence[str]) -> list[tuple[str, UserRecord]]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.living(sessions))

    async def end_sessions(self, user: str, *, only: Sequence[str] | None = None, keep: str | None = None) -> list[str]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.end_sessions(user, only=only, keep=keep), writes=True)

    async def all_sessions(self, *, after: str = "", limit: int) -> list[SessionRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.all_sessions(after=after, limit=limit))

    async def put_sessions(self, sessions: Sequence[SessionRecord]) -> None:
        """Pass through."""
        await self._gate.call(lambda: self._backend.put_sessions(sessions), writes=True)

    async def create_credential(self, credential: CredentialRecord, *, most: int | None = None) -> None:
        """Pass through."""
        await self._gate.call(lambda: self._backend.create_credential(credential, most=most), writes=True)

    async def credential(self, kind: str, digest: bytes) -> tuple[CredentialRecord, UserRecord | None] | None:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.credential(kind, digest))

    async def credentials_of(self, kind: str, *, user: str | None = None) -> list[CredentialRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.credentials_of(kind, user=user))

    async def use_credential(self, kind: str, digest: bytes, *, now: int) -> bool:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.use_credential(kind, digest, now=now), writes=True)

    async def enrol(self, user: UserRecord, kind: str, digest: bytes, *, now: int) -> bool:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.enrol(user, kind, digest, now=now), writes=True)

    async def drop_credentials(self, kind: str, user: str, *, only: str | None = None) -> list[str]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.drop_credentials(kind, user, only=only), writes=True)

    async def all_credentials(self, *, after: str = "", limit: int) -> list[CredentialRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.all_credentials(after=after, limit=limit))

    async def put_credentials(self, credentials: Sequence[CredentialRecord]) -> None:
        """Pass through."""
        await self._gate.call(lambda: self._backend.put_credentials(credentials), writes=True)

    async def drop_expired(self, *, now: int) -> int:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.drop_expired(now=now), writes=True)
