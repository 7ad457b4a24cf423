"""A server that goes away, dies or freezes: what callers are told is true, and the next call works when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
import trio
from msgspec.structs import replace

from storage.asyncio_seam import AsyncioSeam
from storage.errors import OutcomeUnknown, StorageUnavailable
from storage.postgres import PostgresJournal, PostgresPool, PostgresSettings, open_postgres
from storage.postgres.connection import Connection
from storage.postgres.pool import open_pool
from storage.records import RoomSnapshot
from tests.storage.postgres.test_pool import facts, put
from tests.storage.samples import posts
from tests.support.postgres_server import PostgresServer

# What commits a fact waits, in the commit itself, for a lock that the test may hold, and fails if it is called "bad".
SLOW_COMMIT = """
CREATE FUNCTION wait_in_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(42);
    IF NEW.name = 'bad' THEN RAISE EXCEPTION 'not this one'; END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER wait_in_commit AFTER INSERT ON facts DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION wait_in_commit();
"""

# Eight calls, if each were waited for, would take twice as long as four of these.
DEADLINE_SECONDS = 4.0
KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1"


@pytest.fixture
async def slow_settings(server: PostgresServer) -> AsyncIterator[PostgresSettings]:
    """Make a database in which a test can hold up commits."""
    url = server.fresh_database()
    async with open_postgres(PostgresSettings(url), migrate=True) as opened:
        await opened.read(lambda connection: connection.execute(SLOW_COMMIT))
    yield PostgresSettings(url, connections=5)
    server.drop(url)


@pytest.fixture
async def slow(seam: AsyncioSeam, slow_settings: PostgresSettings) -> AsyncIterator[PostgresPool]:
    """Open that database."""
    async with open_postgres(slow_settings, migrate=False, seam=seam) as opened:
        yield opened


class CommitsHeld:
    """Holds up commits in the `slow` database until told otherwise."""

    def __init__(self, pool: PostgresPool) -> None:
        self._pool = pool
        self._let_go = asyncio.Event()
        self._held = trio.Event()

    async def hold(self) -> None:
        """Hold the lock until `let_go`."""

        async def work(connection: Connection) -> None:
            await connection.fetch("SELECT pg_advisory_lock(42)")
            self._held.set()
            await self._let_go.wait()
            await connection.fetch("SELECT pg_advisory_unlock(42)")

        await self._pool.read(work)

    async def held(self) -> None:
        """Wait until the lock is held."""
        await self._held.wait()

    def let_go(self) -> None:
        """Let the commits go on."""
        self._let_go.set()

    async def committing(self) -> int:
        """Wait until somebody is held up, and return the process that serves it."""
        while True:
            rows = await self._pool.fetch("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            if rows:
                return int(str(rows[0][0]))


async def test_a_connection_that_is_lost_before_the_commit_means_not_written(pool: PostgresPool) -> None:
    """It is known, and said; the next call works."""

    async def write(connection: Connection) -> None:
        await put(connection, "a")
        ((pid,),) = await connection.fetch("SELECT pg_backend_pid()")
        await connection.fetch(KILL, pid)
        await put(connection, "b")

    with pytest.raises(StorageUnavailable) as caught:
        await pool.write(write)
    assert type(caught.value) is StorageUnavailable
    assert await facts(pool) == []
    await pool.write(lambda connection: put(connection, "c"))
    assert await facts(pool) == ["c"]
    figures = pool.statistics()
    assert figures.reconnects == 1
    assert figures.last_error == str(caught.value)


async def test_a_connection_that_is_lost_in_the_commit_leaves_the_outcome_unknown(
    slow: PostgresPool, nursery: trio.Nursery
) -> None:
    """Nobody can know from here; the next call works, and shows what has become of it."""
    commits = CommitsHeld(slow)
    nursery.start_soon(commits.hold)
    await commits.held()

    async def kill() -> None:
        await slow.fetch(KILL, await commits.committing())

    nursery.start_soon(kill)
    with pytest.raises(OutcomeUnknown, match="the commit failed"):
        await slow.write(lambda connection: put(connection, "a"))
    commits.let_go()
    assert await facts(slow) == []
    await slow.write(lambda connection: put(connection, "b"))
    assert await facts(slow) == ["b"]


async def test_a_commit_that_the_server_refuses_is_not_written(slow: PostgresPool) -> None:
    """It has said so itself, so there is no doubt."""
    with pytest.raises(StorageUnavailable, match="not this one") as caught:
        await slow.write(lambda connection: put(connection, "bad"))
    assert type(caught.value) is StorageUnavailable
    assert await facts(slow) == []


async def test_a_commit_that_takes_too_long_leaves_the_outcome_unknown_until_it_is_called_off(
    slow: PostgresPool, seam: AsyncioSeam, slow_settings: PostgresSettings, nursery: trio.Nursery
) -> None:
    """Who settles afterwards sees what has become of it."""
    commits = CommitsHeld(slow)
    nursery.start_soon(commits.hold)
    await commits.held()
    async with open_pool(seam, replace(slow_settings, command_seconds=2.0)) as hasty:
        with pytest.raises(OutcomeUnknown, match="in time"):
            await hasty.write(lambda connection: put(connection, "a"))
        await hasty.settle()
        assert hasty.statistics().in_use == 0
    commits.let_go()
    assert await facts(slow) == []


async def test_a_writer_that_leaves_in_the_commit_is_waited_for(slow: PostgresPool, nursery: trio.Nursery) -> None:
    """A room that loads again must see what it wrote before it was interrupted."""
    commits = CommitsHeld(slow)
    nursery.start_soon(commits.hold)
    await commits.held()
    async with trio.open_nursery() as inner:
        inner.start_soon(slow.write, lambda connection: put(connection, "a"))
        await commits.committing()
        inner.cancel_scope.cancel()
    assert await facts(slow) == []
    commits.let_go()
    await slow.settle()
    assert await facts(slow) == ["a"]


async def test_calls_work_again_after_the_server_was_restarted(pool: PostgresPool, server: PostgresServer) -> None:
    """While it is down every call says so in one line, with the address and without anything secret."""
    await pool.write(lambda connection: put(connection, "a"))
    try:
        await trio.to_thread.run_sync(server.stop)
        for call in (pool.fetch("SELECT 1"), pool.write(lambda connection: put(connection, "b"))):
            with pytest.raises(StorageUnavailable, match=f"cannot connect to 127.0.0.1:{server.port}/") as caught:
                await call
            assert type(caught.value) is StorageUnavailable
    finally:
        await trio.to_thread.run_sync(server.start)
    assert await facts(pool) == ["a"]
    await pool.write(lambda connection: put(connection, "b"))
    assert await facts(pool) == ["a", "b"]
    assert pool.statistics().reconnects == 1


async def test_what_was_acknowledged_survives_a_crash_of_the_server(pool: PostgresPool, server: PostgresServer) -> None:
    """Every process of it is killed at once; recovery brings back all that was committed."""
    journal = PostgresJournal(pool)
    await journal.append([posts("r_1", 1, 50)])
    try:
        await trio.to_thread.run_sync(server.kill)
        with pytest.raises(StorageUnavailable):
            await journal.append([posts("r_1", 51, 51)])
    finally:
        await trio.to_thread.run_sync(server.start)
    snapshot = await journal.load_room("r_1")
    assert isinstance(snapshot, RoomSnapshot)
    assert snapshot.head_seq == 50
    await journal.append([posts("r_1", 51, 51)])


@contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    """Have every process of the server stand still."""
    server.pause()
    try:
        yield
    finally:
        server.resume()


async def test_callers_of_a_frozen_server_leave_when_they_like(hasty: PostgresPool, server: PostgresServer) -> None:
    """Connections look fine and nothing answers. The driver takes its time to notice; its callers need not."""
    await hasty.fetch("SELECT 1")
    with frozen(server):
        started = trio.current_time()
        for number in range(4):
            with trio.move_on_after(0.05):
                await hasty.fetch("SELECT 1")
            with trio.move_on_after(0.05):
                await hasty.write(lambda connection, name=str(number): put(connection, name))  # type: ignore[misc]
        assert trio.current_time() - started < 4 * DEADLINE_SECONDS
    await hasty.settle()
    await hasty.write(lambda connection: put(connection, "after"))
    found = await facts(hasty)
    assert set(found) <= {"0", "1", "2", "3", "after"}
    assert "after" in found


async def test_patient_callers_of_a_frozen_server_are_told_at_the_deadline(
    hasty: PostgresPool, server: PostgresServer
) -> None:
    """A write that has not come to its commit is known not to be written; when the server goes on, so do we."""
    await hasty.fetch("SELECT 1")
    with frozen(server):
        started = trio.current_time()
        errors: list[StorageUnavailable] = []

        async def try_to(number: int) -> None:
            call = hasty.write if number % 2 else hasty.read
            with pytest.raises(StorageUnavailable) as caught:
                await call(lambda connection: put(connection, str(number)))
            errors.append(caught.value)

        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(try_to, number)
        assert trio.current_time() - started < 4 * DEADLINE_SECONDS
        assert {type(error) for error in errors} == {StorageUnavailable}
    await hasty.settle()
    assert await facts(hasty) == []
    await hasty.write(lambda connection: put(connection, "after"))
    assert await facts(hasty) == ["after"]
    assert hasty.statistics().in_use == 0


async def test_a_wrong_password_or_name_is_one_line_without_the_secret(
    server: PostgresServer, seam: AsyncioSeam
) -> None:
    """An operator reads it in a log."""
    host = f"127.0.0.1:{server.port}"
    for dsn, why in (
        (f"postgres://justchat:hunter2@{host}/none", 'database "none" does not exist'),
        (f"postgres://nobody:hunter2@{host}/postgres", 'role "nobody" does not exist'),
        ("postgres://justchat:hunter2@127.0.0.1:1/postgres", "refused|failed"),
        ("postgres://justchat:hunter2@[/postgres", "cannot be read"),
        ("postgres://justchat:hunter2#@127.0.0.1:1/postgres", "cannot be read"),
        ("postgres://127.0.0.1:1/hunter2@127.0.0.1:1/postgres", "refused|failed"),
    ):
        with pytest.raises(StorageUnavailable, match=why) as caught:
            async with open_postgres(PostgresSettings(dsn), migrate=True, seam=seam):
                pytest.fail("it opened")
        assert "hunter2" not in f"{caught.value} {PostgresSettings(dsn)!r} {PostgresSettings(dsn).address}"
        assert "\n" not in str(caught.value)
