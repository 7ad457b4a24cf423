"""Fills a store by its driver, past the journal: a million entries and a hundred thousand users in a minute or two.

What is written is what the journal and the directory would have written. Syncing is left out, for nobody is told that
anything is durable; the store is at rest before anyone measures.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import TypeVar

import asyncpg
from msgspec import Struct
from msgspec.structs import astuple
from pymongo import MongoClient

from bench.model_room import ModelRoom
from bench.plain_asyncio import run_asyncio
from storage.mongo.documents import Document, entry_document, message_document
from storage.mongo.settings import mongo_settings
from storage.records import Entry, MessageRecord, UserRecord
from storage.url import MongoUrl, PostgresUrl, SplitUrl, SqliteUrl, parse_url

T = TypeVar("T")

_AT_ONCE = 10_000
_DOCUMENTS_AT_ONCE = 1_000
_CACHE_KIB = 400_000
_FILL_SECONDS = 600.0

Table = tuple[str, Sequence[Struct]]


def fill_rooms(url: str, journal: str | None, sizes: dict[ModelRoom, int]) -> None:
    """Give each of these rooms, which are new, so many posts as entries and messages."""
    pairs = (_posts(room, size) for room, size in sizes.items())
    chunks = (chunk for each in pairs for chunk in each)
    target = parse_url(url, journal=journal)
    if isinstance(target, SplitUrl):
        _fill_mongo(target.journal, chunks)
        return
    _fill(target, ((("entries", entries), ("messages", messages)) for entries, messages in chunks))


def fill_users(url: str, users: Iterable[UserRecord]) -> None:
    """Store these accounts."""
    _fill(parse_url(url), ((("users", chunk),) for chunk in _chunks(users, _AT_ONCE)))


def _posts(room: ModelRoom, count: int) -> Iterator[tuple[list[Entry], list[MessageRecord]]]:
    for done in range(0, count, _AT_ONCE):
        entries = [room.entry() for _ in range(min(_AT_ONCE, count - done))]
        yield entries, [room.message(entry) for entry in entries]


def _chunks(records: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(records)
    while chunk := list(islice(rest, size)):
        yield chunk


def _fill(target: object, chunks: Iterable[tuple[Table, ...]]) -> None:
    match target:
        case SqliteUrl(path=path):
            with closing(sqlite3.connect(path, isolation_level=None)) as database:
                _fill_sqlite(database, chunks)
        case PostgresUrl(dsn=dsn):
            run_asyncio(lambda: _fill_postgres(dsn, chunks))
        case _:
            raise ValueError(f"nothing to fill: {type(target).__name__}")


def _fill_sqlite(database: sqlite3.Connection, chunks: Iterable[tuple[Table, ...]]) -> None:
    database.execute("PRAGMA synchronous=OFF")
    database.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    for chunk in chunks:
        database.execute("BEGIN")
        for table, records in chunk:
            places = ", ".join("?" * len(records[0].__struct_fields__))
            database.executemany(f"INSERT INTO {table} VALUES ({places})", map(astuple, records))
        database.execute("COMMIT")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _fill_postgres(dsn: str, chunks: Iterable[tuple[Table, ...]]) -> None:
    connection = await asyncpg.connect(dsn, command_timeout=_FILL_SECONDS)
    try:
        await connection.execute("SET synchronous_commit = off")
        tables = set()
        for chunk in chunks:
            for table, records in chunk:
                tables.add(table)
                await connection.copy_records_to_table(table, records=map(astuple, records))
        for table in sorted(tables):  # what autovacuum would do a little later, in the middle of a measurement
            await connection.execute(f"VACUUM (ANALYZE) {table}")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def _fill_mongo(target: MongoUrl, chunks: Iterable[tuple[list[Entry], list[MessageRecord]]]) -> None:
    settings = mongo_settings(target.uri)
    client: MongoClient[Document] = MongoClient(target.uri)
    with client:
        database = client[settings.database]
        for entries, messages in chunks:
            documents = [entry_document(entry, commit=entry.seq) for entry in entries]
            for part in _chunks(documents, _DOCUMENTS_AT_ONCE):
                database["entries"].insert_many(part, ordered=False)
            for part in _chunks(map(message_document, messages), _DOCUMENTS_AT_ONCE):
                database["messages"].insert_many(part, ordered=False)
