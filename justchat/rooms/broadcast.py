"""From committed entries to frames: the segments that fan-out delivers, and the ring of the newest frames. Pure.

The ring closes the gap between reading the journal and going live: whoever has read up to some seq that the ring still
covers gets the rest from it in one step. It is bounded in frames and in bytes and is never the source of history.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from immutables import Map

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
    RoomCreated,
    RoomDeleted,
    RoomUpdated,
)
from storage.records import Entry


def segments(entries: Sequence[Entry], events: Sequence[Event], *, members: Map[str, object]) -> list[Segment]:
    """Split a batch after each event that ends somebody's subscription, so that nothing later reaches them.

    `members` are those of the room before the batch.
    """
    found: list[Segment] = []
    frames: list[bytes] = []
    for entry, event in zip(entries, events, strict=True):
        frames.append(text_frame(entry.body))
        # Nearly all are posts, by which nobody comes or goes.
        if not isinstance(event, MessageCreated):
            members = members_after(members, event)
        cut = cut_of(event, members)
        if cut is not None or entry is entries[-1]:
            found.append(Segment(b"".join(frames), len(frames), entry.seq, members, cut))
            frames = []
    return found


def cut_of(event: Event, members: Map[str, object]) -> Cut | None:
    """Say whose subscriptions end with this event; `members` are those of the room at that moment."""
    match event:
        case MessageCreated():
            return None
        case MemberRemoved(user=user):
            return Cut(user, "removed")
        case MemberBanned(user=user):
            return Cut(user, "banned")
        case MemberLeft(user=user):
            return Cut(user, "left")
        case RoomDeleted():
            return Cut(None, "deleted")
        case RoomUpdated(new=RoomChanges(visibility=Visibility.PRIVATE)):
            return Cut(None, "removed", members)
        case _:
            return None


def members_after(members: Map[str, object], event: Event) -> Map[str, object]:
    """Give who is a member after an event."""
    match event:
        case RoomCreated(members=first):
            return Map({member.user: member for member in first})
        case MemberJoined(user=user) | MemberAdded(user=user):
            return members.set(user, event)
        case MemberLeft(user=user) | MemberRemoved(user=user) | MemberBanned(user=user) if user in members:
            return members.delete(user)
        case _:
            return members


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
