"""Outages: what can happen to a server's databases while a crowd talks, one fault after another.

Each fault strikes in the middle of commits, lasts as long as it says, goes, and is over when every room takes posts
again and the server calls itself ready, with nobody's help.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL
from typing import Any

from msgspec import Struct

from tests.faults.api import Api
from tests.faults.database_proxy import Blow, DatabaseProxy
from tests.faults.killing import acks_everywhere, acks_more
from tests.faults.load import Crowd
from tests.faults.site import Site
from tests.support.mongo_server import MongoServer
from tests.support.postgres_server import PostgresServer

WELL_SECONDS = 30.0
"""How long a server may take to be well again; what is expected of it is far less and is printed."""
_LATENCY_SECONDS = 0.02
_LOOK_SECONDS = 0.02
_UNREADY = 503


class Fault(Struct, frozen=True):
    """A fault by its name, and the database that it strikes: `database` or `journal`."""

    name: str
    database: str

    def __str__(self) -> str:
        return f"{self.database}:{self.name}"


class Outages:
    """Strikes the databases of `site`, which a server uses that `crowd` talks to."""

    def __init__(self, site: Site, api: Api, crowd: Crowd, *, seed: int, pause_seconds: float) -> None:
        self.did: Counter[str] = Counter()
        self.unready = 0
        """How many outages the server has admitted."""
        self.in_commit = 0
        """How many backends died in the middle of a COMMIT."""
        self.in_doubt = 0
        """How often a room began anew, not knowing what had become of its batch; as of `settled`."""
        self.well_again: dict[str, float] = {}
        """The longest that it took after a fault had gone."""
        self.slowest_call_seconds = 0.0
        """The longest that a call by REST took in an outage."""
        self.statuses: Counter[int] = Counter()
        self._site = site
        self._api = api
        self._crowd = crowd
        self._choice = random.Random(seed)
        self._pause_seconds = pause_seconds
        self._faults: Mapping[str, Callable[[str], Awaitable[None]]] = {
            "latency": self._latency,
            "stall": self._stall,
            "reset": self._reset,
            "half open": self._half_open,
            "cut request": lambda name: self._cut(name, "request"),
            "cut answer": lambda name: self._cut(name, "answer"),
            "pause": self._pause,
            "crash": self._crash,
            "backend": lambda _: self._kill_a_backend(),
            "immediate": lambda _: asyncio.to_thread(self._site.postgres.restart, "immediate"),
        }

    async def strike(self, fault: Fault) -> None:
        """Do it, and wait until all is well again."""
        await acks_more(self._crowd, self._choice.randint(10, 40))
        await self._faults[fault.name](fault.database)
        gone_at = time.monotonic()
        await self._well(fault)
        for proxy in self._site.proxies.values():
            proxy.forget()
        self.did[str(fault)] += 1
        self.well_again[str(fault)] = max(self.well_again.get(str(fault), 0.0), time.monotonic() - gone_at)

    async def settled(self) -> dict[str, Any]:
        """Wait until nothing is under way between the server and its databases; give what it tells of them."""
        async with asyncio.timeout(WELL_SECONDS):
            while _busy(backend := await self._backend()):  # noqa: ASYNC110 - the server is another process
                await asyncio.sleep(_LOOK_SECONDS)
        return backend

    # The faults.

    async def _latency(self, name: str) -> None:
        proxy = self._site.proxies[name]
        proxy.latency_seconds = _LATENCY_SECONDS
        await acks_more(self._crowd, 8)
        proxy.latency_seconds = 0.0

    async def _stall(self, name: str) -> None:
        proxy = self._site.proxies[name]
        proxy.stall()
        try:
            await self._admitted(name)
        finally:
            proxy.flow()

    async def _reset(self, name: str) -> None:
        await self._done_by(self._site.proxies[name], "reset", DatabaseProxy.reset)

    async def _half_open(self, name: str) -> None:
        await self._done_by(self._site.proxies[name], "half_open", DatabaseProxy.half_open)

    async def _cut(self, name: str, blow: Blow) -> None:
        await self._done_by(self._site.proxies[name], f"cut {blow}", lambda proxy: proxy.order(blow), blow=True)

    async def _done_by(
        self, proxy: DatabaseProxy, what: str, order: Callable[[DatabaseProxy], None], *, blow: bool = False
    ) -> None:
        before = proxy.did[what]
        order(proxy)
        async with asyncio.timeout(WELL_SECONDS):
            while proxy.did[what] == before:
                await asyncio.sleep(_LOOK_SECONDS)
                if not blow:
                    order(proxy)  # there may have been no connection just then

    async def _pause(self, name: str) -> None:
        database = self._database(name)
        await asyncio.to_thread(database.pause)
        try:
            await asyncio.gather(self._admitted(name), asyncio.sleep(self._pause_seconds))
        finally:
            await asyncio.to_thread(database.resume)

    async def _crash(self, name: str) -> None:
        database = self._database(name)
        await asyncio.to_thread(database.kill)
        await self._admitted(name)
        await asyncio.to_thread(database.start)

    async def _kill_a_backend(self) -> None:
        self.in_commit += await asyncio.to_thread(kill_in_commit, self._site.postgres)

    def _database(self, name: str) -> PostgresServer | MongoServer:
        if name == "database":
            return self._site.postgres
        assert self._site.mongo is not None, "this site has no journal of its own"
        return self._site.mongo

    # What the server says.

    async def _admitted(self, name: str) -> None:
        """Wait until the server calls itself unready, calling it meanwhile for what the database has.

        If it keeps messages, wait also until a post has been refused for it.
        """
        vital = "database" if self._site.mongo is None else "journal"
        before = self._refusals()
        room = self._crowd.cast.rooms[0]
        path = "/rooms" if name == "database" else f"/rooms/{room}/events?after=0&limit=1"
        calls = asyncio.create_task(self._call(path))
        async with asyncio.timeout(WELL_SECONDS):
            while await self._ready() != _UNREADY:  # noqa: ASYNC110 - the server is another process
                await asyncio.sleep(_LOOK_SECONDS)
        self.unready += 1
        if name == vital:
            assert await self._crowd.until(lambda: self._refusals() > before), "nobody was refused"
        await calls

    def _refusals(self) -> int:
        answers = self._crowd.answers
        return answers["storage_unavailable"] + answers["room_unavailable"]

    async def _call(self, path: str) -> None:
        began = time.monotonic()
        answer = await asyncio.to_thread(self._api.request, self._crowd.cast.people[0], "GET", path)
        self.statuses[answer.status_code] += 1
        self.slowest_call_seconds = max(self.slowest_call_seconds, time.monotonic() - began)

    async def _ready(self) -> int:
        return (await asyncio.to_thread(self._api.request, None, "GET", "/health/ready")).status_code

    async def _backend(self) -> dict[str, Any]:
        actors = await asyncio.to_thread(self._api.actors)
        self.in_doubt = actors["supervisor"]["restarts"]
        backend: dict[str, Any] = actors["storage"]["backend"]
        return backend

    async def _well(self, fault: Fault) -> None:
        """Wait until every room takes posts, and the server says that it is ready."""
        silent = await acks_everywhere(self._crowd, 2)
        assert not silent, f"after {fault}, {len(silent)} rooms are silent:\n{self._crowd.server.log[-4000:]}"
        async with asyncio.timeout(WELL_SECONDS):
            while await self._ready() == _UNREADY:  # noqa: ASYNC110 - the server is another process
                await asyncio.sleep(_LOOK_SECONDS)


def _busy(backend: Mapping[str, Any]) -> bool:
    postgres, mongo = backend["postgres"], backend.get("mongo")
    projections = backend.get("projections")
    return bool(
        postgres["in_use"]
        # One that has ended, and that nobody has noticed yet.
        or postgres["idle"] != postgres["size"]
        or postgres["left_behind"]
        or (mongo is not None and mongo["in_use"])
        or (projections is not None and projections["rooms_behind"])
    )


def kill_in_commit(server: PostgresServer, *, seconds: float = 2.0) -> bool:
    """Kill a backend that commits, or else one that writes; tell whether it was in the middle of its COMMIT."""
    until = time.monotonic() + seconds
    while True:
        doing = {pid: _doing(pid) for pid in server.backend_pids()}
        found = next((pid for pid, what in doing.items() if b" COMMIT" in what), None)
        if found is None and time.monotonic() < until:
            continue
        victim = found or next((pid for pid, what in doing.items() if b"127.0.0.1" in what), None)
        assert victim is not None, "nobody is connected"
        with suppress(ProcessLookupError):
            os.kill(victim, SIGKILL)
            return found is not None


def _doing(pid: int) -> bytes:
    # A backend writes what it is at over its command line.
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
