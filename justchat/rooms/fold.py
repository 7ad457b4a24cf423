"""The fold of a journal: from entries to the room's state, and to the rows that they amount to. Pure.

Two need it: a room that wakes up behind its journal, and the check that compares every projection with its journal.
"""

from __future__ import annotations

from collections.abc import Iterable

from immutables import Map
from msgspec.structs import replace

from justchat.rooms.project import project, project_room
from justchat.rooms.state import RoomState, Stamp, evolve, settled
from justchat.wire.events import Event, MessageDeleted, decode_event, decode_message
from storage.records import Append, Change, Entry, MessageRecord, PutMessage


class Fold:
    """A room's state as of some entry, and the messages that later entries change."""

    __slots__ = ("_messages", "room", "state")

    def __init__(self, room: str, state: RoomState | None = None) -> None:
        """Begin with `state`, or before the first entry."""
        self.room = room
        self.state = state
        self._messages: dict[str, MessageRecord] = {}

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
            else:
                wanted.update(messages_changed(decode_event(entry.body)))
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

        Raises ValueError when they are not the next ones, or change a message that is not known.
        """
        taken = tuple(entries)
        changes = [change for entry in taken for change in self._apply(entry)]
        if self.state is None:
            raise ValueError(f"{self.room}: nothing to apply")
        self.state = settled(self.state)
        return Append(self.room, taken, (*changes, project_room(self.state)))

    def _apply(self, entry: Entry) -> list[Change]:
        event = decode_event(entry.body)
        stamp = Stamp(entry.room, entry.seq, entry.ts, entry.actor)
        if self.state is not None:
            changed = messages_changed(event)
            if missing := [message for message in changed if message not in self._messages]:
                raise ValueError(f"{self.room}: entry {entry.seq} changes {missing[0]}, which is not there")
            known = {message: decode_message(self._messages[message].doc) for message in changed}
            self.state = replace(self.state, loaded=Map(known))
        self.state = evolve(self.state, event, stamp)
        return [change for change in project(self.state, event) if self._is_news(change, entry.seq)]

    def _is_news(self, change: Change, seq: int) -> bool:
        if not isinstance(change, PutMessage):
            return True
        stored = self._messages.get(change.message.id)
        if stored is not None and stored.applied_seq >= seq:
            return False
        self._messages[change.message.id] = change.message
        return True


def messages_changed(event: Event) -> tuple[str, ...]:
    """Return the messages, created earlier, that an event changes."""
    match event:
        case MessageDeleted(id=message):
            return (message,)
        case _:
            return ()
