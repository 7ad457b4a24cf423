"""The PostgreSQL that tests start: it keeps what was committed, freezes and dies as asked, and outlives nobody."""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import asyncpg
import pytest

from tests.support.backends import REQUIRE_ALL, require_postgres
from tests.support.postgres_server import BIN, PostgresServer, find_postgres, postgres_server

pytestmark = pytest.mark.thorough

T = TypeVar("T")
FROZEN_SECONDS = 0.3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with postgres_server(tmp_path_factory.mktemp("postgres"), binaries=require_postgres()) as started:
        yield started


def ask(url: str, use: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    async def session() -> T:
        connection = await asyncpg.connect(url, timeout=10, command_timeout=10)
        try:
            return await use(connection)
        finally:
            await connection.close()

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(session())


def run(url: str, statement: str) -> None:
    ask(url, lambda connection: connection.execute(statement))


def value(url: str, query: str) -> object:
    return ask(url, lambda connection: connection.fetchval(query))


def alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_fresh_databases_are_isolated_and_can_be_dropped(server: PostgresServer) -> None:
    """What is made in one is not in the other; dropping one leaves the other alone."""
    one, other = server.fresh_database(), server.fresh_database()
    run(one, "CREATE TABLE here (id int)")
    assert value(one, "SELECT to_regclass('here')::text") == "here"
    assert value(other, "SELECT to_regclass('here')::text") is None
    server.drop(one)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        value(one, "SELECT 1")
    assert value(other, "SELECT 1") == 1


def test_commits_are_durable_unless_a_suite_asks_for_speed(server: PostgresServer, tmp_path: Path) -> None:
    """All three settings that a commit's durability needs are on by default, and off together."""
    query = "SELECT string_agg(setting, ' ') FROM pg_settings WHERE name = ANY(%s)"
    names = "ARRAY['fsync', 'synchronous_commit', 'full_page_writes']"
    assert value(server.url(), query % names) == "on on on"
    with postgres_server(tmp_path, durable=False, settings={"deadlock_timeout": "70ms"}) as fast:
        assert value(fast.url(), query % names) == "off off off"
        assert value(fast.url(), "SHOW deadlock_timeout") == "70ms"


@pytest.mark.parametrize("end", ["kill", "fast", "immediate"])
def test_what_was_committed_is_there_after_it_starts_again(server: PostgresServer, end: str) -> None:
    """A kill, a stop and an immediate stop keep committed rows, lose the open transaction, and keep the port."""
    url, port, starts = server.fresh_database(), server.port, server.starts

    async def leave_one_open(connection: asyncpg.Connection) -> None:
        await connection.execute("CREATE TABLE rows (id int)")
        await connection.execute("INSERT INTO rows SELECT generate_series(1, 100)")
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("INSERT INTO rows VALUES (101)")
        children = server.backend_pids()
        assert connection.get_server_pid() in children
        if end == "kill":
            server.kill()
            server.start()
        else:
            server.restart("fast" if end == "fast" else "immediate")
        assert not any(map(alive, children))
        with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.AdminShutdownError)):
            await connection.execute("COMMIT")

    ask(url, leave_one_open)
    assert value(url, "SELECT count(*) FROM rows") == 100
    assert (server.port, server.starts) == (port, starts + 1)


def test_a_frozen_server_answers_nobody_and_goes_on_where_it_was(server: PostgresServer) -> None:
    """Neither a connected client nor a new one gets an answer; after the thaw the same connection does."""

    async def freeze(connection: asyncpg.Connection) -> object:
        server.pause()
        try:
            with pytest.raises(TimeoutError):
                await asyncpg.connect(server.url(), timeout=FROZEN_SECONDS)
            query = asyncio.ensure_future(connection.fetchval("SELECT 7"))
            done, _ = await asyncio.wait([query], timeout=FROZEN_SECONDS)
            assert not done
        finally:
            server.resume()
        return await query

    assert ask(server.url(), freeze) == 7


def test_a_frozen_server_can_be_killed(server: PostgresServer) -> None:
    """None of its processes is left behind frozen."""
    processes = [server.pid, *server.backend_pids()]
    server.pause()
    server.kill()
    assert not any(map(alive, processes))
    server.start()
    assert value(server.url(), "SELECT 1") == 1


def test_it_ends_with_a_process_that_is_killed(server: PostgresServer, tmp_path: Path) -> None:
    """A test run that is killed while its server is frozen leaves none of the server's processes."""
    code = (
        "import sys, time; from pathlib import Path; from tests.support.postgres_server import PostgresServer\n"
        "server = PostgresServer(Path(sys.argv[1])); server.start(); server.pause()\n"
        "print(server.data, server.pid, *server.backend_pids(), flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as run:
        assert run.stdout is not None
        try:
            data, *processes = run.stdout.readline().split()
            descriptors = [os.pidfd_open(int(pid)) for pid in processes]
        finally:
            run.kill()
    try:
        assert len(descriptors) > 1
        assert all(map(ends, descriptors))
    finally:
        for descriptor in descriptors:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            os.close(descriptor)
        shutil.rmtree(data)


def ends(descriptor: int) -> bool:
    """Wait for the end of the process behind a descriptor."""
    waiting = select.poll()
    waiting.register(descriptor)
    return bool(waiting.poll(10_000))


def test_the_named_programs_are_used_or_refused(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that was named is never passed over for another PostgreSQL."""
    monkeypatch.setenv(BIN, str(require_postgres().folder))
    found = find_postgres()
    assert found is not None
    assert found.version == server.version
    monkeypatch.setenv(BIN, str(Path(__file__).parent))
    with pytest.raises(FileNotFoundError, match=BIN):
        find_postgres()


@pytest.mark.parametrize(("required", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_a_missing_server_skips_a_test_or_fails_it(
    monkeypatch: pytest.MonkeyPatch, required: str, outcome: type[BaseException]
) -> None:
    """Only where everything is required does a machine without PostgreSQL fail; the message says what to set."""
    monkeypatch.setenv(REQUIRE_ALL, required)
    monkeypatch.setattr("tests.support.postgres_server.find_postgres", lambda: None)
    with pytest.raises(outcome, match=BIN):
        require_postgres()
