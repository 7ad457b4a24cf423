"""The stores that the contract is tried on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from _pytest.mark.structures import ParameterSet
from msgspec import Struct

from storage.account_ports import Relations, Sessions
from storage.memory import MemoryDirectory, MemoryJournal, MemoryRelations, MemorySessions, MemoryStore
from storage.migrate import open_sqlite
from storage.mongo import mongo_settings
from storage.open import open_storage
from storage.ports import Directory, Journal
from storage.postgres import (
    PostgresDirectory,
    PostgresJournal,
    PostgresPool,
    PostgresRelations,
    PostgresSessions,
    PostgresSettings,
    open_postgres,
)
from storage.split import open_split_store
from storage.sqlite import SqliteDirectory, SqliteJournal, SqliteRelations, SqliteSessions, SqliteSettings
from tests.storage.fakes import ScriptedDirectory, ScriptedJournal
from tests.storage.mongo import server as mongo
from tests.storage.postgres.server import empty, shared_database

KINDS = (
    "memory",
    "sqlite",
    "postgres",
    "postgres+mongo",
    "memory behind actors",
    "sqlite behind actors",
    "postgres behind actors",
    "postgres+mongo behind actors",
    "fakes",
)
"""The fakes are those that the actors are tested with: they must be as good as the real thing while told nothing."""

LASTING = (
    "sqlite",
    "postgres",
    "postgres+mongo",
    "sqlite behind actors",
    "postgres behind actors",
    "postgres+mongo behind actors",
)
"""Those that keep everything when they are closed and opened again."""

IN_FULL = ("postgres behind actors", "postgres+mongo behind actors")
"""Left to the long tests: what the actors add is the same over every store, and these two are the slow ones."""


def each(kinds: Iterable[str]) -> list[ParameterSet]:
    """Make these kinds the values of a parameter."""
    return [pytest.param(kind, marks=pytest.mark.soak) if kind in IN_FULL else pytest.param(kind) for kind in kinds]


class Stores(Struct, frozen=True):
    """The ports of one store."""

    journal: Journal
    directory: Directory
    sessions: Sessions
    relations: Relations
    whole: bool = True
    """Whether an append that conflicts has written nothing at all: what a store with transactions has to do."""


def memory_stores(store: MemoryStore, *, journal: Journal | None = None, directory: Directory | None = None) -> Stores:
    """Make the ports of a store in RAM, with another journal or directory over it if one is given."""
    return Stores(
        journal or MemoryJournal(store),
        directory or MemoryDirectory(store),
        MemorySessions(store),
        MemoryRelations(store),
    )


def postgres_stores(journal: Journal, pool: PostgresPool, *, whole: bool = True) -> Stores:
    """Make the ports of a store in PostgreSQL, around its journal."""
    return Stores(journal, PostgresDirectory(pool), PostgresSessions(pool), PostgresRelations(pool), whole=whole)


@contextmanager
def ram_folder() -> Iterator[Path]:
    """Make a folder in RAM where there is one: the contract does not ask for a disk, and syncing to it takes time."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@asynccontextmanager
async def open_stores(kind: str, folder: Path) -> AsyncIterator[Stores]:
    """Open a store of this kind, empty unless it was in this folder before; one at a time."""
    if kind.endswith(" behind actors"):
        url = await _url(kind.removesuffix(" behind actors"), folder)
        journal = await _mongo(folder) if "mongo" in kind else None
        async with open_storage(url, journal=journal) as storage:
            yield Stores(storage.journal, storage.directory, storage.sessions, storage.relations, whole=journal is None)
        return
    match kind:
        case "memory":
            yield memory_stores(MemoryStore())
        case "fakes":
            store = MemoryStore()
            yield memory_stores(store, journal=ScriptedJournal(store), directory=ScriptedDirectory(store))
        case "sqlite":
            async with open_sqlite(SqliteSettings(folder / "chat.db"), migrate=True) as database:
                yield Stores(
                    SqliteJournal(database),
                    SqliteDirectory(database),
                    SqliteSessions(database),
                    SqliteRelations(database),
                )
        case "postgres":
            async with open_postgres(PostgresSettings(await _postgres(folder)), migrate=True) as pool:
                yield postgres_stores(PostgresJournal(pool), pool)
        case "postgres+mongo":
            postgres = PostgresSettings(await _postgres(folder))
            settings = mongo_settings(await _mongo(folder))
            async with open_split_store(postgres, settings, migrate=True) as store:
                yield postgres_stores(store.journal, store.pool, whole=False)
        case _:
            raise ValueError(kind)


async def _url(kind: str, folder: Path) -> str:
    match kind:
        case "memory":
            return "memory:"
        case "sqlite":
            return f"sqlite:///{folder / 'chat.db'}"
        case "postgres" | "postgres+mongo":
            return await _postgres(folder)
    raise ValueError(kind)


async def _postgres(folder: Path) -> str:
    """Give the URL of the tests' database, which is emptied when a folder is seen for the first time."""
    seen = folder / "postgres"
    if not seen.exists():
        await empty(shared_database())
        seen.touch()
    return shared_database()


async def _mongo(folder: Path) -> str:
    """Give the URL of the tests' other database, which is emptied likewise."""
    seen = folder / "mongo"
    if not seen.exists():
        await mongo.empty(mongo.shared_database())
        seen.touch()
    return mongo.shared_database()
