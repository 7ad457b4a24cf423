"""The ports in one PostgreSQL database: for sites that have one, and for more than one machine.

Everything runs on the asyncio seam. A commit is one transaction of a few round trips, however many rooms it holds, and
is durable when it returns.
"""

from __future__ import annotations

from storage.postgres.directory import PostgresDirectory
from storage.postgres.journal import PostgresJournal
from storage.postgres.open import open_postgres
from storage.postgres.pool import PostgresPool, PostgresStatistics
from storage.postgres.relations import PostgresRelations
from storage.postgres.sessions import PostgresSessions
from storage.postgres.settings import PostgresSettings

__all__ = [
    "PostgresDirectory",
    "PostgresJournal",
    "PostgresPool",
    "PostgresRelations",
    "PostgresSessions",
    "PostgresSettings",
    "PostgresStatistics",
    "open_postgres",
]
