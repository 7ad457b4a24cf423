"""Migrating the journal's database by its URL, for operators: there is one layout, which is there or is still to be."""

from __future__ import annotations

from storage.asyncio_seam import open_seam
from storage.mongo.checks import prepare
from storage.mongo.client import open_mongo
from storage.mongo.layout import is_ready
from storage.mongo.settings import mongo_settings


async def lay_out(uri: str) -> None:
    """Have our layout in a database. Raises as `prepare`, and UnknownStorage."""
    async with open_seam() as seam, open_mongo(mongo_settings(uri), seam) as database:
        await prepare(database, migrate=True)


async def is_laid_out(uri: str) -> bool:
    """Tell whether our layout is there. Raises StorageUnavailable, MigrationRefused for a newer one, UnknownStorage."""
    async with open_seam() as seam, open_mongo(mongo_settings(uri), seam) as database:
        return await database.read(is_ready)
