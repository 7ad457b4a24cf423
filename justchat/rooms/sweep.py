"""How far a room's history is too old to be kept: the question that a room with a retention time asks once a day.

Cheap: a search by halves over at most SWEEP_ENTRIES entries. What is older than these waits for the next sweep, which
then follows at once, so that no single step is long.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from justchat.rooms.state import RoomState
from justchat.wire.events import HistoryTrimmed, event_name
from storage.ports import Journal

SWEEP_ENTRIES: Final = 5000
AGAIN_MS: Final = 86_400_000
SOON_MS: Final = 1000

_DAY_MS: Final = 86_400_000
_LOOKED_AT: Final = 100
_TRIMMED: Final = event_name(HistoryTrimmed(0))


class Sweep(Struct, frozen=True):
    """What a sweep found: forget everything up to `upto`, and look again at `again_at` (milliseconds; None: never)."""

    upto: int
    again_at: int | None


NOTHING: Final = Sweep(0, None)


async def sweep(journal: Journal, state: RoomState, *, now: int) -> Sweep:
    """Look for what is older than the room's retention time. `now` is milliseconds since the epoch."""
    floor, days = state.held.floor_seq, state.settings.retention_days
    if days is None:
        return Sweep(floor, None)
    most = min(state.head_seq, floor + SWEEP_ENTRIES)
    upto = await _last_before(journal, state.id, now - days * _DAY_MS, low=floor, high=most)
    if await _is_empty(journal, state.id, after=floor, upto=upto):
        return Sweep(floor, now + AGAIN_MS)
    return Sweep(upto, now + (SOON_MS if upto == floor + SWEEP_ENTRIES else AGAIN_MS))


async def _last_before(journal: Journal, room: str, bound: int, *, low: int, high: int) -> int:
    """Give the highest seq whose entry is older than the bound; everything up to `low` is, nothing above `high`."""
    while low < high:
        middle = (low + high + 1) // 2
        entries = await journal.read(room, after=middle - 1, upto=middle, limit=1)
        if entries and entries[0].ts < bound:
            low = middle
        else:
            high = middle - 1
    return low


async def _is_empty(journal: Journal, room: str, *, after: int, upto: int) -> bool:
    """Tell whether there is nothing but earlier sweeps: else a room where nobody speaks would go on for ever."""
    if upto - after > _LOOKED_AT:
        return False
    entries = await journal.read(room, after=after, upto=upto, limit=_LOOKED_AT)
    return all(entry.type == _TRIMMED for entry in entries)
