"""What a server and a database must be like, and what is said when they are not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio
from msgspec.structs import replace

from storage.asyncio_seam import open_seam
from storage.errors import StorageUnavailable
from storage.migrations import MigrationRefused
from storage.mongo import mongo_settings, open_mongo, prepare
from storage.mongo.checks import ServerFacts, problems
from storage.mongo.client import Collections, MongoDatabase
from storage.mongo.layout import INDEXES, LAYOUT, layout_of
from storage.url import UnknownStorage
from tests.storage.mongo.house import database_of, unprepared
from tests.storage.mongo.server import shared_server

pytestmark = pytest.mark.real_clock

GOOD = ServerFacts(version=(4, 4, 0), writable=True, read_only=False, server_time=1_000_000, our_time=1_000_000)


@pytest.fixture
def url() -> Iterator[str]:
    """Return the URL of a database that is not there yet."""
    server = shared_server()
    fresh = server.fresh_database()
    yield fresh
    server.drop(fresh)


def test_a_good_server_has_no_problems() -> None:
    """A clock may be a little off."""
    assert problems(GOOD) == []
    assert problems(replace(GOOD, version=(8, 0, 1), server_time=GOOD.our_time + 4_900)) == []


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        (replace(GOOD, version=(4, 2, 24)), "MongoDB 4.2.24 is too old: use version 4.4 or newer"),
        (replace(GOOD, writable=False), "this server is no primary, so it cannot be written: name its replica set"),
        (replace(GOOD, read_only=True), "this server was started read-only"),
        (
            replace(GOOD, server_time=GOOD.our_time + 7_250),
            "the server's clock is 7.2 s ahead of ours: let both be set",
        ),
        (replace(GOOD, server_time=GOOD.our_time - 7_250), "the server's clock is 7.2 s behind ours"),
    ],
)
def test_each_problem_is_one_line_that_says_how_to_mend_it(facts: ServerFacts, says: str) -> None:
    """An operator reads it at three in the morning."""
    (line,) = problems(facts)
    assert line.startswith(says)
    assert "\n" not in line


def test_all_problems_are_named_at_once() -> None:
    """Mending one to be told of the next is tiresome."""
    assert len(problems(ServerFacts((3, 6), writable=False, read_only=False, server_time=0, our_time=9_000))) == 3


async def indexes(database: MongoDatabase) -> dict[str, set[str]]:
    """Return the names of the indexes of each collection."""

    async def find(of: Collections) -> dict[str, set[str]]:
        return {collection.name: set(await collection.index_information()) for collection in (of.entries, of.messages)}

    return await database.read(find)


async def test_an_empty_database_is_laid_out_once(url: str) -> None:
    """What is there is not made again, and every index is there when the number is."""
    async with database_of(url) as database:
        for _ in range(2):
            assert await indexes(database) == {name: {"_id_", *wanted} for name, wanted in INDEXES.items()}
            assert await database.read(layout_of) == LAYOUT
            await prepare(database, migrate=True)
        await prepare(database, migrate=False)


async def test_an_empty_database_is_refused_without_migration(url: str) -> None:
    """Somebody else wants to decide when it is laid out."""
    async with unprepared(url) as database:
        with pytest.raises(MigrationRefused, match="layout 0 instead of 1: migrate the database first"):
            await prepare(database, migrate=False)
        assert await database.read(layout_of) == 0


async def test_a_newer_database_is_refused(url: str) -> None:
    """An older program must not write what a newer one would misread."""

    async def pretend(of: Collections) -> None:
        await of.layout.update_one({"_id": "layout"}, {"$set": {"version": LAYOUT + 1}}, upsert=True)

    async with unprepared(url) as database:
        await database.write(pretend)
        for migrate in (True, False):
            with pytest.raises(MigrationRefused, match="run the newer program"):
                await prepare(database, migrate=migrate)
        assert await indexes(database) == {"entries": set(), "messages": set()}


@pytest.mark.parametrize("migrate", [True, False])
async def test_an_index_that_does_not_do_its_work_is_refused(url: str, migrate: bool) -> None:
    """Without uniqueness a room may fork in silence: that is found at the start, not afterwards."""

    async def spoil(of: Collections) -> None:
        await of.entries.drop_index("place")
        await of.entries.create_index([("room", 1), ("seq", 1)], name="place")

    async with database_of(url) as database:
        await database.write(spoil)
        with pytest.raises(StorageUnavailable, match="entries has no unique index place on room, seq"):
            await prepare(database, migrate=migrate)


async def test_a_missing_index_is_made_or_refused(url: str) -> None:
    """An operator may have dropped one."""

    async def drop(of: Collections) -> None:
        await of.entries.drop_index("sent")

    async with database_of(url) as database:
        await database.write(drop)
        with pytest.raises(StorageUnavailable, match="entries has no unique index sent"):
            await prepare(database, migrate=False)
        await prepare(database, migrate=True)
        assert "sent" in (await indexes(database))["entries"]


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://user:sec@ret@localhost/chat",
        "mongodb://user:sec:ret@localhost/chat",
        "mongodb://user:secret@localhost:port/chat",
        "mongodb://localhost/chat?replicaSet",
        "mongodb://localhost/chat?tls=perhaps",
        "mongodb://localhost/chat?tlz=true",
    ],
)
async def test_a_url_that_cannot_be_read_is_not_repeated(url: str) -> None:
    """Its password would be in the log."""
    with pytest.raises(UnknownStorage, match="cannot be read") as caught:
        async with unprepared(url):
            pass
    assert "sec" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_an_absent_server_is_told_in_one_line() -> None:
    """Soon, with nothing of the driver's description of the topology, and no password."""
    settings = mongo_settings("mongodb://user:secret@127.0.0.1:1/chat")
    settings = replace(settings, selection_seconds=0.3, timeout_seconds=30.0)
    async with open_seam() as seam, open_mongo(settings, seam) as database:
        with trio.fail_after(20), pytest.raises(StorageUnavailable, match=r"\[Errno 111\]") as caught:
            await prepare(database, migrate=True)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
