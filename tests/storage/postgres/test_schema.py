"""Bringing a database to a schema version, and refusing what is not ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial

import pytest
import trio
from msgspec.structs import astuple, replace

from storage.asyncio_seam import AsyncioSeam
from storage.errors import StorageInUse, StorageUnavailable
from storage.migrations import Migration, MigrationRefused
from storage.postgres import (
    PostgresDirectory,
    PostgresJournal,
    PostgresRelations,
    PostgresSessions,
    PostgresSettings,
    open_postgres,
)
from storage.postgres.checks import TABLES
from storage.postgres.connection import Connection, Row, connect
from storage.postgres.pool import open_pool
from storage.postgres.schema import (
    down,
    known_migrations,
    migrate_down,
    migrate_up,
    migration_status,
    prepare,
    status,
    up,
)
from storage.postgres.site_lock import hold_site
from storage.records import PutItem, ReadMark, RoomSnapshot
from tests.storage.samples import a_change, a_member, a_room, a_session, a_user, an_item, appended, joined, posts
from tests.support.postgres_server import PostgresServer


@pytest.fixture
def fresh(server: PostgresServer) -> Iterator[PostgresSettings]:
    """Make a database with nothing in it."""
    made = server.fresh_database()
    yield PostgresSettings(made, migrate_seconds=60)
    server.drop(made)


def step(number: int, name: str, up_script: str, down_script: str = "SELECT 1") -> Migration:
    """Make a step."""
    return Migration(number=number, name=name, up=up_script, down=down_script, checksum=f"sum of {up_script}")


A = step(1, "a", "CREATE TABLE a (x integer);\nCREATE INDEX a_x ON a (x);", "DROP TABLE a;")
B = step(2, "b", "CREATE TABLE b (x integer); INSERT INTO b VALUES (1);", "DROP TABLE b;")
BROKEN = step(2, "broken", "CREATE TABLE b (x integer); INSERT INTO nowhere VALUES (1);")


async def tables(connection: Connection) -> list[str]:
    """List the tables."""
    rows: Sequence[Row] = await connection.fetch(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"
    )
    return [str(row[0]) for row in rows]


async def test_the_whole_schema_goes_up_and_down_again(fresh: PostgresSettings) -> None:
    """Every step leads back; a status says when it was applied and changes nothing."""
    known = [one.number for one in known_migrations()]
    assert [(one.number, one.applied_at) for one in await migration_status(fresh)] == [(n, None) for n in known]
    assert await migrate_up(fresh) == known
    assert await migrate_up(fresh) == []
    assert all(one.applied_at for one in await migration_status(fresh))
    assert await migrate_down(fresh, to=0) == known[::-1]
    assert [(one.number, one.applied_at) for one in await migration_status(fresh)] == [(n, None) for n in known]
    assert await migrate_up(fresh) == known


async def test_a_database_from_before_items_keeps_everything(fresh: PostgresSettings, seam: AsyncioSeam) -> None:
    """Up with what is there, and down again without the items alone."""
    item = an_item("u_1", kind="ban", held=True)
    await prepare(seam, fresh, partial(up, known=known_migrations()[:1]))
    async with open_pool(seam, fresh) as pool:
        await PostgresJournal(pool).append([joined("r_1", 1, "u_0001"), posts("r_1", 2, 3)])
    async with open_postgres(fresh, migrate=True, seam=seam) as pool:
        journal = PostgresJournal(pool)
        assert await journal.load_room("r_1") == RoomSnapshot(a_room(seq=3), (a_member(),), 3)
        await journal.append([appended(a_change("r_1", 4), changes=(PutItem(item),))])
        assert (await journal.load_room("r_1") or RoomSnapshot(None, (), 0)).items == (item,)
    await migrate_down(fresh, to=1)
    async with open_pool(seam, fresh) as pool:
        assert len(await PostgresJournal(pool).messages("r_1", limit=9)) == 2
        assert len(await PostgresJournal(pool).read("r_1", after=0, limit=9)) == 4


OLD_USER = """
INSERT INTO users (id, username, name_key, display_name, email, password_hash, role, created_at, disabled)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


async def test_accounts_from_before_they_had_more_are_as_they_were(fresh: PostgresSettings, seam: AsyncioSeam) -> None:
    """They are active, have never been changed or seen, and can be; down again they lose what is new and no more."""
    old = a_user(1, email="a@example.org")
    await prepare(seam, fresh, partial(up, known=known_migrations()[:2]))
    async with open_pool(seam, fresh) as pool:
        await pool.write(lambda connection: connection.execute(OLD_USER, *astuple(old)[:9]))
    async with open_postgres(fresh, migrate=True, seam=seam) as pool:
        directory, sessions = PostgresDirectory(pool), PostgresSessions(pool)
        assert await directory.all_users(limit=9) == [old]
        await directory.change_user(replace(old, rev=2, bio="new", state="leaving", avatar="a", email_verified=True))
        await sessions.create_session(a_session(1), most=9)
        await PostgresRelations(pool).seen({old.id: 5})
    await migrate_down(fresh, to=2)
    async with open_pool(seam, fresh) as pool:
        assert [tuple(row) for row in await pool.fetch("SELECT * FROM users")] == [astuple(old)[:9]]
    async with open_postgres(fresh, migrate=True, seam=seam) as pool:
        assert await PostgresDirectory(pool).all_users(limit=9) == [old]
        assert await PostgresSessions(pool).all_sessions(limit=9) == []


