"""Which backend a URL means: opened around the storage actors, and nowhere else chosen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from storage.backend import Backend, no_fault
from storage.journal_actor import PATIENCE
from storage.memory import MemoryDirectory, MemoryJournal, MemoryRelations, MemorySessions, MemoryStore
from storage.migrate import open_sqlite
from storage.sqlite import SqliteDirectory, SqliteJournal, SqliteRelations, SqliteSessions, SqliteSettings
from storage.sqlite.site_lock import site_lock
from storage.url import MemoryUrl, SqliteUrl, StoreUrl


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
            yield Backend(MemoryJournal(store), MemoryDirectory(store), MemorySessions(store), MemoryRelations(store))
        case SqliteUrl(path=path):
            settings = SqliteSettings(path, busy_seconds=PATIENCE * deadline_seconds)
            with site_lock(path, exclusive=exclusive):
                async with open_sqlite(settings, migrate=migrate) as database:
                    yield Backend(
                        SqliteJournal(database),
                        SqliteDirectory(database),
                        SqliteSessions(database),
                        SqliteRelations(database),
                    )
        case _:
            from storage.servers import open_server  # only who uses a server pays for its driver

            async with open_server(
                url, migrate=migrate, exclusive=exclusive, deadline_seconds=deadline_seconds, fault=fault
            ) as backend:
                yield backend
