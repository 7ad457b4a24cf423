"""Frames about messages: what each asks of a room, what comes back, and what a thousand at once amount to."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import get_args

import pytest
import trio

from justchat.connections.commands import answer_to, command_of
from justchat.rooms.commands import (
    NO_SUCH_MESSAGE,
    NO_SUCH_ROOM,
    Accepted,
    Command,
    DeleteMessage,
    EditMessage,
    PinMessage,
    PostMessage,
    UnpinMessage,
)
from justchat.rooms.commands import React as AddReaction
from justchat.rooms.commands import Unreact as RemoveReaction
from justchat.rooms.items import ItemKind
from justchat.rooms.permissions import Visibility
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.events import decode_message
from justchat.wire.frames import (
    CommandFrame,
    Delete,
    DeleteData,
    Edit,
    EditData,
    Pin,
    PinData,
    React,
    ReactionData,
    Send,
    SendData,
    Unpin,
    Unreact,
)
from storage.memory import MemoryDirectory
from tests.connections.fake_socket import FakeSocket, Frame
from tests.connections.house import House, open_house, settle
from tests.rooms.world import OWNER, ROOM

MAX = 100
THUMB = "\U0001f44d"
COMMANDS: list[tuple[CommandFrame, Command]] = [
    (Edit("r", EditData("m", "b")), EditMessage("u", "m", "b")),
    (Edit("r", EditData("m", "hi @Bob, @all", 3)), EditMessage("u", "m", "hi @Bob, @all", 3, ("bob",), True)),
    (Delete("r", DeleteData("m")), DeleteMessage("u", "m")),
    (React("r", ReactionData("m", THUMB)), AddReaction("u", "m", THUMB)),
    (Unreact("r", ReactionData("m", THUMB)), RemoveReaction("u", "m", THUMB)),
    (Pin("r", PinData("m")), PinMessage("u", "m")),
    (Unpin("r", PinData("m")), UnpinMessage("u", "m")),
]
REFUSED: list[tuple[CommandFrame, str]] = [
    (Send("r", SendData("c", "x" * (MAX + 1))), "/data/body"),
    (Send("r", SendData("c", " \n")), "/data/body"),
    (Send("r", SendData("scheduled:1", "b")), "/data/client_msg_id"),
    (Send("r", SendData("c", "b", mentions=("u_1",) * 51)), "/data/mentions"),
    (Send("r", SendData("c", "b", expires_in=0)), "/data/expires_in"),
    (Send("r", SendData("c", "b", expires_in=366 * 86_400)), "/data/expires_in"),
    (Edit("r", EditData("m", "x" * (MAX + 1))), "/data/body"),
    (Edit("r", EditData("m", " \n")), "/data/body"),
    (React("r", ReactionData("m", "a b")), "/data/emoji"),
    (Unreact("r", ReactionData("m", "a/b")), "/data/emoji"),
]


@pytest.mark.parametrize(("frame", "command"), COMMANDS)
def test_a_frame_is_its_command_in_the_users_name(frame: CommandFrame, command: Command) -> None:
    """Whoever sends it is the actor, whatever the frame says."""
    assert command_of(frame, "u", max_characters=MAX) == command


def test_a_post_takes_all_that_a_frame_may_say() -> None:
    """Answer, thread, mentions by id and by name, and the time in which it expires, in milliseconds."""
    frame = Send("r", SendData("c", "hi @Bob", "m_1", "m_2", ("u_3",), 60))
    command = command_of(frame, "u", max_characters=MAX)
    assert isinstance(command, PostMessage)
    assert (command.actor, command.client_msg_id, command.body) == ("u", "c", "hi @Bob")
    assert (command.reply_to, command.thread_root, command.mentions) == ("m_1", "m_2", ("u_3",))
    assert (command.names, command.mentions_all, command.expires_in) == (("bob",), False, 60_000)


def test_every_frame_that_changes_a_room_has_a_case() -> None:
    """A new one must come with its command."""
    assert {type(frame) for frame, _ in COMMANDS} | {Send} == set(get_args(CommandFrame))


@pytest.mark.parametrize(("frame", "pointer"), REFUSED)
def test_what_no_room_need_look_at_is_refused_at_its_place(frame: CommandFrame, pointer: str) -> None:
    """The pointer leads into the frame."""
    refusal = command_of(frame, "u", max_characters=MAX)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, [problem.pointer for problem in refusal.errors]) == (ErrorCode.VALIDATION_FAILED, [pointer])


@pytest.mark.parametrize("frame", [frame for frame, _ in COMMANDS] + [Send("r", SendData("c", "b"), "1")])
def test_an_answer_names_the_frame_that_it_answers(frame: CommandFrame) -> None:
    """The ack of a post tells its client_msg_id too; a room one may not know of is one that one is no member of."""
    ack = json.loads(answer_to(frame, Accepted(7, queued_seconds=0.0015, commit_seconds=0.002)))
    data = {"queued_ms": 1.5, "commit_ms": 2.0}
    named = {} if frame.id is None else {"id": frame.id}
    if isinstance(frame, Send):
        data["client_msg_id"] = "c"  # type: ignore[assignment]
    assert ack == {"type": "ack", **named, "room": "r", "seq": 7, "data": data}
    for refusal, code in ((NO_SUCH_ROOM, "not_a_member"), (NO_SUCH_MESSAGE, "not_found")):
        error = json.loads(answer_to(frame, refusal))
        assert (error["type"], error["room"], error["data"]["code"]) == ("error", "r", code)


def test_the_repeat_of_a_post_and_a_command_that_changed_nothing_say_so() -> None:
    """`duplicate` and `changed` are there only where they tell something."""
    ack = json.loads(answer_to(COMMANDS[0][0], Accepted(7, changed=False, duplicate=True)))
    assert (ack["data"]["duplicate"], ack["data"]["changed"]) == (True, False)


async def _posted(house: House, *members: str) -> str:
    """Make the room, post by the owner, and give the message."""
    await house.create(*members)
    await house.post("before")
    (record,) = await house.journal.messages(ROOM, limit=1)
    return record.id


def _code(answer: Frame) -> str:
    return str(answer["data"].get("code", answer["type"]))


async def test_a_message_lives_its_life_over_one_socket(autojump_clock: object) -> None:
    """Each command is answered with the seq of its event, which every subscriber gets; what is so already has none."""
    async with open_house() as house:
        message = await _posted(house, "u_2")
        _, owner = await house.subscribed()
        _, other = await house.subscribed("u_2")
        said = [
            owner.say("edit", room=ROOM, data={"message": message, "body": "after", "rev": 1}),
            owner.say("react", room=ROOM, data={"message": message, "emoji": THUMB}),
            owner.say("react", room=ROOM, data={"message": message, "emoji": THUMB}),
            owner.say("pin", room=ROOM, data={"message": message}),
            owner.say("unpin", room=ROOM, data={"message": message}),
            owner.say("unreact", room=ROOM, data={"message": message, "emoji": THUMB}),
            owner.say("unreact", room=ROOM, data={"message": message, "emoji": THUMB}),
            owner.say("delete", room=ROOM, data={"message": message}),
        ]
        await settle()
        acks = [owner.answers(frame_id)[0] for frame_id in said]
        assert [ack["type"] for ack in acks] == ["ack"] * 8
        assert [ack["data"].get("changed", True) for ack in acks] == [True, True, False, True, True, True, False, True]
        assert [ack["seq"] for ack in acks if ack["data"].get("changed", True)] == [3, 4, 5, 6, 7, 8]
        for socket in (owner, other):
            assert socket.seqs(ROOM) == [3, 4, 5, 6, 7, 8]
            assert [frame["type"] for frame in socket.of(ROOM) if "actor" in frame] == [
                "message.updated",
                "reaction.added",
                "pin.added",
                "pin.removed",
                "reaction.removed",
                "message.deleted",
            ]


async def test_what_a_room_refuses_is_an_error_and_the_connection_lives_on(autojump_clock: object) -> None:
    """Another's message, a version that is gone, a missing right, a message that is not there."""
    async with open_house() as house:
        message = await _posted(house, "u_2")
        _, owner = house.connect()
        _, other = house.connect("u_2")
        asked = {
            other.say("edit", room=ROOM, data={"message": message, "body": "mine"}): "forbidden",
            other.say("pin", room=ROOM, data={"message": message}): "forbidden",
            other.say("unpin", room=ROOM, data={"message": message}): "forbidden",
            other.say("delete", room=ROOM, data={"message": message}): "forbidden",
            other.say("react", room=ROOM, data={"message": "m_none", "emoji": THUMB}): "not_found",
            other.say("react", room=ROOM, data={"message": message, "emoji": "a b"}): "validation_failed",
            other.say("edit", room=ROOM, data={"message": message, "body": " "}): "validation_failed",
            other.say("react", room=ROOM, data={"message": message, "emoji": THUMB}): "ack",
        }
        wrong = owner.say("edit", room=ROOM, data={"message": message, "body": "after", "rev": 2})
        await settle()
        assert {frame_id: _code(other.answers(frame_id)[0]) for frame_id in asked} == asked
        assert _code(owner.answers(wrong)[0]) == "precondition_failed"
        assert not owner.closed
        assert not other.closed


