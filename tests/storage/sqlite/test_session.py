"""Transactions and their failures: what is told as not written was not, and the connection comes back."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from storage.errors import Conflict, OutcomeUnknown, StorageUnavailable, Unstorable
from storage.sqlite.connection import connect
from storage.sqlite.session import Session
from storage.sqlite.settings import SqliteSettings

BLOB = b"x" * 20_000


@pytest.fixture
def table(session: Session) -> Session:
    """Return a session with a table to write to."""
    session.write(lambda connection: connection.execute("CREATE TABLE t (x UNIQUE) STRICT".replace("(x", "(x ANY")))
    return session


def put(session: Session, *values: object) -> None:
    """Insert each value, in one transaction."""
    session.write(lambda connection: connection.executemany("INSERT INTO t VALUES (?)", [(value,) for value in values]))


def count(session: Session) -> int:
    """Count the rows."""
    found: int = session.read(lambda connection: connection.execute("SELECT count(*) FROM t").fetchone())[0]
    return found


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Make the kernel refuse to write beyond this place in any file: a real fault below SQLite."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_transaction_is_committed_whole(table: Session) -> None:
    """What was written is there for other connections when `write` returns."""
    put(table, 1, 2, 3)
    assert count(table) == 3


def test_an_error_rolls_everything_back_and_comes_out_as_it_was(table: Session) -> None:
    """A refusal in the middle of a transaction leaves nothing, and keeps its own type for the caller to match."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (1)")
        raise Conflict("seq", room="r_1")

    with pytest.raises(Conflict):
        table.write(work)
    assert count(table) == 0


def test_a_lock_held_by_another_program_makes_the_store_unavailable(table: Session, settings: SqliteSettings) -> None:
    """Nothing is written while another program holds the lock, reads go on, and writes do too once it lets go."""
    connection = table.open()
    with closing(connect(settings, read_only=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable, match="SQLITE_BUSY") as caught:
            put(table, 1)
        assert not isinstance(caught.value, OutcomeUnknown)
        assert count(table) == 0
        other.execute("ROLLBACK")
        put(table, 2)
    assert count(table) == 1
    assert table.open() is connection


def test_a_transaction_holds_the_lock_from_its_start(table: Session, settings: SqliteSettings) -> None:
    """What a transaction reads before it writes cannot be changed by another program in between."""

    def work(connection: sqlite3.Connection) -> int:
        rows: int = connection.execute("SELECT count(*) FROM t").fetchone()[0]
        with (
            closing(connect(settings, read_only=False)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("INSERT INTO t VALUES (1)")
        return rows

    assert table.write(work) == 0


def test_a_full_database_makes_the_store_unavailable(table: Session) -> None:
    """Nothing of a transaction that does not fit is written, and one that fits still is."""
    pages = table.read(lambda connection: connection.execute("PRAGMA page_count").fetchone())[0]
    table.prepare(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages + 2}"))
    with pytest.raises(StorageUnavailable, match="SQLITE_FULL") as caught:
        put(table, 1, BLOB, 2)
    assert not isinstance(caught.value, OutcomeUnknown)
    assert count(table) == 0
    put(table, 1)
    table.prepare(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages + 100}"))
    put(table, BLOB)
    assert count(table) == 2


def test_a_commit_that_the_disk_refuses_is_of_unknown_outcome(table: Session, settings: SqliteSettings) -> None:
    """A fault in mid-commit is never reported as written nor as unwritten; the next commit works once it is gone."""
    put(table, 1)
    wal = settings.path.with_name("chat.db-wal")
    with file_size_limit(wal.stat().st_size + 5000), pytest.raises(OutcomeUnknown, match="SQLITE_IOERR"):
        put(table, BLOB)
    assert count(table) == 1
    put(table, BLOB)
    assert count(table) == 2
    assert table.read(lambda connection: connection.execute("PRAGMA integrity_check").fetchall()) == [("ok",)]


def test_a_read_that_fails_is_tried_on_a_new_connection_next(table: Session) -> None:
    """A connection in doubt is not used again: a broken handle would otherwise fail for ever."""
    first = table.open()

    def work(_: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR_READ, "SQLITE_IOERR_READ"
        raise error

    with pytest.raises(StorageUnavailable, match="SQLITE_IOERR_READ"):
        table.read(work)
    assert table.open() is not first
    assert count(table) == 0


def test_a_store_that_cannot_be_opened_again_is_unavailable(table: Session, settings: SqliteSettings) -> None:
    """Each call tries anew, so the store is back as soon as its file is."""
    put(table, 1)
    table.close()
    folder, away = settings.path.parent, settings.path.parent.with_name(f"{settings.path.parent.name}-away")
    folder.rename(away)
    for _ in range(2):
        with pytest.raises(StorageUnavailable, match="unable to open"):
            count(table)
    away.rename(folder)
    assert count(table) == 1


@pytest.mark.parametrize("value", [2**63, "\ud800", object(), 1 + 2j], ids=["int", "text", "object", "complex"])
def test_a_value_that_sqlite_cannot_hold_is_unstorable(table: Session, value: object) -> None:
    """The caller's bug is told apart from a store that does not work, and the rest of its transaction is undone."""
    with pytest.raises(Unstorable):
        put(table, 1, value)
    assert count(table) == 0


@pytest.mark.parametrize("statement", ["INSERT INTO users (id) VALUES (NULL)", "INSERT INTO rooms (id) VALUES (x'00')"])
def test_a_value_out_of_place_is_unstorable(table: Session, statement: str) -> None:
    """The strict schema refuses a missing value and a wrong type, as the other databases do."""
    with pytest.raises(Unstorable):
        table.write(lambda connection: connection.execute(statement))


def test_a_bug_in_a_statement_stays_a_bug(table: Session) -> None:
    """A wrong number of values is ours to repair, so it crashes whoever called and is not taken for bad luck."""
    with pytest.raises(sqlite3.ProgrammingError, match="number of bindings"):
        table.write(lambda connection: connection.execute("INSERT INTO t VALUES (?)", (1, 2)))
    put(table, 1)
    assert count(table) == 1


def test_a_snapshot_does_not_see_what_is_committed_meanwhile(table: Session, settings: SqliteSettings) -> None:
    """Several queries of one read see one state."""
    reader = Session(lambda: connect(settings, read_only=True))

    def work(connection: sqlite3.Connection) -> list[int]:
        seen = []
        for value in range(3):
            seen.append(connection.execute("SELECT count(*) FROM t").fetchone()[0])
            put(table, value)
        return seen

    assert reader.read(work, snapshot=True) == [0, 0, 0]
    assert count(reader) == 3
    assert not reader.open().in_transaction
    reader.close()


def test_closing_twice_is_harmless(table: Session) -> None:
    """Clean-up may come from two sides."""
    table.close()
    table.close()
    assert count(table) == 0
