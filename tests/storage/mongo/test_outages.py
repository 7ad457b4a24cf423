"""A server that is killed, frozen and started again: what callers are told, when, and that it needs no help."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import trio

from storage.errors import OutcomeUnknown, StorageUnavailable
from storage.mongo import Entries, Messages, MongoDatabase
from tests.storage.mongo.house import database_of
from tests.storage.samples import a_message, a_post, posts
from tests.support.backends import require_mongo
from tests.support.mongo_server import MongoServer

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

# The last is for a machine that is slow, or pauses: a call that had no deadline would wait for ever.
TIMEOUT, SELECTION, GRACE = 3.0, 1.0, 15.0
AT_ONCE_SECONDS, TRIES = 0.5, 10


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MongoServer]:
    """Start a server of our own."""
    with MongoServer(tmp_path, program=require_mongo(control=True)) as started:
        yield started


@pytest.fixture
async def database(server: MongoServer) -> AsyncIterator[MongoDatabase]:
    """Open a database on it, with less patience than usual."""
    url = server.fresh_database()
    async with database_of(
        url, timeout_seconds=TIMEOUT, selection_seconds=SELECTION, connect_seconds=TIMEOUT
    ) as opened:
        yield opened


async def told(call: Callable[[], Awaitable[object]]) -> tuple[type[StorageUnavailable], float]:
    """Return what a call that has to fail raises, and after how many seconds."""
    began = time.monotonic()
    with pytest.raises(StorageUnavailable) as caught:
        await call()
    assert "\n" not in str(caught.value)
    return type(caught.value), time.monotonic() - began


async def eventually(call: Callable[[], Awaitable[object]]) -> None:
    """Call until it works, for a while."""
    with trio.fail_after(60):
        while True:
            try:
                await call()
            except StorageUnavailable:
                await trio.sleep(0.05)
            else:
                return


async def test_a_dead_server_is_unavailable_and_comes_back_by_itself(
    server: MongoServer, database: MongoDatabase
) -> None:
    """Nothing is sent to a server that is not there, so nothing is in doubt; the same objects work again afterwards."""
    entries, messages = Entries(database), Messages(database)
    await entries.insert([posts("r_1", 1, 2)], commit=1)
    server.kill()
    with trio.fail_after(60):  # the driver notices with the first call, of which it cannot know how it ended
        while (await told(lambda: entries.insert([posts("r_1", 3, 3)], commit=2)))[0] is OutcomeUnknown:
            pass
    for call in (
        lambda: entries.insert([posts("r_1", 3, 3)], commit=2),
        lambda: entries.read("r_1", after=0, upto=None, limit=9),
        lambda: messages.put([a_message(a_post("r_1", 1))], firsts={"r_1": 1}),
        database.ping,
    ):
        kind, seconds = await told(call)
        assert kind is StorageUnavailable
        assert seconds < SELECTION + GRACE
    server.start()
    await eventually(lambda: entries.insert([posts("r_1", 3, 4)], commit=3))
    assert [entry.seq for entry in await entries.read("r_1", after=0, upto=None, limit=9)] == [1, 2, 3, 4]
    statistics = database.statistics()
    assert statistics.reconnects == 1
    assert statistics.failed >= 5
    assert statistics.last_error is not None


async def test_what_a_frozen_server_was_sent_is_in_doubt(server: MongoServer, database: MongoDatabase) -> None:
    """It has the command, and may do it when it wakes up: trying again settles it, and counts once."""
    entries = Entries(database)
    await entries.insert([posts("r_1", 1, 2)], commit=1)
    server.pause()
    try:
        kind, seconds = await told(lambda: entries.insert([posts("r_1", 3, 4)], commit=2))
        assert kind is OutcomeUnknown
        assert TIMEOUT / 2 < seconds < TIMEOUT + GRACE
        kind, seconds = await told(lambda: entries.read("r_1", after=0, upto=None, limit=9))
        assert kind is StorageUnavailable
        assert seconds < TIMEOUT + GRACE
    finally:
        server.resume()
    await eventually(lambda: entries.insert([posts("r_1", 3, 4)], commit=3))
    assert [entry.seq for entry in await entries.read("r_1", after=0, upto=None, limit=9)] == [1, 2, 3, 4]


async def test_a_caller_that_leaves_a_frozen_server_leaves_at_once(
    server: MongoServer, database: MongoDatabase
) -> None:
    """A request that was given up must not hold its connection or its task for the driver's time-outs.

    One good try is enough: what else runs on this machine holds up some.
    """
    entries = Entries(database)
    await entries.insert([posts("r_1", 1, 1)], commit=1)
    server.pause()
    try:
        for call in (
            lambda: entries.read("r_1", after=0, upto=None, limit=9),
            lambda: entries.insert([posts("r_1", 2, 2)], commit=2),
        ):
            took: list[float] = []
            while not took or (took[-1] >= AT_ONCE_SECONDS and len(took) < TRIES):
                began = time.monotonic()
                with trio.move_on_after(0.05) as scope:
                    await call()
                assert scope.cancelled_caught
                took.append(time.monotonic() - began)
            assert took[-1] < AT_ONCE_SECONDS, took
    finally:
        server.resume()
    await eventually(lambda: entries.insert([posts("r_1", 2, 2)], commit=3))


async def test_a_server_killed_in_the_middle_of_inserts_has_no_hole(
    server: MongoServer, database: MongoDatabase
) -> None:
    """What was acknowledged is there, what was in doubt is whole up to some entry, and trying again completes it."""
    entries = Entries(database)
    acknowledged = 0
    attempt = posts("r_1", 1, 1)
    under_way = trio.Event()

    async def write() -> None:
        nonlocal acknowledged, attempt
        while True:
            attempt = posts("r_1", acknowledged + 1, acknowledged + 40)
            await entries.insert([attempt], commit=acknowledged)
            acknowledged += 40
            if acknowledged >= 120:
                under_way.set()

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def kill() -> None:
            await under_way.wait()
            await trio.to_thread.run_sync(server.kill)

        with pytest.raises(StorageUnavailable):
            await write()
    server.start()
    await eventually(database.ping)
    seqs = [entry.seq for entry in await Entries(database).read("r_1", after=0, upto=None, limit=100_000)]
    assert seqs == list(range(1, len(seqs) + 1))
    assert acknowledged <= len(seqs) <= acknowledged + 40
    done = await Entries(database).insert([attempt], commit=10**6)
    assert done.conflict is None
    assert len(await entries.read("r_1", after=0, upto=None, limit=100_000)) == acknowledged + 40
