"""What a room keeps without an entry: scheduled posts and reports, on a virtual clock."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from msgspec import json
from msgspec.structs import replace

from justchat.rooms.commands import (
    AddMember,
    ArchiveRoom,
    DeleteMessage,
    MuteMember,
    RemoveMember,
    SetRole,
    UpdateRoom,
)
from justchat.rooms.items import ItemKind, Report, Scheduled
from justchat.rooms.kept_commands import DismissReport, ReportMessage, ScheduleMessage, Unschedule
from justchat.rooms.permissions import Role, Visibility
from justchat.rooms.rules.kept_rules import AHEAD_MAX_DAYS, SCHEDULED_MAX
from justchat.wire.events import RoomSettings, SettingsChanges
from storage.errors import OutcomeUnknown, StorageUnavailable
from storage.memory import MemoryDirectory
from storage.records import DropItem, PutItem, UserRecord
from tests.rooms.world import OWNER, ROOM, CrashOnce, SwitchedJournal, World, message, open_world, virtual_ms


class FlakyDirectory(MemoryDirectory):
    """The memory directory, which fails once before or after it writes."""

    def __init__(self, journal: SwitchedJournal) -> None:
        super().__init__(journal._store)
        self.error: Exception | None = None
        self.writes_all_the_same = False

    async def keep(self, changes: Sequence[PutItem | DropItem]) -> None:
        error, self.error = self.error, None
        if error is None or self.writes_all_the_same:
            await super().keep(changes)
        if error is not None:
            raise error


def later(name: str = "s_1", *, actor: str = OWNER, seconds: float = 60, body: str = "later") -> ScheduleMessage:
    return ScheduleMessage(actor, name, virtual_ms() + round(seconds * 1000), body)


async def scheduled(world: World) -> list[Scheduled]:
    return [json.decode(item.doc, type=Scheduled) for item in await world.items(ItemKind.SCHEDULED)]


async def test_a_scheduled_post_is_posted_at_its_time_as_if_by_its_author(autojump_clock: object) -> None:
    """Nobody hears of it before; then it is a message like any other, and the schedule is gone."""
    async with open_world() as world:
        await world.create("u_2")
        _, sink = await world.attach()
        root = await world.do(message("question"))
        command = replace(later(actor="u_2"), thread_root=root.message_id, mentions=(OWNER,), expires_in=600)
        answer = await world.do(command)
        assert (answer.seq, answer.changed) == (root.seq, True)
        await trio.sleep(59)
        assert sink.seqs == [2]
        await trio.sleep(2)
        posted = sink.frames[-1]
        assert (posted["type"], posted["actor"]) == ("message.created", "u_2")
        data = posted["data"]
        assert isinstance(data, dict)
        assert (data["body"], data["thread_root"], data["mentions"]) == ("later", root.message_id, [OWNER])
        assert data["client_msg_id"] == "scheduled:s_1"
        assert "expires_at" in data
        assert await scheduled(world) == []


async def test_scheduling_again_changes_nothing_and_another_post_under_the_same_id_is_refused(
    autojump_clock: object,
) -> None:
    """A repeat is answered like the first; the id is the author's own."""
    async with open_world() as world:
        await world.create("u_2")
        command = later()
        await world.do(command)
        assert not (await world.do(command)).changed
        assert await world.refusal(replace(command, body="another")) == "idempotency_mismatch"
        await world.do(replace(command, actor="u_2", body="another"))
        assert [(post.user, post.body) for post in await scheduled(world)] == [("u_2", "another"), (OWNER, "later")]


async def test_what_was_scheduled_can_be_taken_back(autojump_clock: object) -> None:
    """By its author alone, also after they have left, and as often as they like."""
    async with open_world() as world:
        await world.create("u_2")
        await world.do(later(actor="u_2"))
        await world.do(Unschedule(OWNER, "s_1"))
        await world.do(RemoveMember(OWNER, "u_2"))
        first, again = await world.do(Unschedule("u_2", "s_1")), await world.do(Unschedule("u_2", "s_1"))
        assert [(answer.seq, answer.changed) for answer in (first, again)] == [(0, True), (0, False)]
        await trio.sleep(100)
        assert "message.created" not in await world.history()


