"""The operators' commands from the outside: exit codes, one line for every error, and nothing done by a refused one."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trio

from justchat.cli import main
from storage.facts import COPYING
from storage.migrations import MigrationRefused
from storage.open import open_storage
from tests.operate.sites import GUEST, PAIR, TEA, site_file
from tests.storage.contract.backends import ram_folder
from tests.storage.mongo import server as mongo
from tests.storage.postgres import server as postgres
from tests.support.server import START_SECONDS, running_server

pytestmark = pytest.mark.real_clock

DAMAGE = "UPDATE entries SET body = x'00' WHERE room = 'r_tea' AND seq = 3"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Give logging back as it was: a command sets it up for its process."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make an empty folder."""
    with ram_folder() as made:
        yield made


class Command:
    """Runs commands, and gives code, output and errors."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self._captured = captured

    def __call__(self, *argv: str, **environ: str) -> tuple[int, list[str], list[str]]:
        code = main(argv, environ)
        out, err = self._captured.readouterr()
        return code, out.splitlines(), err.splitlines()

    def refused(self, code: int, *argv: str, **environ: str) -> str:
        """Run one that prints nothing but one line of error; return that line."""
        found, out, err = self(*argv, **environ)
        assert (found, out, len(err)) == (code, [], 1), (found, out, err)
        assert err[0].startswith("justchat: ")
        return err[0].removeprefix("justchat: ")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run commands."""
    return Command(capsys)


def execute(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "chat.db")) as connection, connection:
        assert connection.execute(statement).rowcount > 0


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_migrations_are_listed_applied_and_undone(folder: Path, run: Command) -> None:
    """From a store that is not there, which looking does not make, to the latest schema and back."""
    store = f"--database=sqlite:///{folder}/chat.db"
    code, table, err = run("migrate", "status", store)
    assert (code, err, files(folder)) == (0, [], set())
    assert table[0].split() == ["number", "name", "applied", "at"]
    assert table[1].split() == ["1", "start", "pending"]
    numbers = [str(number) for number in range(1, len(table))]
    assert run("migrate", "down", "--to=0", "--yes", store) == (0, ["undone: nothing"], [])
    assert files(folder) == set()
    assert run("migrate", "up", store) == (0, [f"applied: {', '.join(numbers)}"], [])
    assert run("migrate", "up", store) == (0, ["applied: nothing"], [])
    assert run("migrate", "down", "--to=1", "--yes", store) == (0, [f"undone: {', '.join(numbers[:0:-1])}"], [])
    _, table, _ = run("migrate", "status", store)
    assert table[1].split()[2].endswith("Z")
    assert table[2].endswith("pending")


@pytest.mark.thorough
def test_a_journal_of_its_own_is_made_ready_with_the_schema(run: Command) -> None:
    """So that a server that is told not to migrate finds everything that it needs."""
    database, journal = postgres.shared_server().fresh_database(), mongo.shared_server().fresh_database()
    store = ("--database", database, "--journal", journal)

    async def look() -> None:
        async with open_storage(database, journal=journal, migrate=False) as storage:
            assert await storage.journal.rooms(limit=1) == []

    assert run("migrate", "status", *store)[1][-1].split() == ["-", "journal", "pending"]
    run("migrate", "up", "--database", database)
    with pytest.raises(MigrationRefused, match="migrate the database first"):
        trio.run(look)
    assert run("migrate", "up", *store) == (0, ["applied: nothing"], [])
    assert run("migrate", "status", *store)[1][-1].split() == ["-", "journal", "ready"]
    trio.run(look)


def test_nothing_is_undone_without_a_yes(folder: Path, run: Command) -> None:
    """What migrations hold is lost with them, so it has to be said twice."""
    store = f"--database=sqlite:///{folder}/chat.db"
    run("migrate", "up", store)
    assert "--yes" in run.refused(2, "migrate", "down", "--to=0", store)
    assert "pending" not in "".join(run("migrate", "status", store)[1])
    assert "no migration 99" in run.refused(1, "migrate", "down", "--to=99", "--yes", store)


