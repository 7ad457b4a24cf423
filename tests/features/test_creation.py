"""A room and its members come about together or not at all, wherever the creation is broken off."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client

from justchat.app import Hooks, open_system
from justchat.config import Config
from justchat.http.app import create_app
from justchat.rooms.room_actor import FAULT_POINTS
from storage.sqlite import connection, database
from storage.sqlite.settings import SqliteSettings
from tests.storage.contract.backends import ram_folder
from tests.support.rest import PASSWORD

pytestmark = pytest.mark.real_clock

PEOPLE = ("ann", "bob", "cid", "dee")
# What is stored of rooms.
TABLES = ("rooms", "entries", "members", "messages", "items")


class Breaker:
    """Breaks off one statement of the connection that writes, inside SQLite: the `broken`th from when it is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.broken: int | None = None
        self.begun = 0
        monkeypatch.setattr(database, "connect", self._connect)

    def _connect(self, settings: SqliteSettings, *, read_only: bool) -> sqlite3.Connection:
        opened = connection.connect(settings, read_only=read_only)
        if not read_only:
            opened.set_trace_callback(self._begin)
            opened.set_progress_handler(lambda: int(self.begun == self.broken), 1)
        return opened

    def _begin(self, _: str) -> None:
        self.begun += 1

    def count_from_here(self, broken: int | None = None) -> None:
        """Count statements anew, and break one of them off."""
        self.begun, self.broken = 0, broken


class Town:
    """Some people over REST in this process, and the file that everything is in."""

    def __init__(self, client: Client, file: Path) -> None:
        self.client = client
        self.file = file
        self.tokens: dict[str, str] = {}

    async def settle(self) -> None:
        for name in PEOPLE:
            answer = await self.client.post("/api/v1/auth/register", json={"username": name, "password": PASSWORD})
            self.tokens[name] = (await answer.get_json())["access_token"]

    async def create(self) -> int:
        """Have Ann make a room with the others, and give the status."""
        body = {"kind": "group", "name": "Trip", "members": [*PEOPLE[1:]]}
        return (await self.client.post("/api/v1/rooms", json=body, headers=self._as("ann"))).status_code

    async def rooms_of(self, name: str) -> list[str]:
        answer = await self.client.get("/api/v1/users/me/rooms", headers=self._as(name))
        return [room["id"] for room in (await answer.get_json())["items"]]

    async def members(self, room: str) -> int:
        answer = await self.client.get(f"/api/v1/rooms/{room}", headers=self._as("ann"))
        return int((await answer.get_json())["member_count"])

    def stored(self) -> dict[str, int]:
        """Count what is in the file."""
        with closing(sqlite3.connect(self.file)) as file:
            return {table: file.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}

    def _as(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[name]}"}

    async def check(self, rooms: int) -> None:
        """See that there are so many rooms, each of them whole, for everybody alike."""
        (found,) = {tuple(await self.rooms_of(name)) for name in PEOPLE}
        assert len(found) == rooms
        assert [await self.members(room) for room in found] == [len(PEOPLE)] * rooms
        expected = {"rooms": rooms, "entries": rooms, "members": rooms * len(PEOPLE), "messages": 0, "items": 0}
        assert self.stored() == expected


@asynccontextmanager
async def open_town(**hooks: Any) -> AsyncIterator[Town]:
    with ram_folder() as folder:
        file = folder / "chat.db"
        config = Config(database=f"sqlite:///{file}", bcrypt_cost=4, lobby="no")
        async with open_system(config, hooks=Hooks(**hooks)) as (system, _):
            town = Town(create_app(system).test_client(), file)
            await town.settle()
            yield town


async def test_a_creation_broken_off_at_any_statement_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """From BEGIN to COMMIT: no room, no member, no entry; and the next one is made as if nothing had been."""
    breaker = Breaker(monkeypatch)
    async with open_town() as town:
        breaker.count_from_here()
        assert await town.create() == 201
        statements = breaker.begun
        assert statements >= 5  # it begins, writes entry, members and room, and commits
        await town.check(1)
        rooms, refused = 1, 0
        for number in range(1, statements + 1):
            breaker.count_from_here(number)
            status = await town.create()
            breaker.count_from_here()
            # A room whose COMMIT fails looks at what became of it, and tries once more.
            assert status >= 500 or (status, number) == (201, statements)
            refused, rooms = refused + (status >= 500), rooms + (status == 201)
            await town.check(rooms)
            assert await town.create() == 201
            rooms += 1
            await town.check(rooms)
        assert refused >= statements - 1


@pytest.mark.parametrize("point", FAULT_POINTS)
async def test_a_room_that_crashes_while_it_is_made_is_there_whole_or_not_at_all(point: str) -> None:
    """Before the commit it is not; after it, it is, for everybody: also where whoever made it was not told so."""
    crashes: list[str] = []

    def fault(at: str, _: str) -> None:
        if at == point and not crashes:
            crashes.append(at)
            raise RuntimeError("planted")

    async with open_town(fault=fault) as town:
        assert await town.create() in {201, 500, 503}
        assert crashes == [point]
        made = len(await town.rooms_of("bob"))
        await town.check(made)
        assert made == 1 or point in {"loading", "before_commit"}
        assert await town.create() == 201
        await town.check(made + 1)
