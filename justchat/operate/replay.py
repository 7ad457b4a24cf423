"""One room's journal, folded from its first entry: what its rows have to be, made from nothing but the entries.

Of every message it keeps a fingerprint, 24 bytes; a message itself is made again from its entries when asked for.
Entries that are missing, flawed or do not fit are reported, and end the folding: what follows them means nothing, but
it is still looked at for further flaws.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from immutables import Map
from msgspec.structs import replace

from justchat.operate.digest import short_digest
from justchat.operate.flaws import flaw
from justchat.operate.site import PAGE
from justchat.rooms.fold import Fold
from justchat.rooms.state import RoomState
from justchat.wire.events import MessageDeleted, decode_event
from storage.ports import Journal
from storage.records import Entry, MessageRecord, PutMessage

_DIGEST_BYTES = 16


class Fingerprints:
    """Fingerprints of a room's messages by the seq that created them, which only grows."""

    __slots__ = ("_digests", "_seqs")

    def __init__(self) -> None:
        self._seqs = array("q")
        self._digests = bytearray()

    def __len__(self) -> int:
        return len(self._seqs)

    def put(self, message: MessageRecord) -> None:
        """Add a message above all others, or replace one."""
        place = bisect_left(self._seqs, message.seq)
        if place == len(self._seqs):
            self._seqs.append(message.seq)
        self._digests[place * _DIGEST_BYTES : (place + 1) * _DIGEST_BYTES] = short_digest(message)

    def get(self, seq: int) -> bytes | None:
        """Return the fingerprint of the message that was created at this seq."""
        place = bisect_left(self._seqs, seq)
        if place == len(self._seqs) or self._seqs[place] != seq:
            return None
        return bytes(self._digests[place * _DIGEST_BYTES : (place + 1) * _DIGEST_BYTES])

    def seqs(self, *, after: int, upto: int | None) -> Sequence[int]:
        """Return the seqs with `after < seq <= upto`."""
        end = len(self._seqs) if upto is None else bisect_right(self._seqs, upto)
        return self._seqs[bisect_right(self._seqs, after) : end]


class Replay:
    """Folds a journal as far as it is told to. `flawed` is told the seq and the problem of every flaw, once."""

    __slots__ = ("_changes", "_flawed", "_fold", "_journal", "broken", "head_seq", "last", "messages", "room")

    def __init__(self, journal: Journal, room: str, *, flawed: Callable[[int, str], None]) -> None:
        self._journal = journal
        self._flawed = flawed
        self._fold = Fold(room)
        self._changes: dict[int, list[int]] = {}  # seq of a message -> seqs of the entries that changed it
        self.room = room
        self.broken = False
        self.head_seq = 0
        self.last: Entry | None = None
        self.messages = Fingerprints()

    @property
    def state(self) -> RoomState:
        """The room as of `head_seq`; ask only where something was folded and nothing is `broken`."""
        if self._fold.state is None or self.broken:
            raise ValueError(f"{self.room}: there is no state")
        return self._fold.state

    async def advance(self, upto: int) -> None:
        """Go on to the entry at `upto`, which is the head or was it a moment ago."""
        while self.head_seq < upto:
            page = await self._journal.read(self.room, after=self.head_seq, upto=upto, limit=PAGE)
            if not page:
                self._missing(upto + 1)
                return
            sound = [entry for entry in page if self._look_at(entry)]
            if sound:
                await self._fold_in(sound)

    async def message(self, seq: int) -> MessageRecord | None:
        """Make the message that was created at `seq`, as of now; None if there was none."""
        if self.messages.get(seq) is None or self._fold.state is None:
            return None
        record: MessageRecord | None = None
        for place in (seq, *self._changes.get(seq, ())):
            entries = await self._journal.read(self.room, after=place - 1, upto=place, limit=1)
            fold = Fold(self.room, replace(self._fold.state, head_seq=place - 1, loaded=Map()))
            if record is not None:
                fold.know([record])
            made = [change.message for change in fold.apply(entries).changes if isinstance(change, PutMessage)]
            record = made[-1]
        return record

    def _look_at(self, entry: Entry) -> bool:
        """Tell whether an entry may be folded."""
        if entry.seq != self.head_seq + 1:
            self._missing(entry.seq)
        if (problem := flaw(entry)) is not None:
            self._break(entry.seq, problem)
        self.head_seq = entry.seq
        self.last = entry
        return not self.broken

    async def _fold_in(self, entries: Sequence[Entry]) -> None:
        unknown = set(self._fold.unknown(entries))
        for message, seq in _changed(entries):
            if message in unknown and (record := await self.message(seq)) is not None and record.id == message:
                self._fold.know([record])
        try:
            changes = self._fold.apply(entries).changes
        except (ValueError, KeyError):
            self._break(self._fold.head_seq + 1, "it does not follow from the entries before it")
            return
        finally:
            self._fold.forget()
        for change in changes:
            if isinstance(change, PutMessage):
                self._note(change.message)

    def _note(self, message: MessageRecord) -> None:
        self.messages.put(message)
        if message.applied_seq != message.seq:
            self._changes.setdefault(message.seq, []).append(message.applied_seq)

    def _missing(self, before: int) -> None:
        first, last = self.head_seq + 1, before - 1
        self._break(first, "it is missing" if first == last else f"it is missing, and all up to {last}")
        self.head_seq = last

    def _break(self, seq: int, problem: str) -> None:
        self.broken = True
        self._flawed(seq, problem)


def _changed(entries: Sequence[Entry]) -> list[tuple[str, int]]:
    """Return the messages that entries change, with the seqs that they say created them."""
    found: list[tuple[str, int]] = []
    for entry in entries:
        match decode_event(entry.body):
            case MessageDeleted(id=message, message_seq=seq):
                found.append((message, seq))
    return found
