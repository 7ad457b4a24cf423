"""How a room comes (back) to life: its state from storage, and its subscribers' rights checked against it.

A room that crashed may have committed entries that were never fanned out. Nothing is guessed: the journal is read, and
every subscription continues from the seq it had reached.
"""

from __future__ import annotations

from collections.abc import Sequence

from immutables import Map
from msgspec.structs import replace

from justchat.rooms.permissions import Permission
from justchat.rooms.state import RoomState, Stamp, evolve, from_snapshot
from justchat.rooms.subscription import Subscribers
from justchat.wire.events import MemberLeft, MemberRemoved, Message, decode_event, decode_message
from storage.ports import Journal
from storage.records import Entry

_PAGE = 300


async def load_state(journal: Journal, room: str) -> RoomState | None:
    """Load a room: its projection, plus any entries that the projection has not seen yet."""
    snapshot = await journal.load_room(room)
    if snapshot is None:
        return None
    state = from_snapshot(snapshot)
    while state.head_seq < snapshot.head_seq:
        for entry in await journal.read(room, after=state.head_seq, upto=snapshot.head_seq, limit=_PAGE):
            state = evolve(state, decode_event(entry.body), Stamp(room, entry.seq, entry.ts, entry.actor))
    return state


async def load_messages(journal: Journal, state: RoomState, ids: Sequence[str]) -> RoomState:
    """Put the messages with these ids at hand; those of other rooms do not exist here."""
    records = await journal.messages_by_id(ids)
    found: dict[str, Message] = {record.id: decode_message(record.doc) for record in records if record.room == state.id}
    return replace(state, loaded=Map(found))


async def end_lost_subscriptions(journal: Journal, state: RoomState | None, subscribers: Subscribers) -> None:
    """Cut, at the right seq, the subscriptions of users who lost their right while the room was down."""
    for subscription in subscribers:
        if state is not None and Permission.ROOM_VIEW in state.allowed(subscription.user):
            continue
        end = 0 if state is None else state.head_seq
        reason = "deleted" if state is None or state.deleted_at is not None else "removed"
        if state is not None and reason == "removed":
            end = await _removal_of(journal, state, subscription.user, after=subscription.seq)
        # It is behind by definition, so its connection still delivers what lies below the end.
        subscribers.pull(subscription)
        subscription.sink.fell_behind(subscription, head=end, announce=False)
        subscribers.end(subscription, reason=reason, seq=end)


async def _removal_of(journal: Journal, state: RoomState, user: str, *, after: int) -> int:
    """Find the seq at which the user stopped being a member."""
    seq = after
    while seq < state.head_seq:
        for entry in await journal.read(state.id, after=seq, upto=state.head_seq, limit=_PAGE):
            if _removes(entry, user):
                return entry.seq
            seq = entry.seq
    return after


def _removes(entry: Entry, user: str) -> bool:
    if entry.type not in {"member.removed", "member.left"}:
        return False
    event = decode_event(entry.body)
    return isinstance(event, MemberLeft | MemberRemoved) and event.user == user
