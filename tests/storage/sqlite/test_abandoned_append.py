"""An append whose caller has left while it commits: whoever asks afterwards learns how it ended."""

from __future__ import annotations

import sqlite3
import threading

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from storage.migrate import open_sqlite
from storage.net_changes import NetChanges
from storage.records import Append, RoomSnapshot, Sent
from storage.sqlite import SqliteJournal, SqliteSettings
from storage.sqlite.database import Database
from storage.sqlite.journal import _insert, _rows_of
from storage.sqlite.projections import apply
from tests.storage.samples import posts

pytestmark = pytest.mark.real_clock


async def leave_behind(database: Database, append: Append, go: threading.Event) -> None:
    """Begin an append that goes on when told, and leave it."""
    begun = threading.Event()

    def write(connection: sqlite3.Connection) -> None:
        begun.set()
        if not go.wait(30):
            raise TimeoutError
        _insert(connection, _rows_of([append]), [append])
        apply(connection, NetChanges([append]))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.write, write)
        await trio.to_thread.run_sync(begun.wait, 30)
        nursery.cancel_scope.cancel()


async def test_loading_and_looking_up_wait_for_an_append_that_was_left_behind(settings: SqliteSettings) -> None:
    """A room that ran into its deadline loads again and decides its posts by what it finds.

    What it does not find then must not appear later, or the sender is told an error for a post that everybody sees.
    """
    go = threading.Event()
    loaded: list[RoomSnapshot | None] = []
    found: list[Sent] = []
    async with open_sqlite(settings, migrate=True) as database:
        journal = SqliteJournal(database)

        async def load() -> None:
            loaded.append(await journal.load_room("r_1"))

        async def look_up() -> None:
            found.extend(await journal.find_sent("r_1", [("u_0001", "c2")]))

        await leave_behind(database, posts("r_1", 1, 2), go)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(load)
            nursery.start_soon(look_up)
            assert await journal.read("r_1", after=0, limit=10) == []  # the others do not wait
            await wait_all_tasks_blocked()
            assert (loaded, found) == ([], [])
            go.set()
    assert [snapshot.head_seq for snapshot in loaded if snapshot is not None] == [2]
    assert [sent.seq for sent in found] == [2]
