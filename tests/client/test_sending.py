"""Commands on a real socket: answered once, whatever happens to the connection in between."""

from __future__ import annotations

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from justchat.client import (
    Ack,
    NoAnswer,
    Refused,
)
from justchat.wire import server_frames
from justchat.wire.errors import ErrorCode
from justchat.wire.frames import Delete, Fetch
from tests.client import frames
from tests.client.conftest import QUICK, OpenClient
from tests.client.script import Outcome, connected, following, said
from tests.client.scripted_server import Peer, ScriptedServer

pytestmark = pytest.mark.real_clock


async def test_a_post_is_answered_after_its_commit(opened: OpenClient, server: ScriptedServer) -> None:
    """The call gives what the server says about it."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(outcome.of, lambda: client.send("r", "hello", client_msg_id="k", reply_to="m_1"))
        frame = await peer.post()
        assert (frame.room, frame.data.body, frame.data.client_msg_id, frame.data.reply_to) == (
            "r",
            "hello",
            "k",
            "m_1",
        )
        await peer.say(frames.ack("r", frame_id=frame.id, seq=7, client_msg_id="k"))
        ack = await outcome.wait()
        assert isinstance(ack, Ack)
        assert (ack.seq, ack.message_id, ack.client_msg_id, ack.duplicate) == (7, "m_r_7", "k", False)


@pytest.mark.parametrize("ending", ["close", "hang_up", "reset", "half_an_ack"])
async def test_a_post_whose_answer_was_lost_is_repeated_under_the_same_id(
    opened: OpenClient, server: ScriptedServer, ending: str
) -> None:
    """However the connection ends: the server can tell the repeat, and the caller sees one answer."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(outcome.of, lambda: client.send("r", "hello"))
        first = await peer.post()
        if ending == "close":
            await peer.close(1001)
        elif ending == "hang_up":
            await peer.hang_up()
        elif ending == "reset":
            await peer.reset()
        else:
            await peer.say_raw(peer.framed(frames.ack("r", frame_id=first.id, seq=3))[:-9])
            await peer.hang_up()
        second = await server.greeted()
        again = await second.post()
        assert again == first
        await second.say(frames.ack("r", frame_id=again.id, seq=3, duplicate=True))
        ack = await outcome.wait()
        assert isinstance(ack, Ack)
        assert ack.duplicate


