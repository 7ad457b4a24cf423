"""Rooms that wake up behind their journal, as after a crash between a commit and its projections."""

from __future__ import annotations

import pytest
import trio
from msgspec.structs import replace

from actors import Reply
from justchat.rooms.commands import Accepted, DeleteMessage, EditMessage, React, Unreact
from justchat.rooms.reload import load_state
from storage.errors import Conflict
from storage.memory import MemoryJournal, MemoryStore
from storage.records import Append, RoomSnapshot
from tests.rooms.world import OWNER, ROOM, SwitchedJournal, World, message, open_world


class LateJournal(SwitchedJournal):
    """A journal whose projections stay behind while it is told so."""

    def __init__(self) -> None:
        super().__init__()
        self.late = False

    async def append(self, appends: tuple[Append, ...]) -> None:  # type: ignore[override]
        await super().append([replace(append, changes=()) for append in appends] if self.late else appends)


async def post(world: World, body: str) -> Accepted:
    answer = await world.room().post(message(body))
    assert isinstance(answer, Accepted), answer
    return answer


async def test_a_room_that_wakes_up_behind_its_journal_projects_what_is_missing(autojump_clock: object) -> None:
    """Over several pages, and once: the next time there is nothing left to do."""
    journal = LateJournal()
    async with open_world(journal=journal) as world:
        await world.create("u_2")
        first = await post(world, "first")
        journal.late = True
        for number in range(350):
            await post(world, f"m{number}")
        assert isinstance(await world.room().post(DeleteMessage(OWNER, first.message_id or "")), Accepted)
    journal.late = False
    behind = await journal.load_room(ROOM)
    assert behind is not None
    assert behind.room is not None
    assert (behind.room.applied_seq, behind.head_seq) == (2, 353)
    state = await load_state(journal, ROOM)
    assert state is not None
    assert (state.head_seq, state.last_msg_no) == (353, 351)
    after = await journal.load_room(ROOM)
    assert after is not None
    assert after.room is not None
    assert (after.room.applied_seq, after.room.last_msg_no, after.members) == (353, 351, behind.members)
    messages = await journal.messages(ROOM, limit=1000)
    assert [message.seq for message in messages] == list(range(2, 353))
    assert [message.applied_seq for message in messages] == [353, *range(3, 353)]
    assert [message.id for message in messages if message.deleted] == [first.message_id]
    assert await load_state(journal, ROOM) == state


async def test_a_room_of_which_only_the_journal_is_there_comes_to_life(autojump_clock: object) -> None:
    """Even its creation was not projected: nobody could have found it, and now everybody can."""
    journal = LateJournal()
    journal.late = True
    async with open_world(journal=journal) as world:
        await world.create("u_2")
        await post(world, "hello")
    journal.late = False
    snapshot = await journal.load_room(ROOM)
    assert snapshot == RoomSnapshot(None, (), 2)
    async with open_world(journal=journal) as world:
        assert (await post(world, "again")).seq == 3
    snapshot = await journal.load_room(ROOM)
    assert snapshot is not None
    assert snapshot.room is not None
    assert snapshot.room.applied_seq == 3
    assert {member.user for member in snapshot.members} == {OWNER, "u_2"}


class PartialJournal(SwitchedJournal):
    """A store without transactions: what stands before a repeated post in an append is written."""

    async def append(self, appends: tuple[Append, ...]) -> None:  # type: ignore[override]
        (append,) = appends
        for written, entry in enumerate(append.entries):
            try:
                await super().append([Append(ROOM, (entry,), ())])
            except Conflict as conflict:
                raise Conflict(conflict.kind, room=conflict.room, written=written) from conflict
        await self.project(append)


async def test_what_stands_before_a_forgotten_repeat_is_kept_and_answered(
    autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The room has forgotten an old post; its repeat comes in a batch behind new ones. Everyone gets a true answer."""
    monkeypatch.setattr("justchat.rooms.state.SENT_KEPT", 1)
    journal = PartialJournal()
    async with open_world(journal=journal) as world:
        await world.create("u_2")
        _, sink = await world.attach()
        old = await post(world, "old")
        for number in range(3):
            await post(world, f"between {number}")
        answers: list[Accepted] = []
        bodies = ["new 1", "new 2", "old", "new 3"]

        async def ask(body: str) -> None:
            answers.append(await post(world, body))

        async with trio.open_nursery() as nursery:
            for body in bodies:
                nursery.start_soon(ask, body)
        entries = await journal.read(ROOM, after=0, limit=100)
        assert [entry.seq for entry in entries] == list(range(1, 9))
        assert old.seq in {answer.seq for answer in answers if answer.duplicate}
        assert {answer.seq for answer in answers} == {old.seq, 6, 7, 8}
        health = world.rooms.health(ROOM)
        assert health is not None
        assert health.restarts == 0
        assert len(sink.behind) + len(sink.seqs) > 0
        assert await load_state(journal, ROOM) is not None
        assert await load_state(MemoryJournal(MemoryStore()), ROOM) is None


async def test_what_stands_before_a_forgotten_repeat_is_not_done_again(
    autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is answered as it was decided: a second decision would find it outdated, or do it once more."""
    monkeypatch.setattr("justchat.rooms.state.SENT_KEPT", 1)
    journal = PartialJournal()
    async with open_world(journal=journal) as world:
        await world.create()
        old = await post(world, "old")
        for number in range(3):
            await post(world, f"between {number}")
        found = old.message_id or ""
        commands = [
            React(OWNER, found, "👍"),
            Unreact(OWNER, found, "👍"),
            EditMessage(OWNER, found, "better", rev=1),
            EditMessage(OWNER, found, "best", rev=2),
            message("old"),
            React(OWNER, found, "👍"),
        ]
        replies: list[Reply[object]] = [Reply() for _ in commands]
        for command, reply in zip(commands, replies, strict=True):
            world.room().submit(command, reply)
        answers = [await reply.wait() for reply in replies]
        assert all(isinstance(answer, Accepted) for answer in answers), answers
        assert [answer.seq for answer in answers if isinstance(answer, Accepted)] == [6, 7, 8, 9, old.seq, 10]
        twice = ["reaction.added", "reaction.removed", "message.updated", "message.updated", "reaction.added"]
        assert (await world.history())[5:] == twice
        assert world.restarts() == 0
        assert (await world.do(message("after"))).seq == 11
