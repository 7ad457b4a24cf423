"""History: paged at the same cost however long it is, fifty at a time unless asked otherwise, for members alone."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client

from justchat.app import open_system
from justchat.config import Config
from justchat.http.app import create_app
from storage.sqlite import connection, database
from storage.sqlite.settings import SqliteSettings
from tests.features.long_room import talk_long
from tests.storage.contract.backends import ram_folder
from tests.support.rest import PASSWORD, register
from tests.support.server import ServerProcess
from tests.support.talker import Talker

pytestmark = pytest.mark.real_clock

SHORT = 1_000


class Meter:
    """How much SQLite has to do: the steps of its virtual machine, over all connections."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps = 0
        monkeypatch.setattr(database, "connect", self._connect)

    def _connect(self, settings: SqliteSettings, *, read_only: bool) -> sqlite3.Connection:
        opened = connection.connect(settings, read_only=read_only)
        if read_only:
            opened.set_progress_handler(self._step, 1)
        return opened

    def _step(self) -> int:
        self.steps += 1
        return 0


class Reader:
    """Somebody who reads rooms over REST, in this process, where the meter is."""

    def __init__(self, client: Client, meter: Meter) -> None:
        self.client = client
        self.meter = meter
        self.headers: dict[str, str] = {}
        self.id = ""

    async def sign_up(self) -> None:
        answer = await self.client.post("/api/v1/auth/register", json={"username": "ann", "password": PASSWORD})
        session = await answer.get_json()
        self.headers, self.id = {"Authorization": f"Bearer {session['access_token']}"}, session["user"]["id"]

    async def make_room(self) -> str:
        body = {"kind": "group", "name": "Long"}
        answer = await self.client.post("/api/v1/rooms", json=body, headers=self.headers)
        return str((await answer.get_json())["id"])

    async def read(self, path: str) -> tuple[list[int], int]:
        """Read a page; give its seqs, and what it cost: the least of some times, for the server has its own work."""
        costs = []
        for _ in range(4):
            before = self.meter.steps
            answer = await self.client.get(f"/api/v1{path}", headers=self.headers)
            costs.append(self.meter.steps - before)
        assert answer.status_code == 200
        return [item["seq"] for item in (await answer.get_json())["items"]], min(costs)


@pytest.mark.parametrize(
    "long",
    [
        20_000,
        pytest.param(100_000, marks=pytest.mark.thorough),
        pytest.param(1_000_000, marks=[pytest.mark.soak, pytest.mark.timeout(600)]),
    ],
)
async def test_a_page_costs_the_same_however_long_the_room_is(long: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the step, for each way to ask, at either end and in the middle; and it is the page that was asked for."""
    meter = Meter(monkeypatch)
    with ram_folder() as folder:
        config = Config(database=f"sqlite:///{folder}/chat.db", bcrypt_cost=4)
        async with open_system(config) as (system, _):
            ann = Reader(create_app(system).test_client(), meter)
            await ann.sign_up()
            rooms = {SHORT: await ann.make_room(), long: await ann.make_room()}
            # Neither is the last one in the table, where a search ends a step earlier.
            await ann.make_room()
        for upto, room in rooms.items():
            await talk_long(config.database, room, author=ann.id, upto=upto)
        async with open_system(config) as (system, _):
            ann.client = create_app(system).test_client()
            costs = {upto: await _read_all(ann, room, upto) for upto, room in rooms.items()}
    assert costs[long] == costs[SHORT]
    assert all(cost > 0 for cost in costs[SHORT])


async def _read_all(reader: Reader, room: str, upto: int) -> list[int]:
    """Read one page in each way; give what each cost."""
    middle = upto // 2
    pages = {
        "messages": range(upto - 49, upto + 1),
        "messages?limit=100": range(upto - 99, upto + 1),
        f"messages?before={middle}": range(middle - 50, middle),
        f"messages?after={middle}": range(middle + 1, middle + 51),
        f"messages?around={middle}": range(middle - 25, middle + 25),
        "messages?before=60": range(10, 60),
        "messages?after=0&limit=10": range(2, 12),
        "events": range(1, 51),
        f"events?before={middle}": range(middle - 50, middle),
        f"events?after={upto - 10}": range(upto - 9, upto + 1),
    }
    # What wakes the room is no page's cost.
    await reader.read(f"/rooms/{room}/messages?limit=1")
    costs = []
    for page, seqs in pages.items():
        found, cost = await reader.read(f"/rooms/{room}/{page}")
        assert found == [*seqs], page
        costs.append(cost)
    return costs


def test_fifty_come_unless_one_asks_for_more_and_never_more_than_a_hundred(server: ServerProcess) -> None:
    """Over REST and with a subscription; what asks for more than may be had is refused."""
    ann = register(server)
    room = ann.room()
    talker = Talker.greeted(server.ws_url, ann.token)
    sent = [talker.say("send", room=room, data={"client_msg_id": f"{n}", "body": f"{n}"}) for n in range(120)]
    talker.until("ack", frame_id=sent[-1])
    for query, count in (("", 50), ("?limit=7", 7), ("?limit=100", 100)):
        items = ann.call("GET", f"/rooms/{room}/messages{query}")["items"]
        assert [item["body"] for item in items] == [f"{n}" for n in range(120 - count, 120)]
    assert ann.refused("GET", f"/rooms/{room}/messages?limit=101", status=422) == "validation_failed"
    wishes: tuple[tuple[dict[str, Any], int], ...] = (({}, 50), ({"history": 7}, 7), ({"history": 100}, 100))
    for wish, count in wishes:
        events = talker.subscribe(room, **wish)["data"]["events"]
        assert [event["data"]["body"] for event in events] == [f"{n}" for n in range(120 - count, 120)]
    assert talker.subscribe(room, history=101)["type"] == "error"


def test_what_a_group_says_is_for_its_members_page_by_page(server: ServerProcess) -> None:
    """Members read all of it in pages, back and forth; whoever is not in finds nothing, over REST and WebSocket."""
    ann, bob, eve = register(server), register(server), register(server)
    room = ann.room(members=(bob.username,))
    said = [ann.post(room, f"{n}")["id"] for n in range(7)]
    found: list[dict[str, Any]] = []
    before = 2**53 - 1
    while page := bob.call("GET", f"/rooms/{room}/messages?limit=3&before={before}")["items"]:
        found[:0], before = page, page[0]["seq"]
    assert [message["id"] for message in found] == said
    found, after = [], 0
    while page := bob.call("GET", f"/rooms/{room}/messages?limit=3&after={after}")["items"]:
        found, after = [*found, *page], page[-1]["seq"]
    assert [message["id"] for message in found] == said
    for path in (f"/rooms/{room}/messages", f"/rooms/{room}/events", f"/messages/{said[0]}"):
        assert eve.refused("GET", path, status=404) == "not_found"
    message = {"client_msg_id": "x", "body": "let me in"}
    assert eve.refused("POST", f"/rooms/{room}/messages", message, status=404) == "not_found"
    talker = Talker.greeted(server.ws_url, eve.token)
    assert talker.subscribe(room)["data"]["code"] == "not_a_member"
    fetched = talker.until("error", "page", frame_id=talker.say("fetch", room=room, data={"before": 9, "limit": 3}))
    assert fetched["type"] == "error"
    assert bob.call("GET", f"/rooms/{room}/messages")["items"] == found
