"""What group commit is measured beside: every message inserted on its own, and durable before the next.

The plainest server that loses nothing: on each connection one message after the other, the row of its entry in a
transaction of its own, into the same table with the same indexes. That is less than the journal writes, so there is
also `whole`: with the rows of the message and of its room, too.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from itertools import cycle
from pathlib import Path

import asyncpg
from msgspec import Struct
from msgspec.structs import astuple
from pymongo import AsyncMongoClient
from pymongo.write_concern import WriteConcern

from bench.model_room import ModelRoom
from bench.modes import Mode, StoreMeter
from bench.plain_asyncio import run_asyncio
from bench.turns import turns
from storage.mongo.documents import Document, entry_document
from storage.mongo.settings import mongo_settings
from storage.net_changes import NetChanges
from storage.postgres.projections import apply
from storage.postgres.settings import PostgresSettings
from storage.postgres.statements import ENTRY_COLUMNS
from storage.records import Append, Entry, PutMessage, PutRoom
from storage.sqlite import statements as sqlite_statements
from storage.url import MongoUrl, PostgresUrl, SplitUrl, SqliteUrl, parse_url

_PLACES = len(Entry.__struct_fields__)
_SQLITE = f"INSERT INTO entries ({ENTRY_COLUMNS}) VALUES ({', '.join('?' * _PLACES)})"
_POSTGRES = f"INSERT INTO entries ({ENTRY_COLUMNS}) VALUES ({', '.join(f'${n + 1}' for n in range(_PLACES))})"
_COMMIT = 1  # of no meaning here; the field is indexed, so it is there

Insert = Callable[[ModelRoom], Awaitable[object]]


class Inserts(Struct, frozen=True):
    """Inserts in a stretch of time, and what each took."""

    seconds: float
    own_cpu_seconds: float
    server_cpu_seconds: float
    others_cores: float
    connections: int
    ms: list[float]

    @property
    def entries(self) -> int:
        """How many there were."""
        return len(self.ms)


def insert_singly(mode: Mode, rooms: Sequence[ModelRoom], seconds: float, *, whole: bool = False) -> Inserts:
    """Insert posts of these rooms, one by one on each connection, over at most as many as a store of ours has.

    Each connection inserts at least once, however late its first turn comes.

    `whole` is for stores in one database.
    """
    match parse_url(mode.url, journal=mode.journal):
        case SqliteUrl(path=path):
            return _into_sqlite(mode, path, rooms, seconds, whole=whole)
        case PostgresUrl(dsn=dsn):
            return run_asyncio(lambda: _into_postgres(mode, dsn, rooms, seconds, whole=whole))
        case SplitUrl(journal=MongoUrl(uri=uri)) if not whole:
            return run_asyncio(lambda: _into_mongo(mode, uri, rooms, seconds))
        case other:
            raise ValueError(f"not offered: {type(other).__name__}")


class _Watch:
    """Times a stretch, with the CPU that is used in it; the connections are open all the time."""

    def __init__(self, mode: Mode) -> None:
        self._meter = StoreMeter(mode)
        self._cpu = time.process_time()
        self.began = time.perf_counter()
        self.ms: list[float] = []

    def add(self, since: float) -> None:
        self.ms.append((time.perf_counter() - since) * 1e3)

    def stop(self, *, connections: int) -> Inserts:
        wall, own = time.perf_counter() - self.began, time.process_time() - self._cpu
        servers, others = self._meter.read(own, wall)
        return Inserts(wall, own, servers, others, connections, self.ms)


def _into_sqlite(mode: Mode, path: Path, rooms: Sequence[ModelRoom], seconds: float, *, whole: bool) -> Inserts:
    """SQLite has one writer at a time, so a second connection would only wait."""
    posters = cycle(rooms)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous=FULL")
        watch = _Watch(mode)
        for began in turns(watch.began + seconds):
            if whole:
                _write_whole(database, next(posters).post(1))
            else:
                database.execute(_SQLITE, astuple(next(posters).entry()))
            watch.add(began)
        return watch.stop(connections=1)


def _write_whole(database: sqlite3.Connection, append: Append) -> None:
    database.execute("BEGIN IMMEDIATE")
    database.execute(_SQLITE, astuple(append.entries[0]))
    for change in append.changes:
        if isinstance(change, PutMessage):
            database.execute(sqlite_statements.PUT_MESSAGE, astuple(change.message))
        elif isinstance(change, PutRoom):
            database.execute(sqlite_statements.PUT_ROOM, astuple(change.room))
    database.execute("COMMIT")


async def _into_postgres(mode: Mode, dsn: str, rooms: Sequence[ModelRoom], seconds: float, *, whole: bool) -> Inserts:
    count = min(len(rooms), PostgresSettings(dsn).connections)
    connections = [await asyncpg.connect(dsn) for _ in range(count)]
    try:
        inserts = [_whole_inserter(each) if whole else _inserter(each) for each in connections]
        for insert, room in zip(inserts, rooms, strict=False):
            await insert(room)  # prepared from now on
        return await _race(mode, inserts, rooms, seconds)
    finally:
        for connection in connections:
            await connection.close()


def _inserter(connection: asyncpg.Connection) -> Insert:
    return lambda room: connection.execute(_POSTGRES, *astuple(room.entry()))


def _whole_inserter(connection: asyncpg.Connection) -> Insert:
    async def insert(room: ModelRoom) -> None:
        append = room.post(1)
        async with connection.transaction():
            await connection.execute(_POSTGRES, *astuple(append.entries[0]))
            await apply(connection, NetChanges([append]))

    return insert


async def _into_mongo(mode: Mode, uri: str, rooms: Sequence[ModelRoom], seconds: float) -> Inserts:
    settings = mongo_settings(uri)
    count = min(len(rooms), settings.connections)
    client: AsyncMongoClient[Document] = AsyncMongoClient(uri, maxPoolSize=count, retryWrites=False)
    async with client:
        durable = WriteConcern(w="majority", j=True)
        entries = client[settings.database].get_collection("entries", write_concern=durable)

        def insert(room: ModelRoom) -> Awaitable[object]:
            return entries.insert_one(entry_document(room.entry(), commit=_COMMIT))

        await asyncio.gather(*[insert(room) for room in rooms[:count]])
        return await _race(mode, [insert] * count, rooms, seconds)


async def _race(mode: Mode, inserts: Sequence[Insert], rooms: Sequence[ModelRoom], seconds: float) -> Inserts:
    """Have each connection insert for its share of the rooms until the time is over."""
    watch = _Watch(mode)

    async def work(insert: Insert, posters: Iterator[ModelRoom]) -> None:
        for began in turns(watch.began + seconds):
            await insert(next(posters))
            watch.add(began)

    count = len(inserts)
    await asyncio.gather(*[work(insert, cycle(rooms[n::count])) for n, insert in enumerate(inserts)])
    return watch.stop(connections=count)
