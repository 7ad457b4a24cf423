"""Lost connections and refused ones: which the client comes back from, when, and with which token."""

from __future__ import annotations

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked
from trio_websocket import ConnectionRejected

from justchat.client import (
    ClosedByServer,
    Position,
    Unreachable,
    UpgradeRefused,
    open_client,
)
from justchat.client.ending import Ended
from justchat.client.link import _rejection
from justchat.wire import server_frames
from justchat.wire.errors import ErrorCode
from tests.client import frames
from tests.client.conftest import QUICK, OpenClient
from tests.client.script import Outcome, bodies, connected, following, said, take
from tests.client.scripted_server import PATIENCE_SECONDS, ScriptedServer, Turning

pytestmark = pytest.mark.real_clock


@pytest.mark.parametrize("status", [400, 401, 403, 404, 426])
async def test_an_upgrade_that_is_refused_for_good_is_raised(
    opened: OpenClient, server: ScriptedServer, status: int
) -> None:
    """Trying again would not help."""
    server.turning = [Turning(status, body=b"no")] * 5
    with pytest.raises(UpgradeRefused) as caught:
        async with opened():
            pytest.fail("not open")
    assert caught.value.status == status
    assert server.turned_away == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_an_upgrade_that_is_refused_for_now_is_tried_again(
    opened: OpenClient, server: ScriptedServer, status: int
) -> None:
    """An overloaded or restarting server is waited for."""
    server.turning = [Turning(status, headers=(("Retry-After", "0"),))] * 3
    async with connected(opened, server):
        assert server.turned_away == 3


async def test_retry_after_is_waited_for() -> None:
    """The header's seconds are the hint; without one the back-off decides."""
    ended = _rejection(ConnectionRejected(503, ((b"Retry-After", b"7"),), b"busy"))
    assert ended == Ended(1006, "busy", status=503, retry_after_seconds=7.0)
    assert ended.hint_seconds(None) == 7.0
    assert _rejection(ConnectionRejected(503, ((b"retry-after", b"Wed"),), None)).hint_seconds(None) is None


