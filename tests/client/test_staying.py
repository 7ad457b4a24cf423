"""Tokens that run out while a client is connected: the connection and everything on it goes on, or says why not."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
import trio
import trio.lowlevel

from justchat.client import ClosedByServer, Position, Refused
from justchat.wire import server_frames
from justchat.wire.errors import ErrorCode, Refusal, problem
from tests.client import frames
from tests.client.conftest import QUICK, OpenClient
from tests.client.script import bodies, connected, following, said, take
from tests.client.scripted_server import PATIENCE_SECONDS, ScriptedServer

pytestmark = pytest.mark.real_clock


class Source:
    """Gives `t0`, then what the test says: a token, None, or an error to raise."""

    def __init__(self, *fresh: str | Exception | None) -> None:
        self.asked: list[bool] = []
        self._present: str | None = "t0"
        self._fresh = list(fresh)

    async def token(self, *, fresh: bool) -> str | None:
        await trio.lowlevel.checkpoint()
        self.asked.append(fresh)
        if fresh:
            given = self._fresh.pop(0)
            if isinstance(given, Exception):
                raise given
            self._present = given
        return self._present


def refused(code: ErrorCode) -> Refused:
    return Refused(problem(Refusal(code, "planted")))


async def until(true: Callable[[], bool]) -> None:
    """Let everybody else go on until this is true."""
    with trio.fail_after(PATIENCE_SECONDS):
        while not true():
            await trio.lowlevel.checkpoint()


async def test_a_warning_is_answered_by_a_fresh_token_and_nothing_else_changes(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """Same connection, same run of events, and what waits in the buffer stays there."""
    source = Source("t1", "t2")
    async with connected(opened, server, token=source) as (client, peer):
        await following(peer, client)
        await peer.say(*said("r", 1, 2), server_frames.expiring(in_ms=60_000))
        frame = await peer.refresh()
        assert frame.data.token == "t1"
        await peer.say(server_frames.refreshed(frame_id=frame.id, expires_in_ms=600_000), *said("r", 3))
        assert await bodies(client, 3) == ["b1", "b2", "b3"]
        await peer.say(server_frames.expiring(in_ms=60_000))
        frame = await peer.refresh()
        assert frame.data.token == "t2"
        await peer.say(server_frames.refreshed(frame_id=frame.id, expires_in_ms=600_000))
        await until(lambda: client.statistics().renewals == 2)
        assert client.statistics().connections == 1
        assert not peer.closed.is_set()
    assert source.asked == [False, True, True]


async def test_commands_are_answered_while_a_token_is_got(opened: OpenClient, server: ScriptedServer) -> None:
    """Logging in may take long; neither reading nor writing waits for it."""
    got = trio.Event()

    class Slow(Source):
        async def token(self, *, fresh: bool) -> str | None:
            if fresh:
                await got.wait()
            return await super().token(fresh=fresh)

    async with connected(opened, server, token=Slow("t1")) as (client, peer), trio.open_nursery() as nursery:
        await following(peer, client)
        await peer.say(server_frames.expiring(in_ms=60_000))
        nursery.start_soon(client.send, "r", "hello")
        post = await peer.post()
        await peer.say(frames.ack("r", frame_id=post.id, seq=1), *said("r", 1))
        assert await bodies(client, 1) == ["b1"]
        got.set()
        assert (await peer.refresh()).data.token == "t1"


@pytest.mark.parametrize("trouble", [OSError("planted"), refused(ErrorCode.RATE_LIMITED)])
async def test_a_source_in_trouble_is_asked_again(
    opened: OpenClient, server: ScriptedServer, trouble: Exception
) -> None:
    """The minute before the end is there to be used."""
    source = Source(trouble, trouble, "t1")
    async with connected(opened, server, token=source) as (_, peer):
        await peer.say(server_frames.expiring(in_ms=60_000))
        assert (await peer.refresh()).data.token == "t1"


async def test_a_fresh_token_that_passing_trouble_refuses_is_followed_by_another(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """The server's storage was away, say; the connection is the same."""
    async with connected(opened, server, token=Source("t1", "t2")) as (client, peer):
        await peer.say(server_frames.expiring(in_ms=60_000))
        frame = await peer.refresh()
        await peer.say(frames.error(ErrorCode.STORAGE_UNAVAILABLE, frame_id=frame.id, retry_after=0.0))
        assert (await peer.refresh()).data.token == "t2"
        assert client.statistics().connections == 1


@pytest.mark.parametrize("given", [None, refused(ErrorCode.UNAUTHENTICATED)])
async def test_without_another_token_the_client_goes_on_to_the_end_of_this_one(
    opened: OpenClient, server: ScriptedServer, given: Exception | None
) -> None:
    """It reads until it is closed, and is then told why it cannot come back."""
    async with connected(opened, server, token=Source(given, given)) as (client, peer):
        await following(peer, client)
        await peer.say(server_frames.expiring(in_ms=60_000), *said("r", 1))
        assert await bodies(client, 1) == ["b1"]
        await peer.close(4005, "the token has expired")
        with pytest.raises(ClosedByServer if given is None else Refused):
            await take(client)


async def test_an_expired_token_is_followed_by_a_connection_with_another(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """At once, with a token that was asked for as a fresh one, and the rooms are resumed."""
    source = Source("t1")
    slow = msgspec.structs.replace(QUICK, reconnect_base_seconds=60.0, reconnect_cap_seconds=60.0)
    async with connected(opened, server, token=source, settings=slow, jitter=lambda: 0.99) as (client, peer):
        await following(peer, client)
        await peer.close(4005, "the token has expired")
        second = await server.peer()
        assert second.bearer == "t1"
        assert (await second.hello()).data.resume == {"r": Position("e1", 0)}
    assert source.asked == [False, True]


async def test_an_ended_session_is_the_end_without_another_way_in(opened: OpenClient, server: ScriptedServer) -> None:
    """4502 is said in the server's words to whoever has a token and nothing else."""
    async with connected(opened, server) as (client, peer):
        await peer.close(4502, "the session has ended")
        with pytest.raises(ClosedByServer, match="4502 the session has ended"):
            await take(client)
        assert server.idle()


async def test_an_ended_session_is_followed_by_another_one_where_there_is_a_way(
    opened: OpenClient, server: ScriptedServer
) -> None:
    """With a password, say; one fresh token that is refused, too, is the end."""
    source = Source("t1", "t2")
    async with connected(opened, server, token=source) as (client, peer):
        await peer.close(4502, "the session has ended")
        second = await server.greeted()
        assert second.bearer == "t1"
        await second.close(4502, "the session has ended")
        third = await server.peer()
        assert third.bearer == "t2"
        await third.close(4501, "unauthenticated")
        with pytest.raises(ClosedByServer, match="4501"):
            await take(client)
        assert server.idle()


async def test_a_warning_that_was_not_asked_for_is_harmless(opened: OpenClient, server: ScriptedServer) -> None:
    """So are an answer that nobody waits for, and news of a sign-in elsewhere."""
    async with connected(opened, server) as (client, peer):
        await following(peer, client)
        await peer.say(
            server_frames.refreshed(frame_id="refresh-9", expires_in_ms=5),
            server_frames.signed_in("s_1", user_agent="elsewhere", address="127.0.0.1"),
            server_frames.expiring(in_ms=60_000),
            server_frames.expiring(in_ms=0),
            *said("r", 1),
        )
        assert await bodies(client, 1) == ["b1"]
        assert client.statistics().renewals == 0
