"""Reads and writes on a real server that works: what callers get, and what is left when they leave."""

from __future__ import annotations

import asyncio
from functools import partial
from random import Random

import pytest
import trio

from storage.asyncio_seam import AsyncioSeam
from storage.errors import Conflict, StorageUnavailable, Unstorable
from storage.postgres import PostgresDirectory, PostgresPool, PostgresSettings
from storage.postgres.connection import Connection, Row
from storage.postgres.pool import open_pool
from tests.support.postgres_server import PostgresServer


async def put(connection: Connection, name: str, value: object = "x") -> None:
    """Insert a fact."""
    await connection.execute("INSERT INTO facts (name, value) VALUES ($1, $2)", name, value)


async def facts(pool: PostgresPool) -> list[object]:
    """Return the names of all facts."""
    return [row[0] for row in await pool.fetch("SELECT name FROM facts ORDER BY name")]


async def all_places_are_free(pool: PostgresPool, settings: PostgresSettings) -> bool:
    """Use every connection at the same moment: as many reads as may be, and writes in the places kept for them."""
    meeting = asyncio.Barrier(settings.connections)
    met: list[int] = []

    async def meet(connection: Connection) -> None:
        await connection.fetch("SELECT 1")
        met.append(await meeting.wait())

    async with trio.open_nursery() as nursery:
        for number in range(settings.connections):
            use = pool.write if number < settings.kept_for_writes else pool.read
            nursery.start_soon(use, meet)
    return len(met) == settings.connections


async def test_a_write_is_seen_by_the_next_read(pool: PostgresPool) -> None:
    """And what it returns comes back; one connection is enough for both."""

    async def write(connection: Connection) -> int:
        await put(connection, "a")
        await put(connection, "b")
        return 7

    assert await pool.write(write) == 7
    assert await facts(pool) == ["a", "b"]
    figures = pool.statistics()
    assert (figures.size, figures.idle, figures.in_use, figures.opened, figures.reconnects) == (1, 1, 0, 1, 0)
    assert figures.last_error is None


@pytest.mark.parametrize("error", [Conflict("username"), KeyError("a bug")])
async def test_an_error_of_the_work_comes_out_as_it_is_and_rolls_back(pool: PostgresPool, error: Exception) -> None:
    """Nothing stays of what was written before it."""

    async def write(connection: Connection) -> None:
        await put(connection, "a")
        raise error

    with pytest.raises(type(error)) as caught:
        await pool.write(write)
    assert caught.value is error
    assert await facts(pool) == []


@pytest.mark.parametrize(
    "value", ["nul \0 within", "surrogate \ud800", None, 7], ids=["a NUL", "a lone surrogate", "NULL", "another type"]
)
async def test_what_cannot_be_stored_is_told_apart(pool: PostgresPool, value: object) -> None:
    """The error shows no value, for values may be secrets; the connection goes on."""
    with pytest.raises(Unstorable, match=r"^a value cannot be stored: \w+( \(\w+\))?$"):
        await pool.write(lambda connection: put(connection, "a", value))
    await pool.write(lambda connection: put(connection, "b"))
    assert await facts(pool) == ["b"]


async def test_a_text_that_is_too_long_for_an_index_is_unstorable(pool: PostgresPool) -> None:
    """A limit of PostgreSQL alone, which no edge may know."""
    long = "".join(Random(1).choices("0123456789abcdefghijklmnopqrstuvwxyz", k=9000))  # does not compress
    with pytest.raises(Unstorable):
        await pool.write(lambda connection: put(connection, long))


async def test_what_cannot_be_stored_is_found_nowhere(pool: PostgresPool) -> None:
    """A NUL in a name that somebody types is no failure of the database."""
    directory = PostgresDirectory(pool)
    for text in ("a\0", "\ud800"):
        assert await directory.user(text) is None
        assert await directory.user_by_login(name_key=text) is None
        assert await directory.search_users(text, limit=3) == []
        assert (await directory.members("r_1", cursor=text, limit=3)).items == ()
        assert (await directory.public_rooms("", cursor=text, limit=3)).items == ()


async def test_a_statement_that_takes_too_long_is_given_up(hasty: PostgresPool) -> None:
    """For a read and for a write, which is known not to be committed; the connection is mended, not replaced."""
    for call in (hasty.read, hasty.write):
        with pytest.raises(StorageUnavailable, match="in time") as caught:
            await call(lambda connection: connection.fetch("SELECT pg_sleep(60)"))
        assert type(caught.value) is StorageUnavailable
    assert await facts(hasty) == []
    assert hasty.statistics().opened <= 2
    assert hasty.statistics().reconnects == 1


async def test_a_cancelled_reader_leaves_at_once_and_its_query_is_called_off(pool: PostgresPool) -> None:
    """The server does not go on working for somebody who has left."""
    with trio.move_on_after(0.05):
        await pool.read(lambda connection: connection.fetch("SELECT pg_sleep(60)"))
    with trio.fail_after(30):
        await pool.settle()
        while await sleepers(pool):
            await trio.lowlevel.checkpoint()


