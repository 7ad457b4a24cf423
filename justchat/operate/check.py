"""The check of a room: its journal is folded, and what is stored of the room is compared with what comes out.

It works on a site that is served at the same time: what differs while the room moves on is looked at again, at its new
head. A repair needs the site for itself, because a room that is awake goes on from what it loaded, and would write that
back. In memory it holds what a room itself holds: its members, bans and the like.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, closing
from functools import partial
from typing import TypeVar

import trio
from msgspec import Struct

from justchat.operate.compare_items import ItemComparison
from justchat.operate.compare_messages import MessageComparison
from justchat.operate.compare_room import RoomComparison
from justchat.operate.difference import Difference, Report
from justchat.operate.expected import ExpectedRows
from justchat.operate.replay import Replay
from justchat.operate.site import PAGE, Site
from justchat.rooms.project import project_room
from storage.records import Append, RoomSnapshot

K = TypeVar("K")

# How long to wait before each further look at a room that moves on; after the last one what differs is believed.
_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 0.0)
# How long rows may be on their way in a store that commits the journal first.
_LATE_SECONDS = 1.0

Comparison = Callable[[RoomSnapshot], Awaitable[list[Difference]]]


class Totals(Struct):
    """What a check has seen so far."""

    rooms: int = 0
    entries: int = 0
    messages: int = 0
    items: int = 0
    differences: int = 0
    repaired: int = 0


class RoomCheck:
    """Checks one room that has a journal."""

    __slots__ = ("_repair", "_replay", "_report", "_room", "_site", "_stuck", "_totals")

    def __init__(self, site: Site, room: str, *, repair: bool, report: Report, totals: Totals) -> None:
        self._site = site
        self._room = room
        self._repair = repair
        self._report = report
        self._totals = totals
        self._replay: Replay
        self._stuck: RoomSnapshot | None = None

    async def run(self) -> None:
        """Compare everything. Raises what storage raises."""
        with closing(ExpectedRows()) as expected:
            self._replay = Replay(self._site.journal, self._room, expected=expected, flawed=self._damaged)
            await self._settle(RoomComparison(self._replay).compare)
            messages = MessageComparison(self._site.journal, self._replay)
            await self._each(messages.suspects, messages.compare)
            items = ItemComparison(self._site, self._replay)
            await self._each(items.suspects, items.compare)
            self._totals.rooms += 1
            self._totals.entries += self._replay.head_seq
            self._totals.messages += expected.count_messages()
            self._totals.items += expected.count_items()

    async def _each(
        self,
        suspects: Callable[[], AsyncGenerator[K, None]],
        compare: Callable[[Sequence[K], RoomSnapshot], Awaitable[list[Difference]]],
    ) -> None:
        """Compare one by one what differs at first sight, a page at a time."""
        if self._is_over():
            return
        batch: list[K] = []
        async with aclosing(suspects()) as places:
            async for place in places:
                batch.append(place)
                if len(batch) == PAGE:
                    await self._settle(partial(compare, batch))
                    batch = []
                if self._is_over():
                    return
        if batch:
            await self._settle(partial(compare, batch))

    def _is_over(self) -> bool:
        return self._replay.broken

    async def _settle(self, compare: Comparison) -> None:
        """Find out what differs, mend it if that is wanted, and report it."""
        found = await self._look(compare)
        if not found:
            return
        left = found
        if self._repair:
            await self._mend(found)
            left = await self._look(compare)
        for difference in (*found, *(new for new in left if new not in found)):
            self._tell(difference, repaired=difference not in left)

    async def _look(self, compare: Comparison) -> list[Difference]:
        """Compare, and again for as long as the room moves on and something differs."""
        found: list[Difference] = []
        for pause in _PAUSES:
            before = await self._snapshot()
            await self._replay.advance(before.head_seq)
            if self._replay.broken:
                return []
            if self._replay.is_torn:
                if before.head_seq == (await self._snapshot()).head_seq:
                    self._replay.give_up()
                    return []
                continue
            found = await compare(before)
            if not found or await self._is_at_rest(before):
                return found
            await trio.sleep(pause)
        return found

    async def _is_at_rest(self, before: RoomSnapshot) -> bool:
        """Tell whether nothing has moved since, and nothing is on its way."""
        if before != await self._snapshot():
            return False
        is_current = before.room is not None and before.room.applied_seq == before.head_seq
        if is_current or self._repair or before == self._stuck:
            return True
        await trio.sleep(_LATE_SECONDS)
        self._stuck = await self._snapshot()
        return before == self._stuck

    async def _snapshot(self) -> RoomSnapshot:
        return await self._site.journal.load_room(self._room) or RoomSnapshot(None, (), 0)

    async def _mend(self, found: Sequence[Difference]) -> None:
        if self._replay.last is None:
            raise ValueError(f"{self._room}: nothing to mend from")
        changes = [difference.mend for difference in found if difference.mend is not None]
        rows = (*changes, project_room(self._replay.state))
        await self._site.journal.project(Append(self._room, (self._replay.last,), rows), repair=True)

    def _damaged(self, seq: int, problem: str) -> None:
        problem = f"damaged: {problem}; what is made of it and of what follows is not compared"
        self._tell(Difference(self._room, f"entry {seq}", problem), repaired=False)

    def _tell(self, difference: Difference, *, repaired: bool) -> None:
        self._totals.differences += 1
        self._totals.repaired += repaired
        self._report(difference, repaired)
