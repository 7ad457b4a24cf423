"""Opening a store by its URL, and what ends with it."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trio

from actors.errors import ActorEscalated
from storage.errors import StorageInUse, StorageUnavailable
from storage.journal_actor import JournalLimits
from storage.migrate import migrate_down, migrate_up, migration_status
from storage.migrations import MigrationRefused
from storage.open import StorageLimits, open_storage
from storage.url import (
    MemoryUrl,
    MongoUrl,
    PostgresUrl,
    SplitUrl,
    SqliteUrl,
    UnknownStorage,
    parse_url,
    without_password,
)
from tests.storage.contract.backends import ram_folder
from tests.storage.samples import posts


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make an empty folder."""
    with ram_folder() as made:
        yield made


def names(folder: Path) -> list[str]:
    """List a folder."""
    return [file.name for file in folder.iterdir()]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("memory:", MemoryUrl()),
        ("memory://", MemoryUrl()),
        ("sqlite:///chat.db", SqliteUrl(Path("chat.db"))),
        ("sqlite:///data/chat.db", SqliteUrl(Path("data/chat.db"))),
        ("sqlite:////var/lib/chat.db", SqliteUrl(Path("/var/lib/chat.db"))),
        ("sqlite:///a b%20c.db", SqliteUrl(Path("a b%20c.db"))),
        ("postgres://u:p@host/db", PostgresUrl("postgres://u:p@host/db")),
        ("postgresql:///db?host=/run", PostgresUrl("postgresql:///db?host=/run")),
    ],
)
def test_a_url_names_a_store(url: str, expected: object) -> None:
    """Three slashes and a relative path, four and an absolute one, as in SQLAlchemy."""
    assert parse_url(url) == expected


UNKNOWN = (
    "",
    "chat.db",
    "sqlite:",
    "sqlite://chat.db",
    "sqlite:///",
    "sqlite:///:memory:",
    "sqlite:///x?mode=ro",
    "SQLITE:///x",
    "sqlite:///a\0b",
    "mysql://u:secret@host/db",
    "mongodb://u:secret@host/db",
)


@pytest.mark.parametrize("url", UNKNOWN)
def test_an_unknown_url_is_refused_without_being_repeated(url: str) -> None:
    """The message says what would be right, and never shows a password."""
    with pytest.raises(UnknownStorage) as caught:
        parse_url(url)
    assert isinstance(caught.value, ValueError)
    assert "memory:" in str(caught.value) or "path of a file" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_journal_may_be_in_a_database_of_its_own() -> None:
    """MongoDB beside PostgreSQL, and nothing else."""
    database, journal = "postgres://u:secret@host/db", "mongodb://u:secret@host/db"
    both = SplitUrl(PostgresUrl(database), MongoUrl(journal))
    assert parse_url(database, journal=journal) == both
    assert parse_url(database, journal=database) == parse_url(database, journal=None) == PostgresUrl(database)
    assert "secret" not in repr(both)
    for first, second in (("sqlite:///x", journal), ("memory:", journal), (database, "sqlite:///x"), (database, "x")):
        with pytest.raises(UnknownStorage) as caught:
            parse_url(first, journal=second)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("postgres://u:secret@h:1/db?x=y", "postgres://u:***@h:1/db?x=y"),
        ("mongodb://u:sec:r@et@h/db", "mongodb://u:***@h/db"),
        ("postgres://[secret@h", "postgres…"),
        ("u:secret@h", "u…"),
        ("sqlite:///a/b.db", "sqlite:///a/b.db"),
        ("postgres://h/db", "postgres://h/db"),
    ],
)
def test_a_url_is_printed_without_its_password(url: str, printed: str) -> None:
    """However broken it is."""
    assert without_password(url) == printed


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_a_store_is_ready_when_it_is_open(folder: Path, kind: str) -> None:
    """Both actors run under supervision, and the first probe was answered."""
    async with open_storage("memory:" if kind == "memory" else f"sqlite:///{folder / 'chat.db'}") as storage:
        await storage.journal.append([posts("r_1", 1, 2)])
        figures = storage.statistics()
    assert figures.ready
    assert (figures.journal.state, figures.journal.entries) == ("running", 2)
    assert {actor.name for actor in figures.actors} == {"journal", "directory"}


async def test_a_path_that_does_not_work_is_a_plain_error(folder: Path) -> None:
    """What fails before anything runs is not wrapped into a group."""
    with pytest.raises(StorageUnavailable, match="unable to open"):
        async with open_storage(f"sqlite:///{folder}"):
            pytest.fail("it opened")
    with pytest.raises(UnknownStorage):
        async with open_storage("mongodb://host"):
            pytest.fail("it opened")


