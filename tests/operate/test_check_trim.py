"""The check of a room whose history was trimmed: nothing of it is left, and nothing else is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from justchat.operate.check_site import check_site
from justchat.operate.flaws import flaw
from justchat.rooms.commands import EditMessage, React, TrimHistory
from justchat.rooms.items import ItemKind
from justchat.rooms.state import RoomState, stored_trimmed
from justchat.wire.events import SYSTEM
from storage.memory import MemoryJournal
from storage.records import TRIMMED as TEXTS
from storage.records import Append, DropMessage, Entry, ItemRecord, PutItem, PutMessage
from tests.operate.drafted import do
from tests.operate.rooms import the_story
from tests.operate.sites import (
    BIG,
    GUEST,
    KINDS,
    OWNER,
    TRIMMED,
    Talked,
    a_site,
    everything,
    plant,
)
from tests.operate.test_check import Found
from tests.operate.test_check_damage import NOT_COMPARED
from tests.storage.contract.backends import ram_folder

pytestmark = pytest.mark.real_clock


@pytest.fixture(params=KINDS)
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Talked]:
    """Open a store with a site in it, small enough for the slowest store."""
    with ram_folder() as folder:
        async with a_site(request.param, folder, big=False) as opened:
            yield opened


@pytest.fixture
async def small() -> AsyncIterator[Talked]:
    """Open a store in RAM with a site in it."""
    async with a_site("memory", Path(), big=False) as opened:
        yield opened


def state_of(site: Talked, room: str) -> RoomState:
    state = site.world.states[room]
    assert state is not None
    return state


def entries_of(site: Talked, room: str) -> list[Entry]:
    assert isinstance(site.journal, MemoryJournal)
    return site.journal._store.entries[room]


async def test_what_lies_below_the_floor_is_superfluous(site: Talked) -> None:
    """A message, what hangs on one, and a report, though of reports in general nothing is known."""
    before = await everything(site)
    floor = state_of(site, TRIMMED).held.floor_seq
    (message, *_) = await site.journal.messages(TRIMMED, limit=1)
    for seq in (2, floor):
        old = replace(message, id=f"m_old{seq}", seq=seq)
        await plant(
            site,
            TRIMMED,
            PutMessage(old),
            PutItem(ItemRecord(TRIMMED, ItemKind.REACTION, f"{old.id}/x/u_1", b"{}", seq=seq)),
            PutItem(ItemRecord(TRIMMED, ItemKind.REPORT, f"{old.id}/u_1", b"{}", seq=seq)),
        )
    report = ItemRecord(TRIMMED, ItemKind.REPORT, f"{message.id}/u_1", b"{}", seq=floor + 1)
    await site.directory.keep([PutItem(report)])
    found = Found()
    await check_site(site, report=found)
    assert found.lines == [
        f"{TRIMMED}: message m_old2 (seq 2): superfluous",
        f"{TRIMMED}: message m_old{floor} (seq {floor}): superfluous",
        f"{TRIMMED}: reaction m_old{floor}/x/u_1: superfluous",
        f"{TRIMMED}: reaction m_old2/x/u_1: superfluous",
        f"{TRIMMED}: report m_old{floor}/u_1: superfluous",
        f"{TRIMMED}: report m_old2/u_1: superfluous",
    ]
    assert (await check_site(site, report=found, repair=True)).repaired == 6
    assert await everything(site) == replace(before, items=sorted([*before.items, report], key=place))


def place(item: ItemRecord) -> tuple[str, str, str]:
    return item.room, item.kind, item.key


async def test_a_row_of_an_earlier_version_does_not_say_what_is_trimmed_and_none_says_it_wrongly(small: Talked) -> None:
    """Nothing is amiss with the one; the other would have people miss what they have not read."""
    assert isinstance(small.journal, MemoryJournal)
    rows = small.journal._store.rooms
    row, floor = rows[TRIMMED], state_of(small, TRIMMED).held.floor_seq
    assert stored_trimmed(row) == floor > 0
    said = b',"trimmed":%d' % floor
    for wrong, lines in ((b"", []), (b',"trimmed":%d' % (floor + 1), [f"{TRIMMED}: row: wrong in settings"])):
        rows[TRIMMED] = replace(row, settings=row.settings.replace(said, wrong))
        assert rows[TRIMMED] != row
        found = Found()
        await check_site(small, report=found, repair=True)
        assert found.lines == lines
    assert rows[TRIMMED] == row


async def test_a_message_above_the_floor_is_made_whole(site: Talked) -> None:
    """Trimmed history is no reason to lose what is not trimmed."""
    before = await everything(site)
    (message, *_) = await site.journal.messages(TRIMMED, limit=1)
    await plant(site, TRIMMED, DropMessage(TRIMMED, message.id))
    assert (await check_site(site, report=Found(), repair=True)).repaired == 1
    assert await everything(site) == before


async def test_text_that_is_left_below_the_floor_is_found_and_trimmed(small: Talked) -> None:
    """The journal itself holds what nobody may read any more."""
    before = await everything(small)
    entries = entries_of(small, TRIMMED)
    floor = state_of(small, TRIMMED).held.floor_seq
    story = await the_story(big=False)
    said = {e.seq: e for step in story.steps if isinstance(step, Append) for e in step.entries if e.room == TRIMMED}
    texts = [entry.seq for entry in entries[:floor] if entry.type in TEXTS]
    assert {entries[seq - 1].body for seq in texts} == {b""}
    for left in (texts[:1], texts[-1:], texts[1:-1]):
        for seq in left:
            entries[seq - 1] = said[seq]
        found = Found()
        await check_site(small, report=found, room=TRIMMED)
        words = f"its text is still there, though history is trimmed up to {floor}"
        assert found.lines == [f"{TRIMMED}: entry {left[0]}: {words}"]
        assert (await check_site(small, report=found, repair=True)).repaired == 1
        assert await everything(small) == before


@pytest.mark.parametrize("which", ["message.created", "message.updated"])
async def test_text_that_is_gone_above_the_floor_is_damage(small: Talked, which: str) -> None:
    """Nothing says that it was trimmed: it was lost, and a repair would lose what is left of it."""
    entries = entries_of(small, TRIMMED)
    last = max(place for place, entry in enumerate(entries) if entry.type == which)
    entries[last] = replace(entries[last], body=b"")
    (message, *_) = await small.journal.messages(TRIMMED, limit=1)
    await plant(small, TRIMMED, DropMessage(TRIMMED, message.id))
    before = await everything(small)
    found = Found()
    await check_site(small, report=found, repair=True)
    words = "its text is gone, though history is not trimmed up to there"
    assert found.lines == [f"{TRIMMED}: entry {last + 1}: damaged: {words}; {NOT_COMPARED}"]
    assert found.repaired == [False]
    assert await everything(small) == before


async def test_what_is_left_of_a_trimmed_entry_is_looked_at(small: Talked) -> None:
    """Its fields have to make sense without the text."""
    trimmed = [entry for entry in entries_of(small, TRIMMED) if not entry.body]
    created, updated = (next(entry for entry in trimmed if entry.type == kind) for kind in TEXTS)
    assert flaw(created) is flaw(updated) is None
    for changes in (
        {"message_id": None}, {"msg_no": None}, {"client_msg_id": None}, {"digest": None}, {"sender": None},
        {"sender": "u_x"}, {"ts": 9 * 10**18}, {"type": "room.updated"}, {"type": "message.updated"},
    ):  # fmt: skip
        assert flaw(replace(created, **changes)) is not None, changes
    for changes in ({"message_id": "m_x"}, {"sender": "u_x"}, {"type": "message.created"}, {"digest": b"x"}):
        assert flaw(replace(updated, **changes)) is not None, changes


class Trimming(MemoryJournal):
    """A journal in a room of which something happens before some of its entries are read."""

    happen: Callable[[], Awaitable[object]]
    reads = 0
    at = (1,)

    async def read(self, room: str, **bounds: int | None) -> list[Entry]:  # type: ignore[override]
        self.reads += 1
        if self.reads in self.at:
            await self.happen()
        return await super().read(room, **bounds)  # type: ignore[arg-type]


@pytest.mark.parametrize("at", [(1,), (2,), (3,), (1, 2, 3, 4)])
async def test_history_that_is_trimmed_while_it_is_read_is_no_difference(
    autojump_clock: object, at: tuple[int, ...]
) -> None:
    """Some pages were read with their texts and some without, before the entry that trims them was."""
    async with a_site("memory", Path()) as site:
        assert isinstance(site.journal, MemoryJournal)
        trimming = Trimming(site.journal._store)
        posted = [message.id for message in await site.journal.messages(BIG, after=0, limit=10_000)]
        floors = iter(range(110, 600, 100))

        async def happen() -> None:
            upto = next(floors)
            await do(site.world, BIG, React(OWNER, posted[upto], "👀"), EditMessage(OWNER, posted[upto + 1], "late"))
            await do(site.world, BIG, TrimHistory(SYSTEM, upto), React(GUEST, posted[upto + 1], "👀"))

        trimming.happen, trimming.at = happen, at
        found = Found()
        totals = await check_site(replace(site, journal=trimming), report=found, room=BIG)
        assert found.lines == []
        floor = state_of(site, BIG).held.floor_seq
        assert floor == 10 + 100 * len(at)
        assert totals.messages == len(await site.journal.messages(BIG, after=0, limit=10_000)) < len(posted)
