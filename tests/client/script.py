"""Steps that scripts share: opening a client against its first connection, following a room, taking items."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import trio

from justchat.client import (
    Client,
    RoomEvent,
    Subscribed,
)
from tests.client import frames
from tests.client.conftest import OpenClient
from tests.client.scripted_server import PATIENCE_SECONDS, Peer, ScriptedServer


@asynccontextmanager
async def connected(opened: OpenClient, server: ScriptedServer, **wishes: object) -> AsyncIterator[tuple[Client, Peer]]:
    """Open a client and take its first connection up to the welcome."""
    peers: list[Peer] = []
    greeted = trio.Event()

    async def greet() -> None:
        peers.append(await server.greeted())
        greeted.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(greet)
        async with opened(**wishes) as client:
            await greeted.wait()
            yield client, peers[0]


async def following(peer: Peer, client: Client, room: str = "r", *, head: int = 0) -> None:
    """Have the client subscribe to a room."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.subscribe, room)
        question = await peer.question()
        await peer.say(frames.subscribed(room, frame_id=question.id, head_seq=head))
    assert isinstance(await take(client), Subscribed)


async def take(client: Client) -> object:
    """Wait for the next item."""
    with trio.fail_after(PATIENCE_SECONDS):
        return await anext(client.events())


async def bodies(client: Client, count: int) -> list[str]:
    """Wait for so many events, and give what they say."""
    found = []
    for _ in range(count):
        item = await take(client)
        assert isinstance(item, RoomEvent), item
        found.append(msgspec.json.decode(item.data)["body"])
    return found


def said(room: str, *seqs: int) -> list[bytes]:
    return [frames.message_event(room, seq, f"b{seq}") for seq in seqs]


class Outcome:
    """What a call in a background task came to."""

    def __init__(self) -> None:
        self.value: object = None
        self.done = trio.Event()

    async def of(self, call: Callable[[], object]) -> None:
        try:
            self.value = await call()  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.value = error
        self.done.set()

    async def wait(self) -> object:
        with trio.fail_after(PATIENCE_SECONDS):
            await self.done.wait()
        return self.value
