"""The stores that the contract is tried on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from storage.memory import MemoryDirectory, MemoryJournal, MemoryStore
from storage.migrate import open_sqlite
from storage.open import open_storage
from storage.ports import Directory, Journal
from storage.sqlite import SqliteDirectory, SqliteJournal, SqliteSettings
from tests.storage.fakes import ScriptedDirectory, ScriptedJournal

KINDS = ("memory", "sqlite", "memory behind actors", "sqlite behind actors", "fakes")
"""The fakes are those that the actors are tested with: they must be as good as the real thing while told nothing."""

LASTING = ("sqlite", "sqlite behind actors")
"""Those that keep everything when they are closed and opened again."""


class Stores(Struct, frozen=True):
    """The two ports of one store."""

    journal: Journal
    directory: Directory


@contextmanager
def ram_folder() -> Iterator[Path]:
    """Make a folder in RAM where there is one: the contract does not ask for a disk, and syncing to it takes time."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@asynccontextmanager
async def open_stores(kind: str, folder: Path) -> AsyncIterator[Stores]:
    """Open a store of this kind; what lasts is in `folder`."""
    match kind:
        case "memory" | "fakes":
            store = MemoryStore()
            if kind == "memory":
                yield Stores(MemoryJournal(store), MemoryDirectory(store))
            else:
                yield Stores(ScriptedJournal(store), ScriptedDirectory(store))
        case "sqlite":
            async with open_sqlite(SqliteSettings(folder / "chat.db"), migrate=True) as database:
                yield Stores(SqliteJournal(database), SqliteDirectory(database))
        case "memory behind actors" | "sqlite behind actors":
            url = "memory:" if kind.startswith("memory") else f"sqlite:///{folder / 'chat.db'}"
            async with open_storage(url) as storage:
                yield Stores(storage.journal, storage.directory)
        case _:
            raise ValueError(kind)