@pytest.mark.parametrize("kind", ["edit", "react", "unreact", "pin", "unpin", "delete"])
async def test_strangers_hear_the_same_of_a_private_room_and_of_none(kind: str, autojump_clock: object) -> None:
    """Nothing tells a message of a room that one may not know of from one that is not there."""
    async with open_house() as house:
        message = await _posted(house)
        _, socket = house.connect("u_9")
        data = {"message": message}
        data |= {"edit": {"body": "b"}, "react": {"emoji": THUMB}, "unreact": {"emoji": THUMB}}.get(kind, {})
        answers = []
        for room in (ROOM, "r_none"):
            asked = socket.say(kind, room=room, data=data)
            await settle()
            answers.append({**socket.answers(asked)[0], "id": "", "room": ""})
        assert answers[0] == answers[1]
        assert _code(answers[0]) == "not_a_member"


@pytest.mark.parametrize("kind", ["edit", "react", "unreact", "pin", "unpin", "delete"])
async def test_no_command_reaches_a_message_of_another_room(kind: str, autojump_clock: object) -> None:
    """A member of both rooms who names the wrong one hears that there is no such message there."""
    async with open_house() as house:
        message = await _posted(house)
        await house.create(room="r_2")
        _, socket = house.connect()
        data = {"message": message}
        data |= {"edit": {"body": "b"}, "react": {"emoji": THUMB}, "unreact": {"emoji": THUMB}}.get(kind, {})
        asked = socket.say(kind, room="r_2", data=data)
        await settle()
        answer = socket.answers(asked)[0]
        if kind == "unpin":
            assert answer["data"]["changed"] is False
        else:
            assert _code(answer) == "not_found"
        assert len(await house.journal.read("r_2", after=0, limit=10)) == 1


