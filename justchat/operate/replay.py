"""One room's journal, folded from its first entry: what its rows have to be, made from nothing but the entries.

Entries that are missing, flawed or do not fit are reported, and end the folding: what follows them means nothing, but
it is still looked at for further flaws. Entries whose text is gone are sound if history was trimmed above them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from justchat.operate.expected import ExpectedRows
from justchat.operate.flaws import flaw, is_trimmed
from justchat.operate.site import PAGE
from justchat.rooms.fold import Fold, event_of
from justchat.rooms.message_states import messages_touched
from justchat.rooms.state import RoomState
from storage.ports import Journal
from storage.records import TRIMMED, Entry


class Replay:
    """Folds a journal as far as it is told to. `flawed` is told the seq and the problem of every flaw, once.

    The room and its members are in `state`, messages and items in `expected`.
    """

    __slots__ = (
        "_flawed", "_fold", "_journal", "_textless", "_with_text", "broken", "expected", "head_seq", "last", "room"
    )  # fmt: skip

    def __init__(
        self, journal: Journal, room: str, *, expected: ExpectedRows, flawed: Callable[[int, str], None]
    ) -> None:
        self._journal = journal
        self._flawed = flawed
        self._fold = Fold(room)
        self._textless = 0  # the last entry without its text
        self._with_text: int | None = None  # no entry before it has its text
        self.room = room
        self.broken = False
        self.head_seq = 0
        self.last: Entry | None = None
        self.expected = expected

    @property
    def state(self) -> RoomState:
        """The room as of `head_seq`; ask only where something was folded and nothing is `broken`."""
        if self._fold.state is None or self.broken:
            raise ValueError(f"{self.room}: there is no state")
        return self._fold.state

    @property
    def floor_seq(self) -> int:
        """The seq up to which history is trimmed; ask as of `state`."""
        return self.state.held.floor_seq

    @property
    def is_torn(self) -> bool:
        """Whether there are texts gone that nobody trimmed, as far as it was read: the entry for it may come next."""
        return self._textless > self.floor_seq

    async def advance(self, upto: int) -> None:
        """Go on to the entry at `upto`, which is the head or was it a moment ago."""
        while self.head_seq < upto:
            page = await self._journal.read(self.room, after=self.head_seq, upto=upto, limit=PAGE)
            if not page:
                self._missing(upto + 1)
                return
            sound = [entry for entry in page if self._look_at(entry)]
            if sound:
                self._fold_in(sound)

    def give_up(self) -> None:
        """Take for damage what `is_torn` says."""
        self._break(self._textless, "its text is gone, though history is not trimmed up to there")

    async def text_left(self) -> int | None:
        """Look for an entry at or below the floor that still has its text; return its seq."""
        floor = self.floor_seq
        while self._with_text is not None and self._with_text <= floor:
            page = await self._journal.read(self.room, after=self._with_text - 1, upto=floor, limit=PAGE)
            left = [entry.seq for entry in page if entry.type in TRIMMED and entry.body]
            if left:
                self._with_text = left[0]
                return left[0]
            self._with_text = page[-1].seq + 1 if page else floor + 1
        return None

    def _look_at(self, entry: Entry) -> bool:
        """Tell whether an entry may be folded."""
        if entry.seq != self.head_seq + 1:
            self._missing(entry.seq)
        if (problem := flaw(entry)) is not None:
            self._break(entry.seq, problem)
        self.head_seq = entry.seq
        self.last = entry
        if is_trimmed(entry):
            self._textless = entry.seq
        elif entry.type in TRIMMED and self._with_text is None:
            self._with_text = entry.seq
        return not self.broken

    def _fold_in(self, entries: list[Entry]) -> None:
        self._fold.know(self.expected.messages_by_id(self._fold.unknown(entries)))
        try:
            changes = self._fold.apply(entries).changes
        except (ValueError, KeyError):
            self._break(self._fold.head_seq + 1, "it does not follow from the entries before it")
            return
        finally:
            self._fold.forget()
        if self._fold.missing is not None:
            changing = (entry.seq for entry in entries if self._fold.missing in _touched(entry))
            self._break(next(changing, entries[0].seq), "it changes a message that is not there")
            return
        self.expected.apply(changes)

    def _missing(self, before: int) -> None:
        first, last = self.head_seq + 1, before - 1
        self._break(first, "it is missing" if first == last else f"it is missing, and all up to {last}")
        self.head_seq = last

    def _break(self, seq: int, problem: str) -> None:
        self.broken = True
        self._flawed(seq, problem)


def _touched(entry: Entry) -> Collection[str]:
    event = event_of(entry)
    return () if event is None else messages_touched(event)