async def test_whoever_was_a_member_before_there_were_markers_has_read_everything(
    fresh: PostgresSettings, seam: AsyncioSeam
) -> None:
    """Nobody finds all that was ever said unread; down again, markers are all that goes."""
    await prepare(seam, fresh, partial(up, known=known_migrations()[:3]))
    async with open_pool(seam, fresh) as pool:
        await PostgresJournal(pool).append([joined("r_1", 1, "u_1", "u_2"), posts("r_1", 2, 5)])
    async with open_postgres(fresh, migrate=True, seam=seam) as pool:
        marks = await PostgresRelations(pool).all_read_marks(limit=9)
        assert marks == [ReadMark("u_1", "r_1", 5, 5), ReadMark("u_2", "r_1", 5, 5)]
    await migrate_down(fresh, to=3)
    async with open_pool(seam, fresh) as pool:
        assert len(await PostgresJournal(pool).messages("r_1", limit=9)) == 4


async def test_our_tables_are_all_that_is_made(fresh: PostgresSettings, seam: AsyncioSeam) -> None:
    """The list that privileges are looked up by is complete."""
    await migrate_up(fresh)
    assert await prepare(seam, fresh, tables) == sorted([*TABLES, "schema_migrations"])


async def test_an_outdated_schema_is_brought_up_to_date_or_refused(fresh: PostgresSettings, seam: AsyncioSeam) -> None:
    """Who is told not to migrate changes nothing."""
    with pytest.raises(MigrationRefused, match=r"\[1, 2, 3, 4\] are not applied"):
        async with open_postgres(fresh, migrate=False, seam=seam):
            pytest.fail("it opened")
    assert await prepare(seam, fresh, tables) == []
    async with open_postgres(fresh, migrate=True, seam=seam):
        pass
    async with open_postgres(fresh, migrate=False, seam=seam) as pool:
        assert await pool.fetch("SELECT * FROM entries") == []


async def test_steps_are_applied_and_undone_in_order(fresh: PostgresSettings, seam: AsyncioSeam) -> None:
    """Only what is missing, and only what is above."""
    run = partial(prepare, seam, fresh)
    assert await run(partial(up, known=[A])) == [1]
    assert await run(partial(up, known=[A, B])) == [2]
    assert await run(tables) == ["a", "b", "schema_migrations"]
    assert await run(partial(down, known=[A, B], to=1)) == [2]
    assert await run(tables) == ["a", "schema_migrations"]
    assert [bool(one.applied_at) for one in await run(partial(status, known=[A, B]))] == [True, False]
    with pytest.raises(MigrationRefused, match="no migration 7"):
        await run(partial(down, known=[A, B], to=7))


async def test_a_step_that_fails_leaves_nothing_of_itself(fresh: PostgresSettings, seam: AsyncioSeam) -> None:
    """Each step is one transaction; those before it stand, and the mended step can be applied."""
    run = partial(prepare, seam, fresh)
    with pytest.raises(StorageUnavailable, match="nowhere"):
        await run(partial(up, known=[A, BROKEN]))
    assert await run(tables) == ["a", "schema_migrations"]
    assert await run(partial(up, known=[A, B])) == [2]


async def test_of_programs_that_start_at_once_one_migrates(fresh: PostgresSettings, seam: AsyncioSeam) -> None:
    """The others wait for it and find everything done."""
    slow = step(1, "slow", "SELECT pg_sleep(0.1); CREATE TABLE a (x integer);")
    done: list[list[int]] = []

    async def start() -> None:
        done.append(await prepare(seam, fresh, partial(up, known=[slow, B])))

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(start)
    assert sorted(done) == [[], [], [], [1, 2]]


async def execute(connection: Connection, script: str) -> None:
    """Run a script."""
    await connection.execute(script)


FOREIGN = (
    "CREATE TABLE users (id integer)",
    "CREATE VIEW anything AS SELECT 1 AS x",
    "CREATE TABLE schema_migrations (version text PRIMARY KEY)",
)


