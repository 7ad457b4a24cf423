"""Connections that break at every point: the stream stays whole and every post is in the room once.

A model server speaks over real sockets and cuts each connection after a set number of bytes, after the welcome, in
the middle of frames, between a commit and its ack. In some runs it loses and repeats events besides.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
import trio

from justchat.client import Ack, Client
from tests.client.conftest import OpenClient
from tests.client.law import Judge
from tests.client.model_server import ModelServer
from tests.client.scripted_server import Peer, ScriptedServer

pytestmark = pytest.mark.real_clock

ROOMS = ("r_1", "r_2")
POSTS = 6
OTHERS = 12


class CuttingServer:
    """Serves a model, and cuts each connection after so many bytes; the last one lives."""

    def __init__(self, model: ModelServer, server: ScriptedServer, *, seed: int | None) -> None:
        self.model = model
        self.cuts = 0
        self._server = server
        self._random = None if seed is None else random.Random(seed)
        self._others = 0

    async def run(self, budgets: Iterable[int]) -> None:
        for budget in (*budgets, 10**9):
            peer = await self._server.peer()
            self.model.disconnect()
            await self._serve(peer, budget)

    async def _serve(self, peer: Peer, budget: int) -> None:
        while True:
            try:
                self.model.handle(await peer.receive())
            except trio.EndOfChannel:
                return
            self._let_things_happen()
            while self.model.outgoing:
                data = peer.framed(self.model.outgoing.popleft())
                await peer.say_raw(data[:budget])
                budget -= len(data)
                if budget <= 0:
                    self.cuts += 1
                    await (peer.reset() if self.cuts % 2 else peer.hang_up())
                    return

    def _let_things_happen(self) -> None:
        if self.model.greeted and self._others < OTHERS:
            room = ROOMS[self._others % len(ROOMS)]
            self._others += 1
            self.model.post(room, f"{room} other {self._others}")
        if self._random is not None:
            self.model.repeat(self._random.randrange(100))
            if self._random.random() < 0.5:
                self.model.lose(self._random.randrange(100))


async def post_all(client: Client, acks: list[Ack]) -> None:
    for number in range(POSTS):
        acks.append(await client.send(ROOMS[number % len(ROOMS)], f"post {number}", client_msg_id=f"key-{number}"))


async def read_to_the_end(client: Client, judge: Judge, model: ModelServer, posted: trio.Event) -> None:
    while not posted.is_set() or judge.seqs != {room: model.journals[room].head for room in ROOMS}:
        with trio.move_on_after(0.01):
            judge.see(await anext(client.events()))


@pytest.mark.parametrize(("step", "seed"), [(7, None), (11, 1), (13, 2), (29, 3)])
async def test_whatever_byte_a_connection_breaks_at_nothing_is_lost_or_repeated(
    opened: OpenClient, server: ScriptedServer, step: int, seed: int | None
) -> None:
    """Connection after connection gets a little further; at the end all is there, in order, once."""
    model = ModelServer(ROOMS)
    cutting = CuttingServer(model, server, seed=seed)
    judge, posted = Judge(), trio.Event()
    acks: list[Ack] = []
    with trio.fail_after(90):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cutting.run, range(1, 2600, step * 5))
            async with opened(subscribe="all") as client:
                async with trio.open_nursery() as application:
                    application.start_soon(read_to_the_end, client, judge, model, posted)
                    await post_all(client, acks)
                    # A loss at the very end shows with the next event.
                    for room in ROOMS:
                        await client.send(room, "the end")
                    posted.set()
                assert client.statistics().connections > 3
            nursery.cancel_scope.cancel()
    assert cutting.cuts > 10
    for number, ack in enumerate(acks):
        archive = model.journals[ack.room].archive["e1"]
        assert archive[ack.seq - 1] == f"post {number}"
        assert archive.count(f"post {number}") == 1
    assert all(model.journals[room].archive[epoch][seq - 1] == body for room, epoch, seq, body in judge.seen)