async def test_a_server_that_hangs_up_during_the_handshake_is_tried_again(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """The library below would wait for ever for the answer."""
    server.hangs_up_early = 3
    with trio.fail_after(PATIENCE_SECONDS):
        async with connected(opened, server) as (client, _):
            assert client.connected


async def test_a_server_that_is_not_there_is_given_up_in_time(mock_clock: MockClock) -> None:
    """The error says what the last attempt ended with."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    await listeners[0].aclose()
    settings = msgspec.structs.replace(QUICK, first_connection_seconds=5.0)

    async def pass_time() -> None:
        # It waits for its next attempt.
        await wait_all_tasks_blocked(0.05)
        mock_clock.jump(5.0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pass_time)
        with pytest.raises(Unreachable, match="attempts to connect"):
            async with open_client(f"http://127.0.0.1:{port}", token="t", settings=settings, jitter=lambda: 0.5):
                pytest.fail("not open")


async def test_a_server_that_accepts_and_says_nothing_is_given_up_in_time(
    mock_clock: MockClock, opened: OpenClient, server: ScriptedServer
) -> None:
    """No welcome within the deadline of an attempt is a lost connection."""
    settings = msgspec.structs.replace(QUICK, connect_seconds=5.0)
    async with trio.open_nursery() as nursery:

        async def silent_then_kind() -> None:
            peer = await server.peer()
            await peer.hello()
            mock_clock.jump(5.0)
            await peer.gone()
            await server.greeted()

        nursery.start_soon(silent_then_kind)
        async with opened(settings=settings) as client:
            assert client.statistics().connections == 1


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 1013, 4000, 4002, 4003, 4004, 4499])
async def test_a_close_that_invites_back_is_followed(opened: OpenClient, server: ScriptedServer, code: int) -> None:
    """The client returns by itself."""
    async with connected(opened, server) as (client, peer):
        await peer.close(code)
        second = await server.greeted()
        await following(second, client)
        assert client.statistics().connections == 2


@pytest.mark.parametrize("code", [1002, 1008, 1009, 4500, 4502, 4503, 4504, 4999])
async def test_a_close_for_good_is_raised_to_everybody(opened: OpenClient, server: ScriptedServer, code: int) -> None:
    """Waiting callers, later callers and the reader of the stream all hear it, after what came before."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery, connected(opened, server) as (client, peer):
        await following(peer, client)
        nursery.start_soon(outcome.of, lambda: client.send("r", "x"))
        await peer.post()
        await peer.say(*said("r", 1))
        await peer.close(code, "go away")
        error = await outcome.wait()
        assert isinstance(error, ClosedByServer)
        assert (error.code, error.reason) == (code, "go away")
        assert await bodies(client, 1) == ["b1"]
        for _ in range(2):
            with pytest.raises(ClosedByServer):
                await take(client)
        with pytest.raises(ClosedByServer):
            await client.send("r", "y")
        assert server.idle()


async def test_goodbye_says_when_to_return(opened: OpenClient, server: ScriptedServer) -> None:
    """Its hint counts for the connection that it ended, and for no later one."""
    async with connected(opened, server) as (client, peer):
        await peer.say(server_frames.goodbye(reason="restart", reconnect_after_ms=60))
        since = trio.current_time()
        await peer.close(1012)
        await server.greeted()
        assert trio.current_time() - since >= 0.06
        assert client._conversation.goodbye is None


async def test_a_token_that_is_not_accepted_is_renewed_once(opened: OpenClient, server: ScriptedServer) -> None:
    """4501 asks the source for a fresh token; an expired session on a later connection does so again."""
    source = Tokens("old", "new", "newer")
    async with trio.open_nursery() as nursery:

        async def guard() -> None:
            peer = await server.peer()
            await peer.hello()
            assert peer.bearer == "old"
            await peer.say(frames.error(ErrorCode.TOKEN_EXPIRED))
            await peer.close(4501, "token_expired")
            peer = await server.greeted()
            assert peer.bearer == "new"
            await peer.close(4005)
            peer = await server.greeted()
            assert peer.bearer == "newer"
            scope.cancel()

        nursery.start_soon(guard)
        with trio.CancelScope() as scope:
            async with opened(token=source):
                await trio.sleep_forever()
    assert source.asked == [False, True, True]


async def test_a_fresh_token_that_is_not_accepted_either_is_the_end(opened: OpenClient, server: ScriptedServer) -> None:
    """A revoked account does not log in for ever."""
    server.turning = [Turning(401)] * 5
    source = Tokens("old", "new", "newer")
    with pytest.raises(UpgradeRefused):
        async with opened(token=source):
            pytest.fail("not open")
    assert source.asked == [False, True]


class Tokens:
    """Gives tokens in turn."""

    def __init__(self, *tokens: str) -> None:
        self.asked: list[bool] = []
        self._tokens = list(tokens)

    async def token(self, *, fresh: bool) -> str | None:
        self.asked.append(fresh)
        await trio.lowlevel.checkpoint()
        if fresh:
            self._tokens.pop(0)
        return self._tokens[0]


async def test_a_server_that_falls_silent_is_left(opened: OpenClient, server: ScriptedServer) -> None:
    """Longer than heartbeat and margin without a byte, and the client connects anew."""
    settings = msgspec.structs.replace(QUICK, silence_margin_seconds=0.03)
    async with trio.open_nursery() as nursery:

        async def script() -> None:
            await server.greeted(frames.welcome(heartbeat_ms=20))
            await server.greeted(frames.welcome(heartbeat_ms=60_000))
            nursery.cancel_scope.cancel()

        nursery.start_soon(script)
        async with opened(settings=settings):
            await trio.sleep_forever()


async def test_the_servers_pings_are_a_sign_of_life_and_are_answered(
    mock_clock: MockClock, opened: OpenClient, server: ScriptedServer
) -> None:
    """Any byte counts, not only frames of the protocol."""
    settings = msgspec.structs.replace(QUICK, silence_margin_seconds=3.0)
    async with trio.open_nursery() as nursery:

        async def script() -> None:
            peer = await server.greeted(frames.welcome(heartbeat_ms=1))
            for number in range(1, 6):
                await peer.ping(b"?")
                while peer.pongs < number and not peer.closed.is_set():
                    await trio.lowlevel.checkpoint()
                await wait_all_tasks_blocked()
                mock_clock.jump(2.0)
                await wait_all_tasks_blocked()
            assert not peer.closed.is_set()
            assert server.idle()
            mock_clock.jump(2.0)
            await peer.gone()
            nursery.cancel_scope.cancel()

        nursery.start_soon(script)
        async with opened(settings=settings):
            await trio.sleep_forever()


async def test_what_is_no_frame_ends_the_connection_and_nothing_else(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """A broken server is left and tried again; the rooms are resumed."""
    async with connected(opened, server) as (client, peer):
        await following(peer, client)
        await peer.say(b'{"type":"subscribed","room":"r","data":{}}')
        second = await server.greeted()
        await second.say_binary(b"\x00")
        third = await server.peer()
        assert (await third.hello()).data.resume == {"r": Position("e1", 0)}
