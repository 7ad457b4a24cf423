"""The entries of all rooms in one collection, and the writing of them without a transaction.

A call's entries go in by ordered inserts, which stop at the first that cannot be, so a room never has a hole. What was
written by an attempt whose end nobody knows is recognised by its content when it is tried again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from msgspec import convert
from pymongo import UpdateOne

from storage.errors import Conflict
from storage.mongo.attempt import Attempt, which
from storage.mongo.client import Collection, Collections, MongoDatabase
from storage.mongo.documents import SENT_FIELDS, Document, entry_id, entry_of, sent_of
from storage.mongo.failures import insert_failure
from storage.mongo.insertion import Inserted, Insertion, conflict_among
from storage.records import Append, Entry, Sent

MAX_SEQ = 2**63 - 1
KNOWN_ROOMS = 20_000
REWRITTEN_AT_ONCE = 50
"""How many entries one command replaces, so that none takes long."""


class Entries:
    """The entries in a `MongoDatabase`."""

    __slots__ = ("_before", "_database", "_known")

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._known: dict[str, int] = {}  # room -> a seq that is there for certain; the room unused for longest first
        self._before: dict[tuple[str, int], Append] = {}  # what the latest call with a conflict wrote all the same

    async def insert(self, appends: Sequence[Append], *, commit: int) -> Inserted:
        """Write the entries of all appends, durably and in order; those of a room that has a conflict up to there.

        Nothing at all is written when the appends are in conflict with each other or would leave a hole.

        Raises:
            StorageUnavailable: nothing was written.
            OutcomeUnknown: some of it may be.
            Unstorable: a value cannot be stored, and nothing was.
        """
        conflict = conflict_among(appends)
        if conflict is not None:
            return Inserted(whole=(), torn={}, conflict=conflict)
        insertion = Insertion(appends, is_there=self._was_written)
        size = self._database.settings.insert_documents
        inserted = await self._database.write(lambda to: self._insert(to, insertion, commit=commit, size=size))
        for append in inserted.whole:
            self._know(append.room, append.entries[-1].seq)
        if inserted.conflict is not None:
            self._before = {_place(append): append for append in inserted.whole}
        return inserted

    async def head(self, room: str, *, above: int) -> int:
        """Return the seq of the room's last entry, 0 without any; quick if it is `above` or little more."""
        known = self._known.get(room, 0)
        start = max(known, above)
        head = await self._database.read(lambda of: _head(of.entries, room, start=start, is_sure=start == known))
        self._know(room, head)
        return head

    async def read(self, room: str, *, after: int, upto: int | None, limit: int) -> list[Entry]:
        """Return entries with `after < seq <= upto`, ascending, the first `limit` of them."""
        top = MAX_SEQ if upto is None else min(upto, MAX_SEQ)
        if after >= top:
            return []
        return await self._find({"room": room, "seq": {"$gt": after, "$lte": top}}, order=1, limit=limit)

    async def read_back(self, room: str, *, before: int | None, limit: int) -> list[Entry]:
        """Return the last `limit` entries with `seq < before`, ascending."""
        where: Document = {"room": room}
        if before is not None:
            where["seq"] = {"$lt": min(before, MAX_SEQ)}
        return (await self._find(where, order=-1, limit=limit))[::-1]

    async def find_sent(self, room: str, keys: Sequence[tuple[str, str]]) -> list[Sent]:
        """Return what is remembered of the posts under these keys, in the order of the keys."""
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            return []
        posts: list[Document] = [{"room": room, "sender": sender, "client_msg_id": key} for sender, key in wanted]
        where = posts[0] if len(posts) == 1 else {"$or": posts}

        async def find(of: Collections) -> dict[tuple[str, str], Sent]:
            found = [sent_of(document) async for document in of.entries.find(where, [*SENT_FIELDS])]
            return {(sent.sender, sent.client_msg_id): sent for sent in found}

        sent = await self._database.read(find)
        return [sent[key] for key in wanted if key in sent]

    async def written_in(self, rooms: Sequence[str], sender: str) -> list[str]:
        """Return those of these rooms that have posts by this sender."""
        where: Document = {"room": {"$in": list(dict.fromkeys(rooms))}, "sender": sender}

        async def find(of: Collections) -> list[str]:
            return [str(room) for room in await of.entries.distinct("room", where)]

        return await self._database.read(find) if rooms else []

    async def rewrite(self, entries: Sequence[Entry]) -> None:
        """Replace body and digest of entries that are there, but not of those whose text was trimmed.

        Raises StorageUnavailable when it is not known that all of them are replaced; it may be done again.
        """
        requests = [
            UpdateOne(
                {"_id": entry_id(entry.room, entry.seq), "body": {"$ne": b""}},
                {"$set": {"body": entry.body, "digest": entry.digest}},
            )
            for entry in entries
        ]

        async def write(to: Collections, some: Sequence[UpdateOne]) -> None:
            await to.entries.bulk_write(some, ordered=False)

        for start in range(0, len(requests), REWRITTEN_AT_ONCE):
            await self._database.write(partial(write, some=requests[start : start + REWRITTEN_AT_ONCE]))

    async def rooms(self, *, after: str, limit: int) -> list[str]:
        """Return the first `limit` rooms that have entries, by id, above `after`."""

        async def find(of: Collections) -> list[str]:
            firsts = of.entries.find({"room": {"$gt": after}, "seq": 1}, {"_id": 0, "room": 1})
            return [str(document["room"]) async for document in firsts.sort("room", 1).limit(limit)]

        return await self._database.read(find) if limit > 0 else []

    async def heads_since(self, commit: int) -> dict[str, int]:
        """Return the rooms with entries of later commits than this one, and the last seq of each."""

        async def find(of: Collections) -> dict[str, int]:
            heads: dict[str, int] = {}
            async for document in of.entries.find({"commit": {"$gt": commit}}, {"_id": 0, "room": 1, "seq": 1}):
                room, seq = str(document["room"]), convert(document["seq"], int)
                heads[room] = max(heads.get(room, 0), seq)
            return heads

        return await self._database.read(find)

    def _know(self, room: str, seq: int) -> None:
        self._known[room] = max(self._known.pop(room, 0), seq)
        if len(self._known) > KNOWN_ROOMS:
            del self._known[next(iter(self._known))]

    def _was_written(self, append: Append) -> bool:
        before = self._before.get(_place(append))
        return before is not None and before.entries == append.entries

    async def _find(self, where: Document, *, order: int, limit: int) -> list[Entry]:
        async def find(of: Collections) -> list[Entry]:
            found = of.entries.find(where, {"_id": 0, "commit": 0}).sort("seq", order).limit(limit)
            return [entry_of(document) async for document in found]

        return await self._database.read(find) if limit > 0 else []

    # On the asyncio side.

    async def _insert(self, to: Collections, insertion: Insertion, *, commit: int, size: int) -> Inserted:
        if (room := await self._room_with_hole(to.entries, insertion.firsts())) is not None:
            return Inserted(whole=(), torn={}, conflict=Conflict("seq", room=room))
        attempt = Attempt(to.entries, insertion, commit=commit)
        try:
            while await attempt.write(insertion.next(size)):
                pass
            if attempt.recognised:
                # That others wrote it does not make it a majority's yet. This, written later, does: logs have an order.
                await to.layout.update_one({"_id": "barrier"}, {"$max": {"commit": commit}}, upsert=True)
        except Exception as error:
            if (failure := insert_failure(error, written=attempt.written)) is not None:
                raise failure from error
            raise
        return insertion.result()

    async def _room_with_hole(self, entries: Collection, firsts: dict[str, int]) -> str | None:
        """Return the first room whose last entry before these is not there."""
        doubtful = {
            entry_id(room, first - 1): room for room, first in firsts.items() if first - 1 > self._known.get(room, 0)
        }
        found = await which(entries, list(doubtful)) if doubtful else set()
        return next((room for key, room in doubtful.items() if key not in found), None)


async def _head(entries: Collection, room: str, *, start: int, is_sure: bool) -> int:
    if not is_sure and not await _exists(entries, room, start):
        newest = await entries.find({"room": room}, {"seq": 1}).sort("seq", -1).limit(1).to_list()
        return convert(newest[0]["seq"], int) if newest else 0
    low, step = start, 1
    while await _exists(entries, room, low + step):
        low, step = low + step, step * 2
    high = low + step  # from here on it is between the two, `low` being there and `high` not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if await _exists(entries, room, middle) else (low, middle)
    return low


async def _exists(entries: Collection, room: str, seq: int) -> bool:
    return bool(await which(entries, [entry_id(room, seq)]))


def _place(append: Append) -> tuple[str, int]:
    return append.room, append.entries[-1].seq
