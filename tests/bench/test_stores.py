"""The scenarios over the stores: every mode is measured on real servers, and nothing is left in them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest
import trio
from pymongo import MongoClient

from bench.__main__ import FAILED, OK, main
from bench.busy_rooms import append_busily
from bench.model_room import ModelRoom
from bench.modes import Mode, StoreFailed, in_store
from bench.plain_asyncio import run_asyncio
from bench.scenarios.growth import ways
from bench.single_inserts import insert_singly
from storage.open import Storage
from tests.storage.mongo import server as mongo
from tests.storage.postgres import server as postgres

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

NOBODY = "postgres://justchat@127.0.0.1:1/nothing"
MEMORY = Mode("memory", "memory:")
TINY = {
    "journal": "--rooms 1,2 --senders 2 --seconds 0.03 --rounds 1",
    "growth": "--entries 80 --few-entries 60 --page 10 --pages 2 --users 30 --searches 4",
}


def measured(scenario: str, tmp_path: Path, *arguments: str) -> dict[str, object]:
    """Run a scenario and give its outcome."""
    file = tmp_path / "figures.json"
    assert main([scenario, "--json", str(file), "--data", str(tmp_path), *TINY[scenario].split(), *arguments]) == OK
    (outcome,) = json.loads(file.read_bytes())["outcomes"]
    assert isinstance(outcome, dict)
    return outcome


def left_in_postgres() -> list[str]:
    """Name the bench's databases in the shared server."""

    async def ask() -> list[str]:
        connection = await asyncpg.connect(postgres.shared_server().url())
        try:
            rows = await connection.fetch("SELECT datname FROM pg_database WHERE datname LIKE 'justchat_bench%'")
        finally:
            await connection.close()
        return [row[0] for row in rows]

    return run_asyncio(ask)


def left_in_mongo() -> list[str]:
    client: MongoClient[dict[str, object]] = MongoClient(mongo.shared_server().url)
    with client:
        return [name for name in client.list_database_names() if name.startswith("justchat_bench")]


@pytest.mark.parametrize("scenario", list(TINY))
def test_postgres_is_measured_and_nothing_is_left_in_it(scenario: str, tmp_path: Path) -> None:
    """Both scenarios, on a server that a URL names; the report does not repeat the URL."""
    url = postgres.shared_server().url()
    outcome = measured(scenario, tmp_path, "--modes", "postgres", "--postgres", url)
    assert all(check["passed"] for check in outcome["checks"])  # type: ignore[attr-defined]
    assert url not in json.dumps(outcome)
    assert left_in_postgres() == []


@pytest.mark.parametrize("scenario", list(TINY))
def test_the_split_store_is_measured_and_nothing_is_left_in_it(scenario: str, tmp_path: Path) -> None:
    """Both scenarios; pages are not judged on a server that scans."""
    urls = ("--postgres", postgres.shared_server().url(), "--mongo", mongo.shared_server().url)
    outcome = measured(scenario, tmp_path, "--modes", "postgres+mongo", *urls)
    assert all(check["passed"] for check in outcome["checks"])  # type: ignore[attr-defined]
    assert left_in_postgres() == left_in_mongo() == []
    findings = outcome["findings"]
    assert isinstance(findings, list)
    scans = "not a MongoDB" in findings[0]["name"]
    assert scans == (mongo.shared_server().program.kind == "ferretdb")
    if scenario == "growth":
        assert all((finding["goal"] is None) == scans for finding in findings[:-1])


def test_a_mode_whose_server_is_not_there_says_so(tmp_path: Path) -> None:
    """The others are measured all the same, and no figure is made up."""
    outcome = measured("journal", tmp_path, "--modes", "sqlite,postgres", "--postgres", NOBODY)
    rows = outcome["rows"]
    assert isinstance(rows, list)
    assert rows[-1]["label"] == "postgres (not measured)"
    assert rows[-1]["figures"] == {}
    assert "refuses" in rows[-1]["doubts"][0]
    assert rows[0]["figures"]["entries_per_second"] > 0


def test_a_mode_that_is_none_ends_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the names that there are."""
    assert main(["journal", "--modes", "sqlite,oracle", "--data", str(tmp_path)]) == FAILED
    assert "oracle" in capsys.readouterr().err


def test_a_store_that_fails_comes_out_as_one_error() -> None:
    """Not as the groups of the nurseries it passed."""

    async def nothing(_: Storage) -> None:
        await trio.lowlevel.checkpoint()

    with pytest.raises(StoreFailed, match="postgres"):
        in_store(Mode("postgres", NOBODY), nothing)


@pytest.mark.parametrize("whole", [False, True])
def test_single_inserts_into_sqlite_are_rows_that_the_store_reads(tmp_path: Path, whole: bool) -> None:
    """They are the same entries, and with `whole` also the messages and the rooms' rows."""
    mode = Mode("sqlite", f"sqlite:///{tmp_path / 'single.db'}")
    room = ModelRoom(body_bytes=10)

    async def nothing(_: Storage) -> None:
        await trio.lowlevel.checkpoint()

    async def look(storage: Storage) -> tuple[int, int, bool]:
        entries = await storage.journal.read(room.id, after=0, limit=10_000)
        messages = await storage.journal.messages(room.id, limit=10_000)
        return len(entries), len(messages), await storage.directory.room(room.id) is not None

    in_store(mode, nothing)
    inserts = insert_singly(mode, [room], 0.05, whole=whole)
    assert 0 < len(inserts.ms) == room.seq
    assert in_store(mode, look) == (room.seq, room.seq if whole else 0, whole)


def test_busy_rooms_count_what_was_acknowledged_and_find_it_again() -> None:
    """As many entries as appends times senders, and commits that hold several rooms."""
    found = append_busily(MEMORY, rooms=4, senders=3, body_bytes=10, seconds=0.05)
    assert found.kept
    assert found.failed == ""
    assert found.entries == 3 * found.appends == 3 * len(found.ms)
    assert 0 < found.commits < found.appends


def test_a_stretch_that_is_over_before_its_first_turn_has_measured_once(tmp_path: Path) -> None:
    """As where the machine stood still meanwhile: one figure for each room or connection, and not none."""
    found = append_busily(MEMORY, rooms=2, senders=3, body_bytes=10, seconds=0.0)
    assert (found.kept, found.entries, len(found.ms)) == (True, 6, 2)
    mode = Mode("sqlite", f"sqlite:///{tmp_path / 'single.db'}")

    async def nothing(_: Storage) -> None:
        await trio.lowlevel.checkpoint()

    in_store(mode, nothing)
    for whole in (False, True):
        assert len(insert_singly(mode, [ModelRoom(body_bytes=10)], 0.0, whole=whole).ms) == 1


def test_every_way_to_read_gives_the_page_after_a_place() -> None:
    """All four mean the same page, so their times can be compared."""
    room = ModelRoom(body_bytes=10)

    async def pages(storage: Storage) -> list[list[int]]:
        await storage.journal.append([room.create(), room.post(30)])
        return [[record.seq for record in await page(storage.journal, room.id, 7)] for page in ways(5).values()]

    assert in_store(MEMORY, pages) == [[8, 9, 10, 11, 12]] * 4


def test_what_we_are_compared_with_runs_on_a_plain_loop() -> None:
    """Also where trio-asyncio has put its own policy in the place of asyncio's."""

    async def loop() -> type[object]:
        return type(asyncio.get_running_loop())

    assert issubclass(run_asyncio(loop), asyncio.SelectorEventLoop)
