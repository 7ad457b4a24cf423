"""The PostgreSQL server that the tests of one process share, started when the first of them needs it."""

from __future__ import annotations

import atexit
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from storage.asyncio_seam import open_seam
from storage.postgres import PostgresSettings
from storage.postgres.checks import TABLES
from storage.postgres.connection import Connection
from storage.postgres.schema import known_migrations, prepare, status
from tests.support.backends import require_postgres
from tests.support.postgres_server import PostgresServer


@cache
def shared_server() -> PostgresServer:
    """Start a server, with its data in RAM where there is one; it ends with this process. Skips without PostgreSQL."""
    binaries = require_postgres()
    memory = Path("/dev/shm")
    until_the_end = ExitStack()
    atexit.register(until_the_end.close)
    made = TemporaryDirectory(
        prefix="justchat-postgres-", dir=memory if memory.is_dir() else None, ignore_cleanup_errors=True
    )
    folder = Path(until_the_end.enter_context(made))
    folder.chmod(0o711)  # the server's account has to get in
    server = until_the_end.enter_context(PostgresServer(folder, binaries=binaries, settings={"autovacuum": "off"}))
    until_the_end.callback(_stop, server)
    return server


def _stop(server: PostgresServer) -> None:
    # Not killed, for then what it shares with its children would stay in RAM for good.
    with suppress(AssertionError):  # a test that failed has left it stopped
        server.stop("immediate")


@cache
def shared_database() -> str:
    """Make one database for all tests that want an empty one; `empty` makes it so. Return its URL."""
    return shared_server().fresh_database()


async def empty(url: str) -> None:
    """Take everything out of a database, if there is something."""
    async with open_seam() as seam:
        await prepare(seam, PostgresSettings(url), _empty)


async def _empty(connection: Connection) -> None:
    if any(step.applied_at for step in await status(connection, known_migrations())):
        # Faster than TRUNCATE, which makes new files.
        await connection.execute(";".join(f"DELETE FROM {table}" for table in TABLES))
