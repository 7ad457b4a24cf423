"""What is committed and could not be projected yet, by room, each row as the latest entry leaves it. Pure.

The rows of a room stand in the order in which they were changed last, so that what is deleted by the many comes where
it belongs: behind what it deletes, of which nothing waits any more, and before what was put after it.

What was taken to be written stays until that is done, for it may not be; then it goes, but for rows that have changed
since. So a room that is written to all the time has no more waiting than what came while it was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from storage.records import (
    Append,
    Change,
    DropItem,
    DropItems,
    DropMember,
    DropMessage,
    Entry,
    PutItem,
    PutMark,
    PutMember,
    PutMessage,
    PutRoom,
    Trim,
)

Row = tuple[str, ...]


class _Backlog:
    """What waits for one room."""

    __slots__ = ("commit", "first", "is_taken", "last", "later", "rows", "since")

    def __init__(self, append: Append, *, commit: int, since: float) -> None:
        self.first = _bare(append.entries[0])
        self.last = self.first
        self.commit = commit
        self.since = since
        self.rows: dict[Row, Change] = {}
        self.is_taken = False
        self.later: tuple[int, float] | None = None
        """The first commit that came after the rest was taken, and when."""

    def add(self, append: Append, *, commit: int, since: float) -> None:
        """Put an append behind what is there; one that is there already changes nothing."""
        if append.entries[-1].seq < self.last.seq:
            return
        self.last = _bare(append.entries[-1])
        if self.is_taken and self.later is None:
            self.later = commit, since
        for change in append.changes:
            self._add(change)

    def _add(self, change: Change) -> None:
        row = _row(change)
        match change:
            case DropItems():
                self._sweep(change)
            case Trim(upto=upto):
                self._trim(upto)
                former = self.rows.get(row)
                if isinstance(former, Trim) and former.upto >= upto:
                    return
        self.rows.pop(row, None)
        self.rows[row] = change

    def _sweep(self, swept: DropItems) -> None:
        """Forget the items that go."""
        for row in [row for row in self.rows if row[:3] == ("item", swept.room, swept.kind)]:
            if row[3].startswith(swept.prefix):
                del self.rows[row]

    def _trim(self, upto: int) -> None:
        """Leave of messages and items that go only that they go: where they are stored they may have another seq."""
        for row, change in self.rows.items():
            match change:
                case PutMessage(message=message) if message.seq <= upto:
                    self.rows[row] = DropMessage(message.room, message.id)
                case PutItem(item=item) if 0 < item.seq <= upto:
                    self.rows[row] = DropItem(item.room, item.kind, item.key)

    def take(self, room: str) -> Append:
        """Return all of it as one append; of its entries only the first and the last, without their bodies."""
        self.is_taken, self.later = True, None
        return Append(room, (self.first, self.last), tuple(self.rows.values()))

    def forget(self, taken: Append) -> None:
        """Forget what was taken, but for rows that have changed since. Something must have come behind it."""
        for change in taken.changes:
            row = _row(change)
            if self.rows.get(row) is change:
                del self.rows[row]
        self.first = replace(self.first, seq=taken.entries[-1].seq + 1)
        if self.later is not None:
            self.commit, self.since = self.later
        self.is_taken, self.later = False, None


class Behind:
    """Rooms whose projections wait for a database, in the order in which they came to be behind."""

    __slots__ = ("_rooms", "_rows")

    def __init__(self) -> None:
        self._rooms: dict[str, _Backlog] = {}
        self._rows = 0

    def __len__(self) -> int:
        return len(self._rooms)

    def __contains__(self, room: str) -> bool:
        return room in self._rooms

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._rooms))

    @property
    def rows(self) -> int:
        """How many rows wait to be written."""
        return self._rows

    @property
    def first_commit(self) -> int | None:
        """The lowest commit that is behind."""
        return min((backlog.commit for backlog in self._rooms.values()), default=None)

    def first_commit_without(self, rooms: Iterable[str]) -> int | None:
        """Return the lowest commit that is behind when what was taken of these rooms is done."""
        without = set(rooms)
        commits = [backlog.commit for room, backlog in self._rooms.items() if room not in without]
        taken = (self._rooms[room] for room in without if room in self._rooms)
        commits += (backlog.later[0] for backlog in taken if backlog.later is not None)
        return min(commits, default=None)

    def seconds(self, now: float) -> float:
        """Return for how long the first room has been behind, by the clock that `add` was told the time of."""
        return max((now - backlog.since for backlog in self._rooms.values()), default=0.0)

    def add(self, append: Append, *, commit: int, now: float) -> None:
        """Put an append behind what its room has waiting."""
        backlog = self._rooms.get(append.room)
        if backlog is None:
            backlog = self._rooms[append.room] = _Backlog(append, commit=commit, since=now)
        self._rows -= len(backlog.rows)
        backlog.add(append, commit=commit, since=now)
        self._rows += len(backlog.rows)

    def heads(self, rooms: Iterable[str]) -> dict[str, int]:
        """Return up to which seq each of these rooms has something waiting; those that have nothing are left out."""
        return {room: self._rooms[room].last.seq for room in rooms if room in self._rooms}

    def take(self, heads: Mapping[str, int], *, rows: int) -> list[Append]:
        """Return what waits of the rooms that are not written up to these heads, up to about so many rows in all.

        It stays here until `done`.
        """
        taken: list[Append] = []
        count = 0
        for room, head in heads.items():
            if count >= rows:
                break
            if (backlog := self._rooms.get(room)) is not None and backlog.first.seq <= head:
                taken.append(backlog.take(room))
                count += len(backlog.rows)
        return taken

    def messages(self, ids: Sequence[str]) -> list[PutMessage | DropMessage]:
        """Return what waits to be done to these messages."""
        waiting = (backlog.rows.get(("message", name)) for backlog in self._rooms.values() for name in ids)
        return [change for change in waiting if isinstance(change, PutMessage | DropMessage)]

    def floors(self) -> dict[str, int]:
        """Return the rooms that wait to be trimmed, and up to where."""
        waiting = ((room, backlog.rows.get(("trim", room))) for room, backlog in self._rooms.items())
        return {room: change.upto for room, change in waiting if isinstance(change, Trim)}

    def done(self, append: Append) -> None:
        """Note that what was taken of a room is written; what has come behind it since then stays."""
        backlog = self._rooms.get(append.room)
        if backlog is None:
            return
        if backlog.last.seq <= append.entries[-1].seq:
            self.drop(append.room)
            return
        self._rows -= len(backlog.rows)
        backlog.forget(append)
        self._rows += len(backlog.rows)

    def drop(self, room: str) -> int | None:
        """Forget what a room has waiting; return its first commit, None if there was nothing."""
        backlog = self._rooms.pop(room, None)
        if backlog is None:
            return None
        self._rows -= len(backlog.rows)
        return backlog.commit


def _bare(entry: Entry) -> Entry:
    return replace(entry, body=b"")


def _row(change: Change) -> Row:
    match change:
        case PutRoom(room=room):
            return "room", room.id
        case PutMember(member=member):
            return "member", member.room, member.user
        case DropMember(room=room_id, user=user):
            return "member", room_id, user
        case PutMessage(message=message):
            return "message", message.id
        case DropMessage(message=message_id):
            return "message", message_id
        case PutItem(item=item):
            return "item", item.room, item.kind, item.key
        case DropItem(room=room_id, kind=kind, key=key):
            return "item", room_id, kind, key
        case DropItems(room=room_id, kind=kind, prefix=prefix):
            return "swept", room_id, kind, prefix
        case PutMark(mark=mark):
            return "mark", mark.room, mark.user
        case Trim(room=room_id):
            return "trim", room_id
