"""Brings a PostgreSQL database to a schema version: the executor of the numbered files.

Each step is one transaction, with its record, under an advisory lock: of programs that start at once one migrates, and
the others wait and find it done. A database that holds another program's tables, or is newer than the program, is
refused and left as it is.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from storage.asyncio_seam import AsyncioSeam, open_seam
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
from storage.postgres.checks import check_may_create, check_server, check_tables
from storage.postgres.connection import Connection, close, connect, translating
from storage.postgres.settings import PostgresSettings
from storage.postgres.site_lock import hold_site

T = TypeVar("T")

LOCK = 0x4A757374_43686174  # "JustChat"
RECORD_COLUMNS = ["applied_at", "checksum", "name", "number"]

CREATE_RECORD = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    number     integer NOT NULL PRIMARY KEY,
    name       text    NOT NULL,
    checksum   text    NOT NULL,
    applied_at bigint  NOT NULL
)
"""

# What is in the schema that we would create our tables in, without the tables of extensions.
TABLES = """
SELECT c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')
"""

COLUMNS = """
SELECT attname::text FROM pg_attribute
WHERE attrelid = 'schema_migrations'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attname
"""


def known_migrations() -> tuple[Migration, ...]:
    """Read the steps of the PostgreSQL schema."""
    return load_migrations("postgres")


async def migrate_up(settings: PostgresSettings) -> list[int]:
    """Apply every pending step; return their numbers. Raises MigrationRefused or StorageUnavailable."""
    async with open_seam() as seam:
        return await prepare(seam, settings, lambda connection: up(connection, known_migrations()))


async def migrate_down(settings: PostgresSettings, *, to: int) -> list[int]:
    """Undo every step above `to`, the latest first; return their numbers. What they hold is lost.

    Raises as `migrate_up`, and StorageInUse if a server has the database open.
    """
    async with open_seam() as seam, hold_site(seam, settings):
        return await prepare(seam, settings, lambda connection: down(connection, known_migrations(), to=to))


async def migration_status(settings: PostgresSettings) -> list[MigrationStatus]:
    """Report every known step and when it was applied; changes nothing. Raises as `up`."""
    async with open_seam() as seam:
        return await prepare(seam, settings, lambda connection: status(connection, known_migrations()))


async def prepare(
    seam: AsyncioSeam,
    settings: PostgresSettings,
    work: Callable[[Connection], Awaitable[T]],
) -> T:
    """Check the server and run something on a connection of its own, from the Trio side.

    Raises StorageUnavailable, or what `work` raises.
    """

    async def run() -> T:
        connection = await connect(settings, command_seconds=settings.migrate_seconds)
        try:
            with translating():
                await check_server(connection)
                return await work(connection)
        finally:
            await close(connection)

    return await seam.call(run)


async def up(connection: Connection, known: Sequence[Migration]) -> list[int]:
    """Apply every pending step; return their numbers. Raises MigrationRefused, or the driver's errors."""

    async def steps() -> Sequence[Migration]:
        return pending(known, await _applied(connection))

    return await _each(connection, steps, _apply)


async def down(connection: Connection, known: Sequence[Migration], *, to: int) -> list[int]:
    """Undo every step above `to`, the latest first; return their numbers. Raises as `up`."""

    async def steps() -> Sequence[Migration]:
        return undoable(known, await _applied(connection), to=to)

    return await _each(connection, steps, _undo)


async def status(connection: Connection, known: Sequence[Migration]) -> list[MigrationStatus]:
    """Report every known step. Raises MigrationRefused."""
    return status_of(known, await _applied(connection))


async def make_ready(connection: Connection, *, migrate: bool) -> None:
    """Have an up-to-date schema whose tables may be used: bring it up to date if `migrate`, else refuse another."""
    known = known_migrations()
    await check_tables(connection)
    if migrate:
        await up(connection, known)
    missing = [step.number for step in await status(connection, known) if step.applied_at is None]
    if missing:
        raise MigrationRefused(f"migrations {missing} are not applied: migrate the database first")


async def _each(
    connection: Connection,
    steps: Callable[[], Awaitable[Sequence[Migration]]],
    run: Callable[[Connection, Migration], Awaitable[None]],
) -> list[int]:
    if not await steps():  # looked at without the lock, so that an up-to-date database is opened while another migrates
        return []
    await check_may_create(connection)
    done: list[int] = []
    await connection.execute("SELECT pg_advisory_lock($1)", LOCK)  # freed by the server with the connection
    while left := await steps():  # and again with it: another program may have been faster
        async with _transaction(connection):
            await run(connection, left[0])
        done.append(left[0].number)
    await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)
    return done


@asynccontextmanager
async def _transaction(connection: Connection) -> AsyncIterator[None]:
    await connection.execute("BEGIN")
    try:
        yield
        await connection.execute("COMMIT")
    except BaseException:
        with suppress(Exception):
            await connection.execute("ROLLBACK")
        raise


async def _apply(connection: Connection, step: Migration) -> None:
    await connection.execute(CREATE_RECORD)
    await connection.execute(step.up)
    await connection.execute(
        "INSERT INTO schema_migrations (number, name, checksum, applied_at) VALUES ($1, $2, $3, $4)",
        step.number,
        step.name,
        step.checksum,
        time.time_ns() // 1_000_000,
    )


async def _undo(connection: Connection, step: Migration) -> None:
    await connection.execute(step.down)
    await connection.execute("DELETE FROM schema_migrations WHERE number = $1", step.number)


async def _applied(connection: Connection) -> list[AppliedMigration]:
    tables = {row[0] for row in await connection.fetch(TABLES)}
    ours = "schema_migrations" in tables and [row[0] for row in await connection.fetch(COLUMNS)] == RECORD_COLUMNS
    if tables and not ours:
        raise MigrationRefused(
            "this database holds tables of another program: give JustChat a database or a schema of its own"
        )
    if not tables:
        return []
    rows = await connection.fetch("SELECT number, name, checksum, applied_at FROM schema_migrations ORDER BY number")
    return [AppliedMigration(*row) for row in rows]  # type: ignore[arg-type]
