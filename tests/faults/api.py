"""REST for fault tests: many people over one blocking client, and the same calls from Trio through a thread.

One client for all, without certificates to load, because a fault test needs people by the hundred and at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import trio
from msgspec import Struct

from tests.support.rest import PASSWORD
from tests.support.server import ServerProcess

_numbers = itertools.count(1)
# Shorter than the server's patience with an idle connection, so that none is taken up again as it closes.
_KEEP_ALIVE_SECONDS = 1.0


class Person(Struct, frozen=True):
    """A registered user."""

    username: str
    id: str
    token: str


class Api:
    """The REST interface of one server."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._http = self._new_client()

    @staticmethod
    def _new_client() -> httpx.Client:
        limits = httpx.Limits(keepalive_expiry=_KEEP_ALIVE_SECONDS)
        return httpx.Client(verify=False, trust_env=False, timeout=30, limits=limits)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def close_idle(self) -> None:
        """Close the connections that are kept for later calls."""
        self._http.close()
        self._http = self._new_client()

    def people(self, count: int) -> list[Person]:
        """Register this many."""
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda _: self.person(), range(count)))

    def person(self) -> Person:
        """Register one."""
        username = f"person{next(_numbers)}"
        body = {"username": username, "password": PASSWORD}
        answer = self._http.post(f"{self._server.url}/api/v1/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        return Person(username, answer.json()["user"]["id"], answer.json()["access_token"])

    def request(self, person: Person | None, method: str, path: str, body: object = None) -> httpx.Response:
        """Call below `/api/v1`, or at the root for paths of health."""
        prefix = "" if path.startswith("/health") else "/api/v1"
        headers = {} if person is None else {"Authorization": f"Bearer {person.token}"}
        url = f"{self._server.url}{prefix}{path}"
        return self._http.request(method, url, headers=headers, json=body)

    def post_raw(self, person: Person, path: str, raw: bytes) -> httpx.Response:
        """Post bytes that are called JSON."""
        headers = {"Authorization": f"Bearer {person.token}", "Content-Type": "application/json"}
        return self._http.post(f"{self._server.url}/api/v1{path}", headers=headers, content=raw)

    def call(self, person: Person | None, method: str, path: str, body: object = None) -> Any:
        """Call, expect success and give the decoded answer."""
        answer = self.request(person, method, path, body)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    async def acall(self, person: Person | None, method: str, path: str, body: object = None) -> Any:
        """Do the same without holding up the other tasks."""
        return await trio.to_thread.run_sync(self.call, person, method, path, body)

    async def arequest(self, person: Person | None, method: str, path: str, body: object = None) -> httpx.Response:
        """Call, whatever comes back, without holding up the other tasks."""
        return await trio.to_thread.run_sync(self.request, person, method, path, body)

    def room(self, owner: Person, *members: Person, visibility: str = "private") -> str:
        """Make a room with these members and give its id."""
        body = {"kind": "group", "name": "Fault", "visibility": visibility, "members": [p.id for p in members]}
        return str(self.call(owner, "POST", "/rooms", body)["id"])

    def history(self, person: Person, room: str) -> list[dict[str, Any]]:
        """Read a room's whole journal."""
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["seq"] if found else 0
            page = self.call(person, "GET", f"/rooms/{room}/events?after={after}&limit=100")
            found.extend(page["items"])
            if not page["more"]:
                return found

    def room_health(self, room: str) -> dict[str, Any]:
        """Read how a room's actor does."""
        health: dict[str, Any] = self.call(None, "GET", f"/health/rooms/{room}")
        return health

    async def until_room(self, room: str, there: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until a room's health is as wanted, and give it; fails after 30 s."""
        with trio.fail_after(30):
            while not there(health := await trio.to_thread.run_sync(self.room_health, room)):  # noqa: ASYNC110
                await trio.sleep(0.01)
        return health

    async def until_received(self, room: str, count: int) -> None:
        """Wait until this many messages have gone into a room's inbox since it woke up."""
        await self.until_room(room, lambda health: health["received"] >= count)

    def actors(self) -> dict[str, Any]:
        """Read the supervision tree."""
        tree: dict[str, Any] = self.call(None, "GET", "/health/actors")
        return tree


@contextmanager
def api_of(server: ServerProcess) -> Iterator[Api]:
    """Talk to a server and close the connections afterwards."""
    api = Api(server)
    try:
        yield api
    finally:
        api.close()
