"""What becomes of the entries of one call as they are inserted one after the other: the reckoning, without the server.

The server stops at the first entry that it already has something in the place of. Who asked decides what that means:
the very same entry was written by an earlier attempt and counts; anything else is a conflict, which ends this room's
share of the call and no other's. So of every room exactly the first entries are written, whatever happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from storage.conflicts import find_conflict
from storage.errors import Conflict
from storage.records import Append, Entry


class Inserted(Struct, frozen=True):
    """How an insertion ended."""

    whole: tuple[Append, ...]
    """The appends whose entries are all durable, in order."""
    torn: dict[str, int]
    """Rooms with an append of which only the first entries are durable, and the seq of the last of them."""
    conflict: Conflict | None


class Insertion:
    """The entries of some appends that are still to be written, in order."""

    __slots__ = ("_appends", "_conflict", "_line", "_place", "_refused", "_written")

    def __init__(self, appends: Sequence[Append], *, is_there: Callable[[Append], bool] = lambda _: False) -> None:
        """Begin with nothing written, but for the appends that are known to be there."""
        self._appends = appends
        self._written = [len(append.entries) if is_there(append) else 0 for append in appends]  # entries of each
        self._line: list[tuple[int, Entry]] = [
            (number, entry)
            for number, append in enumerate(appends)
            for entry in append.entries[self._written[number] :]
        ]
        self._place = 0  # everything in line before it is decided
        self._refused: set[str] = set()  # rooms
        self._conflict: Conflict | None = None

    def firsts(self) -> dict[str, int]:
        """Return the first seq to be written of each room."""
        firsts: dict[str, int] = {}
        for _, entry in self._line:
            firsts.setdefault(entry.room, entry.seq)
        return firsts

    def next(self, limit: int) -> list[Entry]:
        """Return the next entries to insert; none when all is decided."""
        return [entry for _, entry in self._line[self._place : self._place + limit]]

    def wrote(self, count: int) -> None:
        """Note that so many more entries are written."""
        for number, _ in self._line[self._place : self._place + count]:
            self._written[number] += 1
        self._place += count

    def append_in_turn(self) -> Append:
        """Return the append that the next entry belongs to."""
        return self._appends[self._line[self._place][0]]

    def found_append(self) -> None:
        """Note that what is left of the append in turn is there already, the very same."""
        turn = self._line[self._place][0]
        self.wrote(sum(number == turn for number, _ in self._line[self._place :]))

    def refuse(self, kind: Literal["seq", "client_msg_id"]) -> None:
        """Note that the next entry is in conflict with what is there: nothing more of its room is to be written."""
        room = self.append_in_turn().room
        self._refused.add(room)
        self._line[self._place :] = [
            (number, entry) for number, entry in self._line[self._place :] if entry.room != room
        ]
        written = sum(count for append, count in self._counts() if append.room == room)
        self._conflict = self._conflict or Conflict(kind, room=room, written=written)

    def result(self) -> Inserted:
        """Return how it ended, when all is decided."""
        return Inserted(
            whole=tuple(append for append, count in self._counts() if count == len(append.entries)),
            torn={
                append.room: append.entries[count - 1].seq
                for append, count in self._counts()
                if 0 < count < len(append.entries)
            },
            conflict=self._conflict,
        )

    def _counts(self) -> Iterator[tuple[Append, int]]:
        return zip(self._appends, self._written, strict=True)


def conflict_among(appends: Sequence[Append]) -> Conflict | None:
    """Return the first conflict that these appends have with each other or with the rule that a room starts at 1."""
    first: dict[str, int] = {}
    for append in appends:
        for entry in append.entries[:1]:
            first.setdefault(append.room, entry.seq)
    return find_conflict(
        appends, head_of=lambda room: max(first.get(room, 1) - 1, 0), is_sent=lambda _room, _sender, _key: False
    )
