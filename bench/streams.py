"""Checking at the speed of memcmp that hundreds of receivers got every event of one room, in order.

All receivers of a room get the same bytes. One of them is decoded frame by frame and becomes the `Reference`; every
other (a `Twin`) is compared with it, chunk by chunk, in C. Where a twin differs (a ping, a `lagging` frame, a hole) it
is decoded on its own until it is back in step, so a difference is always explained and counted, never skipped.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable

from bench.frames import CLOSE, PING, TEXT, Frame, FrameWalker
from bench.inbound import decode_head


class Tally:
    """What one receiver saw: the last seq in order, and everything that was not the next event."""

    __slots__ = ("closed", "events", "gaps", "last_seq", "others", "pings", "repeats")

    def __init__(self, last_seq: int) -> None:
        self.last_seq = last_seq
        self.events = 0
        self.gaps = 0
        self.repeats = 0
        self.closed = False
        self.pings: list[bytes] = []
        self.others: Counter[str] = Counter()

    def restart(self) -> None:
        """Count anew from where the receiver stands."""
        self.events = self.gaps = self.repeats = 0
        self.others.clear()

    def count(self, seq: int) -> None:
        """Take the event `seq`: the next one, a repeat, or one after a hole."""
        self.events += 1
        if seq <= self.last_seq:
            self.repeats += 1
            return
        self.gaps += seq - self.last_seq - 1
        self.last_seq = seq


class Reader:
    """A receiver whose every frame is decoded. `on_event` gets the frame of each event that is in order."""

    __slots__ = ("_on_event", "_walker", "tally")

    def __init__(self, tally: Tally, on_event: Callable[[int, Frame], None] | None = None) -> None:
        self.tally = tally
        self._on_event = on_event
        self._walker = FrameWalker()

    @property
    def between_frames(self) -> bool:
        """Whether nothing is left of a frame that has begun."""
        return self._walker.between_frames

    def feed(self, chunk: bytes | memoryview) -> None:
        """Decode and count what this chunk completes. Raises FrameBroken, msgspec.DecodeError."""
        for frame in self._walker.feed(chunk):
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        tally = self.tally
        if frame.opcode == TEXT:
            head = decode_head(frame.payload)
            if "." not in head.type:
                tally.others[head.type] += 1
                return
            before = tally.last_seq
            tally.count(head.seq)
            if self._on_event is not None and head.seq == before + 1:
                self._on_event(head.seq, frame)
        elif frame.opcode == PING:
            tally.pings.append(frame.payload)
        elif frame.opcode == CLOSE:
            tally.closed = True


class Reference:
    """The bytes of the events after `base_seq`, as one decoded receiver got them."""

    __slots__ = ("base_seq", "data", "ends")

    def __init__(self, base_seq: int) -> None:
        self.base_seq = base_seq
        self.data = bytearray()
        self.ends: list[int] = []

    def append(self, seq: int, frame: Frame) -> None:
        """Add the next event. A hole in the reference's own stream ends it: what follows is decoded by each."""
        if seq != self.base_seq + len(self.ends) + 1:
            return
        self.data += frame.raw
        self.ends.append(len(self.data))

    def restart(self, base_seq: int) -> None:
        """Forget everything up to `base_seq`. Twins must be rebased first."""
        self.base_seq = base_seq
        self.data.clear()
        self.ends.clear()

    def seq_at(self, position: int) -> int:
        """The last event that lies wholly before `position`."""
        return self.base_seq + bisect_right(self.ends, position)

    def end_of(self, seq: int) -> int | None:
        """Where the event `seq` ends, or None if it is not here."""
        index = seq - self.base_seq
        if index == 0:
            return 0
        return self.ends[index - 1] if 0 < index <= len(self.ends) else None


class Twin:
    """A receiver that is compared with the reference, and decoded only where it differs."""

    __slots__ = ("_early", "_position", "_reader", "_reference", "_seen", "tally")

    def __init__(self, reference: Reference, last_seq: int) -> None:
        self.tally = Tally(last_seq)
        self._reference = reference
        self._position = reference.end_of(last_seq) or 0
        self._seen = last_seq
        self._early = bytearray()
        self._reader: Reader | None = None
        if reference.end_of(last_seq) is None:
            self._reader = Reader(self.tally)

    @property
    def ahead(self) -> bool:
        """Whether it holds bytes that the reference does not have yet: feed the reference, then `feed(b"")`."""
        return bool(self._early)

    @property
    def last_seq(self) -> int:
        """The last event received in order."""
        return self.tally.last_seq if self._reader is not None else self._reference.seq_at(self._position)

    def feed(self, chunk: bytes | memoryview) -> None:
        """Take what was received. Raises FrameBroken, msgspec.DecodeError."""
        if self._reader is not None:
            self._decode(chunk)
            return
        if self._early:
            self._early += chunk
            chunk = bytes(self._early)
            self._early.clear()
        if self._reference.data.startswith(chunk, self._position):
            self._position += len(chunk)
            return
        self._differ(chunk)

    def _differ(self, chunk: bytes | memoryview) -> None:
        """The chunk is not what the reference has next: either it goes further, or it is something else."""
        known = len(self._reference.data) - self._position
        if known < len(chunk) and self._reference.data.startswith(chunk[:known], self._position):
            self._position += known
            self._early += chunk[known:]
            return
        self._start_decoding()
        self._decode(chunk)

    def _start_decoding(self) -> None:
        """Leave the reference at the last whole event, taking along what came of the next."""
        whole = self._reference.seq_at(self._position)
        begin = self._reference.end_of(whole) or 0
        self.tally.events += whole - self._seen
        self.tally.last_seq = self._seen = whole
        self._reader = Reader(self.tally)
        self._reader.feed(bytes(self._reference.data[begin : self._position]))

    def _decode(self, chunk: bytes | memoryview) -> None:
        reader = self._reader
        assert reader is not None
        reader.feed(chunk)
        end = self._reference.end_of(self.tally.last_seq)
        if end is not None and reader.between_frames:
            self._reader, self._position, self._seen = None, end, self.tally.last_seq

    def decode_early(self) -> None:
        """Stop waiting for the reference: decode what is held, so that the tally is complete."""
        if self._early:
            early = bytes(self._early)
            self._early.clear()
            self._start_decoding()
            self._decode(early)

    def settle(self) -> Tally:
        """Bring the tally up to date and give it."""
        self.decode_early()
        if self._reader is None:
            whole = self._reference.seq_at(self._position)
            self.tally.events += whole - self._seen
            self.tally.last_seq = self._seen = whole
        return self.tally

    def rebase(self, base_seq: int) -> None:
        """Get ready for a reference that restarts at `base_seq`: what is not exactly there is decoded on its own."""
        self.settle()
        if self._reader is None and self._reference.end_of(self._seen) != self._position:
            self._start_decoding()
        if self._reader is None and self._seen != base_seq:
            self._reader = Reader(self.tally)
        self._position = 0
