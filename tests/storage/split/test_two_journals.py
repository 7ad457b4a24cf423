"""Two processes that both believe that they own the rooms: the journal never forks, and what was told is true."""

from __future__ import annotations

import pytest
import trio

from storage.errors import Conflict
from storage.records import Append, DropMember
from tests.storage.samples import a_change, a_post, appended, joined, posts
from tests.storage.split.house import Crash, House, assert_same, empty_databases, open_house
from tests.storage.split.test_projecting import DOWN, NEVER, edited

pytestmark = pytest.mark.real_clock

ROOMS = ("r_1", "r_2", "r_3")
ENOUGH = 12


class Writer:
    """A process that posts to all rooms at once, and loads a room again after each conflict."""

    def __init__(self, house: House, sender: str) -> None:
        self.house = house
        self.sender = sender
        self.acknowledged: list[tuple[str, int, str]] = []
        self.conflicts = 0
        self._sent = 0
        self._heads: dict[str, int] = {}

    async def load(self) -> None:
        """Load all rooms."""
        self._heads = {room: await self.reload(room) for room in ROOMS}

    async def write(self) -> None:
        """Post until there is enough."""
        heads = self._heads
        while True:
            appends = [self._post(room, heads[room] + 1) for room in ROOMS]
            while appends:
                try:
                    await self.house.journal.append(appends)
                except Conflict as conflict:
                    self.conflicts += 1
                    appends = [append for append in appends if append.room != conflict.room]
                    heads[conflict.room or ""] = await self.reload(conflict.room or "")
                else:
                    self._acknowledge(appends)
                    heads.update({append.room: append.entries[-1].seq for append in appends})
                    break
            if len(self.acknowledged) >= ENOUGH * len(ROOMS):
                return

    async def reload(self, room: str) -> int:
        """Load a room and project what is missing, as its actor does."""
        snapshot = await self.house.journal.load_room(room)
        if snapshot is None:
            return 0
        applied = 0 if snapshot.room is None else snapshot.room.applied_seq
        if entries := await self.house.journal.read(room, after=applied, upto=snapshot.head_seq, limit=1000):
            await self.house.journal.project(appended(*entries))
        return snapshot.head_seq

    def _post(self, room: str, seq: int) -> Append:
        self._sent += 1
        return appended(a_post(room, seq, sender=self.sender, client_msg_id=f"{self.sender}-{self._sent}"))

    def _acknowledge(self, appends: list[Append]) -> None:
        for append in appends:
            (entry,) = append.entries
            self.acknowledged.append((entry.room, entry.seq, entry.client_msg_id or ""))


async def test_two_journals_at_once_never_fork_and_keep_what_they_acknowledged() -> None:
    """Each acknowledged post is there once, at its seq, and every room is gapless and projected in the end."""
    await empty_databases()
    async with open_house() as one, open_house() as other:
        writers = Writer(one, "u_0001"), Writer(other, "u_0002")
        for writer in writers:
            # Both before either writes, so that what they write first is the same place.
            await writer.load()
        with trio.move_on_after(60):
            async with trio.open_nursery() as nursery:
                for writer in writers:
                    nursery.start_soon(writer.write)
        appends: list[Append] = []
        for room in ROOMS:
            await writers[0].reload(room)
            entries = await one.journal.read(room, after=0, limit=10_000)
            assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
            stored = [(entry.room, entry.seq, entry.client_msg_id) for entry in entries]
            keys = [entry.client_msg_id for entry in entries]
            assert len(keys) == len(set(keys))
            told = [place for writer in writers for place in writer.acknowledged if place[0] == room]
            assert set(told) <= set(stored)
            assert len(told) == len(set(told))
            appends += [appended(entry) for entry in entries]
        assert sum(writer.conflicts for writer in writers) > 0
        assert all(writer.acknowledged for writer in writers)
        await assert_same(one, appends)
        await assert_same(other, appends)


async def test_what_a_process_with_a_slow_clock_left_is_found() -> None:
    """Its commits have lower numbers than those that another process has projected since: a minute is looked back."""
    await empty_databases()
    async with open_house(now=lambda: 1_000_000) as fast, open_house(now=lambda: 950_000) as slow:
        await fast.journal.append([posts("r_1", 1, 2)])
        slow.fault.set("after_entries", Crash())
        with pytest.raises(Crash):
            await slow.journal.append([posts("r_2", 1, 2)])
        await fast.journal.append([posts("r_1", 3, 3)])
    async with open_house() as house:
        assert await house.journal.behind() == ["r_2"]


async def test_a_late_projection_of_a_stale_process_changes_nothing() -> None:
    """A process that was cut off from PostgreSQL comes back when another has long taken over its rooms."""
    await empty_databases()
    first = [joined("r_1", 1, "u_0001", "u_0002"), posts("r_1", 2, 3)]
    async with open_house(limits=NEVER) as stale:
        stale.fault.set("before_members", DOWN)
        for append in first:
            await stale.journal.append([append])
        stale.fault.set("after_messages", DOWN)
        assert stale.journal.statistics().rooms_behind == 1
        async with open_house() as owner:
            assert await owner.journal.behind() == ["r_1"]
            await owner.catch_up(first)
            left = appended(a_change("r_1", 4), changes=(DropMember("r_1", "u_0001"),))
            later = [left, edited("r_1", 2, 5), posts("r_1", 6, 6)]
            for append in later:
                await owner.journal.append([append])
            stale.fault.clear()
            await stale.journal.load_room("r_1")
            assert stale.journal.statistics().rooms_behind == 0
            await assert_same(owner, [*first, *later])
            await assert_same(stale, [*first, *later])
            with pytest.raises(Conflict):
                await stale.journal.append([appended(a_post("r_1", 4, client_msg_id="stale"))])
            await assert_same(stale, [*first, *later])
