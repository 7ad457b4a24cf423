"""The MongoDB server that the tests of one process share, started when the first of them needs it."""

from __future__ import annotations

import atexit
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from storage.asyncio_seam import open_seam
from storage.mongo import MongoDatabase, mongo_settings, open_mongo, prepare
from storage.mongo.client import Collections
from tests.support.backends import require_mongo
from tests.support.mongo_server import MongoServer


@cache
def shared_server() -> MongoServer:
    """Start a server, with its data in RAM where there is one; it ends with this process. Skips without a MongoDB."""
    program = require_mongo()
    memory = Path("/dev/shm")
    folder = Path(mkdtemp(prefix="justchat-mongo-", dir=memory if memory.is_dir() else None))
    server = MongoServer(folder, program=program)
    server.__enter__()

    def end() -> None:
        server.__exit__()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return server


@cache
def shared_database() -> str:
    """Make one database for all tests that want an empty one; `empty` makes it so. Return its URL."""
    return shared_server().fresh_database()


async def empty(url: str) -> None:
    """Take everything out of a database but what it is laid out as."""
    async with open_seam() as seam, open_mongo(mongo_settings(url), seam) as database:
        await database.read(_empty)


@asynccontextmanager
async def empty_database() -> AsyncIterator[MongoDatabase]:
    """Open the shared database, empty and ready."""
    async with open_seam() as seam, open_mongo(mongo_settings(shared_database()), seam) as database:
        await database.read(_empty)
        await prepare(database, migrate=True)
        yield database


async def _empty(of: Collections) -> None:
    for collection in (of.entries, of.messages):
        await collection.delete_many({})
    await of.layout.delete_one({"_id": "barrier"})
