"""From committed entries to frames: the segments that fan-out delivers, and the ring of the newest frames. Pure.

The ring closes the gap between reading the journal and going live: whoever has read up to some seq that the ring still
covers gets the rest from it in one step. It is bounded in frames and in bytes and is never the source of history.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from justchat.door.frames import text_frame
from justchat.rooms.permissions import Visibility
from justchat.rooms.subscription import Cut, Segment
from justchat.wire.events import (
    Event,
    MemberAdded,
    MemberBanned,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    MessageCreated,
    RoomChanges,
    RoomDeleted,
    RoomUpdated,
)
from storage.records import Entry


def segments(entries: Sequence[Entry], events: Sequence[Event], *, members: Iterable[str] = ()) -> list[Segment]:
    """Split a batch after each event that ends somebody's subscription, so that nothing later reaches them.

    `members` are those of the room after the batch.
    """
    found: list[Segment] = []
    frames: list[bytes] = []
    for index, (entry, event) in enumerate(zip(entries, events, strict=True)):
        frames.append(text_frame(entry.body))
        # Nearly all are posts, for which nobody has to look at what follows.
        cut = cut_of(event, events[index + 1 :], members) if not isinstance(event, MessageCreated) else None
        if cut is not None or entry is entries[-1]:
            found.append(Segment(b"".join(frames), len(frames), entry.seq, cut))
            frames = []
    return found


def cut_of(event: Event, later: Sequence[Event], members: Iterable[str]) -> Cut | None:
    """Say whose subscriptions end with this event; `members` are those of the room after the `later` events."""
    match event:
        case MemberRemoved(user=user):
            return Cut(user, "removed")
        case MemberBanned(user=user):
            return Cut(user, "banned")
        case MemberLeft(user=user):
            return Cut(user, "left")
        case RoomDeleted():
            return Cut(None, "deleted")
        case RoomUpdated(new=RoomChanges(visibility=Visibility.PRIVATE)):
            return Cut(None, "removed", _insiders(later, members))
        case _:
            return None


def _insiders(later: Sequence[Event], members: Iterable[str]) -> frozenset[str]:
    """Say who was in before these events: the end of visits concerns also those who only came in afterwards.

    Whether somebody who was banned was a member is not known; they have to go in any case.
    """
    inside = set(members)
    for event in reversed(later):
        match event:
            case MemberJoined(user=user) | MemberAdded(user=user):
                inside.discard(user)
            case MemberLeft(user=user) | MemberRemoved(user=user):
                inside.add(user)
            case _:
                pass
    return frozenset(inside)


class Ring:
    """The newest entries' bytes, gapless up to the room's head."""

    def __init__(self, *, head: int, max_entries: int, max_bytes: int) -> None:
        self._head = head
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bodies: deque[bytes] = deque()
        self._bytes = 0

    def add(self, entry: Entry) -> None:
        """Append the next entry and drop the oldest beyond the bounds."""
        self._head = entry.seq
        self._bodies.append(entry.body)
        self._bytes += len(entry.body)
        while len(self._bodies) > self._max_entries or self._bytes > self._max_bytes:
            self._bytes -= len(self._bodies.popleft())

    def forget(self) -> None:
        """Forget all bytes, but not where the room's head is."""
        self._bodies.clear()
        self._bytes = 0

    def covers(self, seq: int) -> bool:
        """Tell whether everything above `seq` is here."""
        return self._head - len(self._bodies) <= seq <= self._head

    def after(self, seq: int) -> list[bytes]:
        """Give the bodies above `seq`; only for a seq that the ring covers."""
        missing = self._head - seq
        return list(self._bodies)[len(self._bodies) - missing :] if missing else []
