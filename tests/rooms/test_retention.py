"""Rooms that forget: what is older than the retention time is trimmed once a day, cheaply and no more than that."""

from __future__ import annotations

import pytest
import trio

from justchat.rooms.commands import PinMessage, UpdateRoom
from justchat.rooms.items import ItemKind
from justchat.wire.events import SettingsChanges
from storage.records import ItemRecord
from tests.rooms.world import OWNER, ROOM, CrashOnce, SwitchedJournal, World, message, open_world

DAY_SECONDS = 86_400
# Half a day: often enough for what is swept once a day.
SELDOM = 43_200.0


async def keep_for(world: World, days: int | None) -> None:
    await world.do(UpdateRoom(OWNER, settings=SettingsChanges(retention_days=days)))


async def bodies(world: World) -> list[bytes]:
    return [record.doc for record in await world.journal.messages(ROOM, limit=1000)]


async def test_what_is_too_old_goes_and_the_rest_stays(autojump_clock: object) -> None:
    """Messages, their pins and their text in the journal; the order has no gap and the room has no error."""
    async with open_world(timekeeper_seconds=SELDOM) as world:
        await world.create()
        await keep_for(world, 30)
        old = await world.do(message("old"))
        await world.do(PinMessage(OWNER, old.message_id or ""))
        await trio.sleep(20 * DAY_SECONDS)
        await world.do(message("young"))
        await trio.sleep(12 * DAY_SECONDS)
        assert (await world.history())[-1] == "history.trimmed"
        (left,) = await bodies(world)
        assert b"young" in left
        entries = await world.journal.read(ROOM, after=0, limit=100)
        assert [entry.seq for entry in entries if not entry.body] == [old.seq]
        assert await world.items(ItemKind.PIN) == []
        assert world.restarts() == 0


async def test_turning_it_on_means_what_is_there_already(autojump_clock: object) -> None:
    """The first sweep comes at once, and turning it off ends the sweeps."""
    async with open_world(timekeeper_seconds=SELDOM) as world:
        await world.create()
        await world.do(message("old"))
        await trio.sleep(50 * DAY_SECONDS)
        await keep_for(world, 30)
        await trio.sleep(1)
        assert await bodies(world) == []
        await keep_for(world, None)
        assert await world.items(ItemKind.SWEEP) == []
        await world.do(message("kept"))
        await trio.sleep(50 * DAY_SECONDS)
        assert len(await bodies(world)) == 1


async def test_a_room_where_nobody_speaks_is_left_in_peace(autojump_clock: object) -> None:
    """Its own sweeps are no reason for another: ten weeks later there is one more entry."""
    async with open_world(timekeeper_seconds=SELDOM) as world:
        await world.create()
        await keep_for(world, 30)
        await world.do(message("the last word"))
        await trio.sleep(70 * DAY_SECONDS)
        assert (await world.history())[3:] == ["history.trimmed"]
        assert len(await world.items(ItemKind.SWEEP)) == 1


async def test_a_long_history_is_trimmed_in_steps(autojump_clock: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is bounded and the next one follows at once, until what is left is young enough."""
    monkeypatch.setattr("justchat.rooms.sweep.SWEEP_ENTRIES", 20)
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        await world.create()
        for number in range(69):
            await world.do(message(f"m{number}"))
        await trio.sleep(50 * DAY_SECONDS)
        await world.do(message("young"))
        reads = 0
        read = journal.read

        async def counted(room: str, *, after: int, upto: int | None = None, limit: int) -> object:
            nonlocal reads
            reads += 1
            return await read(room, after=after, upto=upto, limit=limit)

        journal.read = counted  # type: ignore[method-assign,assignment]
        await keep_for(world, 30)
        await trio.sleep(10)
        journal.read = read  # type: ignore[method-assign]
        assert (await world.history())[71:] == ["room.updated", *["history.trimmed"] * 4]
        assert len(await bodies(world)) == 1
        assert reads <= 4 * 7


@pytest.mark.parametrize("point", ["before_commit", "after_commit", "after_fan_out", "before_keep", "after_keep"])
async def test_a_sweep_that_crashes_is_made_again(autojump_clock: object, point: str) -> None:
    """Wherever it is cut off: history is trimmed once, and the next sweep is set."""
    crash = CrashOnce(point)
    async with open_world(fault=crash, timekeeper_seconds=SELDOM) as world:
        await world.create()
        await world.do(message("old"))
        await trio.sleep(50 * DAY_SECONDS)
        await keep_for(world, 30)
        crash.armed = True
        await trio.sleep(60)
        assert not crash.armed
        assert (await world.history())[3:] == ["history.trimmed"]
        (next_sweep,) = await world.items(ItemKind.SWEEP)
        assert _days_ahead(next_sweep) == pytest.approx(1, abs=0.01)


def _days_ahead(item: ItemRecord) -> float:
    return ((item.due_at or 0) / 1000 - trio.current_time()) / DAY_SECONDS
