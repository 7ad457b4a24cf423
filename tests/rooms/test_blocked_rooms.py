"""What a block between two people means for rooms: for their direct room, and for whom a text calls elsewhere."""

from __future__ import annotations

import pytest
import trio
from msgspec import json
from msgspec.structs import replace

from justchat.rooms.blocks import Blocks
from justchat.rooms.commands import (
    WRITING,
    Accepted,
    Command,
    CreateRoom,
    DeleteMessage,
    EditMessage,
    EndMembership,
    PinMessage,
    PostMessage,
    React,
    UnpinMessage,
    Unreact,
)
from justchat.rooms.decide import decide
from justchat.rooms.direct import direct_room_id
from justchat.rooms.items import ItemKind, Scheduled
from justchat.rooms.kept_commands import ScheduleMessage, Unschedule
from justchat.rooms.permissions import Kind, Role, Visibility
from justchat.rooms.posts import Content
from justchat.rooms.room_actor import RoomLimits
from justchat.rooms.rules.decision import BLOCKED
from justchat.wire.errors import Refusal
from justchat.wire.events import SYSTEM, decode_message
from justchat.wire.server_frames import RoomView
from storage.errors import StorageUnavailable
from storage.memory import MemoryDirectory, MemoryRelations
from storage.records import UserRecord
from tests.rooms.matrix_commands import commands
from tests.rooms.scenes import CONTEXT, outcome, room
from tests.rooms.test_blocks import Blocking
from tests.rooms.world import OWNER, SwitchedJournal, World, message, open_world, virtual_ms

ANN, BEN = "u_ann", "u_ben"
DIRECT = direct_room_id(ANN, BEN)
BLOCKED_CONTEXT = replace(CONTEXT, blocked=True)


def create(actor: str = ANN, other: str = BEN) -> CreateRoom:
    return CreateRoom(actor, Kind.DIRECT, Visibility.PRIVATE, "", "", "e_1", (other,))


async def talk(world: World) -> str:
    """Have the two open their room and say something each; give what Ann said."""
    await world.do(create(), room=DIRECT)
    await world.do(message("hello you", actor=BEN), room=DIRECT)
    return (await world.do(message("hello", actor=ANN), room=DIRECT)).message_id or ""


async def block(world: World, user: str, other: str) -> None:
    await MemoryRelations(world.journal._store).block(user, other, at=1)
    world.blocks.changed(user, other)


async def unblock(world: World, user: str, other: str) -> None:
    await MemoryRelations(world.journal._store).unblock(user, other)
    world.blocks.changed(user, other)


@pytest.mark.parametrize("name", commands(Visibility.PRIVATE))
def test_a_block_refuses_what_writes_something_new_and_changes_no_other_answer(name: str) -> None:
    """For every command of the matrix, in a direct room: repeats, takings back and other refusals stay as they are."""
    command = commands(Visibility.PRIVATE)[name]
    for role in (Role.OWNER, Role.MEMBER, None):
        state = room(role, kind=Kind.DIRECT)
        without, blocked = outcome(state, command), outcome(state, command, BLOCKED_CONTEXT)
        assert blocked == ("forbidden" if without == "yes" and isinstance(command, WRITING) else without)


def test_what_writes_is_what_the_other_would_see() -> None:
    """Posting, editing, reacting and pins, and opening the room; to delete and to take a reaction back is not."""
    assert set(WRITING) == {CreateRoom, PostMessage, EditMessage, React, PinMessage, UnpinMessage}
    assert decide(None, create(), BLOCKED_CONTEXT) is BLOCKED


@pytest.mark.parametrize(("user", "other"), [(ANN, BEN), (BEN, ANN)], ids=["one blocks", "the other blocks"])
async def test_neither_of_two_writes_where_one_blocks_the_other(user: str, other: str, autojump_clock: object) -> None:
    """In the same words for both; history stays readable, and what one said can be taken back."""
    async with open_world() as world:
        posted = await talk(world)
        await world.do(React(BEN, posted, "👍"), room=DIRECT)
        await block(world, user, other)
        writing: list[Command] = [
            message("again", actor=ANN),
            message("again", actor=BEN),
            EditMessage(ANN, posted, "other words"),
            React(BEN, posted, "🎉"),
            PinMessage(BEN, posted),
        ]
        for command in writing:
            assert await world.room(DIRECT).post(command) == BLOCKED, command
        for reader in (ANN, BEN):
            view = await world.room(DIRECT).view(reader)
            assert isinstance(view, RoomView)
            assert view.head_seq == 4
        await world.do(Unreact(BEN, posted, "👍"), room=DIRECT)
        await world.do(DeleteMessage(ANN, posted), room=DIRECT)
        repeat = await world.do(message("hello", actor=ANN), room=DIRECT)
        assert repeat.duplicate
        await unblock(world, user, other)
        assert (await world.do(message("again", actor=BEN), room=DIRECT)).changed


