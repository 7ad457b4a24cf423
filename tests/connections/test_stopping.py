"""A graceful stop of the whole server, in this process and on a real port: what is under way, and who is told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, open_websocket_url

from justchat.app import Hooks, serve
from justchat.config import Config
from justchat.rooms.draft import Draft
from justchat.rooms.room_actor import RoomActor

pytestmark = pytest.mark.real_clock


class Served:
    """A server in this process, its user, and how to stop it."""

    def __init__(self, url: str, stop: trio.Event) -> None:
        self.url = url
        self.stop = stop
        self.stopped = trio.Event()
        self.token = ""

    async def rest(self, method: str, path: str, body: object = None) -> Any:
        async with httpx.AsyncClient(base_url=f"{self.url}/api/v1", trust_env=False) as http:
            headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
            response = await http.request(method, path, json=body, headers=headers)
            assert response.is_success, response.text
            return response.json()

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[WebSocketConnection]:
        async with open_websocket_url(f"{self.url.replace('http', 'ws')}/ws") as socket:
            yield socket


@asynccontextmanager
async def served(*, drain_seconds: float, hooks: Hooks | None = None) -> AsyncIterator[Served]:
    config = Config(port=0, database="memory://", bcrypt_cost=4, drain_seconds=drain_seconds)
    stop, addresses = trio.Event(), list[str]()
    announced = trio.Event()

    def announce(address: str) -> None:
        addresses.append(address)
        announced.set()

    async def run(server: Served) -> None:
        await serve(config, hooks=hooks, announce=announce, stop=stop)
        server.stopped.set()

    async with trio.open_nursery() as nursery:
        server = Served("", stop)
        nursery.start_soon(run, server)
        with trio.fail_after(10):
            await announced.wait()
        server.url = addresses[0]
        answer = await server.rest("POST", "/auth/register", {"username": "ann", "password": "correct horse battery"})
        server.token = answer["access_token"]
        yield server
        stop.set()
        with trio.fail_after(10):
            await server.stopped.wait()


async def _hello(socket: WebSocketConnection, token: str) -> None:
    await socket.send_message(json.dumps({"type": "hello", "data": {"token": token}}))
    assert json.loads(await socket.get_message())["type"] == "welcome"


async def _to_the_end(socket: WebSocketConnection) -> tuple[list[str], int]:
    kinds = []
    try:
        with trio.fail_after(10):
            while True:
                kinds.append(json.loads(await socket.get_message())["type"])
    except ConnectionClosed as closed:
        return kinds, 1006 if closed.reason is None else closed.reason.code


async def test_a_commit_under_way_is_finished_and_acknowledged_before_goodbye() -> None:
    """The sender hears ack, then goodbye, then 1012."""
    gate = trio.Event()

    class Slow(RoomActor):
        async def _append(self, draft: Draft) -> None:
            if draft.entries[0].seq > 1:
                await gate.wait()
            await super()._append(draft)

    async with served(drain_seconds=4, hooks=Hooks(room_actor=Slow)) as server:
        room = (await server.rest("POST", "/rooms", {"kind": "group", "name": "x"}))["id"]
        async with server.socket() as socket:
            await _hello(socket, server.token)
            frame = {"type": "send", "room": room, "data": {"client_msg_id": "1", "body": "x"}}
            await socket.send_message(json.dumps(frame))
            await socket.send_message('{"type":"ping"}')
            assert json.loads(await socket.get_message())["type"] == "pong"
            server.stop.set()
            await trio.sleep(0.1)
            gate.set()
            assert await _to_the_end(socket) == (["ack", "goodbye"], 1012)


async def test_a_room_that_hangs_costs_nobody_the_goodbye() -> None:
    """Half of the time is for commands; then everybody is told, and the stop ends within its time."""

    class Stuck(RoomActor):
        async def _append(self, draft: Draft) -> None:
            if draft.entries[0].seq > 1:
                await trio.sleep_forever()
            await super()._append(draft)

    async with served(drain_seconds=0.4, hooks=Hooks(room_actor=Stuck)) as server:
        room = (await server.rest("POST", "/rooms", {"kind": "group", "name": "x"}))["id"]
        async with server.socket() as socket, server.socket() as silent:
            await _hello(socket, server.token)
            frame = {"type": "send", "room": room, "data": {"client_msg_id": "1", "body": "x"}}
            await socket.send_message(json.dumps(frame))
            await socket.send_message('{"type":"ping"}')
            assert json.loads(await socket.get_message())["type"] == "pong"
            server.stop.set()
            assert await _to_the_end(socket) == (["goodbye"], 1012)
            assert await _to_the_end(silent) == ([], 1012)
        with trio.fail_after(2):
            await server.stopped.wait()