def test_the_store_is_found_by_flag_variable_and_file(folder: Path, run: Command) -> None:
    """As for the server; and a setting that nobody knows is an error here too."""
    url = f"sqlite:///{folder}/chat.db"
    (folder / "chat.toml").write_text(f'database = "{url}"\n')
    assert run("migrate", "up", JUSTCHAT_DATABASE=url)[1] != ["applied: nothing"]
    for argv, environ in (
        ((f"--database={url}",), {"JUSTCHAT_DATABASE": "sqlite:///nowhere.db"}),
        ((f"--config={folder}/chat.toml",), {}),
        ((), {"JUSTCHAT_CONFIG": f"{folder}/chat.toml"}),
    ):
        assert run("migrate", "up", *argv, **environ) == (0, ["applied: nothing"], [])
    assert "not a known variable" in run.refused(2, "migrate", "up", JUSTCHAT_DATABSE=url)
    assert "mongodb://" in run.refused(2, "migrate", "up", "--database", url, "--journal", "sqlite:///x.db")
    assert "postgres://" in run.refused(2, "storage", "check", "--database", url, "--journal", "mongodb://h/x")


@pytest.mark.parametrize(
    "argv",
    [
        ("migrate",),
        ("migrate", "sideways"),
        ("migrate", "down"),
        ("migrate", "down", "--to", "x"),
        ("migrate", "up", "--port", "1"),
        ("storage",),
        ("storage", "check", "everything"),
        ("copy",),
        ("copy", "--from", "sqlite:///a.db"),
        ("copy", "--from", "sqlite:///a.db", "--to", "sqlite:///b.db", "--database", "x"),
    ],
)
def test_what_makes_no_command_is_usage(argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, and what would be right on the error stream."""
    with pytest.raises(SystemExit) as ended:
        main(argv, {})
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_check_prints_each_difference_and_counts(folder: Path, run: Command) -> None:
    """Exit 0 for a sound site and for one that was repaired whole, 1 for the others."""
    store = f"--database={site_file(folder)}"
    code, (sound,), err = run("storage", "check", store)
    assert (code, err) == (0, [])
    assert sound.startswith("checked 5 rooms, ")
    assert sound.endswith(" items: 0 differences, 0 repaired")
    execute(folder, f"DELETE FROM members WHERE user = '{GUEST}'")
    code, out, err = run("storage", "check", store, "--room", PAIR)
    assert (code, out[0], err) == (1, f"{PAIR}: member {GUEST}: missing", [])
    assert out[1].endswith("1 differences, 0 repaired")
    code, out, _ = run("storage", "check", store, "--repair")
    assert (code, len(out)) == (0, 6)
    assert all(line.endswith("; repaired") for line in out[:5])
    assert run("storage", "check", store) == (0, [sound], [])
    execute(folder, DAMAGE)
    code, out, _ = run("storage", "check", store, "--repair")
    assert code == 1
    assert out[0].startswith(f"{TEA}: entry 3: damaged: ")
    assert out[1].endswith("1 differences, 0 repaired")


def test_a_check_that_cannot_be_made_says_why_in_one_line(folder: Path, run: Command) -> None:
    """No site, no such room, half a copy, an old schema, no database at all."""
    assert "there is no site in" in run.refused(1, "storage", "check", f"--database=sqlite:///{folder}/none.db")
    assert "there is no site in memory:" in run.refused(1, "storage", "check", "--database=memory://")
    assert files(folder) == set()
    store = f"--database={site_file(folder)}"
    assert run.refused(1, "storage", "check", store, "--room", "r_x") == "there is no room 'r_x'"
    execute(folder, f"INSERT INTO facts VALUES ('{COPYING}', 'x')")
    assert "has not been finished" in run.refused(1, "storage", "check", store)
    run("migrate", "down", "--to=2", "--yes", store)
    assert "migrate the database first" in run.refused(1, "storage", "check", store)
    (folder / "other.db").write_bytes(b"no database at all, but long enough to be looked at" * 20)
    (folder / "other.db").chmod(0o600)
    run.refused(1, "storage", "check", f"--database=sqlite:///{folder}/other.db")


def test_a_copy_says_what_it_moved(folder: Path, run: Command) -> None:
    """Once: a second one finds the target full, and changes nothing."""
    source, target = site_file(folder), f"sqlite:///{folder}/copy.db"
    code, (line,), err = run("copy", "--from", source, "--to", target)
    assert (code, err) == (0, [])
    assert line.startswith("copied and verified: 12 users, 5 rooms, ")
    assert run("storage", "check", f"--database={target}")[0] == 0
    assert run.refused(1, "copy", "--from", source, "--to", target) == "the target is not empty"


def test_a_copy_that_makes_no_sense_is_usage_and_makes_nothing(folder: Path, run: Command) -> None:
    """Unknown stores, RAM, and a store into itself; no URL is repeated, for it may hold a password."""
    source = site_file(folder)
    before = files(folder)
    for argv, words in (
        (("--from", source, "--to", f"sqlite:///{folder}/../{folder.name}/chat.db"), "the same"),
        (("--from", source, "--to", "memory:"), "memory:"),
        (("--from", "memory:", "--to", source), "memory:"),
        (("--from", source, "--to", "mysql://u:secret@host/x"), "unknown storage 'mysql'"),
        (("--from", source, "--to", "postgres://u:sec/ret@host/x"), "percent-encoded"),
        (("--from", source, "--to", f"sqlite:///{folder}/b.db", "--journal", "mongodb://u:secret@h/x"), "postgres"),
        (("--from", source, "--from-journal", "x", "--to", f"sqlite:///{folder}/b.db"), "not in 'x'"),
    ):
        line = run.refused(2, "copy", *argv)
        assert words in line
        assert "ret" not in line
    assert files(folder) == before


def test_a_source_that_cannot_be_copied_leaves_no_target(folder: Path, run: Command) -> None:
    """The target is made only once the source has been looked at."""
    source, target = f"sqlite:///{folder}/chat.db", f"sqlite:///{folder}/copy.db"
    assert "there is no site in" in run.refused(1, "copy", "--from", source, "--to", target)
    site_file(folder)
    execute(folder, "UPDATE rooms SET applied_seq = 2 WHERE id = 'r_tea'")
    assert "storage check" in run.refused(1, "copy", "--from", source, "--to", target)
    run("storage", "check", "--repair", f"--database={source}")
    execute(folder, f"INSERT INTO facts VALUES ('{COPYING}', 'x')")
    assert "finish that one first" in run.refused(1, "copy", "--from", source, "--to", target)
    assert "copy.db" not in files(folder)


def test_a_store_that_is_in_use_is_not_copied_and_not_repaired(folder: Path, run: Command) -> None:
    """A running server holds its store; only a check may look on."""
    with running_server(folder) as server:
        database, other = f"sqlite:///{folder}/chat.db", f"sqlite:///{folder}/other.db"
        assert run("storage", "check", f"--database={database}")[0] == 0
        for argv in (
            ("copy", "--from", database, "--to", other),
            ("storage", "check", "--repair", f"--database={database}"),
        ):
            assert "in use" in run.refused(1, *argv)
        site = folder / "site"
        site.mkdir()
        source = site_file(site)
        assert "in use" in run.refused(1, "copy", "--from", source, "--to", database)
        assert "other.db" not in files(folder)
        assert server.stop() == 0


def test_a_failed_copy_is_not_served_and_a_finished_one_is(folder: Path, run: Command) -> None:
    """The server gives the reason in one line, however often the copy fails; a whole copy is a site like any other."""
    source, target = site_file(folder), f"sqlite:///{folder}/copy.db"
    execute(folder, "UPDATE messages SET seq = 999999 WHERE room = 'r_tea' AND seq = 3")
    for _ in range(2):
        line = run.refused(1, "copy", "--from", source, "--to", target)
        assert line.startswith("room r_tea differs between source and target")
    server = subprocess.run(
        [sys.executable, "-m", "justchat", "serve", f"--database={target}", "--port=0"],
        check=False,
        capture_output=True,
        timeout=START_SECONDS,
        text=True,
    )
    assert (server.returncode, server.stdout) == (1, "")
    (refusal,) = server.stderr.splitlines()
    assert refusal.startswith("justchat: a copy into this store has not been finished")
    execute(folder, "UPDATE messages SET seq = 3 WHERE room = 'r_tea' AND seq = 999999")
    for path in folder.glob("copy.db*"):
        path.unlink()
    assert run("copy", "--from", source, "--to", target)[0] == 0
    with running_server(folder, database=target) as whole:
        assert whole.stop() == 0


def test_another_source_is_refused_and_the_first_one_named(folder: Path, run: Command) -> None:
    """Half a copy takes nothing but the rest of it."""
    source, target = site_file(folder), f"sqlite:///{folder}/copy.db"

    async def mark() -> None:
        async with open_storage(target) as store:
            await store.directory.set_fact(COPYING, "sqlite:///elsewhere.db")

    trio.run(mark)
    line = run.refused(1, "copy", "--from", source, "--to", target)
    assert line.startswith("the target is half a copy of sqlite:///elsewhere.db")
