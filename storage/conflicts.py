"""Which append breaks a rule of the journal: the rules themselves, once, for every backend.

A backend may enforce them by its own constraints and ask here only afterwards who was guilty, or ask here first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from storage.errors import Conflict
from storage.records import Append


def find_conflict(
    appends: Sequence[Append],
    *,
    head_of: Callable[[str], int],
    is_sent: Callable[[str, str, str], bool],
) -> Conflict | None:
    """Return the first conflict of these appends, taken in order, with what is stored and with each other.

    `head_of(room)` is the stored head, 0 for a room without entries. `is_sent(room, sender, client_msg_id)` tells
    whether such a post is stored.
    """
    heads: dict[str, int] = {}
    seen: set[tuple[str, str, str]] = set()
    for append in appends:
        head = heads[append.room] if append.room in heads else head_of(append.room)
        for entry in append.entries:
            head += 1
            if entry.seq != head:
                return Conflict("seq", room=append.room)
        heads[append.room] = head
        for entry in append.entries:
            if entry.sender is None or entry.client_msg_id is None:
                continue
            key = (append.room, entry.sender, entry.client_msg_id)
            if key in seen or is_sent(*key):
                return Conflict("client_msg_id", room=append.room)
            seen.add(key)
    return None
