"""The journal in RAM."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import trio

from storage.conflicts import find_conflict
from storage.memory.store import MemoryStore
from storage.records import Append, Entry, ItemRecord, MessageRecord, RoomSnapshot, Sent
from storage.storable import MAX_INT, check, check_append


class MemoryJournal:
    """The `Journal` port over a `MemoryStore`."""

    __slots__ = ("_store",)

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def append(self, appends: Sequence[Append]) -> None:
        """Commit all of it, or nothing: a caller that is cancelled at the checkpoint has written nothing."""
        await trio.lowlevel.checkpoint()
        # No await from here on: checking and applying are one step.
        for append in appends:
            check_append(append)
        conflict = find_conflict(appends, head_of=self._store.head, is_sent=self._is_sent)
        if conflict is not None:
            raise conflict
        for append in appends:
            self._store.apply(append)

    async def load_room(self, room: str) -> RoomSnapshot | None:
        """Return row, members, held items and head of one room; None where no such room was ever created."""
        await trio.lowlevel.checkpoint()
        row = self._store.rooms.get(room)
        if row is None and not self._store.head(room):
            return None
        members = self._store.members.get(room, {})
        in_order = tuple(members[user] for user in sorted(members))
        items = self._store.items.get(room, {})
        held = tuple(items[name] for name in sorted(items) if items[name].held)
        return RoomSnapshot(room=row, members=in_order, head_seq=self._store.head(room), items=held)

    async def project(self, append: Append, *, repair: bool = False) -> None:
        """Write the projections of entries that are committed already: always current here, unless `repair` says no."""
        await trio.lowlevel.checkpoint()
        check_append(append)
        row = self._store.rooms.get(append.room)
        if repair or row is None or row.applied_seq < append.entries[-1].seq:
            self._store.project(append.changes)

    async def behind(self) -> list[str]:
        """Return no room: entries and projections are one step."""
        await trio.lowlevel.checkpoint()
        return []

    async def rooms(self, *, after: str = "", limit: int) -> list[str]:
        """Return the first `limit` rooms that have entries, by id, above `after`."""
        await trio.lowlevel.checkpoint()
        return sorted(room for room in self._store.entries if room > after)[: max(limit, 0)]

    async def read(self, room: str, *, after: int, upto: int | None = None, limit: int) -> list[Entry]:
        """Return entries with `after < seq <= upto`, ascending, the first `limit` of them."""
        await trio.lowlevel.checkpoint()
        entries = self._store.entries.get(room, [])
        start = max(after, 0)
        end = len(entries) if upto is None else max(upto, 0)
        return entries[start : min(end, start + max(limit, 0))]

    async def read_back(self, room: str, *, before: int | None = None, limit: int) -> list[Entry]:
        """Return the last `limit` entries with `seq < before`, ascending."""
        await trio.lowlevel.checkpoint()
        entries = self._store.entries.get(room, [])
        end = len(entries) if before is None else min(max(before - 1, 0), len(entries))
        return entries[max(0, end - max(limit, 0)) : end]

    async def find_sent(self, room: str, keys: Sequence[tuple[str, str]]) -> list[Sent]:
        """Return what is remembered of the posts under these (sender, client_msg_id) keys."""
        await trio.lowlevel.checkpoint()
        entries = (self._store.sent.get((room, *key)) for key in dict.fromkeys(keys))
        return [_sent(entry) for entry in entries if entry is not None]

    async def written_in(self, rooms: Sequence[str], sender: str) -> list[str]:
        """Return those of these rooms that have posts by this sender."""
        await trio.lowlevel.checkpoint()
        written = {room for room, by, _ in self._store.sent if by == sender}
        return sorted(written.intersection(rooms))

    async def rewrite(self, entries: Sequence[Entry]) -> None:
        """Replace body and digest of entries that are there, but not of those whose text was trimmed."""
        await trio.lowlevel.checkpoint()
        for entry in entries:
            check(entry)
        for entry in entries:
            self._store.rewrite(entry)

    async def rooms_keeping(self, rooms: Sequence[str], items: Sequence[tuple[str, str]]) -> list[str]:
        """Return those of these rooms that have an item of one of these (kind, beginning of the key)."""
        await trio.lowlevel.checkpoint()
        return [room for room in sorted(set(rooms)) if self._keeps(room, items)]

    def _keeps(self, room: str, items: Sequence[tuple[str, str]]) -> bool:
        names = self._store.items.get(room, {})
        return any(kind == of and key.startswith(prefix) for kind, key in names for of, prefix in items)

    async def message(self, message: str) -> MessageRecord | None:
        """Return one message by id, tombstones included."""
        await trio.lowlevel.checkpoint()
        return self._store.messages.get(message)

    async def messages_by_id(self, ids: Sequence[str]) -> list[MessageRecord]:
        """Return the messages with these ids; unknown ids are left out."""
        await trio.lowlevel.checkpoint()
        messages = self._store.messages
        return [messages[message] for message in dict.fromkeys(ids) if message in messages]

    async def messages(
        self, room: str, *, before: int | None = None, after: int | None = None, upto: int | None = None, limit: int
    ) -> list[MessageRecord]:
        """Return the last `limit` messages below `before`, or the first above `after`, ascending by creation seq."""
        if before is not None and after is not None:
            raise ValueError("give before or after, not both")
        await trio.lowlevel.checkpoint()
        order = self._store.message_order.get(room, [])
        top = MAX_INT if upto is None else upto
        if before is not None:
            top = min(top, before - 1)
        end = bisect_right(order, top, key=_seq)
        if after is not None:
            start = bisect_left(order, after + 1, key=_seq)
            end = min(end, start + max(limit, 0))
        else:
            start = max(0, end - max(limit, 0))
        return [self._store.messages[message] for _, message in order[start:end]]

    async def latest_messages(self, places: Sequence[tuple[str, int | None]]) -> list[MessageRecord]:
        """Return the newest message of each room, or the newest at or below a seq."""
        await trio.lowlevel.checkpoint()
        found: list[MessageRecord] = []
        for room, upto in dict.fromkeys(places):
            order = self._store.message_order.get(room, [])
            end = len(order) if upto is None else bisect_right(order, upto, key=_seq)
            found += [self._store.messages[message] for _, message in order[max(end - 1, 0) : end]]
        return found

    async def items_by_key(self, room: str, keys: Sequence[tuple[str, str]]) -> list[ItemRecord]:
        """Return the items of a room with these (kind, key)."""
        await trio.lowlevel.checkpoint()
        items = self._store.items.get(room, {})
        return [items[name] for name in dict.fromkeys(keys) if name in items]

    async def due(self, *, room: str | None = None, before: int, limit: int) -> list[ItemRecord]:
        """Return the first `limit` timers with `due_at <= before`, of one room or of all."""
        await trio.lowlevel.checkpoint()
        rooms = self._store.items.values() if room is None else [self._store.items.get(room, {})]
        timers = [(item.due_at, item) for items in rooms for item in items.values() if item.due_at is not None]
        found = sorted((due_at, item.room, item.kind, item.key) for due_at, item in timers if due_at <= before)
        return [self._store.items[room][kind, key] for _, room, kind, key in found[: max(limit, 0)]]

    def _is_sent(self, room: str, sender: str, client_msg_id: str) -> bool:
        return (room, sender, client_msg_id) in self._store.sent


def _seq(place: tuple[int, str]) -> int:
    return place[0]


def _sent(entry: Entry) -> Sent:
    return Sent(
        sender=entry.sender or "",
        client_msg_id=entry.client_msg_id or "",
        seq=entry.seq,
        msg_no=entry.msg_no or 0,
        message_id=entry.message_id or "",
        digest=entry.digest or b"",
    )
