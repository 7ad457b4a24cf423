"""What of consecutive entries may be given out: nothing at or below a floor, and nothing whose text is gone. Pure.

A floor is known as of some moment, and history may be trimmed between that moment and the reading.
"""

from __future__ import annotations

from collections.abc import Sequence

from storage.records import Entry


def readable(entries: Sequence[Entry], *, floor: int = 0) -> list[Entry]:
    """Give those of consecutive entries that are above the floor and above the last one that was trimmed."""
    trimmed = max((entry.seq for entry in entries if not entry.body), default=0)
    return [entry for entry in entries if entry.seq > max(floor, trimmed)]
