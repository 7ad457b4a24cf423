"""Entries and messages in a MongoDB database: the journal's half of a store that keeps accounts and rooms elsewhere.

It asks for nothing that a plain server, without transactions or change streams, does not have. Everything runs on the
asyncio seam.
"""

from __future__ import annotations

from storage.mongo.checks import prepare
from storage.mongo.client import MongoDatabase, MongoStatistics, open_mongo
from storage.mongo.entries import Entries
from storage.mongo.messages import Messages
from storage.mongo.settings import MongoSettings, mongo_settings
from storage.mongo.trims import Trims

__all__ = [
    "Entries",
    "Messages",
    "MongoDatabase",
    "MongoSettings",
    "MongoStatistics",
    "Trims",
    "mongo_settings",
    "open_mongo",
    "prepare",
]
