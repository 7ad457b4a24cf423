"""The comparison of a room's items with those that its journal amounts to.

Of kinds that follow from no entry nothing is known, except that none of them hangs on a message that was trimmed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from justchat.operate.difference import Difference, wrong_fields
from justchat.operate.replay import Replay
from justchat.operate.site import Site
from justchat.operate.stored import ItemName, differing, each_item
from justchat.rooms.items import KEPT
from storage.records import DropItem, ItemRecord, PutItem, RoomSnapshot


class ItemComparison:
    """Compares items by their kinds and keys."""

    __slots__ = ("_replay", "_site")

    def __init__(self, site: Site, replay: Replay) -> None:
        self._site = site
        self._replay = replay

    async def suspects(self) -> AsyncGenerator[ItemName, None]:
        """Give the names under which there is not what belongs there. Close it if it is left early."""
        async with aclosing(differing(self._expected(), self._stored())) as found:
            async for name, _, _ in found:
                yield name

    async def compare(self, names: Sequence[ItemName], _: RoomSnapshot) -> list[Difference]:
        """Compare what is stored under these names as of the replay's head."""
        found = await self._site.journal.items_by_key(self._replay.room, names)
        stored = {(item.kind, item.key): item for item in found}
        compared = (self._compare_at(name, stored.get(name)) for name in names)
        return [difference for difference in compared if difference is not None]

    async def _expected(self) -> AsyncGenerator[tuple[ItemName, ItemRecord], None]:
        for item in self._replay.expected.each_item():
            yield (item.kind, item.key), item

    async def _stored(self) -> AsyncGenerator[tuple[ItemName, ItemRecord], None]:
        async with aclosing(each_item(self._site.directory, self._replay.room)) as items:
            async for name, item in items:
                if not self._is_unknown(item):
                    yield name, item

    def _compare_at(self, name: ItemName, stored: ItemRecord | None) -> Difference | None:
        expected = self._replay.expected.item(name)
        if expected == stored or (stored is not None and self._is_unknown(stored)):
            return None
        room, what = self._replay.room, _printable(" ".join(name)).rstrip()
        if expected is None:
            return Difference(room, what, "superfluous", DropItem(room, *name))
        problem = "missing" if stored is None else wrong_fields(expected, stored)
        return Difference(room, what, problem, PutItem(expected))

    def _is_unknown(self, item: ItemRecord) -> bool:
        return item.kind in KEPT and not 0 < item.seq <= self._replay.floor_seq


def _printable(name: str) -> str:
    """Write a name, which may hold an emoji, so that every terminal takes it."""
    return name.encode("ascii", "backslashreplace").decode()
