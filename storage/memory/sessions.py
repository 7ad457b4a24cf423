"""Sessions and credentials in RAM."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import trio
from msgspec.structs import replace

from storage.account_ports import MOST_LISTED
from storage.account_records import CredentialRecord, SessionRecord
from storage.errors import Conflict
from storage.memory.store import MemoryStore
from storage.records import UserRecord
from storage.storable import check, check_text, check_texts


class MemorySessions:
    """The `Sessions` port over a `MemoryStore`."""

    __slots__ = ("_store",)

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def create_session(self, session: SessionRecord, *, most: int) -> list[str]:
        """Store a new session, and end the user's oldest beyond `most`. Raises Conflict `id` or `family`."""
        await trio.lowlevel.checkpoint()
        check(session)
        self._check_free(session)
        if session.id not in self._store.sessions:
            self._store.put_session(session)
        others = [other for other in self._of(session.user) if other.id != session.id]
        return self._drop(other.id for other in others[max(most - 1, 0) :])

    async def session(self, session: str) -> tuple[SessionRecord, UserRecord] | None:
        """Return one session by id, with its user."""
        await trio.lowlevel.checkpoint()
        return self._with_user(session)

    async def session_of_family(self, family: bytes) -> tuple[SessionRecord, UserRecord] | None:
        """Return the session whose refresh tokens share this, with its user."""
        await trio.lowlevel.checkpoint()
        return self._with_user(self._store.sessions_by_family.get(family, ""))

    async def rotate_session(self, session: SessionRecord, *, replacing: bytes) -> bool:
        """Replace the session's row if its `digest` is `replacing`."""
        await trio.lowlevel.checkpoint()
        check(session)
        old = self._store.sessions.get(session.id)
        if old is None or old.digest != replacing:
            return False
        self._store.put_session(replace(session, user=old.user, family=old.family, created_at=old.created_at))
        return True

    async def sessions_of(self, user: str) -> list[SessionRecord]:
        """Return the user's sessions, the one seen latest first."""
        await trio.lowlevel.checkpoint()
        return self._of(user)

    async def living(self, sessions: Sequence[str]) -> list[tuple[str, UserRecord]]:
        """Return which of these sessions are still there, each with its user."""
        await trio.lowlevel.checkpoint()
        found = (self._with_user(session) for session in dict.fromkeys(sessions))
        return [(pair[0].id, pair[1]) for pair in found if pair is not None]

    async def end_sessions(self, user: str, *, only: Sequence[str] | None = None, keep: str | None = None) -> list[str]:
        """End all sessions of a user, or `only` these, but not `keep`."""
        await trio.lowlevel.checkpoint()
        check_texts((user, keep or "", *(only or ())))
        wanted = self._store.sessions_of.get(user, set())
        if only is not None:
            wanted = wanted.intersection(only)
        return self._drop(session for session in sorted(wanted) if session != keep)

    async def all_sessions(self, *, after: str = "", limit: int) -> list[SessionRecord]:
        """Return the first `limit` sessions by id, above `after`."""
        await trio.lowlevel.checkpoint()
        found = sorted(session for session in self._store.sessions if session > after)[: max(limit, 0)]
        return [self._store.sessions[session] for session in found]

    async def put_sessions(self, sessions: Sequence[SessionRecord]) -> None:
        """Store sessions just as they are. Raises Conflict `family`."""
        await trio.lowlevel.checkpoint()
        for session in sessions:
            check(session)
        families = {session.family: session.id for session in sessions}
        for session in sessions:
            holder = self._store.sessions_by_family.get(session.family, session.id)
            if not holder == families[session.family] == session.id:
                raise Conflict("family")
        for session in sessions:
            self._store.put_session(session)

    async def create_credential(self, credential: CredentialRecord, *, most: int | None = None) -> None:
        """Store a credential. Raises Conflict `id`, `digest` or `full`."""
        await trio.lowlevel.checkpoint()
        check(credential)
        old = self._store.credentials.get(credential.id, credential)
        if (old.kind, old.user, old.digest) != (credential.kind, credential.user, credential.digest):
            raise Conflict("id")
        self._check_digest(credential)
        if credential.id in self._store.credentials:
            return
        if most is not None and self._lasting_with(credential) > most:
            raise Conflict("full")
        self._store.put_credential(credential)

    async def credential(self, kind: str, digest: bytes) -> tuple[CredentialRecord, UserRecord | None] | None:
        """Return one credential by what is presented, with its user."""
        await trio.lowlevel.checkpoint()
        credential = self._presented(kind, digest)
        return None if credential is None else (credential, self._store.users.get(credential.user))

    async def credentials_of(self, kind: str, *, user: str | None = None) -> list[CredentialRecord]:
        """Return credentials of a kind, of one user or of all, the newest first."""
        await trio.lowlevel.checkpoint()
        found = (credential for credential in self._store.credentials.values() if credential.kind == kind)
        wanted = [credential for credential in found if user is None or credential.user == user]
        return sorted(wanted, key=lambda credential: (credential.created_at, credential.id), reverse=True)[:MOST_LISTED]

    async def use_credential(self, kind: str, digest: bytes, *, now: int) -> bool:
        """Take one of its uses, if it has any left and has not expired at `now`."""
        await trio.lowlevel.checkpoint()
        check_text(kind)
        return self._use(kind, digest, now)

    async def enrol(self, user: UserRecord, kind: str, digest: bytes, *, now: int) -> bool:
        """Take a use of a credential and store a new account with it. Raises Conflict `username` or `email`."""
        await trio.lowlevel.checkpoint()
        check_text(kind)
        check(user)
        before = self._presented(kind, digest)
        if before is None or not self._use(kind, digest, now):
            return False
        try:
            self._store.add_user(user)
        except Conflict:
            self._store.put_credential(before)
            raise
        return True

    async def drop_credentials(self, kind: str, user: str, *, only: str | None = None) -> list[str]:
        """Delete a user's credentials of a kind, or the one with this id."""
        await trio.lowlevel.checkpoint()
        check_texts((kind, user, only or ""))
        credentials = self._store.credentials
        candidates = list(credentials.values()) if only is None else [credentials[only]] if only in credentials else []
        dropped = sorted(found.id for found in candidates if (found.kind, found.user) == (kind, user))
        for credential in dropped:
            self._store.drop_credential(credential)
        return dropped

    async def all_credentials(self, *, after: str = "", limit: int) -> list[CredentialRecord]:
        """Return the first `limit` credentials by id, above `after`."""
        await trio.lowlevel.checkpoint()
        found = sorted(credential for credential in self._store.credentials if credential > after)[: max(limit, 0)]
        return [self._store.credentials[credential] for credential in found]

    async def put_credentials(self, credentials: Sequence[CredentialRecord]) -> None:
        """Store credentials just as they are. Raises Conflict `digest`."""
        await trio.lowlevel.checkpoint()
        for credential in credentials:
            check(credential)
        digests = {(credential.kind, credential.digest): credential.id for credential in credentials}
        for credential in credentials:
            self._check_digest(credential)
            if digests[credential.kind, credential.digest] != credential.id:
                raise Conflict("digest")
        for credential in credentials:
            self._store.put_credential(credential)

    async def drop_expired(self, *, now: int) -> int:
        """Delete sessions that are over, and credentials that have expired or have no use left; count them."""
        await trio.lowlevel.checkpoint()
        store = self._store
        over = [found.id for found in store.sessions.values() if min(found.expires_at, found.ends_at) <= now]
        spent = [found.id for found in store.credentials.values() if _is_spent(found, now)]
        self._drop(over)
        for credential in spent:
            store.drop_credential(credential)
        return len(over) + len(spent)

    def _check_free(self, session: SessionRecord) -> None:
        old = self._store.sessions.get(session.id, session)
        if (old.user, old.family) != (session.user, session.family):
            raise Conflict("id")
        if self._store.sessions_by_family.get(session.family, session.id) != session.id:
            raise Conflict("family")

    def _check_digest(self, credential: CredentialRecord) -> None:
        taken = self._store.credentials_by_digest.get((credential.kind, credential.digest), credential.id)
        if taken != credential.id:
            raise Conflict("digest")

    def _lasting_with(self, credential: CredentialRecord) -> int:
        """Count those of its user and kind that have not expired when it is made, and the credential itself."""
        theirs = (
            each
            for each in self._store.credentials.values()
            if (each.kind, each.user) == (credential.kind, credential.user)
        )
        made_at = credential.created_at
        return sum(each.expires_at is None or each.expires_at > made_at for each in (*theirs, credential))

    def _use(self, kind: str, digest: bytes, now: int) -> bool:
        credential = self._presented(kind, digest)
        if credential is None or _is_spent(credential, now):
            return False
        left = credential.uses_left
        used = replace(credential, uses_left=None if left is None else left - 1, used_at=now)
        check(used)
        self._store.put_credential(used)
        return True

    def _presented(self, kind: str, digest: bytes) -> CredentialRecord | None:
        return self._store.credentials.get(self._store.credentials_by_digest.get((kind, digest), ""))

    def _with_user(self, session: str) -> tuple[SessionRecord, UserRecord] | None:
        found = self._store.sessions.get(session)
        user = None if found is None else self._store.users.get(found.user)
        return None if found is None or user is None else (found, user)

    def _of(self, user: str) -> list[SessionRecord]:
        found = (self._store.sessions[session] for session in self._store.sessions_of.get(user, ()))
        return sorted(found, key=lambda session: (session.seen_at, session.id), reverse=True)

    def _drop(self, sessions: Iterable[str]) -> list[str]:
        dropped = sorted(sessions)
        for session in dropped:
            self._store.drop_session(session)
        return dropped


def _is_spent(credential: CredentialRecord, now: int) -> bool:
    is_expired = credential.expires_at is not None and credential.expires_at <= now
    return is_expired or (credential.uses_left is not None and credential.uses_left <= 0)
