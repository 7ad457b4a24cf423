"""How a room comes (back) to life: its state from storage, and the events that its subscribers have not heard of.

A room that crashed may have committed entries that were never fanned out. Nothing is guessed: the journal is read, and
every subscription continues from the seq it had reached.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from immutables import Map
from msgspec.structs import replace

from justchat.rooms.commands import Command, items_referred, messages_referred
from justchat.rooms.fold import Fold, event_of
from justchat.rooms.state import RoomState, from_snapshot
from justchat.wire.events import Event, Message, decode_message
from storage.ports import Journal

_PAGE = 300

logger = logging.getLogger(__name__)


async def load_state(journal: Journal, room: str) -> RoomState | None:
    """Load a room: its projection, brought up to the journal's head first if a process ended between the two.

    Raises ValueError for a journal that cannot be folded, and what storage raises.
    """
    snapshot = await journal.load_room(room)
    if snapshot is None:
        return None
    fold = Fold(room, from_snapshot(snapshot))
    while fold.head_seq < snapshot.head_seq:
        await _project_next(journal, fold, upto=snapshot.head_seq)
    if fold.missing is not None:
        raise ValueError(f"{room}: {fold.missing} was changed, but is not there")
    return fold.state


async def _project_next(journal: Journal, fold: Fold, *, upto: int) -> None:
    entries = await journal.read(fold.room, after=fold.head_seq, upto=upto, limit=_PAGE)
    if not entries:
        raise ValueError(f"{fold.room}: the journal ends at {fold.head_seq}, before its head {upto}")
    if unknown := fold.unknown(entries):
        fold.know(await journal.messages_by_id(unknown))
    await journal.project(fold.apply(entries))
    logger.warning("event=room_projected room=%s upto=%d", fold.room, fold.head_seq)


async def load_referred(journal: Journal, state: RoomState, commands: Sequence[Command]) -> RoomState:
    """Put at hand what these commands refer to; messages of other rooms do not exist here."""
    messages = {message for command in commands for message in messages_referred(command)}
    state = await load_messages(journal, state, messages)
    items = {item for command in commands for item in items_referred(command)}
    if items:
        found = await journal.items_by_key(state.id, sorted(items))
        state = replace(state, reacted=Map({item.key: True for item in found}))
    return state


async def load_messages(journal: Journal, state: RoomState, messages: Collection[str]) -> RoomState:
    """Put these messages at hand, and the threads that they are replies in, which change when a reply comes or goes."""
    if not messages:
        return state
    loaded = await _messages(journal, state.id, messages)
    roots = {message.thread_root for message in loaded.values() if message.thread_root is not None}
    loaded |= await _messages(journal, state.id, roots - loaded.keys())
    return replace(state, loaded=Map(loaded))


async def _messages(journal: Journal, room: str, ids: Collection[str]) -> dict[str, Message]:
    records = await journal.messages_by_id(sorted(ids)) if ids else []
    return {record.id: decode_message(record.doc) for record in records if record.room == room}


async def missed_events(journal: Journal, state: RoomState, *, after: int) -> list[tuple[int, Event]]:
    """Read what lies above `after` with its seqs: committed, but not fanned out when the room crashed."""
    found: list[tuple[int, Event]] = []
    while after < state.head_seq:
        entries = await journal.read(state.id, after=after, upto=state.head_seq, limit=_PAGE)
        events = [(entry.seq, event_of(entry)) for entry in entries]
        found.extend((seq, event) for seq, event in events if event is not None)
        after = entries[-1].seq if entries else state.head_seq
    return found
