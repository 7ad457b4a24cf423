"""One action, one entry, one frame: for everything that can be done in a room, and nothing at all for a repeat."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import get_args

import pytest
import trio

from justchat.rooms.commands import (
    Accepted,
    AddMember,
    ArchiveRoom,
    BanMember,
    BulkDelete,
    Command,
    CreateInvite,
    DeleteMessage,
    DeleteRoom,
    EditMessage,
    EndMembership,
    EraseMessages,
    EraseReaction,
    ExpireMessage,
    JoinRoom,
    LeaveRoom,
    MuteMember,
    PinMessage,
    React,
    RemoveMember,
    RevokeInvite,
    RoomCommand,
    SetPermissions,
    SetRole,
    TakeOver,
    TrimHistory,
    UnbanMember,
    UnmuteMember,
    UnpinMessage,
    Unreact,
    UpdateRoom,
)
from justchat.rooms.permissions import Role, Visibility
from justchat.rooms.posts import Content
from justchat.wire.events import EVENTS, SYSTEM, SettingsChanges
from tests.rooms.world import OWNER, RecordingSink, World, message, open_world

# The messages that are there: the world numbers all commands, and the first makes the room.
POSTED, OTHER = "m_2", "m_3"
MUTE = MuteMember(OWNER, "u_2")
INVITE = CreateInvite(OWNER, "i_1", max_uses=1)
REACT = React("u_2", POSTED, "👍")
PIN = PinMessage(OWNER, POSTED)
BAN = BanMember(OWNER, "u_2")
# What is done, the type of the event, and what has to be done before.
ACTIONS: list[tuple[Command, str, Sequence[Command]]] = [
    (UpdateRoom(OWNER, name="Other"), "room.updated", ()),
    (UpdateRoom(OWNER, topic="Other", visibility=Visibility.PUBLIC), "room.updated", ()),
    (
        UpdateRoom(OWNER, name="Other", settings=SettingsChanges(slow_mode_seconds=5, read_only=True)),
        "room.updated",
        (),
    ),
    (ArchiveRoom(OWNER, archived=True), "room.archived", ()),
    (ArchiveRoom(OWNER, archived=False), "room.archived", (ArchiveRoom(OWNER, archived=True),)),
    (DeleteRoom(OWNER), "room.deleted", ()),
    (
        SetPermissions(OWNER, {Role.GUEST: {"messages.send": True}, Role.MEMBER: {"messages.pin": True}}),
        "permissions.updated",
        (),
    ),
    (JoinRoom("u_new"), "member.joined", (UpdateRoom(OWNER, visibility=Visibility.PUBLIC),)),
    (JoinRoom("u_new", "i_1"), "member.joined", (INVITE,)),
    (LeaveRoom("u_2"), "member.left", ()),
    (RemoveMember("u_2", "u_2"), "member.left", ()),
    (AddMember(OWNER, "u_new"), "member.added", ()),
    (RemoveMember(OWNER, "u_2"), "member.removed", ()),
    (SetRole(OWNER, "u_2", Role.ADMIN), "member.role_changed", ()),
    (BAN, "member.banned", ()),
    (BanMember(OWNER, "u_new"), "member.banned", ()),
    (UnbanMember(OWNER, "u_2"), "member.unbanned", (BAN,)),
    (MUTE, "member.muted", ()),
    (UnmuteMember(OWNER, "u_2"), "member.unmuted", (MUTE,)),
    (INVITE, "invite.created", ()),
    (RevokeInvite(OWNER, "i_1"), "invite.revoked", (INVITE,)),
    (message("new", actor="u_2"), "message.created", ()),
    (message("new", content=Content(thread_root=POSTED, reply_to=OTHER, expires_in=9)), "message.created", ()),
    (EditMessage("u_2", POSTED, "other words"), "message.updated", ()),
    (DeleteMessage("u_2", POSTED), "message.deleted", (REACT, PIN)),
    (DeleteMessage(OWNER, POSTED), "message.deleted", ()),
    (BulkDelete(OWNER, (POSTED, OTHER)), "message.bulk_deleted", (REACT, PIN)),
    (REACT, "reaction.added", ()),
    (Unreact("u_2", POSTED, "👍"), "reaction.removed", (REACT,)),
    (PIN, "pin.added", ()),
    (UnpinMessage(OWNER, POSTED), "pin.removed", (PIN,)),
    (TrimHistory(SYSTEM, 2), "history.trimmed", (REACT, PIN)),
    (EndMembership(SYSTEM, "u_2"), "member.removed", ()),
    (TakeOver(SYSTEM, "u_2", "u_admin"), "member.role_changed", ()),
    (TakeOver(SYSTEM, "u_new", "u_admin"), "member.added", ()),
    (EraseMessages(SYSTEM, "u_2", (POSTED, OTHER)), "message.bulk_deleted", (REACT, PIN)),
    (EraseReaction(SYSTEM, "u_2", POSTED, "👍"), "reaction.removed", (REACT,)),
]


# What happens without anybody's doing, and what has to be done before.
BY_ITSELF: list[tuple[str, Command]] = [
    ("member.unmuted", MuteMember(OWNER, "u_2", until=20_000)),
    ("invite.revoked", CreateInvite(OWNER, "i_1", expires_at=20_000)),
    ("message.expired", message("gone soon", content=Content(expires_in=19))),
]


async def begin(world: World, before: Sequence[Command]) -> RecordingSink:
    """Make a room in which two have spoken, and do what has to be done before; somebody listens from then on."""
    await world.create("u_2", "u_listener")
    for command in (message("first", actor="u_2"), message("second"), *before):
        assert (await world.do(command)).changed
    _, sink = await world.attach("u_listener")
    return sink


def test_all_that_can_happen_is_here() -> None:
    """Every type of event, twenty actions at least, and every command but the one that begins a room."""
    assert {event for _, event, _ in ACTIONS} | {event for event, _ in BY_ITSELF} == EVENTS.keys() - {"room.created"}
    assert {type(command) for command, _, _ in ACTIONS} == set(get_args(RoomCommand)) - {ExpireMessage}
    assert len(ACTIONS) >= 20


@pytest.mark.parametrize(
    ("command", "event", "before"), ACTIONS, ids=[f"{event}-{number}" for number, (_, event, _) in enumerate(ACTIONS)]
)
async def test_an_action_is_one_entry_and_one_frame_and_its_repeat_is_none(
    command: Command, event: str, before: Sequence[Command], autojump_clock: object
) -> None:
    """However much changes with it, and however often it is said: the journal and the listener have it once."""
    async with open_world() as world:
        sink = await begin(world, before)
        entries, frames = await world.history(), len(sink.frames)
        answer = await world.do(command)
        assert answer.changed
        for _ in range(2):
            repeat = await world.room().post(command)
            assert isinstance(repeat, Accepted)
            assert not repeat.changed
        assert (await world.history())[len(entries) :] == [event]
        (frame,) = sink.frames[frames:]
        (entry,) = await world.journal.read("r_1", after=len(entries), limit=10)
        assert frame == json.loads(entry.body)
        assert (frame["type"], frame["seq"], frame["actor"]) == (event, answer.seq, command.actor)
        assert world.restarts() == 0


@pytest.mark.parametrize(("event", "before"), BY_ITSELF, ids=[event for event, _ in BY_ITSELF])
async def test_what_happens_by_itself_is_one_entry_and_one_frame(
    event: str, before: Command, autojump_clock: object
) -> None:
    """At its time, however long one waits then."""
    async with open_world() as world:
        sink = await begin(world, [before])
        entries, frames = await world.history(), len(sink.frames)
        await trio.sleep(60)
        assert (await world.history())[len(entries) :] == [event]
        (frame,) = sink.frames[frames:]
        assert (frame["type"], frame["actor"]) == (event, SYSTEM)