async def test_only_what_could_be_posted_is_scheduled_and_only_so_much(autojump_clock: object) -> None:
    """Not by a stranger, a mute member or a guest, not for the past or years ahead, not beyond the bound."""
    async with open_world() as world:
        await world.create("u_2", "u_3")
        await world.do(MuteMember(OWNER, "u_2"))
        await world.do(SetRole(OWNER, "u_3", Role.GUEST))
        assert await world.refusal(later(actor="u_9")) == "not_found"
        assert await world.refusal(later(actor="u_2")) == "muted"
        assert await world.refusal(later(actor="u_3")) == "forbidden"
        assert await world.refusal(later(seconds=0)) == "validation_failed"
        assert await world.refusal(later(seconds=(AHEAD_MAX_DAYS + 1) * 86_400)) == "validation_failed"
        assert await world.refusal(replace(later(), reply_to="m_none")) == "not_found"
        for number in range(SCHEDULED_MAX):
            await world.do(later(f"s_{number}"))
        assert await world.refusal(later("s_one_more")) == "conflict"
        assert not (await world.do(later("s_7"))).changed
        await world.do(Unschedule(OWNER, "s_7"))
        await world.do(later("s_one_more"))


@pytest.mark.parametrize("reason", ["not_found", "muted", "forbidden"])
async def test_what_is_refused_when_its_time_comes_is_kept_for_its_author(autojump_clock: object, reason: str) -> None:
    """With the code of the refusal, and never tried again; the author puts it away."""
    async with open_world() as world:
        await world.create("u_2")
        await world.do(later(actor="u_2"))
        if reason == "not_found":
            await world.do(RemoveMember(OWNER, "u_2"))
        elif reason == "muted":
            await world.do(MuteMember(OWNER, "u_2"))
        else:
            await world.do(ArchiveRoom(OWNER, True))
        await trio.sleep(100)
        (failed,) = await scheduled(world)
        assert (failed.id, failed.failed) == ("s_1", reason)
        assert await world.journal.due(before=2**53, limit=9) == []
        await world.do(Unschedule("u_2", "s_1"))
        assert await scheduled(world) == []


async def test_slow_mode_delays_a_scheduled_post(autojump_clock: object) -> None:
    """It is due again when slow mode lets its author speak."""
    async with open_world() as world:
        await world.create("u_2", settings=RoomSettings(slow_mode_seconds=30))
        await world.do(later(actor="u_2"))
        await trio.sleep(50)
        await world.do(message("just before", actor="u_2"))
        await trio.sleep(29)
        assert len(await scheduled(world)) == 1
        await trio.sleep(3)
        entries = await world.journal.read(ROOM, after=0, limit=9)
        assert [entry.type for entry in entries] == ["room.created", "message.created", "message.created"]
        assert entries[2].ts - entries[1].ts == 30_000
        assert await scheduled(world) == []


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("error", [StorageUnavailable("planted"), OutcomeUnknown("planted")])
async def test_a_store_that_does_not_keep_refuses_and_crashes_nobody(
    autojump_clock: object, error: Exception, written: bool
) -> None:
    """The author hears storage_unavailable and asks again: whatever was written then, the post comes once."""
    journal = SwitchedJournal()
    directory = FlakyDirectory(journal)
    async with open_world(journal=journal, directory=directory) as world:
        await world.create()
        command = later()
        directory.error, directory.writes_all_the_same = error, written
        assert await world.refusal(command) == "storage_unavailable"
        assert (await world.do(command)).changed is not written
        await trio.sleep(100)
        assert await world.history() == ["room.created", "message.created"]
        assert world.restarts() == 0


