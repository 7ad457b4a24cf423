"""The ways in which JustChat can be stored, each with databases of its own that are gone afterwards.

A server that is named by a URL is used as it is; another is started for the run by what the tests start theirs with.
A mode whose server cannot be had is not silently left out: it says what is missing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import trio
from msgspec import Struct
from msgspec.structs import replace

from bench.far import far
from bench.report import Row
from bench.store_servers import Missing, Server, fresh_mongo, fresh_postgres, mongo_server_for, postgres_server_for
from bench.usage import cpu_of, machine_busy_seconds
from storage.errors import StorageError
from storage.migrations import MigrationRefused
from storage.open import Storage, StorageLimits, open_storage

T = TypeVar("T")

SQLITE = "sqlite"
POSTGRES = "postgres"
SPLIT = "postgres+mongo"
MODES = (SQLITE, POSTGRES, SPLIT)


class StoreFailed(Exception):
    """A store did not do what it must while it was measured."""


class Mode(Struct, frozen=True):
    """One way to store, ready to be opened; `scans` says that its journal's server has no indexes worth the name."""

    name: str
    url: str
    journal: str | None = None
    scans: bool = False
    servers: tuple[Server, ...] = ()

    @property
    def label(self) -> str:
        """The name, and what is to be known about the server."""
        return f"{self.name} (server scans; not a MongoDB)" if self.scans else self.name

    def server_cpu_seconds(self) -> float:
        """CPU that the servers' living processes have used so far; 0 for servers that run elsewhere."""
        return sum(cpu_of(pid).total for server in self.servers for pid in server.pids())


class StoreMeter:
    """Tells what the servers and everybody else used since it was made, with `own` the CPU of this process."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._servers = mode.server_cpu_seconds()
        self._busy = machine_busy_seconds()

    def read(self, own: float, wall: float) -> tuple[float, float]:
        """Give the servers' CPU seconds and the cores that others used; the latter 0 where servers are elsewhere."""
        servers = self._mode.server_cpu_seconds() - self._servers
        others = machine_busy_seconds() - self._busy - servers - own
        ours = all(server.ours for server in self._mode.servers)
        return servers, max(0.0, others) / max(wall, 1e-9) if ours else 0.0


def in_store(mode: Mode, work: Callable[[Storage], Awaitable[T]], *, limits: StorageLimits | None = None) -> T:
    """Run `work` in a Trio of its own with the store open and its actors running. Raises StoreFailed."""

    async def run() -> T:
        async with open_storage(mode.url, journal=mode.journal, limits=limits) as storage:
            return await work(storage)

    found: list[T] = []
    try:
        found.append(trio.run(run))
    except* (StorageError, MigrationRefused) as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise StoreFailed(f"{mode.name}: {first}") from first
    return found[0]


def not_there(name: str, reason: Missing) -> Row:
    """Make the row of a mode that could not be measured."""
    return Row(f"{name} (not measured)", {}, (str(reason),))


@contextmanager
def opened_modes(
    names: str, directory: Path, *, postgres: str, mongo: str, far_ms: float = 0.0
) -> Iterator[tuple[list[Mode], dict[str, Missing]]]:
    """Have the modes of a list with commas ready for a block, and say of the others what they miss.

    `postgres` and `mongo` are URLs, or "" to start a server; `far_ms` is how far away they seem to be, each way. Raises
    StoreFailed for a name that is no mode.
    """
    wanted = [name.strip() for name in names.split(",")]
    if unknown := [name for name in wanted if name not in MODES]:
        raise StoreFailed(f"no such mode: {', '.join(unknown)}; there are {', '.join(MODES)}")
    directory.chmod(0o711)  # a server's account, which may be another, has to get to its own folder in it
    ready: list[Mode] = []
    missing: dict[str, Missing] = {}
    with ExitStack() as stack:
        served: dict[str, Server | Missing] = {}
        if wanted != [SQLITE]:
            served[POSTGRES] = _tried(stack, lambda: postgres_server_for(directory, postgres))
        if SPLIT in wanted:
            served[SPLIT] = _tried(stack, lambda: mongo_server_for(directory, mongo))
        for name in wanted:
            try:
                mode = _mode(stack, name, directory, served)
                ready.append(_moved(stack, mode, far_ms, directory) if far_ms else mode)
            except Missing as reason:
                missing[name] = reason
        yield ready, missing


def _moved(stack: ExitStack, mode: Mode, ms: float, directory: Path) -> Mode:
    """Put a mode's servers at a distance; a file has none."""
    if mode.name == SQLITE:
        return mode
    url = stack.enter_context(far(mode.url, ms, name=f"database-{mode.name}", directory=directory))
    journal = mode.journal and stack.enter_context(far(mode.journal, ms, name="journal", directory=directory))
    return replace(mode, name=f"{mode.name}, {ms:g} ms away", url=url, journal=journal)


def _tried(stack: ExitStack, make: Callable[[], Server]) -> Server | Missing:
    try:
        server = make()
    except Missing as reason:
        return reason
    stack.callback(server.stop)
    return server


def _mode(stack: ExitStack, name: str, directory: Path, served: dict[str, Server | Missing]) -> Mode:
    if name == SQLITE:
        return Mode(SQLITE, f"sqlite:///{directory / 'bench.db'}")
    database = served[POSTGRES]
    if isinstance(database, Missing):
        raise database
    if name == POSTGRES:
        return Mode(POSTGRES, stack.enter_context(fresh_postgres(database)), servers=(database,))
    journal = served[SPLIT]
    if isinstance(journal, Missing):
        raise journal
    url, scans = stack.enter_context(fresh_mongo(journal))
    rest = stack.enter_context(fresh_postgres(database))
    return Mode(SPLIT, rest, url, scans, (database, journal))