async def test_the_schema_is_migrated_unless_told_not_to(folder: Path) -> None:
    """A first run just works, even without a folder; who is told not to migrate refuses and changes nothing."""
    url = f"sqlite:///{folder / 'new' / 'chat.db'}"
    with pytest.raises(MigrationRefused, match=r"\[1, 2, 3, 4, 5, 6\] are not applied"):
        async with open_storage(url, migrate=False):
            pytest.fail("it opened")
    assert [step.applied_at for step in await migration_status(url)] == [None] * 6
    async with open_storage(url) as storage:
        await storage.journal.append([posts("r_1", 1, 1)])
    async with open_storage(url, migrate=False) as storage:
        assert len(await storage.journal.read("r_1", after=0, limit=10)) == 1


async def test_a_new_store_is_for_nobody_elses_eyes(folder: Path) -> None:
    """The folder that is made for it, the file, and what lies beside it: whoever may open a lock may hold it."""
    url = f"sqlite:///{folder / 'new' / 'chat.db'}"
    async with open_storage(url):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder / "new", *(folder / "new").iterdir())}
    assert modes.pop("new") == 0o700
    assert "chat.db.lock" in modes
    assert set(modes.values()) == {0o600}


async def test_a_file_behind_a_link_is_the_same_site(folder: Path) -> None:
    """Whoever wants it alone is refused while somebody has it by the other name; a link to nothing is no new site."""
    (folder / "link.db").symlink_to(folder / "chat.db")
    async with open_storage(f"sqlite:///{folder / 'chat.db'}"):
        pass
    async with open_storage(f"sqlite:///{folder / 'link.db'}"):
        with pytest.raises(StorageInUse):
            async with open_storage(f"sqlite:///{folder / 'chat.db'}", exclusive=True):
                pytest.fail("it opened")
    (folder / "dangling.db").symlink_to(folder / "gone.db")
    with pytest.raises(StorageUnavailable, match="cannot open"):
        async with open_storage(f"sqlite:///{folder / 'dangling.db'}"):
            pytest.fail("it opened")
    assert not (folder / "gone.db").exists()


async def test_an_operator_migrates_by_url(folder: Path) -> None:
    """Up, status and down, without opening the store; asking for the status creates no file."""
    url = f"sqlite:///{folder / 'chat.db'}"
    before = await migration_status(url)
    assert [(step.number, step.name, step.applied_at) for step in before] == [
        (1, "start", None),
        (2, "message_applied_seq", None),
        (3, "facts", None),
        (4, "items", None),
        (5, "accounts", None),
        (6, "read_marks", None),
    ]
    assert names(folder) == []
    assert await migrate_up(url) == [1, 2, 3, 4, 5, 6]
    assert await migrate_up(url) == []
    assert all(step.applied_at is not None for step in await migration_status(url))
    assert await migrate_down(url, to=0) == [6, 5, 4, 3, 2, 1]
    assert await migration_status(url) == before
    for nothing in (migrate_up("memory:"), migrate_down("memory:", to=0), migration_status("memory:")):
        assert await nothing == []


async def test_a_database_of_a_newer_program_is_refused(folder: Path) -> None:
    """An old program must not write into tables that have changed their meaning."""
    path = folder / "chat.db"
    await migrate_up(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (7, 'later', 'sum', 0)")
        connection.commit()
    with pytest.raises(MigrationRefused, match="newer program"):
        async with open_storage(f"sqlite:///{path}"):
            pytest.fail("it opened")


async def test_a_locked_file_cannot_be_migrated(folder: Path) -> None:
    """The error is storage's own and the file is as it was."""
    path = folder / "chat.db"
    hasty = StorageLimits(journal=JournalLimits(deadline_seconds=0.1))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = wal")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable, match="locked"):
            async with open_storage(f"sqlite:///{path}", limits=hasty):
                pytest.fail("it opened")


async def test_an_actor_that_keeps_crashing_ends_the_tree(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing works without storage, so the body is cancelled and the reason comes out."""
    with pytest.RaisesGroup(ActorEscalated, flatten_subgroups=True):
        async with open_storage("memory:") as storage:
            child = storage.journal._child
            assert child is not None
            for _ in range(100):
                child.kill(RuntimeError("killed"))
                await trio.sleep(0.01)
                child.probe_now()
            pytest.fail("it went on")
    assert "event=crashed" in caplog.text


async def test_leaving_closes_the_files(folder: Path) -> None:
    """The last one out has the log written back: the database is complete, and beside it is an empty lock only."""
    async with open_storage(f"sqlite:///{folder / 'chat.db'}") as storage:
        await storage.journal.append([posts("r_1", 1, 1)])
        journal = storage.journal
    assert sorted(names(folder)) == ["chat.db", "chat.db.lock"]
    with pytest.raises(StorageUnavailable):
        await journal.append([posts("r_1", 2, 2)])
    with pytest.raises(StorageUnavailable, match="closed"):
        await journal.read("r_1", after=0, limit=1)
