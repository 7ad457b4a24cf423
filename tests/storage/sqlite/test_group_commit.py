"""The storage actors on a real file: group commit counted in SQLite, and faults seen from above."""

from __future__ import annotations

from contextlib import closing
from random import Random

import pytest
import trio

from actors import RestartPolicy, Supervisor
from storage.errors import Conflict, OutcomeUnknown, StorageUnavailable
from storage.journal_actor import JournalActor, JournalLimits
from storage.migrate import open_sqlite
from storage.open import StorageLimits, open_storage
from storage.sqlite import SqliteJournal, SqliteSettings
from storage.sqlite.connection import connect
from tests.storage.samples import a_post, appended, posts

pytestmark = pytest.mark.real_clock


async def test_rooms_that_wait_together_share_a_commit(settings: SqliteSettings) -> None:
    """Fifty appends at once are few transactions, each of them a whole number of appends.

    It is what makes a durable commit cheap: the disk is waited for once, not fifty times.
    """
    statements: list[str] = []
    async with open_sqlite(settings, migrate=True) as database, trio.open_nursery() as nursery:
        await database.prepare(lambda connection: connection.set_trace_callback(statements.append))
        journal = JournalActor(SqliteJournal(database))
        journal.start(Supervisor(nursery, policy=RestartPolicy(), random=Random(1)))
        async with trio.open_nursery() as writers:
            for number in range(50):
                writers.start_soon(journal.append, [posts(f"r_{number}", 1, 2)])
        figures = journal.statistics()
        nursery.cancel_scope.cancel()
    assert statements.count("COMMIT") == figures.commits <= 3
    assert (figures.entries, figures.failed_commits) == (100, 0)
    assert figures.batch_max >= 34


async def test_a_guilty_room_fails_alone(settings: SqliteSettings) -> None:
    """A conflict in a shared commit costs the others nothing but a second commit."""
    outcomes: dict[str, str] = {}
    async with open_storage(f"sqlite:///{settings.path}") as storage:
        await storage.journal.append([posts("r_3", 1, 1)])

        async def write(room: str) -> None:
            try:
                await storage.journal.append([posts(room, 1, 1)])
            except Conflict as conflict:
                outcomes[room] = f"{conflict.kind} {conflict.room}"
            else:
                outcomes[room] = "written"

        async with trio.open_nursery() as writers:
            for number in range(8):
                writers.start_soon(write, f"r_{number}")
    assert outcomes == {f"r_{number}": "written" for number in range(8)} | {"r_3": "seq r_3"}


async def test_a_locked_database_refuses_writes_and_nothing_else(settings: SqliteSettings) -> None:
    """While another program holds the lock every append is known not to be written, before its deadline."""
    limits = StorageLimits(journal=JournalLimits(deadline_seconds=2.0))
    errors: list[StorageUnavailable] = []
    async with open_storage(f"sqlite:///{settings.path}", limits=limits) as storage:
        await storage.journal.append([posts("r_0", 1, 1)])

        async def write(room: str) -> None:
            try:
                await storage.journal.append([posts(room, 1, 1)])
            except StorageUnavailable as error:
                errors.append(error)

        with closing(connect(settings, read_only=False)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with trio.open_nursery() as writers:
                for number in range(1, 6):
                    writers.start_soon(write, f"r_{number}")
            assert [entry.seq for entry in await storage.journal.read("r_0", after=0, limit=10)] == [1]
            await storage.directory.probe()
            other.execute("ROLLBACK")
        assert [isinstance(error, OutcomeUnknown) for error in errors] == [False] * 5
        for number in range(1, 6):
            assert await storage.journal.load_room(f"r_{number}") is None
            await storage.journal.append([posts(f"r_{number}", 1, 1)])


async def test_a_full_database_refuses_what_does_not_fit(settings: SqliteSettings) -> None:
    """The room whose entries are too large for what is left is refused; the others that share its commit are not."""
    async with open_sqlite(settings, migrate=True) as database, trio.open_nursery() as nursery:
        journal = JournalActor(SqliteJournal(database))
        journal.start(Supervisor(nursery, policy=RestartPolicy(), random=Random(1)))
        await journal.append([posts("r_0", 1, 1)])
        (pages,) = await database.read(lambda connection: connection.execute("PRAGMA page_count").fetchone())
        await database.prepare(
            lambda connection: connection.execute(f"PRAGMA max_page_count = {pages + 10}").fetchone()
        )
        refused: list[tuple[str, type[Exception]]] = []

        async def write(room: str, text: str) -> None:
            try:
                await journal.append([appended(a_post(room, 1, text=text))])
            except StorageUnavailable as error:
                refused.append((room, type(error)))

        async with trio.open_nursery() as writers:
            writers.start_soon(write, "r_large", "x" * 100_000)
            for number in range(1, 4):
                writers.start_soon(write, f"r_{number}", "small")
        assert refused == [("r_large", StorageUnavailable)]
        for number in range(1, 4):
            assert len(await journal.read(f"r_{number}", after=0, limit=10)) == 1
        nursery.cancel_scope.cancel()
