"""Migrating the store that a URL names: for `open_storage` and for operators.

A store in RAM has nothing to migrate. A journal in MongoDB has no steps, but a layout that is there or is still to be.
Every function raises MigrationRefused for a database of a newer or another program, StorageUnavailable if the store
does not answer, and UnknownStorage.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from storage.migrations import MigrationRefused, MigrationStatus, status_of
from storage.sqlite import Database, SqliteSettings, open_database
from storage.sqlite.schema import down, known_migrations, status, up
from storage.sqlite.site_lock import site_lock
from storage.url import MemoryUrl, PostgresUrl, SplitUrl, SqliteUrl, parse_url

T = TypeVar("T")


async def migrate_up(url: str, *, journal: str | None = None) -> list[int]:
    """Apply every pending migration, in order, and lay out the journal's database; return the migrations' numbers."""
    target = parse_url(url, journal=journal)
    done = await _up(target.database if isinstance(target, SplitUrl) else target)
    if isinstance(target, SplitUrl):
        from storage.mongo.migrate import lay_out  # only who uses a server pays for its driver

        await lay_out(target.journal.uri)
    return done


async def journal_is_ready(url: str, *, journal: str | None = None) -> bool | None:
    """Tell whether the journal's database is laid out; None where the journal has none of its own. Changes nothing."""
    target = parse_url(url, journal=journal)
    if not isinstance(target, SplitUrl):
        return None
    from storage.mongo.migrate import is_laid_out  # only who uses a server pays for its driver

    return await is_laid_out(target.journal.uri)


async def _up(target: MemoryUrl | SqliteUrl | PostgresUrl) -> list[int]:
    match target:
        case MemoryUrl():
            return []
        case SqliteUrl(path=path):
            return await _run(SqliteSettings(path), partial(up, known=known_migrations()))
        case PostgresUrl(dsn=dsn):
            from storage.postgres import PostgresSettings, schema  # only who uses a server pays for its driver

            return await schema.migrate_up(PostgresSettings(dsn))


async def migrate_down(url: str, *, to: int) -> list[int]:
    """Undo every migration above `to`, the latest first; return their numbers. What they hold is lost.

    Raises StorageInUse if a server has the store open.
    """
    match _migrated(url):
        case MemoryUrl():
            return []
        case SqliteUrl(path=path):
            with site_lock(path, exclusive=True):
                return await _run(SqliteSettings(path), partial(down, known=known_migrations(), to=to))
        case PostgresUrl(dsn=dsn):
            from storage.postgres import PostgresSettings, schema  # only who uses a server pays for its driver

            return await schema.migrate_down(PostgresSettings(dsn), to=to)


async def migration_status(url: str) -> list[MigrationStatus]:
    """Report every known migration and when it was applied; changes nothing and creates no file."""
    match _migrated(url):
        case MemoryUrl():
            return []
        case SqliteUrl(path=path):
            if not path.exists():
                return status_of(known_migrations(), [])
            return await _run(SqliteSettings(path), partial(status, known=known_migrations()))
        case PostgresUrl(dsn=dsn):
            from storage.postgres import PostgresSettings, schema  # only who uses a server pays for its driver

            return await schema.migration_status(PostgresSettings(dsn))


def _migrated(url: str) -> MemoryUrl | SqliteUrl | PostgresUrl:
    target = parse_url(url)
    return target.database if isinstance(target, SplitUrl) else target


@asynccontextmanager
async def open_sqlite(settings: SqliteSettings, *, migrate: bool) -> AsyncIterator[Database]:
    """Open a SQLite file with an up-to-date schema: brought up to date if `migrate`, refused otherwise."""
    async with open_database(settings, prepare=partial(_prepare, migrate=migrate)) as database:
        yield database


async def _run(settings: SqliteSettings, work: Callable[[sqlite3.Connection], T]) -> T:
    async with open_database(settings) as database:
        return await database.prepare(work)


def _prepare(connection: sqlite3.Connection, *, migrate: bool) -> None:
    known = known_migrations()
    if migrate:
        up(connection, known)
        return
    missing = [step.number for step in status(connection, known) if step.applied_at is None]
    if missing:
        raise MigrationRefused(f"migrations {missing} are not applied: migrate the database first")
