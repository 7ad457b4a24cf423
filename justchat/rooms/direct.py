"""Direct rooms: exactly one for each pair of people, found without looking for it. Pure.

The room's id is made of the two ids, so whoever opens it, first or at the same moment, asks one and the same room to be
created, and its actor decides who was first; for everybody else nothing is left to change.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

DIRECT_MEMBERS: Final = 2


def direct_room_id(one: str, other: str) -> str:
    """Name the room of two people, whoever asks."""
    pair = "\0".join(sorted((one, other)))
    return f"r_{blake2b(pair.encode(), digest_size=16).hexdigest()}"
