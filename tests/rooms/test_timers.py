"""What rooms do by themselves when it is time, on a virtual clock: once, in order, whatever goes wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest
import trio

from actors import RestartPolicy
from justchat.rooms.commands import Accepted, CreateInvite, DeleteRoom, MuteMember, RemoveMember, UnmuteMember
from justchat.rooms.items import ItemKind
from justchat.rooms.kept_commands import ScheduleMessage
from justchat.rooms.posts import Content
from justchat.rooms.queries import Access
from justchat.rooms.room_actor import FAULT_POINTS, TIMER_POINTS, RoomLimits
from storage.errors import StorageUnavailable
from storage.records import Append, ItemRecord, PutItem
from tests.rooms.world import OWNER, ROOM, Crash, CrashOnce, SwitchedJournal, World, message, open_world, virtual_ms

MINUTE_MS = 60_000


async def mute(world: World, user: str, *, seconds: float = 60) -> None:
    await world.do(MuteMember(OWNER, user, virtual_ms() + round(seconds * 1000)))


async def test_a_mute_ends_at_its_time_by_an_entry_of_the_server(autojump_clock: object) -> None:
    """Not before; everybody sees it; afterwards the member speaks and no timer is left."""
    async with open_world() as world:
        await world.create("u_2")
        _, sink = await world.attach()
        await mute(world, "u_2")
        began = trio.current_time()
        assert await world.refusal(message("still muted", actor="u_2")) == "muted"
        await trio.sleep(59.9)
        assert sink.seqs == [2]
        await trio.sleep(0.1)
        await trio.testing.wait_all_tasks_blocked()
        assert trio.current_time() == pytest.approx(began + 60)
        assert sink.frames[-1]["type"] == "member.unmuted"
        assert sink.frames[-1]["actor"] == "system"
        await world.do(message("at last", actor="u_2"))
        assert await world.items(ItemKind.MUTE) == []


async def test_a_mute_that_is_over_by_the_clock_never_refuses_a_post(autojump_clock: object) -> None:
    """The wall's clock leaps while the room waits for its own: the post finds the mute ended before it."""
    leap_ms = 0
    async with open_world(now_ms=lambda: virtual_ms() + leap_ms) as world:
        await world.create("u_2")
        await mute(world, "u_2")
        leap_ms = MINUTE_MS
        posted = await world.do(message("now I may", actor="u_2"))
        assert posted.seq == 4
        assert await world.history() == ["room.created", "member.muted", "member.unmuted", "message.created"]


async def test_a_mute_that_was_lifted_or_renewed_leaves_no_early_end(autojump_clock: object) -> None:
    """The timer follows the mute: one lifted by hand ends once, one that was prolonged ends at its new time."""
    async with open_world() as world:
        await world.create("u_2", "u_3")
        await mute(world, "u_2")
        await mute(world, "u_3")
        await world.do(UnmuteMember(OWNER, "u_2"))
        await mute(world, "u_3", seconds=120)
        await trio.sleep(100)
        assert await world.history() == ["room.created", *["member.muted"] * 2, "member.unmuted", "member.muted"]
        await trio.sleep(30)
        assert (await world.history())[5:] == ["member.unmuted"]


async def test_messages_and_invites_expire_at_their_time(autojump_clock: object) -> None:
    """A message becomes a tombstone, an invite is revoked; each by one entry, in the order of their times."""
    async with open_world() as world:
        await world.create()
        posted = await world.do(message("for a moment", content=Content(expires_in=20)))
        await world.do(CreateInvite(OWNER, "i_1", expires_at=virtual_ms() + 10_000))
        await trio.sleep(30)
        assert (await world.history())[3:] == ["invite.revoked", "message.expired"]
        record = await world.journal.message(posted.message_id or "")
        assert record is not None
        assert record.deleted
        assert await world.items(ItemKind.EXPIRY) == []
        assert await world.items(ItemKind.INVITE) == []


async def test_many_that_are_due_together_are_few_commits(autojump_clock: object) -> None:
    """They are taken in bounded batches, and all of them before the room does anything else."""
    journal = SwitchedJournal()
    leap_ms = 0
    async with open_world(journal=journal, now_ms=lambda: virtual_ms() + leap_ms) as world:
        await world.create()
        async with trio.open_nursery() as nursery:
            for number in range(150):
                command = message(f"m{number}", content=Content(expires_in=60))
                nursery.start_soon(world.do, command)
        commits = journal.commits
        leap_ms = MINUTE_MS
        await world.do(message("after all of them"))
        assert (await world.history())[151:] == [*["message.expired"] * 150, "message.created"]
        assert journal.commits - commits <= 4


