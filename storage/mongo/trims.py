"""Forgetting what was said at or below some seq of a room: the text of its entries, and its messages.

It goes upwards in steps of bounded size, so that at any moment no text is left below one that is gone: what was begun
is gone on with there, by whoever begins it again. Doing it again, or late, is harmless.
"""

from __future__ import annotations

from msgspec import convert

from storage.mongo.client import Collection, Collections, MongoDatabase
from storage.mongo.documents import Document
from storage.records import TRIMMED

STEP = 1000


class Trims:
    """Trims rooms in a `MongoDatabase`."""

    __slots__ = ("_database", "_step")

    def __init__(self, database: MongoDatabase, *, step: int = STEP) -> None:
        """Take a database; `step` is how many seqs one command is about."""
        self._database = database
        self._step = step

    async def forget_texts(self, room: str, upto: int, *, wholly: bool = False) -> None:
        """Empty the bodies of entries that hold text; with `wholly` also look below those that are empty already.

        Raises StorageUnavailable when it is not known that all of them are.
        """
        after = 0 if wholly else await self._database.read(lambda of: _textless(of.entries, room, upto))
        if after >= upto:
            return
        after = max(after - self._step, 0)  # the step that somebody was in the middle of may be done anywhere in it
        while after < upto:
            await self._empty(room, after=after, upto=min(after + self._step, upto))
            after += self._step

    async def forget_messages(self, room: str, upto: int) -> None:
        """Delete the messages. Raises as `forget_texts`."""

        async def step(to: Collections) -> bool:
            lowest = await to.messages.find(_upto(room, upto), {"seq": 1}).sort("seq", 1).limit(1).to_list()
            if not lowest:
                return False
            top = convert(lowest[0]["seq"], int) + self._step
            await to.messages.delete_many(_upto(room, min(top, upto)))
            return top < upto

        while await self._database.write(step):
            pass

    async def _empty(self, room: str, *, after: int, upto: int) -> None:
        where: Document = {"room": room, "seq": {"$gt": after, "$lte": upto}, "type": {"$in": list(TRIMMED)}}
        await self._database.write(lambda to: to.entries.update_many(where, {"$set": {"body": b""}}))


# On the asyncio side.


async def _textless(entries: Collection, room: str, upto: int) -> int:
    """Return a seq up to which there is no text, `upto` at most. It is found by halving: below none there is none."""
    low, middle, high = 0, upto, upto
    while low < high:
        where = {**_upto(room, middle), "type": {"$in": list(TRIMMED)}}
        found = await entries.find(where, {"seq": 1, "body": 1}).sort("seq", -1).limit(1).to_list()
        if found and found[0]["body"]:
            high = convert(found[0]["seq"], int) - 1
        else:
            low = middle
        middle = (low + high + 1) // 2
    return low


def _upto(room: str, upto: int) -> Document:
    return {"room": room, "seq": {"$lte": upto}}
