"""Rooms that sleep while something of theirs comes due, on a virtual clock: they are woken in time, and gently."""

from __future__ import annotations

from collections import Counter

import pytest
import trio
from msgspec.structs import replace

from actors import RestartPolicy
from justchat.rooms.commands import MuteMember
from justchat.rooms.items import ItemKind, Scheduled, scheduled_item
from justchat.rooms.kept_commands import ScheduleMessage
from justchat.rooms.room_actor import RoomLimits
from storage.errors import StorageUnavailable
from storage.records import ItemRecord, PutItem
from tests.rooms.world import OWNER, ROOM, Crash, SwitchedJournal, World, message, open_world, virtual_ms

SLEEPY = RoomLimits(idle_seconds=1, timer_seconds=10)
HOUR_MS = 3_600_000


async def post_later(world: World, *, room: str = ROOM, ms: int = HOUR_MS) -> None:
    await world.do(ScheduleMessage(OWNER, "s_1", virtual_ms() + ms, "later"), room=room)


async def test_a_room_that_sleeps_is_woken_in_time(autojump_clock: object) -> None:
    """It fires to the millisecond, as if it had been awake all along, and goes to sleep again."""
    async with open_world(limits=SLEEPY, timekeeper_seconds=5) as world:
        await world.create()
        due_at = virtual_ms() + HOUR_MS
        await post_later(world)
        await trio.sleep(60)
        assert not world.rooms.is_awake(ROOM)
        await trio.sleep(3600)
        (_, posted) = await world.journal.read(ROOM, after=0, limit=9)
        assert posted.ts == due_at
        assert not world.rooms.is_awake(ROOM)


@pytest.mark.parametrize("seconds_after", [-20, 0, 3600])
async def test_what_came_due_while_the_process_was_away_happens_once(
    autojump_clock: object, seconds_after: int
) -> None:
    """It ends before, at or after the due time, in mid-commit or not, and nobody asks for the room afterwards."""
    journal = SwitchedJournal()
    began = trio.current_time()
    async with open_world(journal=journal, limits=SLEEPY, timekeeper_seconds=5) as world:
        await world.create()
        await post_later(world)
        journal.gate = trio.Event()  # whatever is being committed when the process ends is lost
        await trio.sleep(3600 + min(seconds_after, 1))
    journal.gate = None
    await trio.sleep_until(began + 3600 + max(seconds_after, 2))
    for _ in range(2):
        async with open_world(journal=journal, limits=SLEEPY, timekeeper_seconds=5) as world:
            await trio.sleep(60)
            assert await world.history() == ["room.created", "message.created"]
            assert await world.items(ItemKind.SCHEDULED) == []


@pytest.mark.parametrize("point", ["loading", "firing", "before_commit", "after_commit", "after_fan_out"])
async def test_a_room_that_crashes_when_it_is_woken_fires_once(autojump_clock: object, point: str) -> None:
    """At whatever point, and twice in a row where the first crash was before it was done."""
    crashes = Counter[str]()

    def fault(at: str, room: str) -> None:
        if at == point and trio.current_time() > began + 1800 and crashes[at] < 2:
            crashes[at] += 1
            raise Crash(at)

    began = trio.current_time()
    async with open_world(limits=SLEEPY, timekeeper_seconds=5, fault=fault) as world:
        await world.create()
        await post_later(world)
        await trio.sleep(4000)
        assert crashes[point] == (1 if point.startswith("after") else 2)
        assert await world.history() == ["room.created", "message.created"]


async def test_a_store_that_does_not_answer_is_asked_less_and_less_often(autojump_clock: object) -> None:
    """An outage of ten minutes costs a few questions, and the timekeeper goes on afterwards without a crash."""
    journal = SwitchedJournal()
    due, looks, down = journal.due, 0, False

    async def flaky(*, room: str | None = None, before: int, limit: int) -> list[ItemRecord]:
        nonlocal looks
        looks += 1
        if down:
            raise StorageUnavailable("planted")
        return await due(room=room, before=before, limit=limit)

    async with open_world(journal=journal, limits=SLEEPY, timekeeper_seconds=5) as world:
        await world.create()
        await post_later(world, ms=300_000)
        await trio.sleep(10)
        journal.due, looks, down = flaky, 0, True  # type: ignore[method-assign]
        await trio.sleep(600)
        assert looks <= 24
        down = False
        await trio.sleep(40)
        assert await world.history() == ["room.created", "message.created"]
        (keeper,) = [child for child in world.supervisor.children() if child.name == "timekeeper"]
        assert (keeper.state, keeper.restarts) == ("running", 0)