@pytest.mark.parametrize("point", [*FAULT_POINTS, *TIMER_POINTS])
async def test_a_crash_at_any_point_while_firing_fires_once(autojump_clock: object, point: str) -> None:
    """Mute, expiry and scheduled post are due together, and the room crashes there: each happens once, none is lost."""
    crash = CrashOnce(point)
    async with open_world(fault=crash) as world:
        await world.create("u_2", "u_3")
        await mute(world, "u_2")
        due_at = virtual_ms() + MINUTE_MS
        await world.do(message("for a moment", content=Content(expires_in=60)))
        await world.do(ScheduleMessage(OWNER, "s_1", due_at, "later"))
        await world.do(ScheduleMessage("u_3", "s_2", due_at, "never"))
        await world.do(RemoveMember(OWNER, "u_3"))
        await trio.sleep(50)
        if point == "loading":
            world.rooms.crash(ROOM, Crash("from outside"))
        crash.armed = True
        await trio.sleep(60)
        assert crash.hits == 1
        assert sorted((await world.history())[4:]) == ["member.unmuted", "message.created", "message.expired"]
        (failed,) = await world.items(ItemKind.SCHEDULED)
        assert (failed.key, failed.due_at) == ("u_3/s_2", None)
        assert await world.items(ItemKind.EXPIRY) == await world.items(ItemKind.MUTE) == []
        assert world.rooms.health(ROOM).state == "running"  # type: ignore[union-attr]


async def test_a_restart_over_the_due_time_fires_once(autojump_clock: object) -> None:
    """The process is away when it is time: the next one that looks at the room does it, and the one after does not."""
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        await world.create("u_2")
        await mute(world, "u_2")
        await world.do(ScheduleMessage(OWNER, "s_1", virtual_ms() + MINUTE_MS, "later"))
        before = await world.history()
    await trio.sleep(600)
    for _ in range(2):
        async with open_world(journal=journal) as world:
            assert isinstance(await world.room().look(OWNER), Access)
            await trio.sleep(1)
            assert sorted((await world.history())[len(before) :]) == ["member.unmuted", "message.created"]


async def test_a_store_that_fails_delays_what_is_due_and_crashes_nobody(autojump_clock: object) -> None:
    """Reading what is due, writing it, and setting it anew fail one after the other; then it happens, once."""
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        await world.create("u_2")
        await mute(world, "u_2")
        due, failures = journal.due, 3

        async def failing(*, room: str | None = None, before: int, limit: int) -> list[ItemRecord]:
            nonlocal failures
            if failures:
                failures -= 1
                raise StorageUnavailable("planted")
            return await due(room=room, before=before, limit=limit)

        journal.due = failing  # type: ignore[method-assign]
        journal.error = StorageUnavailable("planted")
        await trio.sleep(62)
        assert await world.history() == ["room.created", "member.muted"]
        await trio.sleep(3)
        assert await world.history() == ["room.created", "member.muted", "member.unmuted"]
        assert (failures, journal.error, world.restarts()) == (0, None, 0)


async def test_a_timer_that_crashes_its_room_twice_rests_and_the_others_fire(autojump_clock: object) -> None:
    """The room serves its members meanwhile; once the cause is gone the timer fires as well."""
    journal = SwitchedJournal()
    appended, poisoned = journal.append, True

    async def append(appends: Sequence[Append]) -> None:
        if poisoned and any(b'"u_3"' in entry.body for append in appends for entry in append.entries):
            raise Crash("poison")
        await appended(appends)

    async with open_world(journal=journal, policy=RestartPolicy(intensity=5, period_seconds=30)) as world:
        await world.create("u_2", "u_3", "u_4")
        for user in ("u_2", "u_3", "u_4"):
            await mute(world, user)
        journal.append = append  # type: ignore[method-assign]
        await trio.sleep(63)
        assert (await world.history())[4:] == ["member.unmuted"] * 2
        await world.do(message("alive"))
        poisoned = False
        await trio.sleep(35)
        assert (await world.history())[4:] == [*["member.unmuted"] * 2, "message.created", "member.unmuted"]
        assert world.restarts() == 2


