"""Events on a real socket: in order, once, without a gap, or openly ended."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from justchat.client import (
    Position,
    PositionLost,
    Reset,
    Subscribed,
    Unsubscribed,
)
from justchat.wire import server_frames
from justchat.wire.frames import Unsubscribe
from justchat.wire.server_frames import WelcomeRoom
from tests.client import frames
from tests.client.conftest import OpenClient
from tests.client.law import Judge
from tests.client.script import Outcome, bodies, connected, following, said, take
from tests.client.scripted_server import ScriptedServer

pytestmark = pytest.mark.real_clock


async def test_events_arrive_in_order_after_the_snapshot(opened: OpenClient, server: ScriptedServer) -> None:
    """`subscribe` gives the snapshot, the stream gives it too and then what follows."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(outcome.of, lambda: client.subscribe("r", history=2))
        question = await peer.question()
        assert (question.data.history, question.data.after) == (2, None)
        snapshot = frames.subscribed("r", frame_id=question.id, head_seq=6, events=tuple(said("r", 5, 6)))
        await peer.say(snapshot, *said("r", 7, 8))
        answer = await outcome.wait()
        assert isinstance(answer, Subscribed)
        assert [event.seq for event in answer.history] == [5, 6]
        assert answer.state.head_seq == 6
        assert await take(client) is answer
        assert await bodies(client, 2) == ["b7", "b8"]


async def test_duplicates_do_not_reach_the_application(opened: OpenClient, server: ScriptedServer) -> None:
    """Each seq once."""
    async with connected(opened, server) as (client, peer):
        await following(peer, client)
        await peer.say(*said("r", 1, 1, 2, 1, 2, 2, 3))
        assert await bodies(client, 3) == ["b1", "b2", "b3"]
        assert client.statistics().duplicates == 4


async def test_a_gap_is_asked_for_and_closed(opened: OpenClient, server: ScriptedServer) -> None:
    """The application waits instead of missing something; other rooms go on meanwhile."""
    async with connected(opened, server) as (client, peer):
        await following(peer, client)
        await following(peer, client, "s", head=20)
        await peer.say(*said("r", 1, 4, 5))
        question = await peer.question()
        assert (question.room, question.data.after, question.data.epoch) == ("r", 1, "e1")
        await peer.say(*said("s", 21), *said("r", 6))
        assert await bodies(client, 2) == ["b1", "b21"]
        await peer.say(frames.subscribed("r", frame_id=question.id, head_seq=6))
        await peer.say(*said("r", 2, 3, 4, 5, 6), server_frames.caught_up("r", seq=6), *said("r", 7))
        assert await bodies(client, 6) == ["b2", "b3", "b4", "b5", "b6", "b7"]
        assert client.statistics().jumps == 1


async def test_every_room_is_resumed_where_it_was(opened: OpenClient, server: ScriptedServer) -> None:
    """One hello brings all rooms back; what was missed follows, and nothing twice."""
    async with connected(opened, server) as (client, peer):
        await following(peer, client, "r", head=10)
        await following(peer, client, "s", head=20)
        await peer.say(*said("r", 11, 12))
        assert await bodies(client, 2) == ["b11", "b12"]
        await peer.hang_up()
        second = await server.peer()
        hello = await second.hello()
        assert hello.data.resume == {"r": Position("e1", 12), "s": Position("e1", 20)}
        assert hello.data.subscribe is None
        await second.say(frames.welcome())
        await second.say(frames.subscribed("r", frame_id=None, head_seq=14), *said("r", 13, 14))
        await second.say(frames.subscribed("s", frame_id=None, head_seq=21), *said("s", 21))
        await second.say(server_frames.caught_up("r", seq=14), *said("r", 15))
        assert await bodies(client, 4) == ["b13", "b14", "b21", "b15"]


async def test_a_reset_is_said_and_not_papered_over(opened: OpenClient, server: ScriptedServer) -> None:
    """Nothing of the room follows until the application subscribes again."""
    async with connected(opened, server) as (client, peer):
        await following(peer, client, "r", head=10)
        await peer.hang_up()
        second = await server.greeted()
        await second.say(server_frames.reset("r", reason="restored", epoch="e2", head_seq=4), *said("r", 5))
        assert await take(client) == Reset("r", "restored", 10, "e2", 4)
        await following(second, client, "r", head=5)
        await second.say(*said("r", 6))
        assert await bodies(client, 1) == ["b6"]


