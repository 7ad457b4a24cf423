"""Either database killed or frozen while the other works: what callers are told, and that it recovers by itself."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

import pytest
import trio

from storage.errors import OutcomeUnknown, StorageUnavailable
from storage.mongo import MongoSettings, mongo_settings
from storage.postgres import PostgresSettings
from storage.split import SplitLimits, open_split_store
from tests.storage.samples import joined, posts
from tests.storage.split.house import Fault, House, assert_same, eventually_written, until_nothing_is_behind
from tests.support.backends import require_mongo, require_postgres
from tests.support.mongo_server import MongoServer
from tests.support.postgres_server import PostgresServer, postgres_server

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

# How long an append waits for projections. How long the drivers wait, where the servers do answer, is no matter here.
PATIENCE = 0.5
AT_MOST = 30.0


@pytest.fixture(scope="module")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    """Start a server of our own."""
    program = require_mongo(control=True)
    with MongoServer(tmp_path_factory.mktemp("mongo"), program=program) as server:
        yield server


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Start a server of our own."""
    binaries = require_postgres()
    with postgres_server(tmp_path_factory.mktemp("postgres"), binaries=binaries) as server:
        yield server


@pytest.fixture
async def house(mongo: MongoServer, postgres: PostgresServer) -> AsyncIterator[House]:
    """Open a store on them that is little patient."""
    relations = PostgresSettings(postgres.fresh_database(), connect_seconds=AT_MOST, command_seconds=AT_MOST)
    found = mongo_settings(mongo.fresh_database())
    documents = MongoSettings(
        found.uri, found.database, timeout_seconds=4.0, selection_seconds=1.0, connect_seconds=4.0
    )
    limits = SplitLimits(project_seconds=PATIENCE, retry_seconds=0.05, close_seconds=1.0)
    async with open_split_store(relations, documents, migrate=True, limits=limits) as store:
        yield House(store, Fault())


async def test_postgresql_killed_and_started(house: House, postgres: PostgresServer) -> None:
    """Appends go on without it, the first a little later, the others at once; when it is back everything is written."""
    appends = [joined("r_1", 1, "u_0001")]
    await house.journal.append(appends)
    postgres.kill()
    try:
        for number in range(2, 12):
            appends.append(posts("r_1", number, number))
            began = time.monotonic()
            await house.journal.append(appends[-1:])
            assert time.monotonic() - began < AT_MOST / 2
        assert len(await house.journal.read("r_1", after=0, limit=100)) == 11
        with pytest.raises(StorageUnavailable):
            await house.journal.load_room("r_1")
    finally:
        postgres.start()
    await until_nothing_is_behind(house)
    assert await house.row("r_1") == 11
    await assert_same(house, appends)


async def test_postgresql_frozen_in_the_middle_of_a_projection(house: House, postgres: PostgresServer) -> None:
    """What it was sent it may still do when it wakes up, late and beside what is tried again: the end is the same."""
    appends = [joined("r_1", 1, "u_0001", "u_0002"), posts("r_1", 2, 3)]
    await house.journal.append(appends)
    postgres.pause()
    try:
        for append in (joined("r_1", 4, "u_0003"), posts("r_1", 5, 6)):
            began = time.monotonic()
            await house.journal.append([append])
            appends.append(append)
            assert time.monotonic() - began < AT_MOST / 2
        assert house.journal.statistics().rooms_behind == 1
    finally:
        postgres.resume()
    await until_nothing_is_behind(house)
    await assert_same(house, appends)


async def test_mongodb_killed_and_started(house: House, mongo: MongoServer) -> None:
    """Nothing is written without it, and nothing is behind: rooms load and go on as soon as it is back."""
    appends = [joined("r_1", 1, "u_0001")]
    await house.journal.append(appends)
    mongo.kill()
    try:
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(StorageUnavailable):
                await house.journal.append([posts("r_1", 2, 3)])
            with pytest.raises(StorageUnavailable):
                await house.journal.load_room("r_1")
            assert time.monotonic() - began < AT_MOST
    finally:
        mongo.start()
    await eventually_written(house, posts("r_1", 2, 3))
    await assert_same(house, [*appends, posts("r_1", 2, 3)])
    assert house.journal.statistics().rooms_behind == 0


async def test_mongodb_frozen_in_the_middle_of_a_commit(house: House, mongo: MongoServer) -> None:
    """Nobody knows whether it will be written: the room is looked at again, and the mark waits for that."""
    appends = [joined("r_1", 1, "u_0001"), posts("r_1", 2, 3)]
    await house.journal.append(appends[:1])
    mark = house.journal.statistics().mark
    mongo.pause()
    try:
        with pytest.raises(OutcomeUnknown):
            await house.journal.append(appends[1:])
        assert house.journal.statistics().rooms_held == 1
        assert house.journal.statistics().mark >= mark
    finally:
        mongo.resume()
    with trio.fail_after(60):
        while True:
            try:
                head, applied = await house.places("r_1")
                break
            except StorageUnavailable:
                await trio.sleep(0.05)
    assert applied == 1
    assert head in (1, 3)
    await eventually_written(house, appends[1])
    assert house.journal.statistics().rooms_held == 0
    await assert_same(house, appends)