async def test_timers_that_always_crash_their_room_rest_longer_and_longer(autojump_clock: object) -> None:
    """Three of them for hours: the room is never parked for them, and what else is due comes to the second."""
    journal = SwitchedJournal()
    appended = journal.append

    async def append(appends: Sequence[Append]) -> None:
        if any(b'"u_bad' in entry.body for append in appends for entry in append.entries):
            raise Crash("poison")
        await appended(appends)

    policy = RestartPolicy(intensity=5, period_seconds=30)
    async with open_world(journal=journal, policy=policy, timekeeper_seconds=600) as world:
        await world.create("u_bad1", "u_bad2", "u_bad3", "u_4")
        for user in ("u_bad1", "u_bad2", "u_bad3"):
            await mute(world, user)
        await mute(world, "u_4", seconds=20_000)
        journal.append = append  # type: ignore[method-assign]
        await trio.sleep(20_001)
        assert (await world.history())[5:] == ["member.unmuted"]
        assert world.rooms.health(ROOM).state == "running"  # type: ignore[union-attr]
        assert world.restarts() < 100


async def test_a_timer_with_nothing_to_do_is_put_right_and_not_asked_again(autojump_clock: object) -> None:
    """Of a message that is gone, of a mute that is not there, of one that lasts longer, of a kind nobody knows."""
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        await world.create("u_2")
        await mute(world, "u_2", seconds=1000)
        (kept,) = await world.items(ItemKind.MUTE)
        soon = virtual_ms() + 1000
        strays = [
            ItemRecord(ROOM, ItemKind.EXPIRY.value, "m_gone", b"{}", due_at=soon, seq=1),
            ItemRecord(ROOM, ItemKind.MUTE.value, "u_9", b"{}", due_at=soon),
            ItemRecord(ROOM, kept.kind, kept.key, kept.doc, held=True, due_at=soon),
            ItemRecord(ROOM, "novelty", "x", b"{}", due_at=soon),
        ]
        await world.directory.keep([PutItem(item) for item in strays])
        world.rooms.crash(ROOM, Crash("so that it looks"))
        looks = 0
        due = journal.due

        async def counted(*, room: str | None = None, before: int, limit: int) -> list[ItemRecord]:
            nonlocal looks
            looks += 1
            return await due(room=room, before=before, limit=limit)

        journal.due = counted  # type: ignore[method-assign]
        await trio.sleep(100)
        assert await world.history() == ["room.created", "member.muted"]
        assert await world.items(ItemKind.EXPIRY) == []
        assert await world.items(ItemKind.MUTE) == [kept]
        assert looks < 10


async def test_a_room_stays_awake_for_a_timer_that_is_near_and_sleeps_otherwise(autojump_clock: object) -> None:
    """What is due in a moment is worth staying up for; for what is due tomorrow it is woken."""
    async with open_world(limits=RoomLimits(idle_seconds=2, timer_seconds=10)) as world:
        await world.create("u_2")
        await mute(world, "u_2", seconds=9)
        await trio.sleep(8)
        assert world.rooms.is_awake(ROOM)
        await trio.sleep(2)
        assert (await world.history())[-1] == "member.unmuted"
        await mute(world, "u_2", seconds=86_400)
        await trio.sleep(3)
        assert not world.rooms.is_awake(ROOM)


async def test_many_timers_that_are_due_together_keep_nobody_waiting(
    autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a long absence, or by somebody's will: what came due comes in its order, and others get their turn."""
    monkeypatch.setattr("justchat.rooms.timers.BATCH", 2)
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        await world.create("u_2")
        for number in range(200):
            await world.do(message(f"m{number}", content=Content(expires_in=60)))
        journal.append = _slowly(journal.append)  # type: ignore[method-assign]
        await trio.sleep(60.05)
        began = trio.current_time()
        assert isinstance(await world.room().look("u_2"), Access)
        assert trio.current_time() - began < 2
        assert isinstance(await world.room().post(message("meanwhile")), Accepted)
        assert trio.current_time() - began < 4
        await trio.sleep(60)
        history = await world.history()
        assert history[201:].count("message.expired") == 200
        assert history[-1] == "message.expired"
        assert world.restarts() == 0


def _slowly(append: Callable[[Sequence[Append]], Awaitable[None]]) -> Callable[[Sequence[Append]], Awaitable[None]]:
    async def slow(appends: Sequence[Append]) -> None:
        await trio.sleep(0.1)
        await append(appends)

    return slow


async def test_a_deleted_room_has_no_timers(autojump_clock: object) -> None:
    """What was still to come does not come."""
    async with open_world() as world:
        await world.create("u_2")
        await mute(world, "u_2")
        await world.do(message("for a moment", content=Content(expires_in=60)))
        await world.do(ScheduleMessage(OWNER, "s_1", virtual_ms() + MINUTE_MS, "later"))
        assert isinstance(await world.room().post(DeleteRoom(OWNER)), Accepted)
        await trio.sleep(100)
        assert (await world.history())[-1] == "room.deleted"
        assert await world.journal.due(before=2**53, limit=10) == []