@pytest.mark.parametrize("point", ["before_keep", "after_keep"])
async def test_a_crash_while_it_is_kept_is_not_noticed(autojump_clock: object, point: str) -> None:
    """The command in hand is decided again; a repeat finds what the first one wrote."""
    crash = CrashOnce(point)
    async with open_world(fault=crash) as world:
        await world.create()
        crash.armed = True
        await world.do(later())
        assert not crash.armed
        await trio.sleep(100)
        assert await world.history() == ["room.created", "message.created"]
        assert world.restarts() == 1


async def test_reports_are_told_once_each_and_put_away_by_moderators(autojump_clock: object) -> None:
    """Not an entry, not twice by the same user, not about what one cannot see, and not for members to put away."""
    async with open_world() as world:
        await world.create("u_2", "u_3", visibility=Visibility.PUBLIC)
        posted = await world.do(message("rude"))
        name = posted.message_id or ""
        first = await world.do(ReportMessage("u_2", name, "this is rude"))
        again = await world.do(ReportMessage("u_2", name, "very"))
        await world.do(ReportMessage("u_visitor", name, "indeed"))
        assert (first.changed, again.changed) == (True, False)
        assert await world.history() == ["room.created", "message.created"]
        reports = [json.decode(item.doc, type=Report) for item in await world.items(ItemKind.REPORT)]
        assert {report.user: report.reason for report in reports} == {"u_2": "this is rude", "u_visitor": "indeed"}
        assert await world.refusal(ReportMessage("u_2", "m_none", "what")) == "not_found"
        assert await world.refusal(DismissReport("u_3", name, "u_2")) == "forbidden"
        await world.do(SetRole(OWNER, "u_3", Role.MODERATOR))
        dismissed = [await world.do(DismissReport("u_3", name, "u_2")) for _ in range(2)]
        assert [answer.changed for answer in dismissed] == [True, False]
        await world.do(DeleteMessage(OWNER, name))
        assert await world.refusal(ReportMessage("u_3", name, "too late")) == "conflict"
        assert len(await world.items(ItemKind.REPORT)) == 1


async def test_a_report_is_as_private_as_its_room_and_its_history(autojump_clock: object) -> None:
    """Strangers of a private room hear of none, and who joined later cannot report what they cannot read."""
    async with open_world() as world:
        await world.create(settings=RoomSettings(history_visibility="since_join"))
        posted = await world.do(message("before"))
        name = posted.message_id or ""
        await world.do(AddMember(OWNER, "u_2"))
        assert await world.refusal(ReportMessage("u_9", name, "x")) == "not_found"
        assert await world.refusal(ReportMessage("u_2", name, "x")) == "not_found"
        await world.do(UpdateRoom(OWNER, settings=SettingsChanges(history_visibility="shared")))
        await world.do(ReportMessage("u_2", name, "x"))
        assert await world.refusal(ReportMessage("u_2", name, "x"), room="r_none") == "not_found"


async def test_what_a_disabled_account_scheduled_is_not_posted(autojump_clock: object) -> None:
    """It has no voice anywhere, so also none that it lent beforehand; what became of it is kept with the reason."""
    journal = SwitchedJournal()
    async with open_world(journal=journal, timekeeper_seconds=10) as world:
        account = UserRecord("u_2", "bob", "bob", "Bob", None, "", "user", 0)
        await world.directory.create_user(account)
        await world.create("u_2")
        await world.do(later("s_1", actor="u_2"))
        await world.do(later("s_2", actor="u_2", seconds=600))
        await world.do(later("s_3"))
        await world.directory.change_user(replace(account, disabled=True, rev=2))
        await trio.sleep(300)
        assert [post.failed for post in await scheduled(world)] == ["forbidden", None]
        await world.directory.change_user(replace(account, rev=3))
        await trio.sleep(600)
        said = [entry.actor for entry in await journal.read(ROOM, after=1, limit=10)]
        assert said == [OWNER, "u_2"]
        assert [(post.id, post.failed) for post in await scheduled(world)] == [("s_1", "forbidden")]
        assert world.restarts() == 0
