"""What a crash leaves in doubt: the journal says what was written, and that was decided, and answered, once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio

from actors import Reply
from justchat.rooms.commands import Accepted, BanMember, Command, EditMessage, MuteMember, React, SetRole, Unreact
from justchat.rooms.draft import draft_batch
from justchat.rooms.permissions import Role
from justchat.rooms.room import result_of
from justchat.rooms.unsure import Unsure
from storage.errors import OutcomeUnknown
from tests.rooms.model_play import AFTER_COMMIT
from tests.rooms.scenes import ACTOR, NOW, ROOM, room
from tests.rooms.world import OWNER, Crash, CrashOnce, SwitchedJournal, World, message, open_world, virtual_ms

MESSAGE = "m_3"
# Each of these means something else, or nothing, once the ones after it have happened as well.
BATCHES: dict[str, tuple[Command, ...]] = {
    "edits of what one has just edited": (
        EditMessage(OWNER, MESSAGE, "better", rev=1),
        EditMessage(OWNER, MESSAGE, "best", rev=2),
    ),
    "there and back": (React(OWNER, MESSAGE, "👍"), Unreact(OWNER, MESSAGE, "👍"), React(OWNER, MESSAGE, "👍")),
    "a right that was used and lost": (BanMember("u_2", "u_3"), SetRole(OWNER, "u_2", Role.MEMBER)),
    "posts": (message("one"), message("two")),
}
HAPPENED = {
    "edits of what one has just edited": ["message.updated"] * 2,
    "there and back": ["reaction.added", "reaction.removed", "reaction.added"],
    "a right that was used and lost": ["member.banned", "member.role_changed"],
    "posts": ["message.created"] * 2,
}


async def prepare(world: World) -> None:
    await world.create("u_2", "u_3")
    await world.do(SetRole(OWNER, "u_2", Role.MODERATOR))
    assert (await world.do(message("said"))).message_id == MESSAGE


async def say(world: World, commands: Sequence[Command]) -> list[object]:
    """Say all of it at once."""
    replies: list[Reply[object]] = [Reply() for _ in commands]
    for command, reply in zip(commands, replies, strict=True):
        assert world.room(ROOM).submit(command, reply) is None
    with trio.fail_after(30):
        for reply in replies:
            await reply.wait()
    return [result_of(reply) for reply in replies]


def seqs(answers: Sequence[object]) -> list[int]:
    """Give the seqs of answers that all say that something was changed."""
    assert all(isinstance(answer, Accepted) and answer.changed for answer in answers), answers
    return [answer.seq for answer in answers if isinstance(answer, Accepted)]


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("point", [*AFTER_COMMIT, "unknown"])
async def test_what_was_written_is_answered_as_it_was_decided_and_not_done_again(
    autojump_clock: object, point: str, name: str
) -> None:
    """The room crashes between commit and answer: everybody hears the seq of their entry, of which there is one."""
    crash = CrashOnce(point)
    journal = SwitchedJournal()
    async with open_world(journal=journal, fault=crash) as world:
        await prepare(world)
        crash.armed = point != "unknown"
        if not crash.armed:
            journal.error, journal.error_after_commit = OutcomeUnknown("cut off"), True
        answers = await say(world, BATCHES[name])
        assert (await world.history())[3:] == HAPPENED[name]
        assert seqs(answers) == [4 + number for number in range(len(answers))]
        assert world.restarts() == 1


@pytest.mark.parametrize("name", BATCHES)
async def test_what_was_not_written_is_decided_anew(autojump_clock: object, name: str) -> None:
    """Nobody knew, and the journal says that it is not there."""
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        await prepare(world)
        journal.error = OutcomeUnknown("cut off")
        answers = await say(world, BATCHES[name])
        assert (await world.history())[3:] == HAPPENED[name]
        assert seqs(answers) == [4 + number for number in range(len(answers))]


async def test_what_comes_due_meanwhile_changes_no_answer(autojump_clock: object) -> None:
    """A mute is over when the room is back: its entry comes before the answers, which are still the ones decided."""
    leap_ms, armed = 0, False

    def fault(at: str, _: str) -> None:
        nonlocal armed, leap_ms
        if armed and at == "after_commit":
            armed, leap_ms = False, 100_000
            raise Crash(at)

    async with open_world(fault=fault, now_ms=lambda: virtual_ms() + leap_ms) as world:
        await prepare(world)
        await world.do(MuteMember(OWNER, "u_3", virtual_ms() + 60_000))
        armed = True
        answers = await say(world, BATCHES["there and back"])
        assert seqs(answers) == [5, 6, 7]
        assert (await world.history())[4:] == [*HAPPENED["there and back"], "member.unmuted"]


async def test_who_has_left_meanwhile_takes_nobody_elses_answer(autojump_clock: object) -> None:
    """Answers belong to commands, not to places in the line; and to those in hand, not to the same said later."""
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        await prepare(world)
        journal.gate = trio.Event()
        commands = BATCHES["there and back"]
        replies: list[Reply[object]] = [Reply() for _ in commands]
        for command, reply in zip(commands, replies, strict=True):
            world.room().submit(command, reply)
        await trio.testing.wait_all_tasks_blocked()
        replies[0].abandon()
        journal.error, journal.error_after_commit = OutcomeUnknown("cut off"), True
        journal.gate.set()
        assert seqs([await reply.wait() for reply in replies[1:]]) == [5, 6]
        again = await world.room().post(commands[0])
        assert isinstance(again, Accepted)
        assert (again.seq, again.changed) == (6, False)


@pytest.mark.parametrize("written", range(4))
def test_the_answers_hold_as_far_as_the_entries_were_written(written: int) -> None:
    """A store without transactions may have written some; what was decided on what is not there holds no more."""
    state = room(Role.OWNER)
    commands = [
        message("one", actor=ACTOR),
        message("two", actor=ACTOR),
        message("two", actor=ACTOR),
        message("three", actor=ACTOR),
    ]
    draft = draft_batch(state, commands, room=ROOM, now=NOW, new_id=lambda prefix: f"{prefix}_new")
    assert [isinstance(answer, Accepted) and answer.changed for answer in draft.answers] == [True, True, False, True]
    unsure = Unsure()
    unsure.begin(commands, draft)
    assert unsure.answer_to(commands[0]) is None
    unsure.settle(draft.entries[:written])
    known = [unsure.answer_to(command) for command in commands]
    kept = (0, 1, 3, 4)[written]
    assert known == [*draft.answers[:kept], *[None] * (4 - kept)]
    assert [unsure.answer_to(command) for command in commands] == [None] * 4


def test_what_somebody_else_wrote_there_is_no_answer() -> None:
    """Another process was faster with the same seqs."""
    ours, theirs = (
        draft_batch(room(Role.OWNER), [message(body, actor=ACTOR)], room=ROOM, now=NOW, new_id=lambda _: "m_new")
        for body in ("ours", "theirs")
    )
    unsure, command = Unsure(), message("ours", actor=ACTOR)
    unsure.begin([command], ours)
    unsure.settle(theirs.entries)
    assert unsure.answer_to(command) is None
    assert unsure.entries == ()
