"""The journal in two databases.

An append's entries are inserted into MongoDB: that is the commit. Its projections follow at once; where they cannot,
they are kept and written later, in order, and the append has succeeded all the same. What a process leaves undone when
it ends is found again by comparing a room's row with its journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import trio
from msgspec.structs import replace

from storage.errors import Conflict, OutcomeUnknown, StorageError, StorageUnavailable
from storage.mongo.documents import check_size
from storage.mongo.entries import Entries
from storage.mongo.messages import Messages
from storage.records import Append, DropMessage, Entry, ItemRecord, MessageRecord, RoomSnapshot, Sent
from storage.split.commits import Commits
from storage.split.limits import SplitLimits, SplitStatistics
from storage.split.projections import Projections
from storage.split.projector import Projector
from storage.split.turns import Turns
from storage.storable import check, check_append

MARGIN_MS = 60_000
"""How far clocks of processes that write one after the other may be apart."""
LOAD_ROUNDS = 10


class SplitJournal:
    """The `Journal` port over entries, messages and projections. Open it with `open_split`."""

    def __init__(
        self,
        entries: Entries,
        messages: Messages,
        projections: Projections,
        *,
        turns: Turns,
        commits: Commits,
        projector: Projector,
        limits: SplitLimits,
        fault: Callable[[str], None],
    ) -> None:
        """Take the parts; `fault` is called with each of FAULT_POINTS while an append passes it."""
        self._entries = entries
        self._messages = messages
        self._projections = projections
        self._turns = turns
        self._commits = commits
        self._projector = projector
        self._limits = limits
        self._fault = fault

    # The port.

    async def append(self, appends: Sequence[Append]) -> None:
        """Commit the entries durably and write their projections, or know these to be behind.

        It goes on though its caller leaves. Besides the port's errors it raises Conflict `seq` with all entries
        `written` where a room's projections are further behind than this journal knows: who loads the room mends that.
        """
        for append in appends:
            check_append(append)
            check_size(append)
        appends = [append for append in appends if append.entries]
        if not appends:
            await trio.lowlevel.checkpoint()
            return
        self._projector.check_room()
        await self._turns.run({append.room for append in appends}, partial(self._commit, appends))

    async def load_room(self, room: str) -> RoomSnapshot | None:
        """Return row, members, held items and head of one room, after what is under way and behind has been written.

        Raises StorageUnavailable where the latter is not possible.
        """
        ahead = seen = -1
        for _ in range(LOAD_ROUNDS):
            await self._turns.quiet(room)
            await self._projector.flush([room])
            found = await self._projections.load(room)
            applied = 0 if found.room is None else found.room.applied_seq
            # A row that has caught up with what was ahead of it is of one moment; later appends are not part of that.
            head = applied if 0 < ahead <= applied else await self._entries.head(room, above=applied)
            if head <= applied:
                self._commits.release(room)
            if head <= applied or applied == seen:
                return None if found.room is None and not head else replace(found, head_seq=head)
            ahead, seen = head, applied  # it may have been inserted just now: the next round waits for its projections
        raise StorageUnavailable(f"{room} is being written to all the time")

    async def project(self, append: Append, *, repair: bool = False) -> None:
        """Write the projections of entries that are committed already: where they are due, or all with `repair`.

        Raises StorageUnavailable if those of the entries before them are missing.
        """
        check_append(append)
        check_size(append)
        await self._turns.run({append.room}, partial(self._catch_up, append, repair=repair))

    async def behind(self) -> list[str]:
        """Return the rooms whose row is older than their journal, as far as the last minute before the mark tells."""
        mark = await self._projections.mark()
        heads = await self._entries.heads_since(mark - MARGIN_MS)
        found = await self._older(heads)
        for room in found:
            await self._turns.quiet(room)
        found = await self._older({room: heads[room] for room in found})
        for room in found:
            if room not in self._projector:
                self._commits.hold(room, mark)  # until it is loaded: this process may end before that, too
        return found

    async def rooms(self, *, after: str = "", limit: int) -> list[str]:
        """Return the first `limit` rooms that have entries, by id, above `after`."""
        return await self._entries.rooms(after=after, limit=limit)

    async def read(self, room: str, *, after: int, upto: int | None = None, limit: int) -> list[Entry]:
        """Return entries with `after < seq <= upto`, ascending, the first `limit` of them."""
        return await self._entries.read(room, after=after, upto=upto, limit=limit)

    async def read_back(self, room: str, *, before: int | None = None, limit: int) -> list[Entry]:
        """Return the last `limit` entries with `seq < before`, ascending."""
        return await self._entries.read_back(room, before=before, limit=limit)

    async def find_sent(self, room: str, keys: Sequence[tuple[str, str]]) -> list[Sent]:
        """Return what is remembered of the posts under these keys, those of an append that was left included."""
        await self._turns.settled(room)
        return await self._entries.find_sent(room, keys)

    async def written_in(self, rooms: Sequence[str], sender: str) -> list[str]:
        """Return those of these rooms that have posts by this sender."""
        return await self._entries.written_in(rooms, sender)

    async def rewrite(self, entries: Sequence[Entry]) -> None:
        """Replace body and digest of entries that are there, but not of those whose text was trimmed.

        What they amount to is in no need of it, so it waits for nothing that is behind.
        """
        for entry in entries:
            check(entry)
        await self._entries.rewrite(entries)

    async def message(self, message: str) -> MessageRecord | None:
        """Return one message by id, tombstones included."""
        found = await self.messages_by_id([message])
        return found[0] if found else None

    async def messages_by_id(self, ids: Sequence[str]) -> list[MessageRecord]:
        """Return the messages with these ids, as of their rooms' last appends; unknown ids are left out."""
        # Before the read: what is written in the meantime is found by it.
        waiting, floors = self._projector.messages(ids), self._projector.floors()
        found = {message.id: message for message in await self._messages.by_id(ids)}
        for change in waiting:
            if isinstance(change, DropMessage):
                found.pop(change.message, None)
            elif (there := found.get(change.message.id)) is None or there.applied_seq < change.message.applied_seq:
                found[change.message.id] = change.message
        return [message for message in found.values() if message.seq > floors.get(message.room, message.seq - 1)]

    async def messages(
        self, room: str, *, before: int | None = None, after: int | None = None, upto: int | None = None, limit: int
    ) -> list[MessageRecord]:
        """Return the last `limit` messages below `before`, or the first above `after`, ascending by creation seq."""
        if before is not None and after is not None:
            raise ValueError("give before or after, not both")
        return await self._messages.page(room, before=before, after=after, upto=upto, limit=limit)

    async def latest_messages(self, places: Sequence[tuple[str, int | None]]) -> list[MessageRecord]:
        """Return the newest message of each room, or the newest at or below a seq; none that is about to be trimmed."""
        floors = self._projector.floors()
        found = await self._messages.latest(places)
        return [message for message in found if message.seq > floors.get(message.room, message.seq - 1)]

    async def items_by_key(self, room: str, keys: Sequence[tuple[str, str]]) -> list[ItemRecord]:
        """Return the items of a room with these (kind, key), after what is behind has been written."""
        await self._catch_up_with(room)
        return await self._projections.items_by_key(room, keys)

    async def rooms_keeping(self, rooms: Sequence[str], items: Sequence[tuple[str, str]]) -> list[str]:
        """Return those of these rooms that have such an item, after what is behind has been written."""
        if behind := [room for room in rooms if room in self._projector]:
            await self._projector.flush(behind)
        return await self._projections.rooms_keeping(rooms, items)

    async def due(self, *, room: str | None = None, before: int, limit: int) -> list[ItemRecord]:
        """Return the first `limit` timers with `due_at <= before`: of one room, or of all but what is still behind."""
        if room is not None:
            await self._catch_up_with(room)
        return await self._projections.due(room=room, before=before, limit=limit)

    # Around the port.

    async def aclose(self) -> None:
        """Refuse new appends and let those under way end."""
        await self._turns.aclose(seconds=self._limits.close_seconds)

    def statistics(self) -> SplitStatistics:
        """Report how the projections are doing."""
        return self._projector.statistics(under_way=self._turns.under_way)

    # Appending.

    async def _commit(self, appends: Sequence[Append]) -> None:
        commit = self._commits.begin()
        doubtful: Iterable[str] = {append.room for append in appends}
        try:
            self._fault("before_entries")
            inserted = await self._entries.insert(appends, commit=commit)
            self._fault("after_entries")
            for room in inserted.torn:
                self._commits.hold(room, commit)
            doubtful = holes = await self._projector.write(inserted.whole, commit, torn=inserted.torn.keys())
        except StorageError as error:
            if not isinstance(error, OutcomeUnknown):
                doubtful = ()  # nothing was written
            raise
        finally:
            for room in doubtful:
                self._commits.hold(room, commit)
            self._commits.end(commit)
        if inserted.conflict is not None:
            raise inserted.conflict
        if holes:
            written = sum(len(append.entries) for append in appends if append.room == holes[0])
            raise Conflict("seq", room=holes[0], written=written)

    async def _catch_up_with(self, room: str) -> None:
        """Have what was appended to the room written. Raises StorageUnavailable where that is not possible."""
        await self._turns.settled(room)
        if room in self._projector:
            await self._projector.flush([room])

    async def _catch_up(self, append: Append, *, repair: bool) -> None:
        room, last = append.room, append.entries[-1].seq
        await self._projector.flush([room])
        if repair:
            await self._projections.mend(append)
        elif await self._projections.write([append], mark=None):
            raise StorageUnavailable(f"{room} is not projected up to {append.entries[0].seq - 1}")
        if await self._entries.head(room, above=last) <= last:
            self._commits.release(room)

    async def _older(self, heads: dict[str, int]) -> list[str]:
        applied = await self._projections.applied(list(heads)) if heads else {}
        return sorted(room for room, head in heads.items() if applied.get(room, 0) < head)
