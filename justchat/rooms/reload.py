"""How a room comes (back) to life: its state from storage, and the events that its subscribers have not heard of.

A room that crashed may have committed entries that were never fanned out. Nothing is guessed: the journal is read, and
every subscription continues from the seq it had reached.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from immutables import Map
from msgspec.structs import replace

from justchat.rooms.fold import Fold
from justchat.rooms.state import RoomState, from_snapshot
from justchat.wire.events import Event, Message, decode_event, decode_message
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
    return fold.state


async def _project_next(journal: Journal, fold: Fold, *, upto: int) -> None:
    entries = await journal.read(fold.room, after=fold.head_seq, upto=upto, limit=_PAGE)
    if not entries:
        raise ValueError(f"{fold.room}: the journal ends at {fold.head_seq}, before its head {upto}")
    if unknown := fold.unknown(entries):
        fold.know(await journal.messages_by_id(unknown))
    await journal.project(fold.apply(entries))
    logger.warning("event=room_projected room=%s upto=%d", fold.room, fold.head_seq)


async def load_messages(journal: Journal, state: RoomState, ids: Sequence[str]) -> RoomState:
    """Put the messages with these ids at hand; those of other rooms do not exist here."""
    records = await journal.messages_by_id(ids)
    found: dict[str, Message] = {record.id: decode_message(record.doc) for record in records if record.room == state.id}
    return replace(state, loaded=Map(found))


async def missed_events(journal: Journal, state: RoomState, *, after: int) -> list[tuple[int, Event]]:
    """Read what lies above `after` with its seqs: committed, but not fanned out when the room crashed."""
    found: list[tuple[int, Event]] = []
    while after < state.head_seq:
        entries = await journal.read(state.id, after=after, upto=state.head_seq, limit=_PAGE)
        found.extend((entry.seq, decode_event(entry.body)) for entry in entries)
        after = entries[-1].seq if entries else state.head_seq
    return found
