"""The messages as they read now, in one collection.

Each carries the seq of the entry that last changed it, and an older version never replaces a newer one. So writing them
may be repeated, may come late, and needs no order between processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from pymongo import DeleteOne, ReplaceOne
from pymongo.errors import BulkWriteError

from storage.mongo.client import Collection, Collections, MongoDatabase
from storage.mongo.documents import Document, message_document, message_of
from storage.mongo.failures import DUPLICATE_KEY
from storage.records import MessageRecord

MAX_SEQ = 2**63 - 1


class Messages:
    """The messages in a `MongoDatabase`."""

    __slots__ = ("_database",)

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database

    async def put(self, messages: Sequence[MessageRecord], *, firsts: Mapping[str, int]) -> None:
        """Write those that are newer than what is there.

        `firsts` has, for each room, the first entry that the change is about: a message of that or a later one is new.
        Raises StorageUnavailable when it is not known that all of them are written; it may be done again.
        """
        new = [message for message in messages if message.seq >= firsts.get(message.room, 1)]
        changed = [message for message in messages if message.seq < firsts.get(message.room, 1)]

        async def write(to: Collections) -> None:
            stale = [*changed, *await _older(to.messages, await _insert(to.messages, new))]
            if stale and await _replace(to.messages, stale) < len(stale):
                await _insert(to.messages, changed)  # as new or newer, or missing

        if messages:
            await self._database.write(write)

    async def mend(self, messages: Mapping[str, MessageRecord | None]) -> None:
        """Write these whatever is there, and delete those that are None. Raises StorageUnavailable."""

        async def write(to: Collections) -> None:
            await to.messages.bulk_write(
                [
                    DeleteOne({"_id": key})
                    if message is None
                    else ReplaceOne({"_id": key}, message_document(message), upsert=True)
                    for key, message in messages.items()
                ],
                ordered=False,
            )

        if messages:
            await self._database.write(write)

    async def by_id(self, ids: Sequence[str]) -> list[MessageRecord]:
        """Return the messages with these ids; unknown ids are left out."""
        wanted = list(dict.fromkeys(ids))

        async def find(of: Collections) -> list[MessageRecord]:
            where: Document = {"_id": wanted[0] if len(wanted) == 1 else {"$in": wanted}}
            return [message_of(document) async for document in of.messages.find(where)]

        return await self._database.read(find) if wanted else []

    async def page(
        self, room: str, *, before: int | None, after: int | None, upto: int | None, limit: int
    ) -> list[MessageRecord]:
        """Return the last `limit` messages below `before`, or the first above `after`, ascending by creation seq."""
        low = -MAX_SEQ - 1 if after is None else min(after, MAX_SEQ)
        top = MAX_SEQ if upto is None else min(upto, MAX_SEQ)
        if before is not None:
            top = min(top, max(before, -MAX_SEQ) - 1)
        where: Document = {"room": room, "seq": {"$gt": low, "$lte": top}}

        async def find(of: Collections) -> list[MessageRecord]:
            found = of.messages.find(where).sort("seq", -1 if after is None else 1).limit(limit)
            return [message_of(document) async for document in found]

        messages = await self._database.read(find) if limit > 0 and low < top else []
        return messages[::-1] if after is None else messages

    async def latest(self, places: Sequence[tuple[str, int | None]]) -> list[MessageRecord]:
        """Return the newest message of each room, or the newest at or below a seq."""
        wanted = list(dict.fromkeys(places))

        async def find(of: Collections) -> list[MessageRecord]:
            # One look at the index for each: grouped, the server would read all messages of these rooms.
            found: list[MessageRecord] = []
            for room, upto in wanted:
                where: Document = {"room": room, "seq": {"$lte": MAX_SEQ if upto is None else min(upto, MAX_SEQ)}}
                newest = await of.messages.find(where).sort("seq", -1).limit(1).to_list()
                found += map(message_of, newest)
            return found

        return await self._database.read(find) if wanted else []


# On the asyncio side.


async def _insert(to: Collection, messages: Sequence[MessageRecord]) -> list[MessageRecord]:
    """Write those that are not there, and return the others."""
    if not messages:
        return []
    try:
        await to.insert_many([message_document(message) for message in messages], ordered=False)
    except BulkWriteError as error:
        problems = error.details["writeErrors"]
        if error.details["writeConcernErrors"] or any(problem["code"] != DUPLICATE_KEY for problem in problems):
            raise
        return [messages[problem["index"]] for problem in problems]
    return []


async def _older(of: Collection, messages: Sequence[MessageRecord]) -> list[MessageRecord]:
    """Leave out those that are there as new or newer: when a write is done again, that is nearly all of them."""
    if not messages:
        return []
    where: Document = {"_id": {"$in": [message.id for message in messages]}}
    found = of.find(where, {"applied_seq": 1})
    there = {document["_id"]: cast("int", document["applied_seq"]) async for document in found}
    return [message for message in messages if there.get(message.id, 0) < message.applied_seq]


async def _replace(to: Collection, messages: Sequence[MessageRecord]) -> int:
    """Replace those that are there in an older version, and return how many were."""
    requests = [
        ReplaceOne({"_id": message.id, "applied_seq": {"$lt": message.applied_seq}}, message_document(message))
        for message in messages
    ]
    return (await to.bulk_write(requests, ordered=False)).matched_count
