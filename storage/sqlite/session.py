"""One connection and its transactions, with the driver's errors translated into those of storage.

A session owns its connection: it opens it when first needed, and after an error that leaves the connection in doubt it
closes it and opens a new one at the next call, so it recovers when the fault goes. It is used by one thread at a time.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from storage.errors import OutcomeUnknown, StorageError, StorageUnavailable, Unstorable

T = TypeVar("T")

BUSY = sqlite3.SQLITE_BUSY
FULL = sqlite3.SQLITE_FULL
# After these the connection is as good as before.
HARMLESS = frozenset(
    (BUSY, FULL, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH)
)

logger = logging.getLogger(__name__)


class Session:
    """A connection that comes back."""

    __slots__ = ("_connect", "_connection")

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Take how to open a connection; it raises StorageUnavailable when it cannot."""
        self._connect = connect
        self._connection: sqlite3.Connection | None = None

    def open(self) -> sqlite3.Connection:
        """Return the connection, opening it if there is none. Raises StorageUnavailable."""
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def prepare(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run something that makes its own transactions. Raises StorageUnavailable, or what `work` raises."""
        connection = self.open()
        try:
            return work(connection)
        except sqlite3.Error as error:
            self._undo(connection, error)
            raise StorageUnavailable(f"{error} ({_name(error)})") from error

    def read(self, work: Callable[[sqlite3.Connection], T], *, snapshot: bool = False) -> T:
        """Run queries; all of them see one state if `snapshot`. Raises StorageUnavailable or Unstorable."""
        connection = self.open()
        try:
            if not snapshot:
                return work(connection)
            connection.execute("BEGIN")
            result = work(connection)
            connection.execute("COMMIT")
        except Exception as error:
            self._undo(connection, error)
            if (translated := _translated(error)) is not None:
                raise translated from error
            raise
        return result

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run one transaction: all of `work` is committed and on the disk, or none of it.

        What `work` raises rolls back. Raises StorageUnavailable when nothing was written, OutcomeUnknown when the
        commit itself failed and may have reached the disk.
        """
        connection = self.open()
        try:
            connection.execute("BEGIN IMMEDIATE")
            result = work(connection)
        except Exception as error:
            self._undo(connection, error)
            if (translated := _translated(error)) is not None:
                raise translated from error
            raise
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo(connection, error)
            failure = _commit_failure(error)
            logger.debug("event=commit_failed error=%s as=%s", error, type(failure).__name__)
            raise failure from error
        return result

    def _undo(self, connection: sqlite3.Connection, error: Exception) -> None:
        doubtful = isinstance(error, sqlite3.Error) and _code(error) not in HARMLESS
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error as failure:
            logger.error("event=rollback_failed error=%s", failure)
            doubtful = True
        if doubtful:
            self.close()


def _translated(error: Exception) -> StorageError | None:
    """Return what to raise for an error before the commit, when nothing was written; None to let it be."""
    match error:
        case UnicodeEncodeError() | OverflowError() | sqlite3.DataError():
            return Unstorable(f"a value cannot be stored: {type(error).__name__}")
        case sqlite3.IntegrityError():
            # Uniqueness is explained where the statement is; what arrives here is a NULL or a type out of place.
            return Unstorable(f"a value cannot be stored: {error}")
        case sqlite3.ProgrammingError() if not str(error).startswith("Error binding parameter"):
            return None  # a bug of ours
        case sqlite3.ProgrammingError() | sqlite3.InterfaceError():
            return Unstorable(f"a value cannot be stored: {error}")
        case sqlite3.Error():
            return StorageUnavailable(f"{error} ({_name(error)})")
    return None


def _commit_failure(error: sqlite3.Error) -> StorageUnavailable:
    """Return what to raise for a COMMIT that failed.

    Busy means that it has not begun, and a full disk that its last frame, without which the rest is void, was not
    written in full. After anything else, such as a failed fsync, the frames may be on the disk and count at recovery.
    """
    if _code(error) in (BUSY, FULL):
        return StorageUnavailable(f"{error} ({_name(error)})")
    return OutcomeUnknown(f"the commit failed: {error} ({_name(error)})")


def _code(error: sqlite3.Error) -> int:
    # Errors that the Python module raises by itself have no code; the low byte is the primary one.
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF


def _name(error: sqlite3.Error) -> str:
    name: str = getattr(error, "sqlite_errorname", type(error).__name__)
    return name
