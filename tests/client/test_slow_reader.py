"""A slow application: bounded memory here, back-pressure there, and still every event."""

from __future__ import annotations

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from justchat.client import (
    Position,
)
from justchat.wire.frames import Ping
from justchat.wire.server_frames import WelcomeRoom
from tests.client import frames
from tests.client.conftest import QUICK, OpenClient
from tests.client.law import Judge
from tests.client.script import bodies, connected, following, said
from tests.client.scripted_server import PATIENCE_SECONDS, ScriptedServer

pytestmark = pytest.mark.real_clock


async def test_a_slow_application_makes_the_client_stop_reading(opened: OpenClient, server: ScriptedServer) -> None:
    """The server's writes stop for lack of room; when the application reads on, everything comes, in order."""
    settings = msgspec.structs.replace(QUICK, event_buffer=4)
    total = 400
    body = "x" * 60_000
    async with trio.open_nursery() as nursery, connected(opened, server, settings=settings) as (client, peer):
        await following(peer, client)
        stuck = trio.Event()

        async def flood() -> None:
            for seq in range(1, total + 1):
                with trio.CancelScope():
                    await peer.say(frames.message_event("r", seq, body))
            stuck.set()

        nursery.start_soon(flood)
        with trio.fail_after(PATIENCE_SECONDS):
            while client.statistics().buffered < 4:
                await trio.lowlevel.checkpoint()
        await wait_all_tasks_blocked(0.05)
        assert not stuck.is_set()
        assert peer.sent < total
        assert client.statistics().buffered == 4
        judge = Judge({"r": Position("e1", 0)})
        with trio.fail_after(2 * PATIENCE_SECONDS):
            for _ in range(total):
                judge.see(await anext(client.events()))
        assert judge.seqs == {"r": total}
        assert client.statistics().buffer_peak <= 5


async def test_posting_from_the_event_loop_never_locks_up(opened: OpenClient, server: ScriptedServer) -> None:
    """The ack lies behind more events than the buffer holds: it is found, and the events come again later."""
    settings = msgspec.structs.replace(QUICK, event_buffer=4)
    async with trio.open_nursery() as nursery, connected(opened, server, settings=settings) as (client, peer):
        await following(peer, client)
        await peer.say(*said("r", *range(1, 9)))

        async def script() -> None:
            post = await peer.post()
            await peer.say(*said("r", *range(9, 21)), frames.ack("r", frame_id=post.id, seq=20))
            while True:
                question = await peer.question()
                after = question.data.after or 0
                await peer.say(frames.subscribed("r", frame_id=question.id, head_seq=20))
                await peer.say(*said("r", *range(after + 1, 21)))

        nursery.start_soon(script)
        assert await bodies(client, 1) == ["b1"]
        with trio.fail_after(PATIENCE_SECONDS):
            await client.send("r", "from the loop")
        assert await bodies(client, 19) == [f"b{seq}" for seq in range(2, 21)]
        assert client.statistics().overflows > 0
        nursery.cancel_scope.cancel()


async def test_a_client_that_does_not_read_shows_that_it_lives(opened: OpenClient, server: ScriptedServer) -> None:
    """It cannot see the server's pings behind the events, so it says something by itself."""
    settings = msgspec.structs.replace(QUICK, event_buffer=1)
    async with trio.open_nursery() as nursery:

        async def script() -> None:
            peer = await server.peer()
            await peer.hello()
            await peer.say(
                frames.welcome(WelcomeRoom("r", "e1", 0), heartbeat_ms=40),
                frames.subscribed("r", frame_id=None, head_seq=0),
            )
            await peer.say(*said("r", 1, 2, 3))
            assert isinstance(await peer.receive(), Ping)
            assert isinstance(await peer.receive(), Ping)
            nursery.cancel_scope.cancel()

        nursery.start_soon(script)
        async with opened(settings=settings, subscribe="all"):
            await trio.sleep_forever()
