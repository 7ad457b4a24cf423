"""Database servers for the bench: one that a URL names, or one of our own that ends with the run.

Ours are started by the tests' own starters, with every commit synced as in production. In any server the bench makes
databases with names of their own and drops them, so nothing that is there is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Final
from urllib.parse import parse_qs, urlsplit

import asyncpg
from msgspec import Struct
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from bench.plain_asyncio import run_asyncio

ANSWER_SECONDS = 10.0
# More memory than the tests' server has: a million entries are neither all in it nor all out of it. Nothing of it lies
# in /dev/shm, which may be small and which others tidy up.
POSTGRES_SETTINGS: Final[Mapping[str, object]] = {
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "dynamic_shared_memory_type": "mmap",
}


class Missing(Exception):
    """A server that is not to be had; the text says what would help."""


class Server(Struct, frozen=True):
    """A server that answers: where, which of our processes it is, and how to end it."""

    url: str
    ours: bool = False
    pids: Callable[[], list[int]] = list
    stop: Callable[[], None] = lambda: None


def postgres_server_for(directory: Path, url: str) -> Server:
    """Take the PostgreSQL that `url` names, or start one with its data in `directory`. Raises Missing."""
    if url:
        return Server(url)
    try:
        from tests.support.guarded_process import NotStarted
        from tests.support.postgres_server import PostgresServer, find_postgres
    except ImportError as error:
        raise Missing(f"cannot start a PostgreSQL ({error}): give --postgres URL or install the dev group") from error
    binaries = find_postgres()
    if binaries is None:
        raise Missing("no PostgreSQL: give --postgres URL or install the dev group")
    server = PostgresServer(_folder(directory, "postgres-server"), binaries=binaries, settings=POSTGRES_SETTINGS)
    try:
        server.start()
    except NotStarted as error:
        raise Missing(f"the PostgreSQL does not start: {error}") from error
    return Server(server.url(), True, lambda: [server.pid, *server.backend_pids()], server.kill)


def mongo_server_for(directory: Path, url: str) -> Server:
    """Take the MongoDB that `url` names, or start what is there with its protocol. Raises Missing."""
    if url:
        return Server(url)
    try:
        from tests.support.guarded_process import NotStarted
        from tests.support.mongo_server import MongoServer, find_mongo
    except ImportError as error:
        raise Missing(f"cannot start a MongoDB ({error}): give --mongo URL or install the dev group") from error
    program = find_mongo()
    if program is None:
        raise Missing("no MongoDB: give --mongo URL, put a mongod on PATH, or run `make mongo` (Go 1.24)")
    server = MongoServer(_folder(directory, "mongo-server"), program=program)
    if not program.ours:
        return Server(server.url)
    try:
        server.start()
    except NotStarted as error:
        raise Missing(f"the MongoDB does not start: {error}") from error
    return Server(server.url, True, lambda: [server.pid], server.kill)


@contextmanager
def fresh_postgres(server: Server) -> Iterator[str]:
    """Hold an empty database of a name of its own in a server; one of ours ends with it. Raises Missing."""
    url = server.url
    name = f"justchat_bench_{token_hex(6)}"
    _execute(url, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    try:
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        if not server.ours:
            _execute(url, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def fresh_mongo(server: Server) -> Iterator[tuple[str, bool]]:
    """Hold a database of a name of its own in a server, and tell whether that server scans. Raises Missing."""
    url = server.url
    name = f"justchat_bench_{token_hex(6)}"
    parts = urlsplit(url)
    query = parts.query
    if parts.username is not None and "authSource" not in parse_qs(query):
        # A URL's account is looked for in the URL's database unless it says otherwise.
        query = "&".join([*filter(None, [query]), f"authSource={parts.path.strip('/') or 'admin'}"])
    client: MongoClient[dict[str, object]] = MongoClient(url, serverSelectionTimeoutMS=round(ANSWER_SECONDS * 1e3))
    with client:
        try:
            about = client.server_info()
        except PyMongoError as error:
            raise Missing(f"the MongoDB does not answer: {type(error).__name__}") from error
        try:
            yield parts._replace(path=f"/{name}", query=query).geturl(), "ferretdbVersion" in about
        finally:
            if not server.ours:
                _drop(client, name)


def _folder(directory: Path, name: str) -> Path:
    folder = directory / name
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
    return folder


def _drop(client: MongoClient[dict[str, object]], name: str) -> None:
    try:
        client.drop_database(name)
    except PyMongoError as error:
        raise Missing(f"the MongoDB does not drop {name}: {type(error).__name__}") from error


def _execute(url: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url, timeout=ANSWER_SECONDS)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    try:
        run_asyncio(run)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Missing(f"the PostgreSQL refuses {statement.partition(' justchat')[0]}: {error}") from error
