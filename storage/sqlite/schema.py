"""Brings a SQLite file to a schema version: the executor of the numbered files.

Each step is one transaction, with its record, under SQLite's write lock: two programs that start at once apply each
step once. A database that is not JustChat's, or is newer than the program, is refused and left as it is.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence

from storage.migrations import (
    AppliedMigration,
    Migration,
    MigrationRefused,
    MigrationStatus,
    load_migrations,
    pending,
    status_of,
    undoable,
)

CREATE_RECORD = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    number     INTEGER NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    checksum   TEXT    NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT
"""


def known_migrations() -> tuple[Migration, ...]:
    """Read the steps of the SQLite schema."""
    return load_migrations("sqlite")


def up(connection: sqlite3.Connection, known: Sequence[Migration]) -> list[int]:
    """Apply every pending step; return their numbers. Raises MigrationRefused, or sqlite3.Error after a rollback."""
    return _each(connection, lambda: pending(known, _applied(connection)), _apply)


def down(connection: sqlite3.Connection, known: Sequence[Migration], *, to: int) -> list[int]:
    """Undo every step above `to`, the latest first; return their numbers. Raises as `up`."""
    return _each(connection, lambda: undoable(known, _applied(connection), to=to), _undo)


def status(connection: sqlite3.Connection, known: Sequence[Migration]) -> list[MigrationStatus]:
    """Report every known step. Raises MigrationRefused."""
    return status_of(known, _applied(connection))


def statements(script: str) -> Iterator[str]:
    """Split a script into statements, each of which ends with its line."""
    lines: list[str] = []
    for line in script.splitlines(keepends=True):
        lines.append(line)
        if line.rstrip().endswith(";") and sqlite3.complete_statement("".join(lines)):
            yield "".join(lines)
            lines.clear()
    if rest := "".join(line for line in lines if not line.startswith("--")).strip():
        raise ValueError(f"the last statement is not complete: {rest[:80]}")


def _each(
    connection: sqlite3.Connection,
    steps: Callable[[], Sequence[Migration]],
    run: Callable[[sqlite3.Connection, Migration], None],
) -> list[int]:
    done: list[int] = []
    while steps():  # looked at without the lock, so that an up-to-date database is opened while another one writes
        connection.execute("BEGIN IMMEDIATE")
        try:
            if left := steps():  # and again with it: another program may have been faster
                run(connection, left[0])
                done.append(left[0].number)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return done


def _apply(connection: sqlite3.Connection, step: Migration) -> None:
    connection.execute(CREATE_RECORD)
    for statement in statements(step.up):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO schema_migrations (number, name, checksum, applied_at) VALUES (?, ?, ?, ?)",
        (step.number, step.name, step.checksum, time.time_ns() // 1_000_000),
    )


def _undo(connection: sqlite3.Connection, step: Migration) -> None:
    for statement in statements(step.down):
        connection.execute(statement)
    connection.execute("DELETE FROM schema_migrations WHERE number = ?", (step.number,))


def _applied(connection: sqlite3.Connection) -> list[AppliedMigration]:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if "schema_migrations" not in tables:
        if tables:
            raise MigrationRefused("this file is the database of another program")
        return []
    rows = connection.execute("SELECT number, name, checksum, applied_at FROM schema_migrations ORDER BY number")
    return [AppliedMigration(*row) for row in rows]
