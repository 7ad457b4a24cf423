"""What a server is refused for, before anything is served: each in one line that says how to mend it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from storage.asyncio_seam import AsyncioSeam
from storage.errors import StorageUnavailable
from storage.migrations import MigrationRefused
from storage.postgres import PostgresPool, PostgresSettings, open_postgres
from storage.postgres.checks import TABLES, ServerFacts, check_session, problems
from storage.postgres.connection import Connection, connect
from storage.postgres.pool import open_pool
from storage.postgres.schema import prepare
from tests.support.postgres_server import PostgresServer

FIT = ServerFacts(
    version_number=150006,
    version="15.6",
    encoding="UTF8",
    synchronous_commit="on",
    fsync=True,
    in_recovery=False,
    read_only=False,
    database="site",
    schema="public",
    server_time=1_700_000_000_000,
    our_time=1_700_000_000_400,
)


def test_a_fit_server_has_no_problems() -> None:
    """The defaults of every supported version are fine, and so is more than them."""
    for fit in (
        FIT,
        replace(FIT, synchronous_commit="remote_apply"),
        replace(FIT, version_number=130000),
        replace(FIT, server_time=FIT.our_time + 4900),
    ):
        assert problems(fit) == []


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (replace(FIT, version_number=120018, version="12.18"), ("12.18 is too old", "use version 13 or newer")),
        (replace(FIT, encoding="LATIN1"), ("database site is LATIN1", "ENCODING 'UTF8'")),
        (replace(FIT, fsync=False), ("fsync is off", "set fsync = on")),
        (replace(FIT, synchronous_commit="off"), ("synchronous_commit is off", "set it to on")),
        (replace(FIT, synchronous_commit="local"), ("synchronous_commit is local", "set it to on")),
        (replace(FIT, in_recovery=True, read_only=True), ("standby", "connect to the primary")),
        (replace(FIT, read_only=True), ("read-only", "default_transaction_read_only = off")),
        (replace(FIT, schema=None), ("search_path", "create one")),
        (replace(FIT, server_time=FIT.our_time + 5200), ("5.2 s ahead of ours", "NTP")),
        (replace(FIT, server_time=FIT.our_time - 60_000), ("60.0 s behind ours", "NTP")),
    ],
)
def test_each_problem_is_one_line(facts: ServerFacts, words: tuple[str, str]) -> None:
    """What is wrong, and what to do about it."""
    (line,) = problems(facts)
    assert "\n" not in line
    for said in words:
        assert said in line


def test_all_problems_are_named_at_once() -> None:
    """An operator mends them in one go."""
    worst = replace(FIT, encoding="LATIN1", fsync=False, synchronous_commit="off", read_only=True, server_time=0)
    assert len(problems(worst)) == 5


@asynccontextmanager
async def changed(seam: AsyncioSeam, server: PostgresServer, change: str, undo: str) -> AsyncIterator[None]:
    """Have the server changed by an operator for a while."""
    operator = PostgresSettings(server.url())

    async def run(script: str) -> None:
        async def work() -> None:
            connection = await connect(operator)
            try:
                for statement in script.split(";"):
                    await connection.execute(statement)
            finally:
                await connection.close(timeout=1)

        await seam.call(work)

    await run(change)
    try:
        yield
    finally:
        await run(undo)


async def refusal(seam: AsyncioSeam, settings: PostgresSettings, *, migrate: bool = True) -> str:
    """Try to open a database and return why not."""
    with pytest.raises(StorageUnavailable) as caught:
        async with open_postgres(settings, migrate=migrate, seam=seam):
            pytest.fail("it opened")
    return str(caught.value)


async def test_a_server_that_does_not_sync_is_refused(
    seam: AsyncioSeam, server: PostgresServer, settings: PostgresSettings
) -> None:
    """Acknowledged means durable, or we do not start."""
    name = settings.dsn.rpartition("/")[2]
    commit = f"ALTER DATABASE {name} {{}} synchronous_commit"
    async with changed(seam, server, commit.format("SET") + " = off", commit.format("RESET")):
        assert (await refusal(seam, settings)).startswith("synchronous_commit is off, so a crash may lose")
    async with open_postgres(settings, migrate=True, seam=seam):
        pass


async def test_a_database_in_another_encoding_is_refused(seam: AsyncioSeam, server: PostgresServer) -> None:
    """It could not hold every text, or would hold it without looking."""
    make = "CREATE DATABASE ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
    async with changed(seam, server, make, "DROP DATABASE ascii WITH (FORCE)"):
        assert "the encoding of database ascii is SQL_ASCII" in await refusal(
            seam, PostgresSettings(server.url("ascii"))
        )


async def test_a_role_without_privileges_is_refused(
    seam: AsyncioSeam, server: PostgresServer, settings: PostgresSettings
) -> None:
    """First it may create no tables; then it may not use those that another role has made."""
    make = "CREATE ROLE guest LOGIN"
    guest = PostgresSettings(settings.dsn.replace("justchat@", "guest@"))
    fresh = server.fresh_database()
    stranger = PostgresSettings(fresh.replace("justchat@", "guest@"))
    revoke = "REVOKE CREATE ON SCHEMA public FROM PUBLIC"  # as newer versions do by themselves
    await prepare(seam, PostgresSettings(fresh), lambda connection: connection.execute(revoke))
    async with changed(seam, server, make, "DROP ROLE guest"):
        wrong = await refusal(seam, stranger)
        assert "role guest may not create tables in schema public: GRANT CREATE, USAGE ON SCHEMA" in wrong
        with pytest.raises(MigrationRefused, match=r"\[1, 2, 3, 4\] are not applied"):
            async with open_postgres(stranger, migrate=False, seam=seam):
                pytest.fail("it opened")
        async with open_postgres(settings, migrate=True, seam=seam) as pool:
            tables = ", ".join(sorted([*TABLES, "schema_migrations"]))
            wrong = await refusal(seam, guest)
            assert wrong.endswith(f"not use all tables: GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO guest")
            await pool.read(lambda connection: connection.execute(f"GRANT ALL ON {tables} TO guest"))
            async with open_postgres(guest, migrate=True, seam=seam):
                pass  # there is nothing to create
            await pool.read(lambda connection: connection.execute(f"REVOKE ALL ON {tables} FROM guest"))
    server.drop(fresh)


async def test_a_read_only_server_is_refused(
    seam: AsyncioSeam, server: PostgresServer, settings: PostgresSettings
) -> None:
    """Also one that becomes so while we run: every new connection is looked at."""
    name = settings.dsn.rpartition("/")[2]
    change = f"ALTER DATABASE {name} SET default_transaction_read_only = on"
    undo = f"ALTER DATABASE {name} RESET default_transaction_read_only"
    async with open_pool(seam, settings) as pool:
        async with changed(seam, server, change, undo):
            assert "transactions are read-only" in await refusal(seam, settings)
            await lose_connections(pool)
            with pytest.raises(StorageUnavailable, match="read-only"):
                await pool.fetch("SELECT 1")
        await pool.fetch("SELECT 1")


async def lose_connections(pool: PostgresPool) -> None:
    """Have the pool's connections ended by the server."""
    end = "SELECT pg_terminate_backend(pg_backend_pid())"
    with pytest.raises(StorageUnavailable):
        await pool.fetch(end)


async def test_a_server_that_turns_into_a_careless_one_is_noticed(
    seam: AsyncioSeam, settings: PostgresSettings
) -> None:
    """What a new session of it says is compared each time."""

    async def look(connection: Connection) -> None:
        await connection.execute("SET synchronous_commit = off")
        await check_session(connection)

    with pytest.raises(StorageUnavailable, match="synchronous_commit is off"):
        await prepare(seam, settings, look)