async def test_a_lost_position_fails_the_call(opened: OpenClient, server: ScriptedServer) -> None:
    """`subscribe(after=...)` does not pretend."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(outcome.of, lambda: client.subscribe("r", after=99, epoch="e0"))
        question = await peer.question()
        assert (question.data.after, question.data.epoch) == (99, "e0")
        await peer.say(server_frames.reset("r", reason="epoch", epoch="e1", head_seq=5, frame_id=question.id))
        error = await outcome.wait()
        assert isinstance(error, PositionLost)
        assert error.reset.head_seq == 5


@pytest.mark.parametrize("reason", ["removed", "left", "deleted"])
async def test_the_end_of_a_subscription_is_said(opened: OpenClient, server: ScriptedServer, reason: str) -> None:
    """After the last event, and the room is not resumed any more."""
    async with connected(opened, server) as (client, peer):
        await following(peer, client)
        await peer.say(*said("r", 1), server_frames.unsubscribed("r", reason=reason, seq=1))
        assert await bodies(client, 1) == ["b1"]
        assert await take(client) == Unsubscribed("r", reason, 1, 1)
        await peer.hang_up()
        second = await server.peer()
        assert (await second.hello()).data.resume == {}


async def test_unsubscribing_ends_the_run(opened: OpenClient, server: ScriptedServer) -> None:
    """The call and the stream both say so."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        await following(peer, client)
        nursery.start_soon(outcome.of, lambda: client.unsubscribe("r"))
        frame = await peer.receive()
        assert isinstance(frame, Unsubscribe)
        await peer.say(server_frames.unsubscribed("r", reason="asked", seq=0, frame_id=frame.id))
        assert await outcome.wait() == Unsubscribed("r", "asked", 0, 0) == await take(client)


async def test_with_everything_rooms_come_along_by_themselves(opened: OpenClient, server: ScriptedServer) -> None:
    """Those of the welcome from their head, those joined later from the joining on."""
    async with trio.open_nursery() as nursery:

        async def script() -> None:
            peer = await server.peer()
            assert (await peer.hello()).data.subscribe == "all"
            await peer.say(frames.welcome(WelcomeRoom("r", "e1", 3)), frames.subscribed("r", frame_id=None, head_seq=3))
            await peer.say(*said("r", 4), frames.subscribed("new", frame_id=None, head_seq=2), *said("new", 1, 2))

        nursery.start_soon(script)
        async with opened(subscribe="all") as client:
            judge = Judge()
            items = [await take(client) for _ in range(5)]
            for item in items:
                judge.see(item)  # type: ignore[arg-type]
            assert judge.seqs == {"r": 4, "new": 2}
            assert judge.bodies("new") == ["b1", "b2"]


async def test_positions_that_the_application_kept_are_resumed_at_once(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """A restarted program misses nothing."""
    async with trio.open_nursery() as nursery:

        async def script() -> None:
            peer = await server.peer()
            assert (await peer.hello()).data.resume == {"r": Position("e1", 41)}
            await peer.say(frames.welcome(), frames.subscribed("r", frame_id=None, head_seq=42), *said("r", 42))

        nursery.start_soon(script)
        async with opened(resume={"r": Position("e1", 41)}) as client:
            assert await bodies(client, 1) == ["b42"]
            assert client.position("r") == Position("e1", 42)


async def test_a_cancelled_wait_for_an_event_loses_nothing(opened: OpenClient, server: ScriptedServer) -> None:
    """A reader may use deadlines."""
    async with connected(opened, server) as (client, peer):
        await following(peer, client)
        for _ in range(3):
            with trio.move_on_after(0.001):
                await anext(client.events())
        await peer.say(*said("r", 1))
        for _ in range(3):
            with trio.move_on_after(0):
                await anext(client.events())
        assert await bodies(client, 1) == ["b1"]


async def test_events_have_one_reader(opened: OpenClient, server: ScriptedServer) -> None:
    """A second one is told, instead of getting every other event."""
    async with connected(opened, server) as (client, _), trio.open_nursery() as nursery:
        outcome = Outcome()
        nursery.start_soon(outcome.of, lambda: anext(client.events()))
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await anext(client.events())
        nursery.cancel_scope.cancel()
