"""Requests to something that is not the server: a proxy's page in its place, say, or half an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from justchat.client import ClientSettings, open_client
from justchat.client.rest import KEEP_ALIVE_SECONDS, open_rest
from justchat.config import Config

pytestmark = pytest.mark.real_clock

PAGE = b"<html>Back in five minutes</html>"
ANSWERS = {
    "a page": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n" + PAGE,
    "other JSON": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]",
    "half an answer": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 999\r\n\r\n{",
}


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[tuple[str, trio.MemoryReceiveChannel[None]]]:
    """Run a server that gives everybody the same answer; its address, and a sign for every answer."""
    told, asked = trio.open_memory_channel[None](100)

    async def answer_one(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some(65_536)
            await stream.send_all(answer)
            await stream.send_eof()
            told.send_nowait(None)
            async for _ in stream:
                pass  # bytes nobody read would make a reset of the end

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, answer_one, listeners)
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}", asked
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("what", sorted(ANSWERS))
async def test_an_answer_that_is_not_the_servers_is_an_unreachable_server(what: str) -> None:
    """OSError, which says that trying again later may help, and none of the libraries' own errors."""
    async with answering(ANSWERS[what]) as (url, _), open_rest(url) as rest:
        with pytest.raises(OSError, match="/users/me"):
            await rest.me()


async def test_a_client_does_not_end_by_a_page_in_the_place_of_the_server() -> None:
    """It asks again, as it does where nothing answers."""
    settings = ClientSettings(reconnect_base_seconds=0.01, reconnect_cap_seconds=0.01)
    async with answering(ANSWERS["a page"]) as (url, asked), trio.open_nursery() as nursery:

        async def stay() -> None:
            async with open_client(url, credentials=("alice", "her password"), settings=settings):
                pytest.fail("nobody is there")

        nursery.start_soon(stay)
        for _ in range(3):
            await asked.receive()
        nursery.cancel_scope.cancel()


def test_idle_connections_are_given_up_before_the_server_does() -> None:
    """Else a request may meet the end of the connection that it goes out on, and nobody can tell what became of it."""
    assert Config().keep_alive_seconds / 2 >= KEEP_ALIVE_SECONDS
