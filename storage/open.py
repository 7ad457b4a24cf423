"""Opens the store that a URL names, with its actors running.

It owns the storage tree: the backend outermost, and in it a nursery with a supervisor and the storage actors. An actor
that crashes more often than its policy allows ends the tree, for nothing works without storage. Further backends are
chosen here and nowhere else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import trio
from msgspec import Struct

from actors import ChildStatistics, RestartPolicy, Supervisor
from storage.directory_actor import DirectoryActor, DirectoryLimits, DirectoryStatistics
from storage.journal_actor import PATIENCE, JournalActor, JournalLimits, JournalStatistics
from storage.memory import MemoryDirectory, MemoryJournal, MemoryStore
from storage.migrate import open_sqlite
from storage.ports import Directory, Journal
from storage.sqlite import SqliteDirectory, SqliteJournal, SqliteSettings
from storage.sqlite.site_lock import site_lock
from storage.url import MemoryUrl, PostgresUrl, SplitUrl, SqliteUrl, StoreUrl, UnknownStorage, parse_url


class StorageLimits(Struct, frozen=True):
    """The bounds of both storage actors."""

    journal: JournalLimits = JournalLimits()
    directory: DirectoryLimits = DirectoryLimits()


class StorageStatistics(Struct, frozen=True):
    """How storage is doing."""

    ready: bool
    journal: JournalStatistics
    directory: DirectoryStatistics
    actors: list[ChildStatistics]


class Storage:
    """The two ports, each an actor."""

    __slots__ = ("_supervisor", "directory", "journal")

    def __init__(self, journal: JournalActor, directory: DirectoryActor, supervisor: Supervisor) -> None:
        self.journal = journal
        self.directory = directory
        self._supervisor = supervisor

    @property
    def ready(self) -> bool:
        """Whether the store answers."""
        return self.directory.ready

    def statistics(self) -> StorageStatistics:
        """Report everything."""
        return StorageStatistics(
            ready=self.ready,
            journal=self.journal.statistics(),
            directory=self.directory.statistics(),
            actors=self._supervisor.children(),
        )


class _Backend(Struct, frozen=True):
    journal: Journal
    directory: Directory


@asynccontextmanager
async def open_storage(
    url: str,
    *,
    journal: str | None = None,
    migrate: bool = True,
    exclusive: bool = False,
    limits: StorageLimits | None = None,
    random: Random | None = None,
) -> AsyncIterator[Storage]:
    """Open the store that `url` names; bring its schema up to date first, or refuse an outdated one if not `migrate`.

    `journal` names another database for the journal. `exclusive` asks for a store that nobody else has open. `random`
    gives the jitter of restarts. What the body raises comes out in the exception group of a nursery, as does
    ActorEscalated when a storage actor gives up, which cancels the body.

    Raises:
        UnknownStorage: a ValueError.
        StorageUnavailable: the store does not answer.
        StorageInUse: another program has it open, and one of the two wants it for itself alone.
        MigrationRefused: its schema is newer than this program, or not JustChat's, or outdated and not to be touched.
    """
    limits = limits or StorageLimits()
    target = parse_url(url, journal=journal)
    async with _open_backend(target, migrate=migrate, exclusive=exclusive, limits=limits) as backend:
        journal_actor = JournalActor(backend.journal, limits=limits.journal)
        directory = DirectoryActor(backend.directory, limits=limits.directory)
        await directory.probe()  # out here, where what it raises is not wrapped into a group
        async with trio.open_nursery() as nursery:
            supervisor = Supervisor(nursery, policy=RestartPolicy(escalate=True), random=random or Random())  # noqa: S311
            journal_actor.start(supervisor)
            directory.start(supervisor)
            yield Storage(journal_actor, directory, supervisor)
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def _open_backend(
    url: StoreUrl, *, migrate: bool, exclusive: bool, limits: StorageLimits
) -> AsyncIterator[_Backend]:
    match url:
        case MemoryUrl():
            store = MemoryStore()
            yield _Backend(MemoryJournal(store), MemoryDirectory(store))
        case SqliteUrl(path=path):
            settings = SqliteSettings(path, busy_seconds=PATIENCE * limits.journal.deadline_seconds)
            with site_lock(path, exclusive=exclusive):
                async with open_sqlite(settings, migrate=migrate) as database:
                    yield _Backend(SqliteJournal(database), SqliteDirectory(database))
        case PostgresUrl() | SplitUrl():
            raise UnknownStorage("not yet")
