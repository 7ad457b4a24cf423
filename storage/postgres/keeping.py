"""Finds the rooms that keep something, for a journal in one database and for one whose entries are in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from storage.listing import MAX_CODE_POINT, prefix_end
from storage.postgres import statements as sql
from storage.postgres.pool import PostgresPool

# Where a range has no end: no key begins so, for keys are made of ids, times and emoji.
_ABOVE_ALL = chr(MAX_CODE_POINT)


async def rooms_keeping(pool: PostgresPool, rooms: Sequence[str], items: Sequence[tuple[str, str]]) -> list[str]:
    """Return those of these rooms that have an item of one of these (kind, beginning of the key)."""
    kinds = [kind for kind, _ in items]
    lows = [prefix for _, prefix in items]
    highs = [prefix_end(prefix) or _ABOVE_ALL for prefix in lows]
    rows = await pool.fetch(sql.ROOMS_KEEPING, list(dict.fromkeys(rooms)), kinds, lows, highs)
    return [cast("str", row[0]) for row in rows]