async def test_a_direct_room_is_not_opened_where_one_blocks_the_other(autojump_clock: object) -> None:
    """By neither of the two; one that is there is given all the same, to be read."""
    async with open_world() as world:
        await block(world, BEN, ANN)
        assert await world.room(DIRECT).post(create()) == BLOCKED
        assert await world.room(DIRECT).post(create(BEN, ANN)) == BLOCKED
        assert await world.history(DIRECT) == []
        await unblock(world, BEN, ANN)
        await world.do(create(), room=DIRECT)
        await block(world, BEN, ANN)
        assert not (await world.do(create(), room=DIRECT)).changed


async def test_a_block_binds_commands_that_come_with_the_room(autojump_clock: object) -> None:
    """Opening the room and a first message in one batch: neither is done."""
    async with open_world() as world:
        await block(world, ANN, BEN)
        answers: list[object] = []

        async def ask(command: Command) -> None:
            answers.append(await world.room(DIRECT).post(command))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, create())
            nursery.start_soon(ask, message("hi", actor=ANN))
        assert all(isinstance(answer, Refusal) for answer in answers)
        assert await world.history(DIRECT) == []


async def test_a_scheduled_post_is_subject_to_a_block_when_it_is_due(autojump_clock: object) -> None:
    """It is refused then, kept for its author with the reason, and can be taken back; a new one is refused at once."""
    async with open_world() as world:
        await talk(world)
        later = ScheduleMessage(ANN, "s_1", virtual_ms() + 60_000, "later")
        await world.do(later, room=DIRECT)
        await block(world, BEN, ANN)
        assert await world.refusal(replace(later, id="s_2"), room=DIRECT) == "forbidden"
        assert not (await world.do(later, room=DIRECT)).changed
        await trio.sleep(100)
        (item,) = await world.items(ItemKind.SCHEDULED, DIRECT)
        assert json.decode(item.doc, type=Scheduled).failed == "forbidden"
        assert len(await world.history(DIRECT)) == 3
        await world.do(Unschedule(ANN, "s_1"), room=DIRECT)


async def test_a_block_costs_no_question_for_each_message(autojump_clock: object) -> None:
    """A direct room asks twice for its first message, once for each direction; a group never does for plain ones."""
    store = Blocking()
    async with open_world(blocks=Blocks(store)) as world:
        await world.create("u_2")
        for number in range(50):
            await world.do(message(f"m{number}"))
        assert store.asked == []
        await talk(world)
        for number in range(50):
            await world.do(message(f"m{number}", actor=BEN), room=DIRECT)
        assert len(store.asked) == 2


async def test_a_store_that_does_not_say_who_blocks_whom_refuses_and_crashes_nobody(autojump_clock: object) -> None:
    """Nothing is written without knowing, and the same post goes through once the store answers."""
    store = Blocking()
    async with open_world(blocks=Blocks(store)) as world:
        store.error = StorageUnavailable("planted")
        assert await world.refusal(create(), room=DIRECT) == "storage_unavailable"
        store.error = None
        await world.do(create(), room=DIRECT)
        world.blocks.changed(ANN, BEN)
        store.error = StorageUnavailable("planted")
        assert await world.refusal(message("hello", actor=ANN), room=DIRECT) == "storage_unavailable"
        later = ScheduleMessage(ANN, "s_1", virtual_ms() + 60_000, "later")
        assert await world.refusal(later, room=DIRECT) == "storage_unavailable"
        store.error = None
        assert (await world.do(message("hello", actor=ANN), room=DIRECT)).changed
        assert world.restarts(DIRECT) == 0


