"""Migrating a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

import pytest
from msgspec.structs import astuple, replace

from storage.migrations import Migration, MigrationRefused
from storage.records import PutItem, ReadMark, RoomSnapshot
from storage.sqlite import SqliteDirectory, SqliteJournal, SqliteRelations, SqliteSessions, open_database
from storage.sqlite.connection import connect
from storage.sqlite.schema import down, known_migrations, statements, status, up
from storage.sqlite.settings import SqliteSettings
from tests.storage.samples import a_change, a_member, a_room, a_session, a_user, an_item, appended, joined, posts

STEPS = (
    Migration(1, "start", "CREATE TABLE a (x);\nINSERT INTO a VALUES (1);\n", "DROP TABLE a;\n", "sum1"),
    Migration(
        2,
        "more",
        "CREATE TABLE b (x);\nALTER TABLE a ADD COLUMN y;\n",
        "DROP TABLE b;\nALTER TABLE a DROP COLUMN y;",
        "sum2",
    ),
    Migration(3, "index", "CREATE INDEX c ON b (x);\n", "DROP INDEX c;\n", "sum3"),
)


@pytest.fixture
def connection(settings: SqliteSettings) -> Iterator[sqlite3.Connection]:
    """Open an empty file."""
    with closing(connect(settings, read_only=False)) as opened:
        yield opened


def tables(connection: sqlite3.Connection) -> set[str]:
    """Name what the schema holds, but for the record of migrations."""
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")}
    return names - {"schema_migrations"}


def test_all_steps_are_applied_once_and_in_order(connection: sqlite3.Connection) -> None:
    """A new file gets everything, and a second start finds nothing to do."""
    assert up(connection, STEPS) == [1, 2, 3]
    assert up(connection, STEPS) == []
    assert tables(connection) == {"a", "b", "c"}
    assert [(step.number, step.name, step.applied_at is not None) for step in status(connection, STEPS)] == [
        (1, "start", True),
        (2, "more", True),
        (3, "index", True),
    ]


def test_only_what_is_missing_is_applied(connection: sqlite3.Connection) -> None:
    """An upgrade goes on where the last one stopped."""
    up(connection, STEPS[:1])
    connection.execute("INSERT INTO a VALUES (2)")
    assert [step.applied_at is not None for step in status(connection, STEPS)] == [True, False, False]
    assert up(connection, STEPS) == [2, 3]
    assert connection.execute("SELECT count(*) FROM a").fetchone() == (2,)


def test_steps_are_undone_latest_first(connection: sqlite3.Connection) -> None:
    """Going back to a number leaves exactly the steps up to it, and forward works again from there."""
    up(connection, STEPS)
    assert down(connection, STEPS, to=1) == [3, 2]
    assert tables(connection) == {"a"}
    assert down(connection, STEPS, to=1) == []
    assert up(connection, STEPS) == [2, 3]
    assert down(connection, STEPS, to=0) == [3, 2, 1]
    assert tables(connection) == set()
    with pytest.raises(MigrationRefused, match="no migration 4"):
        down(connection, STEPS, to=4)


def test_a_step_that_fails_leaves_nothing_of_itself(connection: sqlite3.Connection) -> None:
    """A step is one transaction: after its error the database is as the step before left it."""
    broken = replace(STEPS[1], up="CREATE TABLE b (x);\nINSERT INTO nowhere VALUES (1);\n")
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        up(connection, (STEPS[0], broken))
    assert tables(connection) == {"a"}
    assert not connection.in_transaction
    assert up(connection, STEPS) == [2, 3]


def test_a_newer_database_is_refused(connection: sqlite3.Connection) -> None:
    """An old program does not touch what it does not know: not up, not down."""
    up(connection, STEPS)
    for refused in (up, status):
        with pytest.raises(MigrationRefused, match="migration 3, this program knows 2"):
            refused(connection, STEPS[:2])
    with pytest.raises(MigrationRefused, match="newer program"):
        down(connection, STEPS[:2], to=0)
    assert tables(connection) == {"a", "b", "c"}


def test_a_step_that_was_edited_after_its_release_is_refused(connection: sqlite3.Connection) -> None:
    """Two databases with the same number have the same schema, or are told apart."""
    up(connection, STEPS)
    with pytest.raises(MigrationRefused, match="another file"):
        up(connection, (STEPS[0], replace(STEPS[1], checksum="edited"), STEPS[2]))


def test_the_database_of_another_program_is_refused(connection: sqlite3.Connection) -> None:
    """A wrong path does not put our tables among somebody else's."""
    connection.execute("CREATE TABLE bookmarks (url)")
    with pytest.raises(MigrationRefused, match="another program"):
        up(connection, STEPS)
    assert tables(connection) == {"bookmarks"}


def test_programs_that_start_at_once_apply_each_step_once(settings: SqliteSettings) -> None:
    """The lock makes one wait for the other, and who waited finds the work done."""
    patient = replace(settings, busy_seconds=5.0)

    def start(_: int) -> list[int]:
        with closing(connect(patient, read_only=False)) as own:
            return up(own, STEPS)

    with ThreadPoolExecutor(4) as pool:
        applied = [number for numbers in pool.map(start, range(4)) for number in numbers]
    assert sorted(applied) == [1, 2, 3]


def test_a_step_that_another_program_applied_just_before_is_not_applied_again(
    connection: sqlite3.Connection, settings: SqliteSettings
) -> None:
    """What was seen without the lock is looked at again with it."""
    with closing(connect(settings, read_only=False)) as faster:

        def overtake(statement: str) -> None:
            if statement == "BEGIN IMMEDIATE":
                connection.set_trace_callback(None)
                assert up(faster, STEPS) == [1, 2, 3]

        connection.set_trace_callback(overtake)
        assert up(connection, STEPS) == []


