"""What writing projections costs."""

from __future__ import annotations

import sqlite3
from functools import partial

from storage.net_changes import NetChanges
from storage.records import Change, DropItem, DropItems, PutItem, Trim
from storage.sqlite import SqliteJournal
from storage.sqlite.database import open_database
from storage.sqlite.projections import apply
from storage.sqlite.schema import known_migrations, up
from storage.sqlite.session import Session
from storage.sqlite.settings import SqliteSettings
from tests.storage.samples import a_change, an_item, appended, posts


async def statements(settings: SqliteSettings, *changes: Change) -> list[str]:
    """Append some posts with these changes, and return how each statement of the transaction begins."""
    seen: list[str] = []
    async with open_database(settings, prepare=partial(up, known=known_migrations())) as database:
        await database.prepare(lambda connection: connection.set_trace_callback(seen.append))
        await SqliteJournal(database).append([posts("r_1", 1, 2), appended(a_change("r_1", 3), changes=changes)])
    transaction = seen[seen.index("BEGIN IMMEDIATE") : seen.index("COMMIT")]
    return [" ".join(statement.split()[:3]) for statement in transaction]


PLAIN = ["BEGIN IMMEDIATE", *["INSERT INTO entries"] * 3, *["INSERT INTO messages"] * 2, "INSERT INTO rooms"]


async def test_posts_cost_no_statement_for_items(settings: SqliteSettings) -> None:
    """What most commits do not have they do not pay for."""
    assert await statements(settings) == PLAIN


async def test_items_cost_a_statement_each(settings: SqliteSettings) -> None:
    """Sweeps come before what is put after them."""
    puts = [PutItem(an_item("a")), PutItem(an_item("b"))]
    found = await statements(settings, DropItems("r_1", "pin", ""), DropItem("r_1", "pin", "c"), *puts)
    wanted = ["DELETE FROM items", *PLAIN[4:6], "DELETE FROM items", *["INSERT INTO items"] * 2, PLAIN[-1]]
    assert found == [*PLAIN[:4], *wanted]


async def test_a_trim_writes_nothing_twice(settings: SqliteSettings, session: Session) -> None:
    """Each day's trim costs as much as that day brought, however long the room's history is."""
    async with open_database(settings) as database:
        await SqliteJournal(database).append([posts("r_1", 1, 100)])

    def trim(connection: sqlite3.Connection, upto: int) -> int:
        before = connection.total_changes
        apply(connection, NetChanges([appended(a_change("r_1", 101), changes=(Trim("r_1", upto),))]))
        return connection.total_changes - before - 1  # the room's row

    written = [session.write(partial(trim, upto=upto)) for upto in (90, 90, 80, 92, 92)]
    assert written == [180, 0, 0, 4, 0]  # a message's row and its entry
