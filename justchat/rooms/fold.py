"""The fold of a journal: from entries to the room's state, and to the rows that they amount to. Pure.

Two need it: a room that wakes up behind its journal, and the check that compares every projection with its journal.
"""

from __future__ import annotations

from collections.abc import Iterable

from immutables import Map
from msgspec.structs import replace

from justchat.rooms.evolve import evolve
from justchat.rooms.message_states import messages_touched, threads_touched
from justchat.rooms.project import project, project_room
from justchat.rooms.state import RoomState, Stamp, settled
from justchat.wire.events import Event, Message, MessageCreated, decode_event, decode_message
from justchat.wire.times import rfc3339
from storage.records import TRIMMED, Append, Change, Entry, MessageRecord, PutMessage, Trim


class Fold:
    """A room's state as of some entry, and the messages that later entries change."""

    __slots__ = ("_messages", "_missing", "room", "state")

    def __init__(self, room: str, state: RoomState | None = None) -> None:
        """Begin with `state`, or before the first entry."""
        self.room = room
        self.state = state
        self._messages: dict[str, MessageRecord] = {}
        self._missing: dict[str, int] = {}  # message -> the seq at which it was posted

    @property
    def missing(self) -> str | None:
        """Name a message that was changed and is not there, though it was not trimmed up to now either: a damage.

        Ask when everything is applied: of a store that was trimmed before its projections were written, messages are
        gone that change once more before the entry that trims them.
        """
        return next(iter(self._missing), None)

    @property
    def head_seq(self) -> int:
        """The seq of the last entry that was applied."""
        return 0 if self.state is None else self.state.head_seq

    def unknown(self, entries: Iterable[Entry]) -> list[str]:
        """Return the messages that these entries change and that have to be made known first."""
        created: set[str] = set()
        wanted: set[str] = set()
        for entry in entries:
            if entry.message_id is not None:
                created.add(entry.message_id)
            event = event_of(entry)
            if event is not None:
                wanted.update(messages_touched(event), threads_touched(event))
        return sorted(wanted - created - self._messages.keys())

    def know(self, messages: Iterable[MessageRecord]) -> None:
        """Take in messages as they are stored, which may be newer than the state."""
        for message in messages:
            if message.room == self.room:
                self._messages[message.id] = message

    def forget(self) -> None:
        """Forget all messages."""
        self._messages.clear()

    def apply(self, entries: Iterable[Entry]) -> Append:
        """Apply the next entries; return them with the rows that they change, the room's own last.

        Raises ValueError when they are not the next ones.
        """
        taken = tuple(entries)
        changes = [change for entry in taken for change in self._apply(entry)]
        if self.state is None:
            raise ValueError(f"{self.room}: nothing to apply")
        self.state = settled(self.state)
        return Append(self.room, taken, (*changes, project_room(self.state)))

    def _apply(self, entry: Entry) -> list[Change]:
        event = event_of(entry)
        stamp = Stamp(entry.room, entry.seq, entry.ts, entry.actor)
        before = self.state
        if event is None:
            if before is None or before.head_seq + 1 != entry.seq:
                raise ValueError(f"{self.room}: seq {entry.seq} does not follow")
            self.state = replace(before, head_seq=entry.seq)
            return []
        if before is not None:
            changed = messages_touched(event)
            self._missing |= {name: seq for name, seq in changed.items() if name not in self._messages}
            named = dict.fromkeys((*changed, *threads_touched(event)))
            known = {name: decode_message(self._messages[name].doc) for name in named if name in self._messages}
            before = replace(before, loaded=Map(known))
        self.state = evolve(before, event, stamp)
        return [change for change in project(self.state, event, stamp) if self._is_news(change, entry.seq)]

    def _is_news(self, change: Change, seq: int) -> bool:
        if isinstance(change, Trim):
            self._messages = {name: message for name, message in self._messages.items() if message.seq > change.upto}
            self._missing = {name: posted for name, posted in self._missing.items() if posted > change.upto}
        if not isinstance(change, PutMessage):
            return True
        stored = self._messages.get(change.message.id)
        if stored is not None and stored.applied_seq >= seq:
            return False
        self._messages[change.message.id] = change.message
        return True


def event_of(entry: Entry) -> Event | None:
    """Read an entry's event; of one whose text was trimmed, what is left of it: None where that is nothing.

    Raises msgspec.ValidationError for bytes that are no event.
    """
    if entry.body or entry.type not in TRIMMED:
        return decode_event(entry.body)
    if entry.message_id is None or entry.msg_no is None:
        return None
    return MessageCreated(
        Message(
            id=entry.message_id,
            room=entry.room,
            seq=entry.seq,
            msg_no=entry.msg_no,
            rev=1,
            author=entry.actor,
            body="",
            created_at=rfc3339(entry.ts),
            client_msg_id=entry.client_msg_id,
            deleted=True,
        )
    )
