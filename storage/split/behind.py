"""What is committed and could not be projected yet, by room, each row as the latest entry leaves it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from storage.records import Append, Change, DropMember, DropMessage, Entry, PutMember, PutMessage, PutRoom


class _Backlog:
    """What waits for one room."""

    __slots__ = ("commit", "first", "last", "rows", "since")

    def __init__(self, append: Append, *, commit: int, since: float) -> None:
        self.first = _bare(append.entries[0])
        self.last = self.first
        self.commit = commit
        self.since = since
        self.rows: dict[tuple[str, ...], Change] = {}

    def add(self, append: Append) -> None:
        """Put an append behind what is there; one that is there already changes nothing."""
        if append.entries[-1].seq < self.last.seq:
            return
        self.last = _bare(append.entries[-1])
        for change in append.changes:
            self.rows[_row(change)] = change

    def append(self, room: str) -> Append:
        """Return all of it as one append; of its entries only the first and the last, without their bodies."""
        return Append(room, (self.first, self.last), tuple(self.rows.values()))


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
        """Return the lowest commit that is behind in other rooms than these."""
        without = set(rooms)
        return min((backlog.commit for room, backlog in self._rooms.items() if room not in without), default=None)

    def seconds(self, now: float) -> float:
        """Return for how long the first room has been behind, by the clock that `add` was told the time of."""
        return max((now - backlog.since for backlog in self._rooms.values()), default=0.0)

    def add(self, append: Append, *, commit: int, now: float) -> None:
        """Put an append behind what its room has waiting."""
        backlog = self._rooms.get(append.room)
        if backlog is None:
            backlog = self._rooms[append.room] = _Backlog(append, commit=commit, since=now)
        self._rows -= len(backlog.rows)
        backlog.add(append)
        self._rows += len(backlog.rows)

    def take(self, rooms: Iterable[str], *, rows: int) -> list[Append]:
        """Return what these rooms have waiting, up to about so many rows in all. It stays here until `done`."""
        taken: list[Append] = []
        count = 0
        for room in rooms:
            if count >= rows:
                break
            if (backlog := self._rooms.get(room)) is not None:
                taken.append(backlog.append(room))
                count += len(backlog.rows)
        return taken

    def done(self, append: Append) -> None:
        """Note that what was taken of a room is written; what has come behind it since then stays."""
        backlog = self._rooms.get(append.room)
        if backlog is not None and backlog.last.seq <= append.entries[-1].seq:
            self.drop(append.room)

    def drop(self, room: str) -> int | None:
        """Forget what a room has waiting; return its first commit, None if there was nothing."""
        backlog = self._rooms.pop(room, None)
        if backlog is None:
            return None
        self._rows -= len(backlog.rows)
        return backlog.commit


def _bare(entry: Entry) -> Entry:
    return replace(entry, body=b"")


def _row(change: Change) -> tuple[str, ...]:
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
