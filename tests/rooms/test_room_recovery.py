"""The room actor on a virtual clock: what crashes, conflicts and unknown outcomes do, and do not do."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio

from actors import Reply, RestartPolicy
from justchat.rooms.commands import (
    Accepted,
    BanMember,
    Command,
    DeleteMessage,
    EditMessage,
    PinMessage,
    React,
    RemoveMember,
    UpdateRoom,
)
from justchat.rooms.permissions import Visibility
from justchat.rooms.posts import Content
from justchat.rooms.room import result_of
from justchat.rooms.room_actor import FAULT_POINTS
from justchat.wire.errors import ErrorCode, Refusal
from storage.errors import Conflict, OutcomeUnknown, StorageUnavailable
from storage.records import Append, MessageRecord
from tests.rooms.world import OWNER, ROOM, Crash, CrashOnce, SwitchedJournal, catch_up, message, open_world


@pytest.mark.parametrize("committed", [True, False])
async def test_an_unknown_outcome_is_decided_by_reading_back(autojump_clock: object, committed: bool) -> None:
    """Written or not, the sender gets one true answer and history holds the message once."""
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        await world.create()
        _, sink = await world.attach()
        journal.error, journal.error_after_commit = OutcomeUnknown("cut off"), committed
        answer = await world.room().post(message("maybe"))
        assert isinstance(answer, Accepted)
        assert answer.seq == 2
        entries = await journal.read(ROOM, after=0, limit=10)
        assert [entry.seq for entry in entries] == [1, 2]
        assert len(sink.behind) == (1 if committed else 0)


async def test_a_second_writer_is_noticed_and_the_journal_does_not_fork(autojump_clock: object) -> None:
    """A conflict on seq crashes the room, which reloads and goes on behind the other writer's entries."""
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        await world.create()
        async with open_world(journal=journal) as other:
            assert isinstance(await other.room().post(message("theirs")), Accepted)
        answer = await world.room().post(message("ours"))
        assert isinstance(answer, Accepted)
        assert answer.seq == 3
        health = world.rooms.health(ROOM)
        assert health is not None
        assert health.restarts == 1
        assert "Conflict" in (health.last_error or "")


@pytest.mark.parametrize("point", FAULT_POINTS)
async def test_a_crash_at_any_point_loses_nothing_and_doubles_nothing(autojump_clock: object, point: str) -> None:
    """Every sender is answered with the true seq; every subscriber is served from where it stood."""
    crash = CrashOnce(point)
    async with open_world(fault=crash) as world:
        await world.create("u_2")
        _, sink = await world.attach()
        for number in range(20):
            crash.armed = point != "loading"
            if point == "loading":
                world.rooms.crash(ROOM, Crash("from outside"))
                crash.armed = True
            answer = await world.room().post(message(f"m{number}"))
            assert isinstance(answer, Accepted), answer
            assert answer.seq == number + 2
            await catch_up(world, sink)
            await trio.sleep(40)  # healthy for long enough that the next restart is immediate again
        assert crash.hits == 20
        assert sink.seqs == list(range(2, 22))
        entries = await world.journal.read(ROOM, after=0, limit=100)
        assert [entry.seq for entry in entries] == list(range(1, 22))


async def test_a_command_that_crashes_the_room_twice_is_quarantined_and_its_neighbours_succeed(
    autojump_clock: object,
) -> None:
    """The guilty sender hears internal; the others of the same batch are committed in order."""
    journal = SwitchedJournal()
    appended = journal.append

    async def poisoned(appends: Sequence[Append]) -> None:
        if any(b"poison" in entry.body for append in appends for entry in append.entries):
            raise Crash("poison")
        await appended(appends)

    journal.append = poisoned  # type: ignore[method-assign]
    async with open_world(journal=journal) as world:
        await world.create()
        bodies = ("a", "poison", "b")
        replies: list[Reply[object]] = [Reply() for _ in bodies]
        for body, reply in zip(bodies, replies, strict=True):
            world.room().submit(message(body), reply)
        await trio.sleep(5)
        answers = [result_of(reply) for reply in replies]
        assert [isinstance(answer, Accepted) for answer in answers] == [True, False, True]
        assert isinstance(answers[1], Refusal)
        assert answers[1].code is ErrorCode.INTERNAL
        assert [entry.seq for entry in await journal.read(ROOM, after=0, limit=9)] == [1, 2, 3]