def test_an_up_to_date_database_is_opened_while_another_program_writes(
    connection: sqlite3.Connection, settings: SqliteSettings
) -> None:
    """Looking takes no lock."""
    up(connection, STEPS)
    with closing(connect(settings, read_only=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert up(connection, STEPS) == []
        other.execute("ROLLBACK")


def test_the_shipped_schema_goes_up_and_down_and_up(connection: sqlite3.Connection) -> None:
    """What is released can be undone, to the last index."""
    known = known_migrations()
    everything = [step.number for step in known]
    assert up(connection, known) == everything
    shipped = tables(connection)
    assert {"users", "rooms", "members", "entries", "messages", "sessions", "avatars"} <= shipped
    assert down(connection, known, to=0) == everything[::-1]
    assert tables(connection) == set()
    assert up(connection, known) == everything
    assert tables(connection) == shipped
    kinds = connection.execute("SELECT name, strict FROM pragma_table_list WHERE type = 'table' AND schema = 'main'")
    assert {name for name, strict in kinds if not strict} == {"sqlite_schema"}


async def test_a_file_from_before_items_keeps_everything(settings: SqliteSettings) -> None:
    """Up with what is there, and down again without the items alone."""
    known = known_migrations()
    item = an_item("u_1", kind="ban", held=True)
    async with open_database(settings, prepare=partial(up, known=known[:3])) as database:
        await SqliteJournal(database).append([joined("r_1", 1, "u_0001"), posts("r_1", 2, 3)])
    async with open_database(settings, prepare=partial(up, known=known)) as database:
        journal = SqliteJournal(database)
        assert await journal.load_room("r_1") == RoomSnapshot(a_room(seq=3), (a_member(),), 3)
        await journal.append([appended(a_change("r_1", 4), changes=(PutItem(item),))])
        assert (await journal.load_room("r_1") or RoomSnapshot(None, (), 0)).items == (item,)
    async with open_database(settings, prepare=partial(down, known=known, to=3)) as database:
        assert len(await SqliteJournal(database).messages("r_1", limit=9)) == 2
        assert len(await SqliteJournal(database).read("r_1", after=0, limit=9)) == 4


async def test_whoever_was_a_member_before_there_were_markers_has_read_everything(settings: SqliteSettings) -> None:
    """Nobody finds all that was ever said unread; down again, markers are all that goes."""
    known = known_migrations()
    async with open_database(settings, prepare=partial(up, known=known[:5])) as database:
        await SqliteJournal(database).append([joined("r_1", 1, "u_1", "u_2"), posts("r_1", 2, 5)])
    async with open_database(settings, prepare=partial(up, known=known)) as database:
        marks = await SqliteRelations(database).all_read_marks(limit=9)
        assert marks == [ReadMark("u_1", "r_1", 5, 5), ReadMark("u_2", "r_1", 5, 5)]
    async with open_database(settings, prepare=partial(down, known=known, to=5)) as database:
        assert len(await SqliteJournal(database).messages("r_1", limit=9)) == 4


OLD_USER = """
INSERT INTO users (id, username, name_key, display_name, email, password_hash, role, created_at, disabled)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


async def test_accounts_from_before_they_had_more_are_as_they_were(settings: SqliteSettings) -> None:
    """They are active, have never been changed or seen, and can be; down again they lose what is new and no more."""
    known = known_migrations()
    old = a_user(1, email="a@example.org")
    async with open_database(settings, prepare=partial(up, known=known[:4])) as database:
        await database.write(lambda connection: connection.execute(OLD_USER, astuple(old)[:9]))
    async with open_database(settings, prepare=partial(up, known=known)) as database:
        directory, sessions = SqliteDirectory(database), SqliteSessions(database)
        assert await directory.all_users(limit=9) == [old]
        await directory.change_user(replace(old, rev=2, bio="new", state="leaving", avatar="a", email_verified=True))
        await sessions.create_session(a_session(1), most=9)
        await SqliteRelations(database).seen({old.id: 5})
    async with open_database(settings, prepare=partial(down, known=known, to=4)) as database:
        left = await database.read(lambda connection: connection.execute("SELECT * FROM users").fetchall())
        assert left == [astuple(old)[:9]]
    async with open_database(settings, prepare=partial(up, known=known)) as database:
        assert await SqliteDirectory(database).all_users(limit=9) == [old]
        assert await SqliteSessions(database).all_sessions(limit=9) == []


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        ("-- nothing\n", []),
        ("A;\nB;\n", ["A;\n", "B;\n"]),
        ("A;", ["A;"]),
        ("-- why; because\nA\n  (x);\n\n-- end\n", ["-- why; because\nA\n  (x);\n"]),
        ("INSERT INTO a VALUES (';\n');\n", ["INSERT INTO a VALUES (';\n');\n"]),
        (
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  DELETE FROM b;\nEND;\nB;\n",
            ["CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  DELETE FROM b;\nEND;\n", "B;\n"],
        ),
    ],
)
def test_a_script_is_split_where_its_statements_end(script: str, expected: list[str]) -> None:
    """Semicolons in comments, texts and triggers end nothing."""
    assert list(statements(script)) == expected


def test_a_script_without_its_last_semicolon_is_noticed() -> None:
    """A statement that is cut off is an error, not a step that does less."""
    with pytest.raises(ValueError, match="not complete: CREATE TABLE b"):
        list(statements("CREATE TABLE a (x);\nCREATE TABLE b (x)\n"))
