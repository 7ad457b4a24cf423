"""Opening a SQLite file: nothing that durability or safety rests on is left to chance."""

from __future__ import annotations

import logging
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from storage.errors import StorageUnavailable
from storage.sqlite.connection import _prepare, check_version, connect, create_file
from storage.sqlite.settings import SqliteSettings


def pragma(connection: sqlite3.Connection, name: str) -> object:
    """Ask SQLite for a setting."""
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.mark.parametrize("read_only", [False, True])
def test_every_setting_is_in_force(settings: SqliteSettings, read_only: bool) -> None:
    """A connection is in WAL mode, syncs each commit, waits for locks, checks keys and distrusts the schema."""
    with closing(connect(replace(settings, busy_seconds=5.0), read_only=read_only)) as connection:
        names = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys", "trusted_schema", "query_only")
        assert [pragma(connection, name) for name in names] == ["wal", 2, 5000, 1, 0, int(read_only)]
        assert connection.isolation_level is None


def test_a_setting_that_sqlite_does_not_take_is_noticed(settings: SqliteSettings) -> None:
    """SQLite ignores what it cannot do, such as a WAL in RAM: that is an error, not a database that forgets."""
    with (
        closing(sqlite3.connect(":memory:", isolation_level=None)) as connection,
        pytest.raises(StorageUnavailable, match="journal_mode = wal: it stays memory"),
    ):
        _prepare(connection, settings, read_only=False)


def test_a_reader_cannot_write(settings: SqliteSettings) -> None:
    """A bug in a read cannot change anything, for SQLite refuses."""
    with closing(connect(settings, read_only=False)) as writer, closing(connect(settings, read_only=True)) as reader:
        writer.execute("CREATE TABLE t (x)")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("INSERT INTO t VALUES (1)")


def test_the_files_are_for_their_owner_only(settings: SqliteSettings) -> None:
    """The database and the files that SQLite puts beside it can be read by nobody else, whatever the umask."""
    with closing(connect(settings, read_only=False)) as connection:
        connection.execute("CREATE TABLE t (x)")
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in settings.path.parent.iterdir()}
    assert modes == {"chat.db": 0o600, "chat.db-wal": 0o600, "chat.db-shm": 0o600}


def test_a_file_that_others_may_read_is_reported(settings: SqliteSettings, caplog: pytest.LogCaptureFixture) -> None:
    """The mode of a file that was there before is its owner's choice, but not one to make by mistake."""
    settings.path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        create_file(settings)
    assert "event=database_readable_by_others" in caplog.text
    assert stat.S_IMODE(settings.path.stat().st_mode) == 0o644


def test_a_first_start_makes_its_folder(settings: SqliteSettings) -> None:
    """A new installation needs no folder made by hand, and only its owner can look into it."""
    elsewhere = replace(settings, path=settings.path.parent / "new" / "folder" / "what?#%20.db")
    create_file(elsewhere)
    connect(elsewhere, read_only=False).close()
    assert [file.name for file in elsewhere.path.parent.iterdir()] == ["what?#%20.db"]
    assert stat.S_IMODE(elsewhere.path.parent.stat().st_mode) == 0o700


def test_a_path_that_cannot_be_is_named(settings: SqliteSettings) -> None:
    """The error of a wrong path says which path."""
    with pytest.raises(StorageUnavailable, match=r"cannot create .*chat\.db/below/it"):
        create_file(replace(settings, path=settings.path / "below" / "it"))


def test_connecting_never_creates_a_file(settings: SqliteSettings) -> None:
    """When a disk is gone, a connection that is opened anew must not find an empty database in its place."""
    settings.path.unlink()
    with pytest.raises(StorageUnavailable, match="unable to open"):
        connect(settings, read_only=False)
    assert not settings.path.exists()


def test_a_file_that_is_no_database_is_refused_and_left_alone(settings: SqliteSettings) -> None:
    """A wrong path does not destroy what is there."""
    settings.path.write_text("my only copy " * 100)
    with pytest.raises(StorageUnavailable, match="not a database"):
        connect(settings, read_only=False)
    assert settings.path.read_text() == "my only copy " * 100


def test_a_folder_is_no_database(settings: SqliteSettings) -> None:
    """A path to a folder is an error, not a crash."""
    with pytest.raises(StorageUnavailable, match="cannot"):
        connect(replace(settings, path=Path(settings.path.parent)), read_only=False)


def test_an_old_sqlite_is_refused_with_both_versions() -> None:
    """Who meets this error learns what to upgrade to."""
    with pytest.raises(StorageUnavailable, match=r"SQLite 3\.36\.9 is too old: JustChat needs 3\.37\.0"):
        check_version((3, 36, 9))
    check_version((3, 37, 0))
    check_version(sqlite3.sqlite_version_info)