async def test_a_crash_loop_parks_this_room_only_and_a_probe_brings_it_back(autojump_clock: object) -> None:
    """Callers of the parked room hear room_unavailable at once; another room works all the while."""
    broken = True

    def fault(at: str, room: str) -> None:
        if broken and room == ROOM and at == "before_commit":
            raise Crash("always")

    async with open_world(fault=fault, policy=RestartPolicy(intensity=3, probe_seconds=30)) as world:
        await world.create(room="r_2")
        broken = False
        await world.create()
        broken = True
        for number in range(4):
            answer = await world.room().post(message(f"m{number}"))
            assert isinstance(answer, Refusal)
        assert world.rooms.health(ROOM).state == "parked"  # type: ignore[union-attr]
        started = trio.current_time()
        refusal = await world.room().post(message("while parked"))
        assert isinstance(refusal, Refusal)
        assert refusal.code is ErrorCode.ROOM_UNAVAILABLE
        assert refusal.retry_after_seconds is not None
        assert trio.current_time() - started < 0.1
        assert isinstance(await world.room("r_2").post(message("fine")), Accepted)
        broken = False
        await trio.sleep(31)
        assert isinstance(await world.room().post(message("recovered")), Accepted)


async def test_a_removal_during_a_crash_still_ends_the_subscription_at_its_seq(autojump_clock: object) -> None:
    """Committed but never fanned out: the reloaded room cuts the user at the removal, not before and not after."""
    crash = CrashOnce("after_commit")
    async with open_world(fault=crash) as world:
        await world.create("u_2")
        _, sink = await world.attach("u_2")
        crash.armed = True
        await world.room().post(RemoveMember(OWNER, "u_2"))
        await world.room().post(message("after"))
        assert sink.seqs == []
        assert sink.cuts == [("removed", 2)]
        assert [head for _, head, _ in sink.behind] == [2]


@pytest.mark.parametrize("point", ["", "after_commit", "before_fan_out", "after_fan_out"])
async def test_a_ban_cuts_at_its_own_seq_also_where_visits_end_in_the_same_batch(
    autojump_clock: object, point: str
) -> None:
    """The member who is banned was one when the room became private; the visitor was none, and hears no more."""
    crash = CrashOnce(point)
    async with open_world(fault=crash) as world:
        await world.create("u_2", visibility=Visibility.PUBLIC)
        (_, owner), (_, member), (_, visitor) = [await world.attach(user) for user in (OWNER, "u_2", "u_3")]
        crash.armed = True
        replies: list[Reply[object]] = []
        for command in (
            UpdateRoom(OWNER, visibility=Visibility.PRIVATE), message("among us", actor="u_2"), BanMember(OWNER, "u_2"),
        ):  # fmt: skip
            replies.append(Reply())
            world.room().submit(command, replies[-1])
        for reply in replies:
            assert isinstance(await reply.wait(), Accepted)
        assert (member.cuts, visitor.cuts, owner.cuts) == ([("banned", 4)], [("removed", 2)], [])
        if point in {"", "after_fan_out"}:
            assert (member.seqs, visitor.seqs, owner.seqs) == ([2, 3, 4], [2], [2, 3, 4])


async def test_a_conflict_is_an_error_of_the_store_and_never_of_the_caller(autojump_clock: object) -> None:
    """A store that reports a repeat it cannot name crashes the command, which is then quarantined, not looped."""
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        await world.create()

        async def liar(appends: Sequence[Append]) -> None:
            raise Conflict("client_msg_id", room=ROOM)

        journal.append = liar  # type: ignore[method-assign]
        answer = await world.room().post(message("x"))
        assert isinstance(answer, Refusal)
        assert answer.code is ErrorCode.INTERNAL


@pytest.mark.parametrize(
    "command",
    [
        EditMessage(OWNER, "m_2", "better"),
        DeleteMessage(OWNER, "m_2"),
        PinMessage(OWNER, "m_2"),
        React(OWNER, "m_2", "👍"),
        message("a reply", content=Content(reply_to="m_2")),
        # Whether it repeats one that was accepted when they still might post, only the store knows.
        message("no member", actor="u_2"),
    ],
    ids=["edit", "delete", "pin", "react", "reply", "refused"],
)
async def test_what_cannot_be_looked_up_is_refused_at_once_and_crashes_nobody(
    autojump_clock: object, command: Command
) -> None:
    """Nothing was tried, so the sender hears that storage does not answer, and the room goes on for all others."""
    journal = SwitchedJournal()

    async def down(*_: object) -> list[MessageRecord]:
        raise StorageUnavailable("down")

    async with open_world(journal=journal) as world:
        await world.create("u_2")
        assert (await world.do(message("said"))).message_id == "m_2"
        await world.do(RemoveMember(OWNER, "u_2"))
        _, sink = await world.attach()
        read, found = journal.messages_by_id, journal.find_sent
        journal.messages_by_id = journal.find_sent = down  # type: ignore[method-assign,assignment]
        began = trio.current_time()
        assert await world.refusal(command) == "storage_unavailable"
        assert trio.current_time() == began
        assert isinstance(await world.room().post(message("meanwhile")), Accepted)
        journal.messages_by_id, journal.find_sent = read, found  # type: ignore[method-assign]
        answer = await world.room().post(command)
        assert isinstance(answer, Refusal) is (command.actor != OWNER)
        assert sink.seqs == ([4, 5] if command.actor == OWNER else [4])
        assert world.restarts() == 0
