"""Limits where they bind: one user over all their sockets, and one room whichever way its commands come."""

from __future__ import annotations

from typing import Any

from justchat.connections.services import ConnectionLimits
from justchat.rooms.commands import Accepted, CreateRoom
from justchat.rooms.permissions import Kind, Visibility
from justchat.rooms.room_actor import RoomLimits
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.events import SYSTEM
from tests.connections.fake_socket import FakeSocket
from tests.connections.house import OWNER, ROOM, House, open_house, settle
from tests.rooms.world import message

BOB = "u_bob"
OTHER_ROOM = "r_other"


async def answers(socket: FakeSocket, count: int, kind: str = "ping", **parts: Any) -> list[str]:
    """Say something a number of times at once, and give the types or codes of the answers."""
    frames = [
        socket.say(kind, **{**parts, "data": parts["data"](number)} if "data" in parts else parts)
        for number in range(count)
    ]
    await settle()
    found = [socket.answers(frame)[0] for frame in frames]
    return [answer["data"]["code"] if answer["type"] == "error" else answer["type"] for answer in found]


async def test_one_user_has_one_pace_over_all_sockets(autojump_clock: object) -> None:
    """What one socket uses up is gone for the others of its user, and for nobody else; it comes back with time."""
    limits = ConnectionLimits(command_rate=0, user_command_rate=2, user_command_burst=4)
    async with open_house(limits=limits) as house:
        (_, first), (_, second), (_, bobs) = house.connect(), house.connect(), house.connect(BOB)
        assert await answers(first, 3) == ["pong"] * 3
        assert await answers(second, 3) == ["pong", "rate_limited", "rate_limited"]
        assert await answers(first, 1) == ["rate_limited"]
        assert await answers(bobs, 5) == ["pong"] * 4 + ["rate_limited"]
        await settle(1.0)
        assert await answers(second, 3) == ["pong", "pong", "rate_limited"]


async def test_a_new_socket_brings_no_new_pace(autojump_clock: object) -> None:
    """Hanging up and calling again gains nothing."""
    limits = ConnectionLimits(command_rate=0, user_command_rate=0.1, user_command_burst=2)
    async with open_house(limits=limits) as house:
        _, socket = house.connect()
        assert await answers(socket, 3) == ["pong", "pong", "rate_limited"]
        socket.leave()
        await settle()
        _, again = house.connect()
        assert await answers(again, 1) == ["rate_limited"]
        refusal = again.seen[-1]["data"]
        assert 9 <= refusal["retry_after"] <= 10


async def test_the_pace_of_a_connection_still_binds(autojump_clock: object) -> None:
    """Whichever of the two is used up first."""
    limits = ConnectionLimits(command_rate=1, command_burst=2, user_command_rate=1, user_command_burst=3)
    async with open_house(limits=limits) as house:
        (_, first), (_, second) = house.connect(), house.connect()
        assert await answers(first, 3) == ["pong", "pong", "rate_limited"]
        assert await answers(second, 2) == ["pong", "rate_limited"]


def post_data(prefix: str) -> Any:
    return lambda number: {"client_msg_id": f"{prefix}{number}", "body": "hello"}


async def posted(house: House, room: str, name: str) -> str:
    """Post as REST does, and give what came of it."""
    answer = await house.rooms.room(room).post(message(name))
    return "ack" if isinstance(answer, Accepted) else answer.code.value


async def test_a_room_takes_so_many_commands_a_second_by_whichever_way_they_come(autojump_clock: object) -> None:
    """REST and sockets share its pace; the next room has its own, and what is due by itself is never refused."""
    async with open_house(room_limits=RoomLimits(command_rate=4)) as house:
        await house.create()
        await house.create(room=OTHER_ROOM)
        await settle(1.0)
        _, socket = house.connect()
        assert await answers(socket, 2, "send", room=ROOM, data=post_data("a")) == ["ack", "ack"]
        assert [await posted(house, ROOM, f"rest {number}") for number in range(3)] == ["ack", "ack", "rate_limited"]
        assert await answers(socket, 1, "send", room=ROOM, data=post_data("b")) == ["rate_limited"]
        assert await posted(house, OTHER_ROOM, "elsewhere") == "ack"
        for number in range(9):
            made = CreateRoom(SYSTEM, Kind.GROUP, Visibility.PUBLIC, "Lobby", "", f"e_{number}")
            assert not (isinstance(answer := await house.rooms.room(ROOM).post(made), Refusal) and _is_late(answer))
        await settle(0.5)
        assert [await posted(house, ROOM, f"later {number}") for number in range(3)] == ["ack", "ack", "rate_limited"]


def _is_late(refusal: Refusal) -> bool:
    return refusal.code is ErrorCode.RATE_LIMITED


async def test_questions_to_a_busy_room_are_answered(autojump_clock: object) -> None:
    """Looking, subscribing and fetching are no commands; the refusal says when to come back."""
    async with open_house(room_limits=RoomLimits(command_rate=1)) as house:
        await house.create()
        answer = await house.rooms.room(ROOM).post(message("too soon"))
        assert isinstance(answer, Refusal)
        assert _is_late(answer)
        assert 0 < (answer.retry_after_seconds or 0) <= 1.001
        for _ in range(5):
            assert not isinstance(await house.rooms.room(ROOM).view(OWNER), Refusal)
        await house.subscribed()
