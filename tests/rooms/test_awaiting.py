"""Reading one's own writes, on a virtual clock: whoever names a seq is answered from a room that has come so far."""

from __future__ import annotations

import pytest
import trio

from justchat.rooms.commands import RemoveMember
from justchat.rooms.queries import Access
from justchat.rooms.room import AWAIT_SECONDS
from justchat.rooms.room_actor import RoomLimits
from justchat.wire.errors import Refusal
from justchat.wire.server_frames import RoomView
from tests.rooms.world import OWNER, ROOM, Crash, World, message, open_world


async def head_when_at(world: World, seq: int, heads: list[int]) -> None:
    access = await world.room().look(OWNER, min_seq=seq)
    assert isinstance(access, Access), access
    heads.append(access.head)


async def test_a_seq_that_is_there_is_answered_at_once(autojump_clock: object) -> None:
    """Both the look and the view, without any time passing."""
    async with open_world() as world:
        await world.create()
        posted = await world.do(message("x"))
        began = trio.current_time()
        access, view = await world.room().look(OWNER, min_seq=posted.seq), await world.room().view(OWNER, min_seq=2)
        assert isinstance(access, Access)
        assert isinstance(view, RoomView)
        assert access.head == view.head_seq == 2
        assert trio.current_time() == began


async def test_a_seq_to_come_is_waited_for(autojump_clock: object) -> None:
    """Each is answered when the head has come to their seq, and not before."""
    heads: list[int] = []
    async with open_world() as world, trio.open_nursery() as nursery:
        await world.create()
        for seq in (2, 3, 3):
            nursery.start_soon(head_when_at, world, seq, heads)
        await trio.sleep(1)
        assert heads == []
        await world.do(message("two"))
        await trio.sleep(0.5)
        assert heads == [2]
        await world.do(message("three"))
        await trio.sleep(0.4)
        assert heads == [2, 3, 3]


async def test_a_seq_that_does_not_come_is_refused_after_a_while(autojump_clock: object) -> None:
    """With 412 seq_unavailable; the room owes nothing afterwards and goes to sleep."""
    async with open_world(limits=RoomLimits(idle_seconds=10)) as world:
        await world.create()
        began = trio.current_time()
        for ask in (world.room().look, world.room().view):
            answer = await ask(OWNER, min_seq=99)
            assert isinstance(answer, Refusal)
            assert (answer.code.value, answer.status) == ("seq_unavailable", 412)
        assert trio.current_time() - began == pytest.approx(2 * AWAIT_SECONDS)
        await trio.sleep(30)
        assert not world.rooms.is_awake(ROOM)


async def test_a_crash_meanwhile_is_not_noticed(autojump_clock: object) -> None:
    """Whoever waits is asked for again, behind the crash."""
    heads: list[int] = []
    async with open_world() as world, trio.open_nursery() as nursery:
        await world.create()
        nursery.start_soon(head_when_at, world, 2, heads)
        await trio.sleep(0.5)
        world.rooms.crash(ROOM, Crash("planted"))
        await trio.sleep(0.5)
        assert world.restarts() == 1
        await world.do(message("two"))
        await trio.sleep(0.1)
        assert heads == [2]


async def test_too_many_who_wait_are_refused_at_once(autojump_clock: object) -> None:
    """A room owes no more answers than its inbox holds; it goes on all the same."""
    refused: list[float] = []

    async def ask(world: World) -> None:
        assert isinstance(await world.room().look(OWNER, min_seq=99), Refusal)
        refused.append(trio.current_time() - began)

    async with open_world(limits=RoomLimits(inbox=8)) as world:
        await world.create()
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(ask, world)
                await trio.sleep(0.01)
            await world.do(message("in between"))
        assert len([seconds for seconds in refused if seconds < 1]) == 12
        assert world.restarts() == 0


async def test_whoever_may_not_see_the_room_waits_for_nothing(autojump_clock: object) -> None:
    """A stranger, and somebody who is removed while they wait."""
    async with open_world() as world, trio.open_nursery() as nursery:
        await world.create("u_2")
        stranger = await world.room().look("u_9", min_seq=99)
        assert isinstance(stranger, Refusal)
        assert stranger.code.value == "not_found"
        codes: list[str] = []

        async def wait() -> None:
            answer = await world.room().look("u_2", min_seq=3)
            assert isinstance(answer, Refusal)
            codes.append(answer.code.value)

        nursery.start_soon(wait)
        await trio.sleep(0.1)
        await world.do(RemoveMember(OWNER, "u_2"))
        await world.do(message("not for them"))
        await trio.sleep(0.1)
        assert codes == ["not_found"]
