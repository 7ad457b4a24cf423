"""Rooms over one memory store, made of their pure parts: a batch is decided, and always committed."""

from __future__ import annotations

from justchat.rooms.draft import Draft, draft_batch
from justchat.rooms.items import KEPT
from justchat.rooms.reload import load_referred
from justchat.rooms.state import RoomState, settled
from storage.memory import MemoryJournal, MemoryStore
from storage.records import MessageRecord, RoomSnapshot
from tests.rooms.command_values import NAMED, Turn, numbered, referring
from tests.rooms.scenes import NOW


class House:
    """Some rooms, the first of which most commands are for."""

    def __init__(self, *rooms: str) -> None:
        self.rooms = rooms
        self.store = MemoryStore()
        self.journal = MemoryJournal(self.store)
        self.states: dict[str, RoomState | None] = dict.fromkeys(rooms)
        self.new_id = numbered()
        self.now = NOW

    async def serve(self, turn: Turn) -> Draft:
        """Let time pass, decide a batch, and commit it. Its commands are about messages that were there before it."""
        self.now += turn.milliseconds
        batch = [referring(command, self.newest(turn.room)) for command in turn.batch]
        state = self.states[turn.room]
        if state is not None:
            state = await load_referred(self.journal, state, batch)
        draft = draft_batch(state, batch, room=turn.room, now=self.now, new_id=self.new_id, named=NAMED)
        if draft.entries:
            await self.journal.append([draft.append()])
            self.states[turn.room] = None if draft.state is None else settled(draft.state)
        return draft

    def newest(self, room: str) -> list[str]:
        """Name the messages of a room, the newest first, and then those of the others."""
        order = self.store.message_order
        return [message for each in (room, *self.rooms) for _, message in reversed(order.get(each, []))]


def rows(store: MemoryStore, room: str) -> RoomSnapshot:
    """Give what is stored of a room, and of its items those that entries account for."""
    items = store.items.get(room, {})
    return RoomSnapshot(
        store.rooms.get(room),
        tuple(sorted(store.members.get(room, {}).values(), key=lambda member: member.user)),
        store.head(room),
        tuple(items[name] for name in sorted(items) if items[name].kind not in KEPT),
    )


def messages(store: MemoryStore, room: str) -> list[MessageRecord]:
    """Give a room's messages, the oldest first."""
    return [store.messages[message] for _, message in store.message_order.get(room, [])]


def copied(store: MemoryStore) -> MemoryStore:
    """Give a store of the same records, to be changed by itself."""
    copy = MemoryStore()
    for name in MemoryStore.__slots__:
        value = getattr(store, name)
        setattr(copy, name, {key: _copied(each) for key, each in value.items()} if isinstance(value, dict) else [])
    return copy


def _copied(value: object) -> object:
    return type(value)(value) if isinstance(value, dict | list | set) else value  # type: ignore[call-arg]
