"""Sessions and credentials in a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial

from msgspec.structs import astuple

from storage.account_ports import MOST_LISTED
from storage.account_records import CredentialRecord, SessionRecord
from storage.errors import Conflict
from storage.records import UserRecord
from storage.sqlite import account_statements as sql
from storage.sqlite.account_rows import (
    credential_and_user_of,
    credential_of,
    is_taken,
    row_of_credential,
    session_and_user_of,
    session_of,
)
from storage.sqlite.database import Database
from storage.sqlite.rows import Row
from storage.sqlite.statements import INSERT_USER
from storage.sqlite.users import write_user
from storage.storable import check, check_text, check_texts

DROPPED_AT_ONCE = 500
"""How many rows one transaction of `drop_expired` deletes at most, so that it holds up no other writer for long."""


class SqliteSessions:
    """The `Sessions` port over a `Database`."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_session(self, session: SessionRecord, *, most: int) -> list[str]:
        """Store a new session, and end the user's oldest beyond `most`. Raises Conflict `id` or `family`."""
        check(session)
        names = (session.id, session.user, session.family)

        def write(connection: sqlite3.Connection) -> list[str]:
            if not _insert(connection, sql.CREATE_SESSION, astuple(session), taken="family"):
                _expect(connection, sql.IS_SESSION, names)
            return _ids(connection, sql.END_OLDEST, (session.user, session.id, max(most - 1, 0)))

        return sorted(await self._database.write(write))

    async def session(self, session: str) -> tuple[SessionRecord, UserRecord] | None:
        """Return one session by id, with its user."""
        rows = await self._fetch(sql.SESSION, (session,))
        return session_and_user_of(rows[0]) if rows else None

    async def session_of_family(self, family: bytes) -> tuple[SessionRecord, UserRecord] | None:
        """Return the session whose refresh tokens share this, with its user."""
        rows = await self._fetch(sql.SESSION_OF_FAMILY, (family,))
        return session_and_user_of(rows[0]) if rows else None

    async def rotate_session(self, session: SessionRecord, *, replacing: bytes) -> bool:
        """Replace the session's row if its `digest` is `replacing`."""
        check(session)
        values = (*astuple(session), replacing)
        return await self._database.write(lambda connection: _count(connection, sql.ROTATE_SESSION, values)) == 1

    async def sessions_of(self, user: str) -> list[SessionRecord]:
        """Return the user's sessions, the one seen latest first."""
        return [session_of(row) for row in await self._fetch(sql.SESSIONS_OF, (user,))]

    async def living(self, sessions: Sequence[str]) -> list[tuple[str, UserRecord]]:
        """Return which of these sessions are still there, each with its user."""

        def read(connection: sqlite3.Connection) -> list[tuple[SessionRecord, UserRecord]]:
            rows = (connection.execute(sql.SESSION, (session,)).fetchone() for session in dict.fromkeys(sessions))
            return [session_and_user_of(row) for row in rows if row is not None]

        return [(session.id, user) for session, user in await self._database.read(read, snapshot=True)]

    async def end_sessions(self, user: str, *, only: Sequence[str] | None = None, keep: str | None = None) -> list[str]:
        """End all sessions of a user, or `only` these, but not `keep`."""
        check_texts((user, keep or "", *(only or ())))

        def write(connection: sqlite3.Connection) -> list[str]:
            if only is None:
                return _ids(connection, sql.END_SESSIONS, (user, keep or ""))
            ended = (_ids(connection, sql.END_SESSION, (user, keep or "", session)) for session in dict.fromkeys(only))
            return [session for sessions in ended for session in sessions]

        return sorted(await self._database.write(write))

    async def all_sessions(self, *, after: str = "", limit: int) -> list[SessionRecord]:
        """Return the first `limit` sessions by id, above `after`."""
        return [session_of(row) for row in await self._fetch(sql.ALL_SESSIONS, (after, max(limit, 0)))]

    async def put_sessions(self, sessions: Sequence[SessionRecord]) -> None:
        """Store sessions just as they are. Raises Conflict `family`."""
        for session in sessions:
            check(session)
        rows: list[Row] = [astuple(session) for session in sessions]
        await self._database.write(partial(_insert_all, statement=sql.PUT_SESSION, rows=rows, taken="family"))

    async def create_credential(self, credential: CredentialRecord, *, most: int | None = None) -> None:
        """Store a credential. Raises Conflict `id`, `digest` or `full`."""
        check(credential)
        names = (credential.id, credential.kind, credential.user, credential.digest)
        theirs = (credential.kind, credential.user, credential.created_at)

        def write(connection: sqlite3.Connection) -> None:
            if not _insert(connection, sql.CREATE_CREDENTIAL, row_of_credential(credential), taken="digest"):
                _expect(connection, sql.IS_CREDENTIAL, names)
            elif most is not None:
                ((lasting,),) = connection.execute(sql.LASTING_CREDENTIALS, theirs).fetchall()
                if lasting > most:
                    raise Conflict("full")

        await self._database.write(write)

    async def credential(self, kind: str, digest: bytes) -> tuple[CredentialRecord, UserRecord | None] | None:
        """Return one credential by what is presented, with its user."""
        rows = await self._fetch(sql.CREDENTIAL, (kind, digest))
        return credential_and_user_of(rows[0]) if rows else None

    async def credentials_of(self, kind: str, *, user: str | None = None) -> list[CredentialRecord]:
        """Return credentials of a kind, of one user or of all, the newest first."""
        if user is None:
            rows = await self._fetch(sql.CREDENTIALS_OF, (kind, MOST_LISTED))
        else:
            rows = await self._fetch(sql.CREDENTIALS_OF_USER, (kind, user, MOST_LISTED))
        return [credential_of(row) for row in rows]

    async def use_credential(self, kind: str, digest: bytes, *, now: int) -> bool:
        """Take one of its uses, if it has any left and has not expired at `now`."""
        check_text(kind)
        values = (kind, digest, now)
        return await self._database.write(lambda connection: _count(connection, sql.USE_CREDENTIAL, values)) == 1

    async def enrol(self, user: UserRecord, kind: str, digest: bytes, *, now: int) -> bool:
        """Take a use of a credential and store a new account with it. Raises Conflict `username` or `email`."""
        check_text(kind)
        check(user)

        def write(connection: sqlite3.Connection) -> bool:
            if _count(connection, sql.USE_CREDENTIAL, (kind, digest, now)) == 0:
                return False
            write_user(connection, INSERT_USER, user, astuple(user))
            return True

        return await self._database.write(write)

    async def drop_credentials(self, kind: str, user: str, *, only: str | None = None) -> list[str]:
        """Delete a user's credentials of a kind, or the one with this id."""
        check_texts((kind, user, only or ""))
        statement = sql.DROP_CREDENTIALS if only is None else sql.DROP_CREDENTIAL
        values = (kind, user) if only is None else (kind, user, only)
        return sorted(await self._database.write(lambda connection: _ids(connection, statement, values)))

    async def all_credentials(self, *, after: str = "", limit: int) -> list[CredentialRecord]:
        """Return the first `limit` credentials by id, above `after`."""
        return [credential_of(row) for row in await self._fetch(sql.ALL_CREDENTIALS, (after, max(limit, 0)))]

    async def put_credentials(self, credentials: Sequence[CredentialRecord]) -> None:
        """Store credentials just as they are. Raises Conflict `digest`."""
        for credential in credentials:
            check(credential)
        rows = [row_of_credential(credential) for credential in credentials]
        await self._database.write(partial(_insert_all, statement=sql.PUT_CREDENTIAL, rows=rows, taken="digest"))

    async def drop_expired(self, *, now: int) -> int:
        """Delete sessions that are over, and credentials that have expired or have no use left; count them."""
        steps: tuple[tuple[str, Row], ...] = (
            (sql.DROP_SESSIONS, (now, DROPPED_AT_ONCE)),
            (sql.DROP_EXPIRED, (now, DROPPED_AT_ONCE)),
            (sql.DROP_USED_UP, (DROPPED_AT_ONCE,)),
        )
        total = 0
        for statement, values in steps:
            dropped = DROPPED_AT_ONCE
            while dropped == DROPPED_AT_ONCE:
                dropped = await self._database.write(partial(_count, statement=statement, values=values))
                total += dropped
        return total

    async def _fetch(self, statement: str, values: Row) -> list[Row]:
        return await self._database.read(lambda connection: connection.execute(statement, values).fetchall())


def _insert(connection: sqlite3.Connection, statement: str, row: Row, *, taken: str) -> bool:
    """Insert a row; False if there is one with its id. Raises Conflict where another one has what is unique besides."""
    try:
        return connection.execute(statement, row).rowcount == 1
    except sqlite3.IntegrityError as error:
        if is_taken(error):
            raise Conflict(taken) from error
        raise


def _insert_all(connection: sqlite3.Connection, *, statement: str, rows: Sequence[Row], taken: str) -> None:
    for row in rows:
        _insert(connection, statement, row, taken=taken)


def _expect(connection: sqlite3.Connection, statement: str, names: Row) -> None:
    """Raise Conflict unless the row that is there stands for the same thing: this is a repeat."""
    if connection.execute(statement, names).fetchone() is None:
        raise Conflict("id")


def _count(connection: sqlite3.Connection, statement: str, values: Row) -> int:
    return connection.execute(statement, values).rowcount


def _ids(connection: sqlite3.Connection, statement: str, values: Row) -> list[str]:
    return [str(row[0]) for row in connection.execute(statement, values).fetchall()]