async def test_a_post_made_while_there_is_no_connection_waits_for_one(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """The caller does not have to know."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        await peer.close(1001)
        second = await server.peer()
        assert not client.connected
        nursery.start_soon(outcome.of, lambda: client.send("r", "hello"))
        await second.hello()
        await second.say(frames.welcome())
        frame = await second.post()
        await second.say(frames.ack("r", frame_id=frame.id, seq=1))
        assert isinstance(await outcome.wait(), Ack)


async def test_posts_of_one_task_keep_their_order_over_lost_connections(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """Everything unanswered comes again, first things first."""
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        outcomes = [Outcome() for _ in range(4)]
        firsts = []
        for number, outcome in enumerate(outcomes):
            nursery.start_soon(outcome.of, lambda number=number: client.send("r", f"p{number}"))
            firsts.append(await peer.post())
        await peer.hang_up()
        second = await server.greeted()
        again = [await second.post() for _ in outcomes]
        assert again == firsts
        assert [frame.data.body for frame in again] == ["p0", "p1", "p2", "p3"]
        for frame in reversed(again):
            await second.say(frames.ack("r", frame_id=frame.id, seq=int(frame.data.body[1:]) + 1))
        acks = [await outcome.wait() for outcome in outcomes]
        assert [ack.seq for ack in acks if isinstance(ack, Ack)] == [1, 2, 3, 4]


async def test_a_busy_room_is_tried_again_until_it_takes_the_post(opened: OpenClient, server: ScriptedServer) -> None:
    """Passing refusals do not reach the caller; the id stays the same."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(outcome.of, lambda: client.send("r", "hello"))
        ids = set()
        for code in (ErrorCode.ROOM_OVERLOADED, ErrorCode.STORAGE_UNAVAILABLE, ErrorCode.DRAINING):
            frame = await peer.post()
            ids.add(frame.data.client_msg_id)
            await peer.say(frames.error(code, frame_id=frame.id, room="r", retry_after=0.001))
        frame = await peer.post()
        await peer.say(frames.ack("r", frame_id=frame.id, seq=1))
        assert isinstance(await outcome.wait(), Ack)
        assert ids == {frame.data.client_msg_id}
        assert client.statistics().retries == 3


async def test_a_refusal_is_raised_and_hurts_nobody_else(opened: OpenClient, server: ScriptedServer) -> None:
    """The connection lives on."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(outcome.of, lambda: client.send("r", "hello"))
        frame = await peer.post()
        await peer.say(frames.error(ErrorCode.NOT_A_MEMBER, frame_id=frame.id, room="r"))
        error = await outcome.wait()
        assert isinstance(error, Refused)
        assert error.code == "not_a_member"
        await following(peer, client, "other")


async def test_an_unanswered_post_is_given_up_at_its_deadline_with_its_id(
    mock_clock: MockClock, opened: OpenClient, server: ScriptedServer
) -> None:
    """The caller can repeat it under that id; the client has forgotten it."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(outcome.of, lambda: client.send("r", "hello", deadline_seconds=5.0))
        frame = await peer.post()
        mock_clock.jump(5.0)
        error = await outcome.wait()
        assert isinstance(error, NoAnswer)
        assert error.client_msg_id == frame.data.client_msg_id
        assert client.statistics().pending == 0
        await peer.hang_up()
        second = await server.greeted()
        await following(second, client)


async def test_calls_beyond_the_bound_wait_for_a_place(opened: OpenClient, server: ScriptedServer) -> None:
    """Unanswered commands are bounded; the next one leaves when one is answered."""
    settings = msgspec.structs.replace(QUICK, pending_max=2)
    async with trio.open_nursery() as nursery, connected(opened, server, settings=settings) as (client, peer):
        outcomes = [Outcome() for _ in range(3)]
        for number, outcome in enumerate(outcomes):
            nursery.start_soon(outcome.of, lambda number=number: client.send("r", f"p{number}"))
        first, second = await peer.post(), await peer.post()
        assert client.statistics().pending == 2
        await peer.say(frames.ack("r", frame_id=first.id, seq=1))
        third = await peer.post()
        for frame in (second, third):
            await peer.say(frames.ack("r", frame_id=frame.id, seq=2))
        for outcome in outcomes:
            assert isinstance(await outcome.wait(), Ack)


async def test_a_cancelled_call_harms_neither_the_connection_nor_others(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """Half a frame would; writing is not the caller's business. The late answer finds nobody and is dropped."""
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        with trio.CancelScope() as scope:
            nursery.start_soon(lambda: cancel_at_post(peer, scope))
            await client.send("r", "never mind")
        assert scope.cancelled_caught
        assert client.statistics().pending == 0
        await peer.say(frames.ack("r", frame_id="1", seq=1))
        await following(peer, client)


async def cancel_at_post(peer: Peer, scope: trio.CancelScope) -> None:
    await peer.post()
    scope.cancel()


async def test_delete_and_fetch_have_their_own_answers(opened: OpenClient, server: ScriptedServer) -> None:
    """The other commands go the same way as posts."""
    deleted, fetched = Outcome(), Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        nursery.start_soon(deleted.of, lambda: client.delete("r", "m_1"))
        delete = await peer.receive()
        assert isinstance(delete, Delete)
        assert delete.data.message == "m_1"
        nursery.start_soon(fetched.of, lambda: client.fetch("r", before=9, limit=2))
        fetch = await peer.receive()
        assert isinstance(fetch, Fetch)
        assert (fetch.data.before, fetch.data.after, fetch.data.limit) == (9, None, 2)
        page = server_frames.page("r", frame_id=fetch.id, events=said("r", 7, 8), more=True, head_seq=20)
        await peer.say(page, frames.ack("r", frame_id=delete.id, seq=21))
        assert isinstance(await deleted.wait(), Ack)
        answer = await fetched.wait()
        assert [event.seq for event in answer.events] == [7, 8]  # type: ignore[attr-defined]


async def test_commands_keep_below_the_rate_that_the_server_allows(opened: OpenClient, server: ScriptedServer) -> None:
    """With a burst of 3 at 1000 a second, ten posts take at least the time that the server would want."""
    limits = msgspec.structs.replace(frames.LIMITS, commands_per_second=1000.0, command_burst=3)
    async with trio.open_nursery() as nursery:
        times: list[float] = []
        began = 0.0

        async def greet() -> None:
            peer = await server.greeted(frames.welcome(limits=limits))
            for _ in range(10):
                frame = await peer.post()
                times.append(trio.current_time())
                await peer.say(frames.ack("r", frame_id=frame.id, seq=1))

        nursery.start_soon(greet)
        async with opened() as client, trio.open_nursery() as senders:
            began = trio.current_time()
            for number in range(10):
                senders.start_soon(client.send, "r", f"p{number}")
    # Two at once (one of the burst is kept in reserve), the other eight at 950 a second.
    # From before the first one left: when it arrived says nothing about that.
    assert times[-1] - began >= 8 / 1000


async def test_a_server_that_takes_nothing_is_left(
    mock_clock: MockClock, opened: OpenClient, server: ScriptedServer
) -> None:
    """A write has a deadline; half a frame then lies in the connection, so it is given up, and all posts come again."""
    settings = msgspec.structs.replace(QUICK, pending_max=1000, write_seconds=5.0)
    async with connected(opened, server, settings=settings) as (client, peer), trio.open_nursery() as nursery:
        peer.stop_reading()
        for _ in range(900):
            nursery.start_soon(client.send, "r", "x" * 15_000)
        # No more fits between the two.
        await wait_all_tasks_blocked(0.05)
        mock_clock.jump(5.0)
        second = await server.greeted()
        assert (await second.post()).data.body == "x" * 15_000
        assert client.statistics().connections == 2
        nursery.cancel_scope.cancel()
