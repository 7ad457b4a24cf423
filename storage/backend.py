"""Which backend a URL means: opened around the storage actors, and nowhere else chosen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio
from msgspec import Struct
from msgspec.structs import replace

from storage.journal_actor import PATIENCE
from storage.memory import MemoryDirectory, MemoryJournal, MemoryStore
from storage.migrate import open_sqlite
from storage.mongo.client import MongoStatistics
from storage.mongo.settings import MongoSettings, mongo_settings
from storage.ports import Directory, Journal
from storage.postgres import PostgresDirectory, PostgresJournal, PostgresSettings, PostgresStatistics, open_postgres
from storage.postgres.projections import no_fault
from storage.split.limits import SplitLimits, SplitStatistics
from storage.split.open import SplitStore, open_split_store
from storage.sqlite import SqliteDirectory, SqliteJournal, SqliteSettings
from storage.sqlite.site_lock import site_lock
from storage.url import MemoryUrl, MongoUrl, PostgresUrl, SplitUrl, SqliteUrl, StoreUrl


class BackendStatistics(Struct, frozen=True):
    """How the databases are doing, as far as there are any with a connection."""

    postgres: PostgresStatistics | None = None
    mongo: MongoStatistics | None = None
    projections: SplitStatistics | None = None


class Backend(Struct, frozen=True):
    """The two ports as a database offers them; `probe_journal` asks the journal's own database whether it answers."""

    journal: Journal
    directory: Directory
    probe_journal: Callable[[], Awaitable[None]]
    statistics: Callable[[], BackendStatistics] = BackendStatistics


@asynccontextmanager
async def open_backend(
    url: StoreUrl,
    *,
    migrate: bool,
    exclusive: bool,
    deadline_seconds: float,
    fault: Callable[[str], None] = no_fault,
) -> AsyncIterator[Backend]:
    """Open the store, bringing its schema up to date if `migrate`; `fault` is called where its tests may end it.

    What the body raises comes out as it is. Raises as `open_storage` does.
    """
    match url:
        case MemoryUrl():
            store = MemoryStore()
            yield Backend(MemoryJournal(store), MemoryDirectory(store), _always)
        case SqliteUrl(path=path):
            settings = SqliteSettings(path, busy_seconds=PATIENCE * deadline_seconds)
            with site_lock(path, exclusive=exclusive):
                async with open_sqlite(settings, migrate=migrate) as database:
                    yield Backend(SqliteJournal(database), SqliteDirectory(database), _always)
        case PostgresUrl():
            async with open_postgres(_postgres(url, deadline_seconds), migrate=migrate, exclusive=exclusive) as pool:
                journal, directory = PostgresJournal(pool, fault=fault), PostgresDirectory(pool)
                yield Backend(journal, directory, _always, lambda: BackendStatistics(postgres=pool.statistics()))
        case SplitUrl(database=database_url, journal=journal_url):
            postgres, mongo = _postgres(database_url, deadline_seconds), _mongo(journal_url, deadline_seconds)
            split_limits = SplitLimits(project_seconds=PATIENCE * deadline_seconds)
            async with open_split_store(
                postgres, mongo, migrate=migrate, exclusive=exclusive, limits=split_limits, fault=fault
            ) as split:
                yield _split_backend(split)


def _postgres(url: PostgresUrl, deadline_seconds: float) -> PostgresSettings:
    # One statement may take as long as a failing commit is tried; see the journal actor.
    return PostgresSettings(url.dsn, command_seconds=max(0.1, 2 * PATIENCE * deadline_seconds))


def _mongo(url: MongoUrl, deadline_seconds: float) -> MongoSettings:
    # A server that cannot be found has to be given up while those who queue behind still listen.
    patience = max(0.1, PATIENCE * deadline_seconds)
    settings = mongo_settings(url.uri)
    return replace(settings, timeout_seconds=2 * patience, selection_seconds=min(settings.selection_seconds, patience))


def _split_backend(split: SplitStore) -> Backend:
    def statistics() -> BackendStatistics:
        return BackendStatistics(
            postgres=split.pool.statistics(), mongo=split.mongo.statistics(), projections=split.journal.statistics()
        )

    return Backend(split.journal, PostgresDirectory(split.pool), split.mongo.ping, statistics)


async def _always() -> None:
    # The journal is in the same database as the directory, whose probe is enough.
    await trio.lowlevel.checkpoint()
