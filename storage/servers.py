"""The backends that are servers of their own: PostgreSQL, alone or with MongoDB.

Apart from the other backends because of their drivers: they cost time and memory that an embedded store has no use for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio
from msgspec.structs import replace

from storage.backend import Backend, BackendStatistics
from storage.journal_actor import PATIENCE
from storage.mongo.settings import MongoSettings, mongo_settings
from storage.postgres import (
    PostgresDirectory,
    PostgresJournal,
    PostgresRelations,
    PostgresSessions,
    PostgresSettings,
    open_postgres,
)
from storage.split.limits import SplitLimits
from storage.split.open import SplitStore, open_split_store
from storage.url import MongoUrl, PostgresUrl, SplitUrl


@asynccontextmanager
async def open_server(
    url: PostgresUrl | SplitUrl,
    *,
    migrate: bool,
    exclusive: bool,
    deadline_seconds: float,
    fault: Callable[[str], None],
) -> AsyncIterator[Backend]:
    """Open the store; see `storage.backends`."""
    match url:
        case PostgresUrl():
            async with open_postgres(_postgres(url, deadline_seconds), migrate=migrate, exclusive=exclusive) as pool:
                yield Backend(
                    PostgresJournal(pool, fault=fault),
                    PostgresDirectory(pool),
                    PostgresSessions(pool),
                    PostgresRelations(pool),
                    # The journal is in the same database as the directory, whose probe is enough.
                    trio.lowlevel.checkpoint,
                    lambda: BackendStatistics(postgres=pool.statistics()),
                )
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

    pool = split.pool
    return Backend(
        split.journal,
        PostgresDirectory(pool),
        PostgresSessions(pool),
        PostgresRelations(pool),
        split.mongo.ping,
        statistics,
    )
