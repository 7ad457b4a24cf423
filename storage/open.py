"""Opens the store that a URL names, with its actors running.

It owns the storage tree: the backend outermost, and in it a nursery with a supervisor and the storage actors. An actor
that crashes more often than its policy allows ends the tree, for nothing works without storage.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import trio
from msgspec import Struct

from actors import ChildStatistics, RestartPolicy, Supervisor
from storage.account_ports import Relations, Sessions
from storage.backend import BackendStatistics, no_fault
from storage.backends import open_backend
from storage.directory_actor import DirectoryActor, DirectoryLimits, DirectoryStatistics
from storage.gated_relations import GatedRelations
from storage.gated_sessions import GatedSessions
from storage.journal_actor import JournalActor, JournalLimits, JournalStatistics
from storage.url import parse_url


class StorageLimits(Struct, frozen=True):
    """The bounds of both storage actors."""

    journal: JournalLimits = JournalLimits()
    directory: DirectoryLimits = DirectoryLimits()


class StorageStatistics(Struct, frozen=True):
    """How storage is doing."""

    ready: bool
    journal: JournalStatistics
    directory: DirectoryStatistics
    backend: BackendStatistics
    actors: list[ChildStatistics]


class Storage:
    """The ports. Journal and directory are actors; sessions and relations go through the directory's gate."""

    __slots__ = ("_backend", "_supervisor", "directory", "journal", "relations", "sessions")

    def __init__(
        self,
        journal: JournalActor,
        directory: DirectoryActor,
        supervisor: Supervisor,
        backend: Callable[[], BackendStatistics] = BackendStatistics,
        *,
        sessions: Sessions,
        relations: Relations,
    ) -> None:
        """Take the actors, the other ports' backends and how to ask the databases for their figures."""
        self.journal = journal
        self.directory = directory
        self.sessions = GatedSessions(sessions, directory.gate)
        self.relations = GatedRelations(relations, directory.gate)
        self._supervisor = supervisor
        self._backend = backend

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
            backend=self._backend(),
            actors=self._supervisor.children(),
        )


@asynccontextmanager
async def open_storage(
    url: str,
    *,
    journal: str | None = None,
    migrate: bool = True,
    exclusive: bool = False,
    limits: StorageLimits | None = None,
    random: Random | None = None,
    fault: Callable[[str], None] = no_fault,
) -> AsyncIterator[Storage]:
    """Open the store that `url` names; bring its schema up to date first, or refuse an outdated one if not `migrate`.

    `journal` names another database for the journal. `exclusive` asks for a store that nobody else has open. `random`
    gives the jitter of restarts. `fault` is called where tests may end the process: see the backends. What the body
    raises comes out in the exception group of a nursery, as does ActorEscalated when a storage actor gives up, which
    cancels the body.

    Raises:
        UnknownStorage: a ValueError.
        StorageUnavailable: the store does not answer.
        StorageInUse: another program has it open, and one of the two wants it for itself alone.
        MigrationRefused: its schema is newer than this program, or not JustChat's, or outdated and not to be touched.
    """
    limits = limits or StorageLimits()
    target = parse_url(url, journal=journal)
    seconds = limits.journal.deadline_seconds
    async with open_backend(
        target, migrate=migrate, exclusive=exclusive, deadline_seconds=seconds, fault=fault
    ) as backend:
        directory = DirectoryActor(backend.directory, limits=limits.directory, probe_journal=backend.probe_journal)
        journal_actor = JournalActor(backend.journal, limits=limits.journal, on_failure=directory.suspect)
        await directory.probe()  # out here, where what it raises is not wrapped into a group
        async with trio.open_nursery() as nursery:
            supervisor = Supervisor(nursery, policy=RestartPolicy(escalate=True), random=random or Random())  # noqa: S311
            journal_actor.start(supervisor)
            directory.start(supervisor)
            yield Storage(
                journal_actor,
                directory,
                supervisor,
                backend.statistics,
                sessions=backend.sessions,
                relations=backend.relations,
            )
            nursery.cancel_scope.cancel()
