"""What a start makes up for: rooms that a former process left behind their journal."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from justchat.app import make_whole
from storage.memory import MemoryJournal, MemoryStore
from tests.operate.drafted import World, do
from tests.operate.sites import OWNER, PAIR, TEA, create, say
from tests.storage.contract.backends import memory_stores


class JournalBehind(MemoryJournal):
    """A journal whose rows are as a process may leave them in a store of two databases."""

    async def behind(self) -> list[str]:
        """Name all rooms."""
        return sorted(self._store.entries)


async def test_a_damaged_room_does_not_keep_the_others_from_starting(caplog: pytest.LogCaptureFixture) -> None:
    """It stays behind, and the log says which it is; the others are brought up to their journals."""
    store = MemoryStore()
    site: Any = memory_stores(store, journal=JournalBehind(store))
    world = World(site)
    for room in (TEA, PAIR):
        await do(world, room, create(OWNER, room))
        await do(world, room, say("hello", actor=OWNER))
        row = store.rooms[room]
        store.rooms[room] = replace(row, applied_seq=row.applied_seq - 1)
    damaged, sound = sorted((TEA, PAIR))
    head = len(store.entries[sound])
    store.entries[damaged][-1] = replace(store.entries[damaged][-1], body=b"\0")
    await make_whole(site)
    assert store.rooms[damaged].applied_seq == head - 1
    assert store.rooms[sound].applied_seq == head
    assert f"event=room_not_projected room={damaged}" in caplog.text