async def test_rooms_are_woken_so_many_at_a_time(autojump_clock: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a long absence many have something to do: the store is not asked for all of them at once."""
    monkeypatch.setattr("justchat.rooms.timekeeper.WOKEN_AT_ONCE", 10)
    rooms = [f"r_{number}" for number in range(30)]
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        for room in rooms:
            await world.create(room=room)
            await post_later(world, room=room)
    await trio.sleep(7200)
    async with open_world(journal=journal, timekeeper_seconds=5) as world:
        await trio.sleep(0.1)
        assert len(world.rooms.registry) == 10
        await trio.sleep(2)
        assert {tuple(await world.history(room)) for room in rooms} == {("room.created", "message.created")}


async def test_timers_of_a_room_that_cannot_run_do_not_hide_those_of_others(
    autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parked room has more timers due than are looked at together; the next room is woken all the same."""
    monkeypatch.setattr("justchat.rooms.timekeeper.LOOKED_AT", 20)

    def fault(at: str, room: str) -> None:
        if room == ROOM and trio.current_time() > began + 10:
            raise Crash(at)

    began = trio.current_time()
    async with open_world(
        fault=fault, limits=SLEEPY, timekeeper_seconds=5, policy=RestartPolicy(intensity=1, probe_seconds=30)
    ) as world:
        await world.create()
        await world.create(room="r_2")
        soon = virtual_ms() + 60_000
        strays = [ItemRecord(ROOM, ItemKind.EXPIRY.value, f"m_{number}", b"{}", due_at=soon) for number in range(50)]
        await world.directory.keep([PutItem(item) for item in strays])
        await post_later(world, room="r_2", ms=61_000)
        await trio.sleep(100)
        assert world.rooms.health(ROOM).state == "parked"  # type: ignore[union-attr]
        assert await world.history("r_2") == ["room.created", "message.created"]


async def test_a_room_that_is_awake_is_left_alone_but_for_what_is_overdue(autojump_clock: object) -> None:
    """It minds its timers itself; when the wall's clock leaps while it waits, it is reminded, and not over and over."""
    leap_ms = 0
    async with open_world(now_ms=lambda: virtual_ms() + leap_ms, timekeeper_seconds=5) as world:
        await world.create("u_2")
        await world.do(MuteMember(OWNER, "u_2", virtual_ms() + 300_000))
        before = _received(world)
        await trio.sleep(200)
        leap_ms = 1_000_000
        await trio.sleep(6)
        assert (await world.history())[-1] == "member.unmuted"
        await trio.sleep(100)
        assert _received(world) == before + 1


def _received(world: World) -> int:
    health = world.rooms.health(ROOM)
    assert health is not None
    return health.received


async def test_no_room_is_woken_while_the_server_stops(autojump_clock: object) -> None:
    """What is due then is the next process's."""
    async with open_world(limits=SLEEPY, timekeeper_seconds=5) as world:
        await world.create()
        await post_later(world, ms=60_000)
        await trio.sleep(20)
        world.rooms.start_draining()
        await trio.sleep(100)
        assert await world.history() == ["room.created"]


async def test_rooms_without_timers_sleep_on(autojump_clock: object) -> None:
    """And the registry stays as empty as it was."""
    async with open_world(limits=SLEEPY, timekeeper_seconds=5) as world:
        await world.create()
        await world.do(message("hello"))
        await trio.sleep(1000)
        assert world.rooms.statistics().activated == 1


async def test_a_timer_that_a_room_has_not_heard_of_fires_all_the_same(autojump_clock: object) -> None:
    """A repair wrote it, or a write that a crash overtook: the room is told that something is overdue, and looks."""
    async with open_world(timekeeper_seconds=5) as world:
        await world.create("u_2")
        await world.attach()
        await world.do(MuteMember(OWNER, "u_2", until=virtual_ms() + HOUR_MS))
        (known,) = await world.items(ItemKind.MUTE)
        await world.directory.keep([PutItem(replace(known, due_at=virtual_ms() + 60_000))])
        await post_unheard(world, due_at=virtual_ms() + 60_000)
        await trio.sleep(70)
        assert await world.history() == ["room.created", "member.muted", "message.created"]
        (mute,) = await world.items(ItemKind.MUTE)
        assert mute.due_at == known.due_at


async def post_unheard(world: World, *, due_at: int) -> None:
    """Schedule a post past the room."""
    post = Scheduled("s_1", OWNER, "later", due_at, virtual_ms())
    await world.directory.keep([PutItem(scheduled_item(ROOM, post))])
