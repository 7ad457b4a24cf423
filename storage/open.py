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
from storage.url import MemoryUrl, SqliteUrl, parse_url


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
    url: str, *, migrate: bool = True, limits: StorageLimits | None = None, random: Random | None = None
) -> AsyncIterator[Storage]:
    """Open the store that `url` names; bring its schema up to date first, or refuse an outdated one if not `migrate`.

    `random` gives the jitter of restarts. What the body raises comes out in the exception group of a nursery, as does
    ActorEscalated when a storage actor gives up, which cancels the body.

    Raises:
        UnknownStorage: a ValueError.
        StorageUnavailable: the store does not answer.
        MigrationRefused: its schema is newer than this program, or not JustChat's, or outdated and not to be touched.
    """
    limits = limits or StorageLimits()
    async with _open_backend(parse_url(url), migrate=migrate, limits=limits) as backend:
        journal = JournalActor(backend.journal, limits=limits.journal)
        directory = DirectoryActor(backend.directory, limits=limits.directory)
        await directory.probe()  # out here, where what it raises is not wrapped into a group
        async with trio.open_nursery() as nursery:
            supervisor = Supervisor(nursery, policy=RestartPolicy(escalate=True), random=random or Random())  # noqa: S311
            journal.start(supervisor)
            directory.start(supervisor)
            yield Storage(journal, directory, supervisor)
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def _open_backend(url: MemoryUrl | SqliteUrl, *, migrate: bool, limits: StorageLimits) -> AsyncIterator[_Backend]:
    match url:
        case MemoryUrl():
            store = MemoryStore()
            yield _Backend(MemoryJournal(store), MemoryDirectory(store))
        case SqliteUrl(path=path):
            settings = SqliteSettings(path, busy_seconds=PATIENCE * limits.journal.deadline_seconds)
            async with open_sqlite(settings, migrate=migrate) as database:
                yield _Backend(SqliteJournal(database), SqliteDirectory(database))
