"""Opening a connection to a SQLite file the way JustChat relies on: durable, strict and checked.

WAL with `synchronous=FULL` means that a commit has reached the disk when it returns, and that readers neither wait for
the writer nor hold it up. SQLite silently ignores a PRAGMA it cannot honour, so every one is read back.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path

from storage.errors import StorageUnavailable
from storage.sqlite.settings import SqliteSettings

OLDEST_VERSION = (3, 37, 0)  # the first with STRICT tables
FILE_MODE, FOLDER_MODE = 0o600, 0o700
WAL_LIMIT_BYTES = 64 * 1024 * 1024
# Checkpoints write pages that change in every commit once instead of each time (measured: a third of a busy commit).
CHECKPOINT_PAGES = 4000
# Negative numbers are KiB. A commit of a thousand entries touches more than SQLite's own 2 MiB, and would spill.
WRITER_CACHE_KIB = -4096
READER_CACHE_KIB = -2048
CACHED_STATEMENTS = 128

logger = logging.getLogger(__name__)


def connect(settings: SqliteSettings, *, read_only: bool) -> sqlite3.Connection:
    """Open a connection to a file that is there. Raises StorageUnavailable when that does not work.

    It never creates the file: a connection that is opened anew because the disk has gone must not find an empty
    database where there was a full one. Transactions are ours: there is no implicit BEGIN. The connection is for one
    thread at a time.
    """
    check_version(sqlite3.sqlite_version_info)
    try:
        if not read_only:
            _sync_log(settings)
        connection = sqlite3.connect(
            f"{settings.path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=settings.busy_seconds,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=CACHED_STATEMENTS,
        )
    except (OSError, sqlite3.Error) as error:
        raise StorageUnavailable(f"cannot open {settings.path}: {error}") from error
    try:
        _prepare(connection, settings, read_only=read_only)
    except BaseException as error:
        with suppress(sqlite3.Error):
            connection.close()
        if isinstance(error, sqlite3.Error):
            raise StorageUnavailable(f"cannot use {settings.path}: {error}") from error
        raise
    return connection


def create_file(settings: SqliteSettings) -> None:
    """Make an empty file, and the folder it belongs into, unless it is there. Raises StorageUnavailable.

    Nobody else may read it; SQLite gives the files beside it the same mode.
    """
    path = settings.path
    try:
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        # Only ever opened here when it is new: closing a second descriptor would drop SQLite's locks on the file.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE_MODE))
    except FileExistsError:
        _look_at_mode(path)
    except OSError as error:
        raise StorageUnavailable(f"cannot create {path}: {error}") from error


def _look_at_mode(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:  # a link to nothing, such as a volume that is not mounted
        raise StorageUnavailable(f"cannot open {path}: {error}") from error
    if stat.S_IMODE(mode) & 0o077:
        logger.warning("event=database_readable_by_others path=%s", path)


def check_version(version: tuple[int, ...]) -> None:
    """Raise StorageUnavailable for a SQLite that is too old."""
    if version < OLDEST_VERSION:
        have, need = (".".join(map(str, v)) for v in (version, OLDEST_VERSION))
        raise StorageUnavailable(f"SQLite {have} is too old: JustChat needs {need} or newer")


def _sync_log(settings: SqliteSettings) -> None:
    # A killed predecessor may have written a commit to the log and not synced it: whoever reads it now takes it for
    # durable. SQLite itself only syncs with the next commit. The log carries no locks that closing it could drop.
    database = settings.path.resolve()  # SQLite keeps the log beside the file itself, where that is behind a link
    for path in (f"{database}-wal", database.parent):
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _prepare(connection: sqlite3.Connection, settings: SqliteSettings, *, read_only: bool) -> None:
    pragmas: dict[str, int | str] = {
        "busy_timeout": round(settings.busy_seconds * 1000),
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "trusted_schema": 0,
        "journal_size_limit": WAL_LIMIT_BYTES,
        "wal_autocheckpoint": CHECKPOINT_PAGES,
        "cache_size": READER_CACHE_KIB if read_only else WRITER_CACHE_KIB,
        "query_only": int(read_only),
    }
    for name, value in pragmas.items():
        connection.execute(f"PRAGMA {name} = {value}")
        (actual,) = connection.execute(f"PRAGMA {name}").fetchone()
        if actual != value:
            raise StorageUnavailable(f"SQLite does not take PRAGMA {name} = {value}: it stays {actual}")
