"""Callers in one room of an office: what tests of routes say over and over, and a check that answers keep their types.

Every answer that a route gives is held against what its operation declares: whatever its type does not say must not be
in it, and what it promises must be; and so with the headers, as the published document has them.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import quote

import msgspec
from quart import Response
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map

from justchat.http.app import API_PREFIX
from justchat.http.openapi_headers import HEADERS, answer_headers, refusal_headers
from justchat.http.operation import Operation, OperationBlueprint
from justchat.rooms.commands import Accepted, Command
from tests.http.office import Office, open_office

Json = Any
# What any answer over HTTP may have, and nobody needs to be told.
OF_HTTP = frozenset(
    {
        "content-type",
        "content-length",
        "cache-control",
        "vary",
        "x-content-type-options",
        "content-security-policy",
        "referrer-policy",
    }
)
_numbers = itertools.count(1)


def quoted(text: str) -> str:
    """Write a text as one part of an address."""
    return quote(text, safe="")


class Talk:
    """One room, and callers by name; the first of them made it."""

    def __init__(self, office: Office, room: str, names: tuple[str, ...]) -> None:
        self.office = office
        self.room = room
        self.names = names
        self.rooms = f"/rooms/{room}"

    @classmethod
    async def begin(cls, office: Office, *names: str, **fields: object) -> Talk:
        """Make callers of those who are none yet, and a room of them all."""
        for name in names:
            if name not in office.ids:
                office.add_user(name)
        body = {"kind": "group", "name": "Room", "members": list(names[1:]), **fields}
        answer = await office.call("POST", f"{API_PREFIX}/rooms", caller=names[0], body=body)
        assert answer.status_code == 201, await answer.get_data()
        return cls(office, (await answer.get_json())["id"], names)

    async def another(self, **fields: object) -> Talk:
        """Make another room of the same people."""
        return await Talk.begin(self.office, *self.names, **fields)

    async def ask(
        self, method: str, path: str, *, caller: str | None = None, body: object = None, **headers: str
    ) -> Response:
        """Call as somebody, by default the first; headers with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.office.call(
            method, API_PREFIX + path, caller=caller or self.names[0], body=body, headers=named
        )
        assert answer.status_code < 500, (method, path, await answer.get_data())
        with suppress(NotFound, MethodNotAllowed):
            keeps_its_headers(operation_of(self.office, method, path.partition("?")[0]), answer)
        if answer.status_code < 300:
            await self._keeps_its_type(method, path.partition("?")[0], answer)
        return answer

    async def raw(self, method: str, path: str, body: bytes, *, kind: str = "application/json") -> Response:
        """Send bytes for a body, whatever they are, as the first caller."""
        headers = {"Authorization": f"Bearer {self.office._tokens[self.names[0]]}", "Content-Type": kind}
        options: dict[str, Any] = {"data": body}
        client = self.office.app.test_client()
        answer = await client.open(API_PREFIX + path, method=method, headers=headers, **options)
        assert isinstance(answer, Response)
        return answer

    async def get(self, path: str, *, caller: str | None = None) -> Json:
        """Read something that is there."""
        answer = await self.ask("GET", path, caller=caller)
        assert answer.status_code == 200, (path, await answer.get_data())
        return await answer.get_json()

    async def do(self, method: str, path: str, *, caller: str | None = None, body: object = None) -> None:
        """Do something that has no answer but that it is done."""
        answer = await self.ask(method, path, caller=caller, body=body)
        assert (answer.status_code, await answer.get_data()) == (204, b""), (method, path)

    async def say(self, text: str, *, caller: str | None = None, **fields: object) -> Json:
        """Post and give the message."""
        body = {"client_msg_id": f"c{next(_numbers)}", "body": text, **fields}
        answer = await self.ask("POST", f"{self.rooms}/messages", caller=caller, body=body)
        assert answer.status_code == 201, await answer.get_data()
        return await answer.get_json()

    async def refused(
        self, method: str, path: str, *, caller: str | None = None, body: object = None, **headers: str
    ) -> tuple[int, str, list[str]]:
        """Give status, code and pointers of a refusal, which problem details have to tell."""
        answer = await self.ask(method, path, caller=caller, body=body, **headers)
        assert answer.content_type == "application/problem+json", (method, path, await answer.get_data())
        problem = await answer.get_json(force=True)
        assert problem["status"] == answer.status_code
        pointers = [error["pointer"] for error in problem.get("errors", ())]
        return answer.status_code, problem["code"], pointers

    async def command(self, command: Command) -> Accepted:
        """Have the room do something that no route does."""
        answer = await self.office.system.rooms.room(self.room).post(command)
        assert isinstance(answer, Accepted), answer
        return answer

    async def events(self) -> list[Json]:
        """Read the room's journal as it is stored."""
        entries = await self.office.system.storage.journal.read(self.room, after=0, limit=1000)
        return [json.loads(entry.body) for entry in entries if entry.body]

    async def _keeps_its_type(self, method: str, path: str, answer: Response) -> None:
        operation = operation_of(self.office, method, path)
        assert answer.status_code in operation.statuses, (method, path, answer.status_code)
        raw = await answer.get_data(as_text=False)
        if operation.answer is None:
            assert raw == b"", (method, path)
            return
        typed: object = msgspec.json.decode(raw, type=operation.answer)
        assert json.loads(msgspec.json.encode(typed)) == json.loads(raw), (method, path)


def keeps_its_headers(operation: Operation, answer: Response) -> None:
    """Check that an answer has the headers that the document promises for its status, and no others."""
    status = answer.status_code
    documented: Json = answer_headers(operation, status) if status in operation.statuses else refusal_headers(status)
    components: Json = {name: HEADERS[reference["$ref"].rpartition("/")[2]] for name, reference in documented.items()}
    sent = {name.lower(): value for name, value in answer.headers.items()}
    known = {name.lower() for name in components}
    unknown = sent.keys() - known - OF_HTTP
    assert not unknown, (operation.method, operation.path, status, unknown)
    for name, component in components.items():
        value = sent.get(name.lower())
        assert value is not None or not component.get("required"), (operation.method, operation.path, status, name)
        pattern = component["schema"].get("pattern")
        assert value is None or pattern is None or re.fullmatch(pattern, value), (name, value)


@asynccontextmanager
async def open_talk(*names: str, **fields: object) -> AsyncIterator[Talk]:
    """Open an office with a room in it, made by the first of these callers with these fields."""
    async with open_office(api_docs="no") as office:
        yield await Talk.begin(office, *names, **fields)


def operation_of(office: Office, method: str, path: str) -> Operation:
    """Find the operation that serves an address. Raises NotFound or MethodNotAllowed."""
    rules: Map = office.app.url_map
    endpoint, _ = rules.bind("localhost").match(API_PREFIX + path, method=method)
    blueprint, _, name = endpoint.partition(".")
    routes = office.app.blueprints[blueprint]
    assert isinstance(routes, OperationBlueprint)
    return routes.operations[name]