async def test_a_command_that_is_answered_too_late_is_refused_once_and_may_be_repeated(autojump_clock: object) -> None:
    """The sweep says `room_unavailable`; the same edit again finds that it is done."""
    async with open_house() as house:
        message = await _posted(house)
        _, socket = house.connect()
        house.journal.append_seconds = 9
        data = {"message": message, "body": "after"}
        asked = socket.say("edit", room=ROOM, data=data)
        await trio.sleep(30)
        assert [_code(answer) for answer in socket.answers(asked)] == ["room_unavailable"]
        again = socket.say("edit", room=ROOM, data=data)
        await settle()
        (answer,) = socket.answers(again)
        assert (answer["type"], answer["data"]["changed"]) == ("ack", False)


async def _answer(socket: FakeSocket, kind: str, data: object) -> Frame:
    answered = trio.Event()

    def note(frame: Frame) -> None:
        if frame.get("id") == asked:
            answered.set()

    asked = socket.say(kind, room=ROOM, data=data)
    socket.on_queued = note
    await answered.wait()
    return socket.answers(asked)[0]


async def _toggle(house: House, user: str, message: str, emoji: list[str]) -> set[str]:
    """Toggle reactions through a connection of one's own, each once the one before is answered; give what is left."""
    _, socket = house.connect(user)
    own: set[str] = set()
    for one in emoji:
        kind = "unreact" if one in own else "react"
        answer = await _answer(socket, kind, {"message": message, "emoji": one})
        assert answer["type"] == "ack"
        assert answer["data"].get("changed", True)
        own ^= {one}
    socket.leave()
    return own


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_thousand_reactions_at_once_count_everybody_once(seed: int, autojump_clock: object) -> None:
    """Counts are the number of different people, in the message, in the items and in what the events add up to."""
    draw = random.Random(seed)
    users = [f"u_{number}" for number in range(40)]
    async with open_house() as house:
        message = await _posted(house, *users)
        left: dict[str, set[str]] = {}

        async def run(user: str) -> None:
            left[user] = await _toggle(house, user, message, [draw.choice("abc") for _ in range(25)])

        async with trio.open_nursery() as nursery:
            for user in users:
                nursery.start_soon(run, user)
        expected = Counter(emoji for own in left.values() for emoji in own)
        record = await house.journal.message(message)
        assert record is not None
        counts = {reaction.emoji: reaction.count for reaction in decode_message(record.doc).reactions}
        assert counts == expected
        kept = await MemoryDirectory(house.journal._store).items(
            ItemKind.REACTION, room=ROOM, prefix=f"{message}/", cursor=None, limit=1000
        )
        pairs = {tuple(item.key.split("/")[1:]) for item in kept.items}
        assert pairs == {(emoji, user) for user, own in left.items() for emoji in own}
        entries = await house.journal.read(ROOM, after=2, limit=2000)
        assert len(entries) == 1000
        added: Counter[str] = Counter()
        for entry in entries:
            data = json.loads(entry.body)["data"]
            added[data["emoji"]] += 1 if entry.type == "reaction.added" else -1
        assert +added == expected