async def test_a_scheduled_post_waits_for_a_store_that_does_not_say(autojump_clock: object) -> None:
    """It is not given up for that, and comes as soon as the store answers."""
    store = Blocking()
    async with open_world(blocks=Blocks(store)) as world:
        await talk(world)
        await world.do(ScheduleMessage(ANN, "s_1", virtual_ms() + 10_000, "later"), room=DIRECT)
        world.blocks.changed(ANN, BEN)
        store.error = StorageUnavailable("planted")
        await trio.sleep(60)
        assert len(await world.history(DIRECT)) == 3
        store.error = None
        await trio.sleep(5)
        assert len(await world.history(DIRECT)) == 4
        assert await world.items(ItemKind.SCHEDULED, DIRECT) == []


async def people(journal: SwitchedJournal, *names: str) -> None:
    """Make accounts whose ids are `u_` and their names."""
    directory = MemoryDirectory(journal._store)
    for name in names:
        await directory.create_user(UserRecord(f"u_{name}", name, name, name, None, "", "user", 1))


@pytest.mark.parametrize("by", ["name", "id"])
async def test_who_blocks_the_author_is_not_among_the_mentioned(by: str, autojump_clock: object) -> None:
    """In a group, neither by name nor by id, in posts and edits; others are, and so is everybody by `@all`."""
    journal = SwitchedJournal()
    await people(journal, "ann", "ben", "eve")
    async with open_world(journal=journal) as world:
        await world.create("u_ann", "u_ben", "u_eve")
        await block(world, "u_eve", OWNER)
        text = "hi @ben and @eve" if by == "name" else "hi"
        content = Content() if by == "name" else Content(mentions=("u_ben", "u_eve"))
        posted = await world.do(message(text, content=content))
        record = await journal.message(posted.message_id or "")
        assert record is not None
        assert decode_message(record.doc).mentions == ("u_ben",)
        if by == "name":
            edit = EditMessage(OWNER, posted.message_id or "", "@eve, @ann!", names=("eve", "ann"))
            await world.do(edit)
            record = await journal.message(posted.message_id or "")
            assert record is not None
            assert decode_message(record.doc).mentions == ("u_ann",)
        other = await world.do(message("hi @eve", actor="u_ann"))
        record = await journal.message(other.message_id or "")
        assert record is not None
        assert decode_message(record.doc).mentions == ("u_eve",)


async def test_everybody_is_called_but_not_who_blocks_the_author(autojump_clock: object) -> None:
    """What all read says that everybody is called; whom it calls is said for one reader at a time."""
    async with open_world() as world:
        await world.create("u_ben", "u_eve")
        await block(world, "u_eve", OWNER)
        posted = await world.do(message("@all: tea"))
        record = await world.journal.message(posted.message_id or "")
        assert record is not None
        said = decode_message(record.doc)
        assert said.mentions_all
        assert await world.blocks.calls(said, "u_ben")
        assert not await world.blocks.calls(said, "u_eve")


async def test_a_block_holds_after_the_room_has_slept(autojump_clock: object) -> None:
    """It is no part of the room, so there is nothing for the room to forget."""
    async with open_world(limits=RoomLimits(idle_seconds=10)) as world:
        await talk(world)
        await block(world, BEN, ANN)
        await trio.sleep(60)
        assert not world.rooms.is_awake(DIRECT)
        assert await world.refusal(message("again", actor=ANN), room=DIRECT) == "forbidden"


async def test_a_closed_direct_room_is_taken_into_use_again_by_who_opens_it(autojump_clock: object) -> None:
    """Of one whose account had lost its rooms; not while one of the two blocks the other."""
    async with open_world() as world:
        await talk(world)
        await world.do(EndMembership(SYSTEM, BEN, (ANN,), for_good=False), room=DIRECT)
        assert await world.refusal(message("again", actor=ANN), room=DIRECT) == "forbidden"
        await block(world, BEN, ANN)
        assert not (await world.do(create(), room=DIRECT)).changed
        await unblock(world, BEN, ANN)
        opened = await world.do(create(), room=DIRECT)
        assert isinstance(opened, Accepted)
        assert opened.changed
        assert not (await world.do(create(BEN, ANN), room=DIRECT)).changed
        await world.do(message("again", actor=ANN), room=DIRECT)
        assert (await world.history(DIRECT))[-3:] == ["room.archived", "room.archived", "message.created"]
