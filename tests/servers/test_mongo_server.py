"""The MongoDB server that tests start: it keeps what was written, enforces unique keys, freezes and dies as asked."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pymongo
import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError, NetworkTimeout

from tests.support.backends import REQUIRE_ALL, require_mongo
from tests.support.guarded_process import NotStarted
from tests.support.mongo_server import (
    BIN,
    URL,
    MongoNotBuilt,
    MongoProgram,
    MongoServer,
    NotOurs,
    find_mongo,
    mongo_server,
)

Document = dict[str, object]
FROZEN_SECONDS = 0.3
ANSWER_SECONDS = 20.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    with mongo_server(tmp_path_factory.mktemp("mongo"), program=require_mongo()) as started:
        yield started


@pytest.fixture
def controlled(server: MongoServer) -> MongoServer:
    require_mongo(control=True)
    return server


@pytest.fixture
def database(server: MongoServer) -> Iterator[Database[Document]]:
    with connected(server.fresh_database()) as client:
        yield client.get_default_database()


def connected(url: str) -> MongoClient[Document]:
    milliseconds = int(ANSWER_SECONDS * 1000)
    return MongoClient(url, serverSelectionTimeoutMS=milliseconds, socketTimeoutMS=milliseconds, retryReads=False)


def test_fresh_databases_are_isolated_and_can_be_dropped(server: MongoServer) -> None:
    """What is written to one is not in the other; dropping one leaves the other alone."""
    one, other = server.fresh_database(), server.fresh_database()
    with connected(one) as here, connected(other) as there:
        here.get_default_database()["rooms"].insert_one({"_id": "a"})
        assert there.get_default_database()["rooms"].find_one({"_id": "a"}) is None
        there.get_default_database()["rooms"].insert_one({"_id": "b"})
        server.drop(one)
        assert here.get_default_database()["rooms"].find_one({"_id": "a"}) is None
        assert there.get_default_database()["rooms"].find_one({"_id": "b"}) == {"_id": "b"}


def test_unique_keys_are_enforced(database: Database[Document]) -> None:
    """A second document with the same identity, or the same values of a unique index, is refused."""
    entries = database["entries"]
    entries.create_index([("room", 1), ("seq", 1)], unique=True)
    entries.insert_one({"_id": "a:1", "room": "a", "seq": 1})
    with pytest.raises(DuplicateKeyError):
        entries.insert_one({"_id": "a:1", "room": "b", "seq": 9})
    with pytest.raises(DuplicateKeyError):
        entries.insert_one({"_id": "other", "room": "a", "seq": 1})
    entries.insert_one({"_id": "a:2", "room": "a", "seq": 2})


def test_an_ordered_batch_ends_at_its_first_duplicate(database: Database[Document]) -> None:
    """What stands before the duplicate is written, what stands after it is not."""
    entries = database["entries"]
    entries.insert_one({"_id": 3})
    with pytest.raises(BulkWriteError) as refused:
        entries.insert_many([{"_id": number} for number in (1, 2, 3, 4)])
    assert refused.value.details["nInserted"] == 2
    assert sorted(str(entry["_id"]) for entry in entries.find()) == ["1", "2", "3"]


def test_changes_of_one_document_at_the_same_time_are_all_kept(database: Database[Document]) -> None:
    """Every client that counts up sees a number of its own, and one of those that compare and set wins."""
    counters = database["counters"]
    counters.insert_one({"_id": "seq", "next": 0, "owner": None})

    def count_up(_: int) -> object:
        after = counters.find_one_and_update({"_id": "seq"}, {"$inc": {"next": 1}}, return_document=True)
        return after and after["next"]

    def own(client: int) -> int:
        return counters.update_one({"_id": "seq", "owner": None}, {"$set": {"owner": client}}).modified_count

    with ThreadPoolExecutor(4) as threads:
        assert sorted(map(str, threads.map(count_up, range(100)))) == sorted(map(str, range(1, 101)))
        assert sum(threads.map(own, range(20))) == 1


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_what_was_acknowledged_is_there_after_it_starts_again(controlled: MongoServer, end: str) -> None:
    """A kill and a stop keep acknowledged writes, unique indexes and the port."""
    url, port, starts = controlled.fresh_database(), controlled.port, controlled.starts
    with connected(url) as client:
        entries = client.get_default_database()["entries"]
        entries.create_index("key", unique=True)
        entries.insert_many([{"_id": number, "key": number} for number in range(50)])
        if end == "kill":
            controlled.kill()
        else:
            assert controlled.stop() == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS)
        controlled.start()
    with connected(url) as client:
        entries = client.get_default_database()["entries"]
        assert len(list(entries.find())) == 50
        with pytest.raises(DuplicateKeyError):
            entries.insert_one({"_id": 50, "key": 49})
    assert (controlled.port, controlled.starts) == (port, starts + 1)


def test_a_frozen_server_answers_nobody_and_goes_on_where_it_was(controlled: MongoServer) -> None:
    """A connected client waits in vain; after the thaw the server answers the same client."""
    with connected(controlled.fresh_database()) as client:
        client.admin.command("ping")
        controlled.pause()
        try:
            with pymongo.timeout(FROZEN_SECONDS), pytest.raises(NetworkTimeout):
                client.admin.command("ping")
        finally:
            controlled.resume()
    with connected(controlled.url) as client:
        assert client.admin.command("ping")["ok"] == 1


def test_a_taken_port_is_reported_and_not_waited_for(controlled: MongoServer) -> None:
    """A server that must come back on its port says why it cannot, and can be started later."""
    controlled.stop()
    with socket.create_server(("127.0.0.1", controlled.port)), pytest.raises(NotStarted, match="in use"):
        controlled.start()
    controlled.start()
    with connected(controlled.url) as client:
        assert client.admin.command("ping")["ok"] == 1


def test_a_server_that_runs_elsewhere_is_used_but_never_controlled(
    server: MongoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its databases are our own and are dropped at the end; a test that needs control is skipped."""
    monkeypatch.setenv(URL, server.url)
    monkeypatch.delenv(REQUIRE_ALL, raising=False)
    with mongo_server(tmp_path, program=require_mongo()) as elsewhere:
        with connected(elsewhere.fresh_database()) as client:
            database = client.get_default_database()
            database["rooms"].insert_one({"_id": "a"})
            assert database.name in client.list_database_names()
        with pytest.raises(NotOurs, match=URL):
            elsewhere.kill()
        with pytest.raises(pytest.skip.Exception, match=URL):
            require_mongo(control=True)
    with connected(server.url) as client:
        assert database.name not in client.list_database_names()