async def test_a_flood_of_the_same_reaction_is_one_event(autojump_clock: object) -> None:
    """A thousand of one user's in a row, none waited for: the batch decides the first, and the rest find it there."""
    async with open_house() as house:
        message = await _posted(house)
        replies = [house.submit(AddReaction(OWNER, message, THUMB)) for _ in range(1000)]
        await settle(1)
        answers = [reply.result() for reply in replies]
        assert [isinstance(answer, Accepted) and answer.changed for answer in answers] == [True] + [False] * 999
        record = await house.journal.message(message)
        assert record is not None
        assert [reaction.count for reaction in decode_message(record.doc).reactions] == [1]
        assert len(await house.journal.read(ROOM, after=0, limit=10)) == 3


async def test_a_visitor_of_a_public_room_reads_and_does_nothing_else(autojump_clock: object) -> None:
    """They may know of the room and the message, so they hear what they lack."""
    async with open_house() as house:
        await house.create(visibility=Visibility.PUBLIC, posts=1)
        (record,) = await house.journal.messages(ROOM, limit=1)
        _, socket = house.connect("u_9")
        asked = [
            socket.say("react", room=ROOM, data={"message": record.id, "emoji": THUMB}),
            socket.say("edit", room=ROOM, data={"message": record.id, "body": "b"}),
            socket.say("pin", room=ROOM, data={"message": record.id}),
            socket.say("delete", room=ROOM, data={"message": record.id}),
        ]
        await settle()
        assert [_code(socket.answers(frame_id)[0]) for frame_id in asked] == ["not_a_member"] * 4
