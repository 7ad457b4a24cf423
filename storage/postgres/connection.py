"""What the store needs of a connection, how one is opened, and what a driver's errors mean for those who call.

A connection is opened with the server's own limits on what it may take: a statement that runs for too long and a
transaction that its client has forgotten are ended there, whatever becomes of this process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol, TypeVar, cast

import asyncpg

from storage.errors import OutcomeUnknown, StorageError, StorageUnavailable, Unstorable
from storage.postgres.settings import PostgresSettings

T = TypeVar("T")

Row = Sequence[object]

# The server ends a statement, and a transaction that is idle, after so many times what a statement may take.
OVERDUE_FACTOR, FORGOTTEN_FACTOR = 2, 4
BROKEN_VALUES = (asyncpg.exceptions.DataError, asyncpg.IntegrityConstraintViolationError)
GOODBYE_SECONDS = 1.0
TOO_LARGE = "54000"  # a text that is longer than an index takes


class Connection(Protocol):
    """The part of asyncpg's connection that is used here. Every method belongs on the asyncio side."""

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement, or a script if there are no values, and return its command tag."""
        ...

    async def executemany(self, command: str, args: Sequence[Row]) -> None:
        """Run a statement once for each row of values, in one round trip."""
        ...

    async def fetch(self, query: str, *args: object) -> list[Row]:
        """Return all rows."""
        ...

    async def fetchrow(self, query: str, *args: object) -> Row | None:
        """Return the first row."""
        ...

    def is_in_transaction(self) -> bool:
        """Tell whether there is one, failed or not."""
        ...

    def is_closed(self) -> bool:
        """Tell whether it is gone."""
        ...

    async def close(self, *, timeout: float) -> None:
        """Say goodbye to the server, for so many seconds."""
        ...

    def terminate(self) -> None:
        """Drop it, without a word to the server."""
        ...


Work = Callable[[Connection], Awaitable[T]]


async def connect(settings: PostgresSettings, *, command_seconds: float | None = None) -> Connection:
    """Open a connection of one's own, with another limit per statement if given. Raises StorageUnavailable."""
    seconds = settings.command_seconds if command_seconds is None else command_seconds
    try:
        connection = await asyncpg.connect(settings.dsn, **connect_options(settings, command_seconds=seconds))
    except Exception as error:
        raise cannot_connect(settings, error) from error
    return cast("Connection", connection)


async def close(connection: Connection) -> None:
    """End a connection, gracefully if the server answers at once. Never raises."""
    with suppress(Exception):
        await connection.close(timeout=GOODBYE_SECONDS)
    connection.terminate()


def connect_options(settings: PostgresSettings, *, command_seconds: float) -> dict[str, object]:
    """Give what every connection is opened with."""
    return {
        "timeout": settings.connect_seconds,
        "command_timeout": command_seconds,
        "max_cached_statement_lifetime": 0,  # there are few statements, and all are used for as long as we run
        "server_settings": {
            "application_name": "justchat",
            "default_transaction_isolation": "read committed",
            # After us: a server that calls off the COMMIT which waits for its replicas reports success.
            "statement_timeout": str(round(command_seconds * 1000 * OVERDUE_FACTOR)),
            "idle_in_transaction_session_timeout": str(round(command_seconds * 1000 * FORGOTTEN_FACTOR)),
            # Every listing is in the order of its index and ends after a page: it is not to be collected and sorted.
            "enable_bitmapscan": "off",
            "jit": "off",
        },
    }


def cannot_connect(settings: PostgresSettings, error: Exception) -> StorageUnavailable:
    """Return what to raise when a connection cannot be opened; never with the DSN in it."""
    match error:
        case TimeoutError():
            why = f"no answer within {settings.connect_seconds:g} s"
        case asyncpg.PostgresError():
            why = reason(error)
        case ValueError():
            why = "the URL cannot be read: write special characters in it as %XX"  # the error quotes parts of it
        case _:
            why = str(error)
    return StorageUnavailable(f"cannot connect to {settings.address}: {why}")


def reason(error: BaseException) -> str:
    """Say in one line what went wrong; never with values in it."""
    if isinstance(error, asyncpg.PostgresError):
        return f"{error.args[0] if error.args else type(error).__name__} ({error.sqlstate})"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"{str(error).partition(chr(10))[0]} ({type(error).__name__})"


def translated(error: Exception) -> StorageError | None:
    """Return what to raise for an error before the commit, when nothing was written; None to let it be."""
    match error:
        case StorageError():
            return None
        case asyncpg.InterfaceError() if isinstance(error, ValueError):
            return Unstorable(f"a value cannot be stored: {type(error).__name__}")
        case asyncpg.PostgresError() if isinstance(error, BROKEN_VALUES) or error.sqlstate == TOO_LARGE:
            return Unstorable(f"a value cannot be stored: {type(error).__name__} ({error.sqlstate})")
        case asyncpg.PostgresError() | asyncpg.InternalClientError() | OSError():  # TimeoutError is an OSError
            return StorageUnavailable(reason(error))
        case asyncpg.InterfaceError() if "clos" in str(error) or "released" in str(error):
            return StorageUnavailable(reason(error))  # the connection went away between two statements
    return None  # a bug of ours


@contextmanager
def translating() -> Iterator[None]:
    """Have the body raise storage's errors, where nothing is committed."""
    try:
        yield
    except Exception as error:
        failure = translated(error)
        if failure is None:
            raise
        raise failure from error


def commit_failure(error: Exception, *, alive: bool) -> StorageError:
    """Return what to raise for a COMMIT that failed.

    An error that the server reports and survives is its word that nothing was committed. After anything else, such as a
    connection that was lost, only reading back can tell.
    """
    if alive and isinstance(error, asyncpg.PostgresError):
        return StorageUnavailable(reason(error))
    return OutcomeUnknown(f"the commit failed: {reason(error)}")
