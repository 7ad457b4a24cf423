"""How an account is written to a SQLite file: alone, or in one transaction with what makes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from storage.errors import Conflict
from storage.records import UserRecord
from storage.sqlite import statements as sql
from storage.sqlite.rows import Value


def write_user(connection: sqlite3.Connection, statement: str, user: UserRecord, values: Sequence[Value]) -> int:
    """Run a statement that writes an account, and count the rows. Raises Conflict `username` or `email`."""
    try:
        return connection.execute(statement, values).rowcount
    except sqlite3.IntegrityError as error:
        if (conflict := _conflict(connection, user)) is not None:
            raise conflict from error
        raise


def _conflict(connection: sqlite3.Connection, user: UserRecord) -> Conflict | None:
    for kind, statement, key in (
        ("username", sql.USER_BY_NAME, user.name_key),
        ("email", sql.USER_BY_EMAIL, user.email),
    ):
        taken = connection.execute(statement, (key,)).fetchone()
        if taken is not None and taken[0] != user.id:
            return Conflict(kind)
    return Conflict("username") if connection.execute(sql.USER, (user.id,)).fetchone() is not None else None
