"""Rooms under ids that are known before they are made: direct rooms, and the lobby. On a virtual clock."""

from __future__ import annotations

import trio

from justchat.rooms.commands import Accepted, Answer, CreateRoom, DeleteRoom, JoinRoom, LeaveRoom
from justchat.rooms.direct import direct_room_id
from justchat.rooms.lobby import LOBBY, open_lobby
from justchat.rooms.permissions import Kind, Visibility
from justchat.wire.errors import Refusal
from justchat.wire.server_frames import RoomView
from storage.errors import StorageUnavailable
from tests.rooms.world import SwitchedJournal, message, open_world


def test_a_pair_has_one_id_whoever_asks() -> None:
    """And other pairs have others, also where their names run together alike."""
    assert direct_room_id("u_1", "u_2") == direct_room_id("u_2", "u_1")
    assert len(direct_room_id("u_1", "u_2")) == 34
    assert len({direct_room_id(*pair) for pair in (("u_1", "u_23"), ("u_12", "u_3"), ("u_1", "u_3"))}) == 3


async def test_fifty_who_open_a_direct_room_at_once_open_one(autojump_clock: object) -> None:
    """From both sides: one of them makes it, all of them may post, and there is one order of events."""
    made: list[Answer] = []
    room = direct_room_id("u_1", "u_2")

    async with open_world() as world:

        async def create(user: str, other: str) -> None:
            command = CreateRoom(user, Kind.DIRECT, Visibility.PRIVATE, "", "", "e_1", (other,))
            made.append(await world.room(room).post(command))

        async with trio.open_nursery() as nursery:
            for _ in range(25):
                nursery.start_soon(create, "u_1", "u_2")
                nursery.start_soon(create, "u_2", "u_1")
        assert [isinstance(answer, Accepted) and answer.changed for answer in made].count(True) == 1
        assert all(isinstance(answer, Accepted) and answer.seq == 1 for answer in made)
        await world.do(message("hello", actor="u_1"), room=room)
        await world.do(message("hello you", actor="u_2"), room=room)
        assert await world.history(room) == ["room.created", "message.created", "message.created"]
        assert await world.refusal(LeaveRoom("u_2"), room=room) == "conflict"


async def test_the_lobby_is_made_once_and_belongs_to_nobody(autojump_clock: object) -> None:
    """Everybody may read it and join; making it again changes nothing, not even whether it is awake."""
    async with open_world() as world:
        assert await open_lobby(world.rooms, world.directory, epoch="e_1") is None
        view = await world.room(LOBBY).view("u_1")
        assert isinstance(view, RoomView)
        assert (view.name, view.visibility, view.member_count, view.me.role) == ("Lobby", "public", 0, None)
        assert world.joined == []
        assert await world.refusal(message("hello", actor="u_1"), room=LOBBY) == "not_a_member"
        await world.do(JoinRoom("u_1"), room=LOBBY)
        await world.do(message("hello", actor="u_1"), room=LOBBY)
        await world.do(LeaveRoom("u_1"), room=LOBBY)
        page = await world.directory.public_rooms("lob", cursor=None, limit=9)
        assert [room.id for room in page.items] == [LOBBY]
        assert await open_lobby(world.rooms, world.directory, epoch="e_2") is None
        assert (await world.history(LOBBY)).count("room.created") == 1


async def test_a_lobby_that_is_already_there_is_not_woken(autojump_clock: object) -> None:
    """A start costs it no more than a look at the directory."""
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        await open_lobby(world.rooms, world.directory, epoch="e_1")
    async with open_world(journal=journal) as world:
        assert await open_lobby(world.rooms, world.directory, epoch="e_2") is None
        assert not world.rooms.is_awake(LOBBY)
        assert await world.refusal(DeleteRoom("u_1"), room=LOBBY) == "not_a_member"


async def test_a_lobby_that_cannot_be_made_is_said(autojump_clock: object) -> None:
    """The store does not write: the refusal is given back, and the next start makes it."""
    journal = SwitchedJournal()
    async with open_world(journal=journal) as world:
        journal.error = StorageUnavailable("planted")
        assert isinstance(await open_lobby(world.rooms, world.directory, epoch="e_1"), Refusal)
        assert await open_lobby(world.rooms, world.directory, epoch="e_1") is None
        assert await world.history(LOBBY) == ["room.created"]
