"""Sessions and credentials in a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import cast

import asyncpg
from msgspec.structs import asdict, astuple

from storage.account_ports import MOST_LISTED
from storage.account_records import CredentialRecord, SessionRecord
from storage.errors import Conflict
from storage.postgres import account_statements as sql
from storage.postgres.account_rows import (
    credential_and_user_of,
    credential_of,
    session_and_user_of,
    session_of,
)
from storage.postgres.connection import Connection, Row
from storage.postgres.directory_statements import INSERT_USER, LOCK_USER
from storage.postgres.pool import PostgresPool
from storage.postgres.rows import user_of
from storage.postgres.users import write_user
from storage.records import UserRecord
from storage.storable import check, check_text, check_texts

DROPPED_AT_ONCE = 500
"""How many rows one transaction of `drop_expired` deletes at most."""

# What a rotation does not change, and what it looks for.
STAYS = ("id", "user", "family", "created_at")


class PostgresSessions:
    """The `Sessions` port over a `PostgresPool`."""

    __slots__ = ("_pool",)

    def __init__(self, pool: PostgresPool) -> None:
        self._pool = pool

    async def create_session(self, session: SessionRecord, *, most: int) -> list[str]:
        """Store a new session, and end the user's oldest beyond `most`. Raises Conflict `id` or `family`."""
        check(session)
        names = (session.id, session.user, session.family)

        async def write(connection: Connection) -> list[Row]:
            await connection.execute(LOCK_USER, session.user)
            if not await _insert(connection, sql.CREATE_SESSION, astuple(session), taken="family"):
                await _expect(connection, sql.IS_SESSION, names)
            return await connection.fetch(sql.END_OLDEST, session.user, session.id, max(most - 1, 0))

        return _ids(await self._pool.write(write))

    async def session(self, session: str) -> tuple[SessionRecord, UserRecord] | None:
        """Return one session by id, with its user."""
        rows = await self._pool.fetch(sql.SESSION, session)
        return session_and_user_of(rows[0]) if rows else None

    async def session_of_family(self, family: bytes) -> tuple[SessionRecord, UserRecord] | None:
        """Return the session whose refresh tokens share this, with its user."""
        rows = await self._pool.fetch(sql.SESSION_OF_FAMILY, family)
        return session_and_user_of(rows[0]) if rows else None

    async def rotate_session(self, session: SessionRecord, *, replacing: bytes) -> bool:
        """Replace the session's row if its `digest` is `replacing`."""
        check(session)
        values = [value for name, value in asdict(session).items() if name not in STAYS]
        return await self._count(sql.ROTATE_SESSION, session.id, replacing, *values) == 1

    async def sessions_of(self, user: str) -> list[SessionRecord]:
        """Return the user's sessions, the one seen latest first."""
        return [session_of(row) for row in await self._pool.fetch(sql.SESSIONS_OF, user)]

    async def living(self, sessions: Sequence[str]) -> list[tuple[str, UserRecord]]:
        """Return which of these sessions are still there, each with its user."""
        rows = await self._pool.fetch(sql.LIVING, list(dict.fromkeys(sessions)))
        return [(cast("str", row[0]), user_of(row[1:])) for row in rows]

    async def end_sessions(self, user: str, *, only: Sequence[str] | None = None, keep: str | None = None) -> list[str]:
        """End all sessions of a user, or `only` these, but not `keep`."""
        check_texts((user, keep or "", *(only or ())))

        async def write(connection: Connection) -> list[Row]:
            await connection.execute(LOCK_USER, user)
            if only is None:
                return await connection.fetch(sql.END_SESSIONS, user, keep or "")
            return await connection.fetch(sql.END_THESE_SESSIONS, user, keep or "", list(only))

        return _ids(await self._pool.write(write))

    async def all_sessions(self, *, after: str = "", limit: int) -> list[SessionRecord]:
        """Return the first `limit` sessions by id, above `after`."""
        return [session_of(row) for row in await self._pool.fetch(sql.ALL_SESSIONS, after, max(limit, 0))]

    async def put_sessions(self, sessions: Sequence[SessionRecord]) -> None:
        """Store sessions just as they are. Raises Conflict `family`."""
        for session in sessions:
            check(session)
        rows: list[Row] = [astuple(session) for session in sessions]
        await self._pool.write(partial(_put, statement=sql.PUT_SESSION, rows=rows, taken="family"))

    async def create_credential(self, credential: CredentialRecord, *, most: int | None = None) -> None:
        """Store a credential. Raises Conflict `id`, `digest` or `full`."""
        check(credential)
        names = (credential.id, credential.kind, credential.user, credential.digest)
        theirs = (credential.kind, credential.user, credential.created_at)

        async def write(connection: Connection) -> None:
            if most is not None:
                # Of two at the same moment one waits, and then sees what the other has stored.
                await connection.execute(LOCK_USER, credential.user)
            if not await _insert(connection, sql.CREATE_CREDENTIAL, astuple(credential), taken="digest"):
                await _expect(connection, sql.IS_CREDENTIAL, names)
            elif most is not None:
                ((lasting,),) = await connection.fetch(sql.LASTING_CREDENTIALS, *theirs)
                if cast("int", lasting) > most:
                    raise Conflict("full")

        await self._pool.write(write)

    async def credential(self, kind: str, digest: bytes) -> tuple[CredentialRecord, UserRecord | None] | None:
        """Return one credential by what is presented, with its user."""
        rows = await self._pool.fetch(sql.CREDENTIAL, kind, digest)
        return credential_and_user_of(rows[0]) if rows else None

    async def credentials_of(self, kind: str, *, user: str | None = None) -> list[CredentialRecord]:
        """Return credentials of a kind, of one user or of all, the newest first."""
        if user is None:
            rows = await self._pool.fetch(sql.CREDENTIALS_OF, kind, MOST_LISTED)
        else:
            rows = await self._pool.fetch(sql.CREDENTIALS_OF_USER, kind, MOST_LISTED, user)
        return [credential_of(row) for row in rows]

    async def use_credential(self, kind: str, digest: bytes, *, now: int) -> bool:
        """Take one of its uses, if it has any left and has not expired at `now`."""
        check_text(kind)
        return await self._count(sql.USE_CREDENTIAL, kind, digest, now) == 1

    async def enrol(self, user: UserRecord, kind: str, digest: bytes, *, now: int) -> bool:
        """Take a use of a credential and store a new account with it. Raises Conflict `username` or `email`."""
        check_text(kind)
        check(user)

        async def write(connection: Connection) -> bool:
            if await connection.execute(sql.USE_CREDENTIAL, kind, digest, now) == "UPDATE 0":
                return False
            await write_user(connection, INSERT_USER, astuple(user))
            return True

        return await self._pool.write(write)

    async def drop_credentials(self, kind: str, user: str, *, only: str | None = None) -> list[str]:
        """Delete a user's credentials of a kind, or the one with this id."""
        check_texts((kind, user, only or ""))

        async def write(connection: Connection) -> list[Row]:
            if only is None:
                return await connection.fetch(sql.DROP_CREDENTIALS, kind, user)
            return await connection.fetch(sql.DROP_CREDENTIAL, kind, user, only)

        return _ids(await self._pool.write(write))

    async def all_credentials(self, *, after: str = "", limit: int) -> list[CredentialRecord]:
        """Return the first `limit` credentials by id, above `after`."""
        return [credential_of(row) for row in await self._pool.fetch(sql.ALL_CREDENTIALS, after, max(limit, 0))]

    async def put_credentials(self, credentials: Sequence[CredentialRecord]) -> None:
        """Store credentials just as they are. Raises Conflict `digest`."""
        for credential in credentials:
            check(credential)
        rows: list[Row] = [astuple(credential) for credential in credentials]
        await self._pool.write(partial(_put, statement=sql.PUT_CREDENTIAL, rows=rows, taken="digest"))

    async def drop_expired(self, *, now: int) -> int:
        """Delete sessions that are over, and credentials that have expired or have no use left; count them."""
        total = 0
        for statement, values in (
            (sql.DROP_SESSIONS, (now, DROPPED_AT_ONCE)),
            (sql.DROP_EXPIRED, (now, DROPPED_AT_ONCE)),
            (sql.DROP_USED_UP, (DROPPED_AT_ONCE,)),
        ):
            dropped = DROPPED_AT_ONCE
            while dropped == DROPPED_AT_ONCE:
                dropped = await self._count(statement, *values)
                total += dropped
        return total

    async def _count(self, statement: str, *values: object) -> int:
        """Run one statement that writes, and count the rows."""
        tag = await self._pool.write(lambda connection: connection.execute(statement, *values))
        return int(tag.rpartition(" ")[2])


async def _insert(connection: Connection, statement: str, row: Row, *, taken: str) -> bool:
    """Insert a row; False if there is one with its id. Raises Conflict where another one has what is unique besides."""
    try:
        return await connection.execute(statement, *row) == "INSERT 0 1"
    except asyncpg.UniqueViolationError as error:
        raise Conflict(taken) from error


async def _put(connection: Connection, *, statement: str, rows: Sequence[Row], taken: str) -> None:
    try:
        await connection.executemany(statement, rows)
    except asyncpg.UniqueViolationError as error:
        raise Conflict(taken) from error


async def _expect(connection: Connection, statement: str, names: Row) -> None:
    """Raise Conflict unless the row that is there stands for the same thing: this is a repeat."""
    if not await connection.fetch(statement, *names):
        raise Conflict("id")


def _ids(rows: Sequence[Row]) -> list[str]:
    return sorted(cast("str", row[0]) for row in rows)
