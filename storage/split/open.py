"""Opens the split journal: both databases on one seam, checked and up to date, and the journal over them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio
from msgspec import Struct

from storage.asyncio_seam import open_seam
from storage.mongo.checks import prepare
from storage.mongo.client import MongoDatabase, open_mongo
from storage.mongo.entries import Entries
from storage.mongo.messages import Messages
from storage.mongo.settings import MongoSettings
from storage.mongo.trims import Trims
from storage.postgres.open import open_postgres
from storage.postgres.pool import PostgresPool
from storage.postgres.projections import no_fault
from storage.postgres.settings import PostgresSettings
from storage.split.commits import Commits
from storage.split.journal import SplitJournal
from storage.split.limits import SplitLimits
from storage.split.projections import Projections
from storage.split.projector import Projector
from storage.split.turns import Turns


def wall_clock_ms() -> int:
    """Return the time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class SplitStore(Struct, frozen=True):
    """Both databases and the journal over them; a directory only needs the pool."""

    pool: PostgresPool
    mongo: MongoDatabase
    journal: SplitJournal


@asynccontextmanager
async def open_split_store(
    postgres: PostgresSettings,
    mongo: MongoSettings,
    *,
    migrate: bool,
    exclusive: bool = False,
    limits: SplitLimits | None = None,
    fault: Callable[[str], None] = no_fault,
    now: Callable[[], int] = wall_clock_ms,
) -> AsyncIterator[SplitStore]:
    """Open both databases, brought up to date if `migrate` and refused otherwise, and the journal over them.

    `exclusive` asks for a site that nobody else has open. What the body raises comes out as it is.

    Raises:
        StorageUnavailable: a server does not answer, or is not fit for messages; the text says how to mend it.
        MigrationRefused: a database is newer than this program, or not JustChat's, or outdated and not to be touched.
    """
    async with (
        open_seam() as seam,
        open_postgres(postgres, migrate=migrate, exclusive=exclusive, seam=seam) as pool,
        open_mongo(mongo, seam) as database,
    ):
        await prepare(database, migrate=migrate)
        async with open_split(database, pool, limits=limits, fault=fault, now=now) as journal:
            yield SplitStore(pool, database, journal)


@asynccontextmanager
async def open_split(
    mongo: MongoDatabase,
    pool: PostgresPool,
    *,
    limits: SplitLimits | None = None,
    fault: Callable[[str], None] = no_fault,
    now: Callable[[], int] = wall_clock_ms,
) -> AsyncIterator[SplitJournal]:
    """Run the journal for the body; on leaving, appends under way end and what is behind is tried once more.

    What the body raises comes out as it is. Raises StorageUnavailable if PostgreSQL does not answer.
    """
    limits = limits or SplitLimits()
    messages = Messages(mongo)
    projections = Projections(messages, Trims(mongo), pool, fault=fault)
    mark = await projections.mark()
    failure: Exception | None = None
    commits = Commits(now=now, mark=mark)
    projector = Projector(projections, commits=commits, limits=limits, fault=fault)
    async with trio.open_nursery() as nursery:
        journal = SplitJournal(
            Entries(mongo),
            messages,
            projections,
            turns=Turns(nursery),
            commits=commits,
            projector=projector,
            limits=limits,
            fault=fault,
        )
        nursery.start_soon(projector.run)
        try:
            yield journal
        except Exception as error:  # noqa: BLE001  # raised again below
            failure = error
        finally:
            await journal.aclose()
            await projector.aclose()
            nursery.cancel_scope.cancel()
    if failure is not None:
        try:
            raise failure
        finally:
            del failure
