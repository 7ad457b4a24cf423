"""Opening and leaving a client: what it knows at once, and that it leaves nothing behind."""

from __future__ import annotations

import pytest
import trio

from justchat.client import (
    ClientClosed,
    open_client,
)
from tests.client.conftest import OpenClient
from tests.client.script import Outcome, connected
from tests.client.scripted_server import Peer, ScriptedServer

pytestmark = pytest.mark.real_clock


async def test_a_client_knows_who_it_is_once_it_is_open(opened: OpenClient, server: ScriptedServer) -> None:
    """The token goes with the upgrade and not with hello, and the welcome is there when the block begins."""
    async with connected(opened, server) as (client, peer):
        assert peer.bearer == "t0ken"
        assert client.user.username == "alice"
        assert client.connected
        assert client.statistics().connections == 1


async def test_leaving_the_block_closes_politely(opened: OpenClient, server: ScriptedServer) -> None:
    """The server gets a close frame with 1000 and no half connection."""
    async with connected(opened, server) as (_, peer):
        pass
    await peer.gone()
    assert peer.close_code == 1000


async def test_an_exception_of_the_block_comes_out_as_it_is(opened: OpenClient, server: ScriptedServer) -> None:
    """Callers can catch what they raised, although a nursery lies in between."""
    plan = ValueError("mine")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.greeted)
        with pytest.raises(ValueError) as caught:
            async with opened():
                raise plan from KeyError("cause")
    assert caught.value is plan
    assert isinstance(plan.__cause__, KeyError)


async def test_cancelling_the_block_leaves_nothing_behind(opened: OpenClient, server: ScriptedServer) -> None:
    """A deadline around everything ends connection and task at once."""
    async with trio.open_nursery() as nursery:
        peers: list[Peer] = []

        async def greet() -> None:
            peers.append(await server.greeted())

        nursery.start_soon(greet)
        with trio.CancelScope() as scope:
            async with opened():
                scope.cancel()
                await trio.sleep_forever()
        assert scope.cancelled_caught
    await peers[0].gone()


async def test_calls_after_the_block_say_that_the_client_is_closed(opened: OpenClient, server: ScriptedServer) -> None:
    """And the stream has ended, not hung."""
    async with connected(opened, server) as (client, _):
        pass
    with pytest.raises(ClientClosed):
        await client.send("r", "late")
    assert [item async for item in client.events()] == []


async def test_a_call_that_waits_when_the_block_ends_is_told(opened: OpenClient, server: ScriptedServer) -> None:
    """No caller is left without an answer."""
    outcome = Outcome()
    async with trio.open_nursery() as nursery:
        async with connected(opened, server) as (client, peer):
            nursery.start_soon(outcome.of, lambda: client.send("r", "x"))
            await peer.post()
        assert isinstance(await outcome.wait(), ClientClosed)


async def test_who_is_calling_has_to_be_said_once() -> None:
    """Neither nobody nor two at a time."""
    with pytest.raises(ValueError):
        async with open_client("http://127.0.0.1:1"):
            pass
    with pytest.raises(ValueError):
        async with open_client("http://127.0.0.1:1", token="t", credentials=("a", "b")):
            pass


@pytest.mark.parametrize("token", ["", "jc_x\n", " jc_x", "jc\0x"])
async def test_what_is_no_token_is_refused_before_anything_is_sent(token: str) -> None:
    """Such as one that was read from a file with the end of its line: no header can hold it."""
    with pytest.raises(ValueError, match="a word without blanks"):
        async with open_client("http://127.0.0.1:1", token=token):
            pass


class Broken:
    """A source with a bug in it."""

    async def token(self, *, fresh: bool) -> str | None:
        raise LookupError("a bug")


async def test_a_bug_in_the_source_of_tokens_comes_out_as_it_is() -> None:
    """And not in a group beside the news that the client has ended, which the same bug caused."""
    with pytest.raises(LookupError, match="a bug"):
        async with open_client("http://127.0.0.1:1", token=Broken()):
            pass
