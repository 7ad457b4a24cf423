"""Another client of the same server, that sees what is in the collections and counts what it is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec.structs import replace
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from storage.asyncio_seam import open_seam
from storage.mongo import MongoDatabase, open_mongo, prepare
from storage.mongo.client import Collections
from storage.mongo.documents import Document
from storage.mongo.settings import mongo_settings
from tests.storage.mongo.server import shared_database


class CommandCount(CommandListener):
    """Counts commands by name and collection."""

    def __init__(self) -> None:
        self.commands: Counter[str] = Counter()

    def started(self, event: CommandStartedEvent) -> None:
        """Count it."""
        self.commands[f"{event.command_name} {event.command.get(event.command_name)}"] += 1

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Pass over it."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Pass over it."""

    def taken(self) -> dict[str, int]:
        """Return the counts since the last time."""
        counts, self.commands = dict(self.commands), Counter()
        return counts


@asynccontextmanager
async def database_of(url: str, **changed: float) -> AsyncIterator[MongoDatabase]:
    """Open and prepare a database, with other settings than usual."""
    settings = mongo_settings(url)
    async with open_seam() as seam, open_mongo(replace(settings, **changed), seam) as database:
        await prepare(database, migrate=True)
        yield database


@asynccontextmanager
async def another_client(*listeners: CommandListener) -> AsyncIterator[MongoDatabase]:
    """Open the shared database once more, as it is."""
    settings = mongo_settings(shared_database())
    async with open_seam() as seam, open_mongo(settings, seam, listeners=listeners) as database:
        yield database


@asynccontextmanager
async def unprepared(url: str) -> AsyncIterator[MongoDatabase]:
    """Open a database as it is."""
    async with open_seam() as seam, open_mongo(mongo_settings(url), seam) as database:
        yield database


async def entries_in(database: MongoDatabase) -> list[str]:
    """Return the ids of all entries, in order."""

    async def find(of: Collections) -> list[Document]:
        return await of.entries.find({}, {"_id": 1}).to_list()

    return sorted(str(document["_id"]) for document in await database.read(find))