@pytest.mark.parametrize(
    ("given", "fresh"),
    [
        ("mongodb://me:pw@a:1,b:2/?replicaSet=r", "mongodb://me:pw@a:1,b:2/{}?replicaSet=r&authSource=admin"),
        ("mongodb://me:pw@a/people", "mongodb://me:pw@a/{}?authSource=people"),
        ("mongodb://a:1", "mongodb://a:1/{}"),
    ],
)
def test_a_fresh_database_keeps_the_rest_of_a_url(tmp_path: Path, given: str, fresh: str) -> None:
    """Hosts and options stay, and an account is looked for where it was before."""
    url = MongoServer(tmp_path, program=MongoProgram("url", given)).fresh_database()
    name = url.rpartition("/")[2].partition("?")[0]
    assert name
    assert url == fresh.format(name)


def test_our_program_is_built_only_on_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A URL comes before a built program, and a broken build says what Go says."""
    monkeypatch.setenv(URL, "mongodb://a")
    monkeypatch.setenv(BIN, sys.executable)
    assert find_mongo() == MongoProgram("url", "mongodb://a")
    monkeypatch.delenv(URL)
    assert find_mongo() == MongoProgram("ferretdb", sys.executable)
    monkeypatch.delenv(BIN)
    go = tmp_path / "go"
    go.write_text('#!/bin/sh\n[ "$1" = env ] && echo go1.24.0 && exit\necho no such module; exit 1\n')
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JUSTCHAT_CACHE", str(tmp_path / "cache"))
    assert find_mongo() is None
    with pytest.raises(MongoNotBuilt, match="no such module"):
        find_mongo(build=True)
    go.write_text("#!/bin/sh\necho go1.23.9\n")
    assert find_mongo() is None