@pytest.mark.parametrize("script", FOREIGN, ids=["a table", "a view", "another program's record"])
async def test_the_database_of_another_program_is_refused(
    fresh: PostgresSettings, seam: AsyncioSeam, script: str
) -> None:
    """And left as it is."""
    await prepare(seam, fresh, partial(execute, script=script))
    before = await prepare(seam, fresh, tables)
    for attempt in (migrate_up(fresh), migrate_down(fresh, to=0), migration_status(fresh)):
        with pytest.raises(MigrationRefused, match="tables of another program"):
            await attempt
    assert await prepare(seam, fresh, tables) == before


async def test_a_schema_of_its_own_in_a_shared_database(fresh: PostgresSettings, seam: AsyncioSeam) -> None:
    """Another program's tables in another schema are no matter of ours."""
    await prepare(seam, fresh, partial(execute, script="CREATE TABLE users (id integer); CREATE SCHEMA chat"))
    own = PostgresSettings(f"{fresh.dsn}?search_path=chat")
    async with open_postgres(own, migrate=True, seam=seam) as pool:
        assert await pool.fetch("SELECT name_key FROM users") == []
    nowhere = PostgresSettings(f"{fresh.dsn}?search_path=nowhere")
    with pytest.raises(StorageUnavailable, match="names no schema that exists"):
        async with open_postgres(nowhere, migrate=True, seam=seam):
            pytest.fail("it opened")


async def test_a_database_of_a_newer_program_is_refused(fresh: PostgresSettings, seam: AsyncioSeam) -> None:
    """An old program must not write into tables that have changed their meaning."""
    await migrate_up(fresh)
    later = "INSERT INTO schema_migrations VALUES ((SELECT max(number) + 1 FROM schema_migrations), 'later', 'sum', 0)"
    await prepare(seam, fresh, partial(execute, script=later))
    with pytest.raises(MigrationRefused, match="newer program"):
        async with open_postgres(fresh, migrate=True, seam=seam):
            pytest.fail("it opened")


async def test_a_step_that_was_applied_from_another_file_is_refused(fresh: PostgresSettings, seam: AsyncioSeam) -> None:
    """A released file is never edited."""
    await prepare(seam, fresh, partial(up, known=[A]))
    edited = step(1, "a", "CREATE TABLE a (x bigint);")
    with pytest.raises(MigrationRefused, match="another file"):
        await prepare(seam, fresh, partial(up, known=[edited]))


async def test_a_program_that_wants_a_site_alone_gets_it_alone(url: str, seam: AsyncioSeam) -> None:
    """Any number of servers, or one such program; the lock goes with whoever holds it."""
    settings = PostgresSettings(url, connections=2)
    in_use = pytest.raises(StorageInUse, match="stop the server")
    worked_on = pytest.raises(StorageInUse, match="worked on by another program")
    async with open_postgres(settings, migrate=True, seam=seam), open_postgres(settings, migrate=True, seam=seam):
        with in_use:
            async with open_postgres(settings, migrate=True, exclusive=True, seam=seam):
                pytest.fail("it opened")
    async with open_postgres(settings, migrate=True, exclusive=True, seam=seam) as alone:
        assert await alone.fetch("SELECT * FROM users") == []
        with worked_on:
            async with open_postgres(settings, migrate=True, seam=seam):
                pytest.fail("it opened")
        with in_use:
            async with open_postgres(settings, migrate=True, exclusive=True, seam=seam):
                pytest.fail("it opened")
    async with open_postgres(settings, migrate=True, seam=seam):
        pass


async def test_a_site_is_held_though_its_server_ends_idle_sessions(url: str, seam: AsyncioSeam) -> None:
    """A copy takes hours, and the lock's own connection is silent all the while."""

    async def idle(connection: Connection) -> bool:
        await asyncio.sleep(0.05)
        return connection.is_closed()

    settings = PostgresSettings(f"{url}{'&' if '?' in url else '?'}idle_session_timeout=50")
    async with hold_site(seam, settings):
        other = await seam.call(lambda: connect(settings))
        while not await seam.call(partial(idle, other)):
            pass
        with pytest.raises(StorageInUse):
            async with hold_site(seam, PostgresSettings(url)):
                pytest.fail("it is held twice")


async def test_a_site_that_is_taken_while_all_connections_were_lost_is_unavailable(url: str, seam: AsyncioSeam) -> None:
    """A running server does not serve what somebody else is working on, and goes on when that is done."""
    async with open_postgres(PostgresSettings(url), migrate=True, seam=seam) as pool:
        with pytest.raises(StorageUnavailable):
            await pool.fetch("SELECT pg_terminate_backend(pg_backend_pid())")
        async with open_postgres(PostgresSettings(url), migrate=True, exclusive=True, seam=seam):
            with pytest.raises(StorageUnavailable, match="worked on by another program"):
                await pool.fetch("SELECT 1")
        assert len(await pool.fetch("SELECT 1")) == 1
