"""A client that posts by REST, with the same diligence and the same log as one that talks over a socket."""

from __future__ import annotations

import asyncio
import itertools
import time
from types import TracebackType
from typing import Any, Self

import httpx

from tests.faults.api import Person
from tests.faults.checker import Answered, ClientLog, Closed, Posted
from tests.faults.speaker import RECONNECT_SECONDS, RETRYABLE
from tests.support.server import ServerProcess

_REQUEST_SECONDS = 30.0


class RestPoster:
    """One user's posts by REST; each request counts as a connection of its own."""

    def __init__(self, server: ServerProcess, person: Person) -> None:
        self.log = ClientLog(person.id, [], ordered=False)
        self._server = server
        self._connections = itertools.count(1)
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {person.token}"}, timeout=_REQUEST_SECONDS, trust_env=False, verify=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def post(self, room: str, body: str, *, client_msg_id: str) -> Answered:
        """Post until there is an answer that counts."""
        while True:
            answer = await self._attempt(room, body, client_msg_id)
            if answer is not None and answer.code not in RETRYABLE:
                return answer
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _attempt(self, room: str, body: str, client_msg_id: str) -> Answered | None:
        connection = next(self._connections)
        self.log.records.append(Posted(time.monotonic(), connection, "", room, client_msg_id, body))
        url = f"{self._server.url}/api/v1/rooms/{room}/messages"
        try:
            response = await self._http.post(url, json={"client_msg_id": client_msg_id, "body": body})
        except httpx.TransportError:
            self.log.records.append(Closed(time.monotonic(), connection))
            return None
        answer = self._read(response, connection, room, client_msg_id)
        self.log.records.append(answer)
        return answer

    def _read(self, response: httpx.Response, connection: int, room: str, client_msg_id: str) -> Answered:
        told: dict[str, Any] = response.json()
        head = (time.monotonic(), connection, "", room, client_msg_id)
        if response.status_code >= 300:
            return Answered(*head, code=told["code"])
        duplicate = response.headers.get("Idempotent-Replayed") == "true"
        assert duplicate == (response.status_code == 200), "201 says new, 200 says repeated"
        return Answered(*head, told["seq"], told["id"], duplicate=duplicate)
