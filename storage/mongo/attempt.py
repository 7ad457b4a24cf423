"""One go at inserting the entries of a call: what the server says to each command, and what that means.

It runs on the asyncio side. A duplicate is looked at before it is judged, because the server only tells that there is
one, not of which index.
"""

from __future__ import annotations

from collections.abc import Sequence

from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from storage.mongo.client import Collection
from storage.mongo.documents import Document, entry_document, entry_id, entry_of
from storage.mongo.failures import DUPLICATE_KEY
from storage.mongo.insertion import Insertion
from storage.records import Entry


class Attempt:
    """One go at writing what is in line."""

    __slots__ = ("_commit", "_entries", "_insertion", "_local", "recognised", "written")

    def __init__(self, entries: Collection, insertion: Insertion, *, commit: int) -> None:
        self._entries = entries
        self._insertion = insertion
        self._commit = commit
        # A duplicate may be of something that no majority has yet.
        self._local = entries.with_options(read_concern=ReadConcern("local"))
        self.written = False
        """Whether something is in the store by now."""
        self.recognised = False
        """Whether some of it was there before."""

    async def write(self, entries: Sequence[Entry]) -> bool:
        """Write these, which are next, as far as it goes; False if there are none."""
        if not entries:
            return False
        count = len(entries)
        try:
            await self._entries.insert_many([entry_document(entry, commit=self._commit) for entry in entries])
        except BulkWriteError as error:
            count = _duplicate_at(error)
        self.written = self.written or count > 0
        self._insertion.wrote(count)
        if count < len(entries):
            await self._judge(entries[count])
        return True

    async def _judge(self, entry: Entry) -> None:
        """Decide about an entry that there is something in the place of, or a post like it."""
        last = self._insertion.append_in_turn().entries[-1]
        is_there = await self._is_there(last)
        if is_there:
            self.written = self.recognised = True
            self._insertion.found_append()  # it came in order: if the last is there, all are
            return
        if entry is not last:
            is_there = await self._is_there(entry)
        if is_there:
            self.written = self.recognised = True
            self._insertion.wrote(1)
        else:
            self._insertion.refuse("client_msg_id" if is_there is None else "seq")

    async def _is_there(self, entry: Entry) -> bool | None:
        """Tell whether this very entry is there, False if another is in its place, None if there is none."""
        found = await self._local.find_one({"_id": entry_id(entry.room, entry.seq)})
        return None if found is None else entry_of(found) == entry


async def which(entries: Collection, ids: list[str]) -> set[str]:
    """Return those of these ids that are there; a single one is asked for in the way that every server is quick at."""
    where: Document = {"_id": ids[0] if len(ids) == 1 else {"$in": ids}}
    return {str(document["_id"]) async for document in entries.find(where, {"_id": 1})}


def _duplicate_at(error: BulkWriteError) -> int:
    """Return how many documents went in before the duplicate; raise the error if it is about anything else."""
    problems = error.details["writeErrors"]
    inserted: int = error.details["nInserted"]
    in_order = len(problems) == 1 and problems[0]["code"] == DUPLICATE_KEY and problems[0]["index"] == inserted
    if not in_order or error.details["writeConcernErrors"]:
        raise error
    return inserted
