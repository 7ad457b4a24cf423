"""What a copy has before it: the size of its source, and whether the source can be copied at all."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from justchat.operate.refusals import CopyRefused, CopyUnfinished
from justchat.operate.site import Site, each_room
from justchat.rooms.items import ItemKind, Retention
from justchat.rooms.reload import load_state
from storage.facts import COPYING
from storage.ports import Journal
from storage.records import ItemRecord, MemberRecord, RoomRecord

_ADVICE = "run `justchat storage check` on the source"


class CurrentRoom(Struct, frozen=True):
    """The rows of a room at the head of its journal, and the seq up to which that is trimmed."""

    row: RoomRecord
    members: tuple[MemberRecord, ...]
    floor_seq: int


class Survey(Struct):
    """How much there is to copy."""

    rooms: int = 0
    entries: int = 0


async def survey(source: Site) -> Survey:
    """Count what is to be copied, and do what a former server of the source left undone.

    Raises CopyUnfinished for a source that is itself half a copy, CopyRefused for one whose rows are not current.
    """
    if await source.directory.fact(COPYING) is not None:
        raise CopyUnfinished("a copy into the source has not been finished: finish that one first")
    for room in await source.journal.behind():
        try:
            await load_state(source.journal, room)
        except (ValueError, KeyError):
            raise CopyRefused(f"the journal of room {room} is damaged: {_ADVICE}") from None
    found = Survey()

    async def count(room: str) -> None:
        found.entries += (await current_room(source.journal, room)).row.applied_seq

    found.rooms = await each_room(source.journal, count)
    return found


async def current_room(journal: Journal, room: str) -> CurrentRoom:
    """Load a room's rows. Raises CopyRefused if they are not at the head of its journal."""
    snapshot = await journal.load_room(room)
    if snapshot is None or snapshot.room is None or snapshot.room.applied_seq != snapshot.head_seq:
        raise CopyRefused(f"what is made of the journal of room {room} is not up to date: {_ADVICE} with --repair")
    try:
        floor_seq = _floor_of(snapshot.items)
    except msgspec.MsgspecError:
        raise CopyRefused(f"what room {room} is trimmed to cannot be read: {_ADVICE} with --repair") from None
    return CurrentRoom(snapshot.room, snapshot.members, floor_seq)


def _floor_of(held: Iterable[ItemRecord]) -> int:
    floors = (
        msgspec.json.decode(item.doc, type=Retention).floor_seq for item in held if item.kind == ItemKind.RETENTION
    )
    return max(floors, default=0)
