"""What strangers write at the routes of messages: every answer is one of the contract, and none is a bug."""

from __future__ import annotations

import itertools
import json
from typing import Any

from quart import Response

from justchat.http.history_routes import HistoryRoutes
from justchat.http.message_routes import MessageRoutes
from justchat.http.operation import Operation
from justchat.http.pin_routes import PinRoutes
from justchat.http.reaction_routes import ReactionRoutes
from justchat.http.report_routes import ReportRoutes
from justchat.http.revision_routes import RevisionRoutes
from justchat.http.scheduled_routes import ScheduledRoutes
from tests.http.talk import Talk, open_talk

NO_MESSAGE = "m_01a1fdb2f15672849aae512f789e0948"
ODD_PATHS = ["%00", "%FF", "%F0%9F%98%80", "x" * 500, NO_MESSAGE, "..", "%2e%2e", "%20", "'--"]
ODD_TEXTS: list[Any] = ["", "\u0000", "\ud83d\ude00", "x" * 5000]
ODD_VALUES: list[Any] = [None, True, -1, 0, 2**63, 1.5, *ODD_TEXTS, [], {}, [None], {"a": 1}]
ODD_BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"x"',
    b"\xff\xfe",
    b'{"body":"\\ud800"}',
    b'{"body":"b","body":"c"}',
    b'{"body":NaN}',
    b'{"body":' + b"[" * 5000,
]
ODD_QUERIES = ["=", "", "x", "-1", "0", "101", "1.5", "%00", "%FF", "9" * 30, "x" * 600, "%F0%9F%98%80"]
# What a route may answer to nonsense.
EXPECTED = {200, 201, 204, 400, 403, 404, 405, 409, 412, 413, 415, 422}


def _operations(talk: Talk) -> list[Operation]:
    system = talk.office.system
    kinds = (
        MessageRoutes,
        HistoryRoutes,
        RevisionRoutes,
        ReactionRoutes,
        PinRoutes,
        ReportRoutes,
        ScheduledRoutes,
    )
    return [operation for routes in kinds for operation in routes(system).operations()]


def _address(operation: Operation, **parts: str) -> str:
    path = operation.path
    for name, value in parts.items():
        path = path.replace(f"<{name}>", value)
    return path


async def _check(what: object, answer: Response) -> None:
    """Hold an answer against the contract; a body that is JSON and refused is refused at a place."""
    assert answer.status_code in EXPECTED, (what, answer.status_code, await answer.get_data())
    if answer.status_code < 400:
        return
    assert answer.content_type == "application/problem+json", what
    problem = json.loads(await answer.get_data(as_text=False))
    assert problem["status"] == answer.status_code
    if answer.status_code == 422 and "not acceptable JSON" not in problem["detail"]:
        assert problem["errors"], (what, problem)
        assert all(error["pointer"] == "" or error["pointer"].startswith("/") for error in problem["errors"])


async def _parts(talk: Talk) -> dict[str, str]:
    """Name things that are there, for every part of an address."""
    message = (await talk.say("m"))["id"]
    user = talk.office.ids["ann"]
    return {"room": talk.room, "message": message, "emoji": "x", "user": user, "scheduled": "s_1"}


async def test_odd_addresses_are_not_found() -> None:
    """Each part of each address in turn, and the rest as it should be."""
    async with open_talk("ann") as talk:
        good = await _parts(talk)
        bodies = {"POST": {"reason": "r"}, "PATCH": {"body": "b"}}
        for operation in _operations(talk):
            for name, odd in itertools.product(good, ODD_PATHS):
                if f"<{name}>" not in operation.path:
                    continue
                path = _address(operation, **{**good, name: odd})
                answer = await talk.ask(operation.method, path, body=bodies.get(operation.method))
                await _check((operation.method, path), answer)
                if name != "emoji" and operation.method == "GET":
                    assert answer.status_code == 404, path


async def test_odd_queries_are_refused_by_name_or_mean_nothing(autojump_clock: object) -> None:
    """Every parameter that a route declares, with what is none of its values; others are passed over."""
    async with open_talk("ann") as talk:
        good = await _parts(talk)
        for operation in _operations(talk):
            if operation.method != "GET":
                continue
            path = _address(operation, **good)
            for query, odd in itertools.product((*operation.query, None), ODD_QUERIES):
                name = "unknown" if query is None else query.name
                answer = await talk.ask("GET", f"{path}?{name}={odd}")
                await _check((path, name, odd), answer)
                if answer.status_code == 422:
                    problem = await answer.get_json(force=True)
                    assert problem["errors"][0]["pointer"] == f"/{name}", (path, name, odd)
                    assert query is not None


async def test_odd_bodies_are_refused_at_their_place() -> None:
    """What is no JSON, what is of no type, and every field of every body with what is none of its values."""
    async with open_talk("ann") as talk:
        good = await _parts(talk)
        for operation in _operations(talk):
            if operation.body is None:
                continue
            path = _address(operation, **good)
            fields: tuple[str, ...] = operation.body.__struct_fields__  # type: ignore[attr-defined]
            for name, value in itertools.product((*fields, "unknown"), ODD_VALUES):
                await _check((path, name, value), await talk.ask(operation.method, path, body={name: value}))
            for raw in ODD_BODIES:
                answer = await talk.raw(operation.method, path, raw)
                await _check((path, raw), answer)
                assert answer.status_code == 422, (path, raw)
            assert (await talk.raw(operation.method, path, b"body=b", kind="text/plain")).status_code == 415
        assert len([event for event in await talk.events() if event["type"] == "message.updated"]) <= 1