async def sleepers(pool: PostgresPool) -> list[Row]:
    """Return the sessions that sleep."""
    return await pool.fetch(
        "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)%' "
        "AND pid <> pg_backend_pid()"
    )


async def test_a_cancelled_writer_leaves_at_once_and_its_transaction_goes_on(pool: PostgresPool) -> None:
    """It is not cut in half; `settle` waits for it."""
    begun = trio.Event()
    goes_on = asyncio.Event()

    async def write(connection: Connection) -> None:
        await put(connection, "a")
        begun.set()
        await goes_on.wait()
        await put(connection, "b")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.write, write)
        await begun.wait()
        nursery.cancel_scope.cancel()
    assert await facts(pool) == []
    assert pool.statistics().left_behind == 1
    goes_on.set()
    await pool.settle()
    assert await facts(pool) == ["a", "b"]
    assert pool.statistics().left_behind == 0


async def test_many_cancelled_calls_leave_the_pool_whole(
    pool: PostgresPool, settings: PostgresSettings, server: PostgresServer
) -> None:
    """At whatever moment they leave: every place is free afterwards, and no connection too many is open."""

    async def write(connection: Connection, number: int) -> None:
        await put(connection, f"{number}a")
        await put(connection, f"{number}b")

    for number in range(300):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(facts, pool)
                nursery.start_soon(pool.write, partial(write, number=number))
                for _ in range(number % 30):
                    await trio.lowlevel.checkpoint()
                scope.cancel()
    await pool.settle()
    assert await all_places_are_free(pool, settings)
    figures = pool.statistics()
    assert (figures.in_use, figures.left_behind) == (0, 0)
    assert figures.size <= settings.connections
    found = await facts(pool)
    assert [name for name in found if str(name).endswith("a")] == [
        f"{str(b)[:-1]}a" for b in found if str(b)[-1] == "b"
    ]


async def test_reads_leave_some_connections_to_writes(pool: PostgresPool, settings: PostgresSettings) -> None:
    """Slow reads hold up no commit."""
    let_go = asyncio.Event()
    reading: list[int] = []

    async def read(connection: Connection) -> None:
        await connection.fetch("SELECT 1")
        reading.append(1)
        await let_go.wait()

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(pool.read, read)
        await pool.write(lambda connection: put(connection, "a"))
        while len(reading) < settings.connections - settings.kept_for_writes:
            await trio.lowlevel.checkpoint()
        await pool.write(lambda connection: put(connection, "b"))
        assert len(reading) == settings.connections - settings.kept_for_writes
        let_go.set()
    assert len(reading) == 20


async def test_connections_that_nobody_needs_are_closed(seam: AsyncioSeam, settings: PostgresSettings) -> None:
    """After a burst the server gets its memory back."""
    hasty = PostgresSettings(settings.dsn, connections=5, idle_seconds=0.0)
    async with open_pool(seam, hasty) as pool:
        assert await all_places_are_free(pool, hasty)
        await pool.fetch("SELECT 1")
        await pool.fetch("SELECT 1")
        assert pool.statistics().size <= 1


async def test_nothing_is_open_after_closing(seam: AsyncioSeam, settings: PostgresSettings, pool: PostgresPool) -> None:
    """What is under way is finished first; who comes later is refused."""
    begun = trio.Event()
    async with open_pool(seam, settings) as closing, trio.open_nursery() as nursery:
        nursery.start_soon(closing.write, partial(slow_put, name="late", begun=begun))
        await begun.wait()
        nursery.cancel_scope.cancel()
    assert await facts(pool) == ["late"]
    assert closing.statistics().size == closing.statistics().in_use == 0
    with pytest.raises(StorageUnavailable, match="closed"):
        await closing.fetch("SELECT 1")


async def slow_put(connection: Connection, name: str, begun: trio.Event) -> None:
    """Insert a fact, slowly."""
    begun.set()
    await connection.fetch("SELECT pg_sleep(0.1)")
    await put(connection, name)


async def test_closing_does_not_wait_for_ever(
    seam: AsyncioSeam, settings: PostgresSettings, pool: PostgresPool, caplog: pytest.LogCaptureFixture
) -> None:
    """What does not end is cut off, and is not written."""
    stuck = PostgresSettings(settings.dsn, close_seconds=0.1)
    begun = trio.Event()

    async def sleep(connection: Connection) -> None:
        begun.set()
        await connection.fetch("SELECT pg_sleep(60)")

    async with open_pool(seam, stuck) as closing:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(closing.write, sleep)
            await begun.wait()
            nursery.cancel_scope.cancel()
        started = trio.current_time()
    assert trio.current_time() - started < 30
    assert "event=connections_cut_off" in caplog.text
    await pool.settle()
    for (pid,) in await sleepers(pool):  # it holds the site, until the server notices
        await pool.fetch("SELECT pg_terminate_backend($1, 5000)", pid)
