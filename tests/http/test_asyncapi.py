"""`/asyncapi.json`: valid, complete, and true of every event that is stored and every frame that is sent."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from justchat import __version__
from justchat.accounts.identity import Scope
from justchat.wire import server_frames
from justchat.wire.asyncapi import answers_to, asyncapi_document, client_frames
from justchat.wire.close_codes import CloseCode
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.events import EVENTS
from justchat.wire.frames import FRAME_TYPES, ClientFrame
from justchat.wire.server_frames import SERVER_FRAMES, AckData
from tests.http.documents import Document, Schemas, references, resolve, strict
from tests.http.eventful import every_event
from tests.http.office import open_office
from tests.support.rest import PASSWORD, Caller, register
from tests.support.server import ServerProcess
from tests.support.talker import Frame, Talker
from tests.wire.test_server_frames import ROOM, WELCOME

SPECIFICATION = Path(__file__).parent / "asyncapi" / "3.0.0.json"
# What it takes to have each frame made.
MAKINGS: dict[str, Callable[[], bytes]] = {
    "welcome": lambda: server_frames.welcome(WELCOME, frame_id="f1"),
    "subscribed": lambda: server_frames.subscribed("r_1", frame_id=None, state=ROOM, head_seq=5, events=()),
    "caught_up": lambda: server_frames.caught_up("r_1", seq=5),
    "lagging": lambda: server_frames.lagging("r_1", seq=5, head_seq=9),
    "unsubscribed": lambda: server_frames.unsubscribed("r_1", reason="asked", seq=5),
    "reset": lambda: server_frames.reset("r_1", reason="epoch", epoch="e_1", head_seq=5),
    "ack": lambda: server_frames.ack("r_1", frame_id="f1", seq=6, data=AckData(0.1, 0.2, msg_no=1)),
    "error": lambda: server_frames.error(Refusal(ErrorCode.NOT_FOUND, "no"), room="r_1"),
    "page": lambda: server_frames.page("r_1", frame_id="f1", events=(), more=False, head_seq=5),
    "pong": lambda: server_frames.pong(None),
    "expiring": lambda: server_frames.expiring(in_ms=60_000),
    "refreshed": lambda: server_frames.refreshed(frame_id="f1", expires_in_ms=600_000),
    "signed_in": lambda: server_frames.signed_in("s_1", user_agent="Mozilla/5.0", address="192.0.2.1"),
    "goodbye": lambda: server_frames.goodbye(reason="restarting", reconnect_after_ms=100),
}


@pytest.fixture(scope="module")
def document() -> Document:
    found: Document = json.loads(json.dumps(asyncapi_document(version=__version__)))
    return found


@pytest.fixture(scope="module")
def schemas(document: Document) -> Schemas:
    return Schemas(document)


def specification() -> Draft7Validator:
    """AsyncAPI's own schema; its parts refer to each other by address."""
    schema = json.loads(SPECIFICATION.read_text())
    parts = [(name, Resource.from_contents(part, DRAFT7)) for name, part in schema["definitions"].items()]
    registry: Registry[Any] = Registry().with_resources(parts)
    return Draft7Validator(schema, registry=registry)


def test_the_document_is_valid_asyncapi(document: Document) -> None:
    """AsyncAPI 3.0 as its own schema has it, with every reference leading somewhere; a spoilt one is noticed."""
    assert [error.message for error in specification().iter_errors(document)] == []
    for reference in references(document):
        resolve(document, reference)
    spoilt = strict(document)
    spoilt["operations"]["send.events"]["action"] = "shout"
    assert [*specification().iter_errors(spoilt)] != []


async def test_the_document_is_served(document: Document) -> None:
    """What the tests here look at is what readers get."""
    async with open_office() as office:
        answer = await office.call("GET", "/asyncapi.json")
        assert (answer.status_code, answer.content_type) == (200, "application/json")
        assert json.loads(await answer.get_data()) == document


def test_every_frame_and_every_event_is_in_the_document(document: Document) -> None:
    """One message for each type that is decoded, each frame that is made and each event; all of them on the socket."""
    expected = {f"client.{get_tag(frame)}" for frame in get_args(ClientFrame)}
    expected |= {f"server.{name}" for name in SERVER_FRAMES} | {f"event.{name}" for name in EVENTS}
    assert document["components"]["messages"].keys() == expected
    assert document["channels"]["socket"]["messages"].keys() == expected
    assert set(client_frames()) == set(FRAME_TYPES)
    in_operations = {
        message["$ref"].rpartition("/")[2]
        for operation in document["operations"].values()
        for message in operation["messages"]
    }
    assert in_operations == expected


def get_tag(frame: type) -> str:
    return str(frame.__struct_config__.tag)  # type: ignore[attr-defined]


def test_every_frame_that_the_server_can_make_is_in_the_table() -> None:
    """Whatever makes a frame is a maker in the table, under the type that it writes; nothing else makes one."""
    tree = ast.parse(inspect.getsource(server_frames))
    written = {
        node.name: call.args[0].value
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "ServerFrame"
        if isinstance(call.args[0], ast.Constant)
    }
    assert {form.maker.__name__: name for name, form in SERVER_FRAMES.items()} == written
    package = Path(inspect.getfile(server_frames)).parents[1]
    others = [path for path in package.rglob("*.py") if "ServerFrame(" in path.read_text()]
    assert [path.name for path in others] == ["server_frames.py"]


@pytest.mark.parametrize("name", SERVER_FRAMES)
def test_a_frame_is_as_documented_to_the_last_field(schemas: Schemas, name: str) -> None:
    """What its maker writes has the type's name and no field that is not in the schema."""
    frame = json.loads(MAKINGS[name]())
    assert frame["type"] == name
    assert schemas.problems(f"/components/messages/server.{name}/payload", frame) == []
    assert schemas.problems(f"/components/messages/server.{name}/payload", {**frame, "more": 1}) != []


async def test_every_stored_event_is_as_documented_to_the_last_field(schemas: Schemas) -> None:
    """All types of events, made by real commands; a wrong time, type or field is noticed."""
    async with open_office() as office:
        bodies = await every_event(office)
    events = [json.loads(body) for body in bodies]
    assert {event["type"] for event in events} == set(EVENTS)
    for event in events:
        assert schemas.problems(f"/components/messages/event.{event['type']}/payload", event) == [], event
    # As one of all events, each is exactly one of them.
    (event,) = [event for event in events if event["type"] == "message.updated"]
    assert schemas.problems("/components/schemas/Event", event) == []
    for spoilt in ({"ts": "yesterday"}, {"type": "member.left"}, {"data": {**event["data"], "more": 1}}):
        assert schemas.problems("/components/schemas/Event", {**event, **spoilt}) != []


@pytest.mark.real_clock
def test_a_talk_over_the_network_is_as_documented_to_the_last_field(server: ServerProcess) -> None:
    """Every frame that clients may send is sent, and every frame in both directions is valid, answers included."""
    ann, bob = register(server), register(server)
    document = httpx.get(f"{server.url}/asyncapi.json", timeout=30, trust_env=False).json()
    told = talk(server, ann, bob, said := [])
    schemas = Schemas(document)
    assert {frame["type"] for frame in said} == set(FRAME_TYPES)
    assert SERVER_FRAMES.keys() - {frame["type"] for frame in told} == {"lagging", "goodbye"}
    for frame in said:
        assert schemas.problems(f"/components/messages/client.{frame['type']}/payload", frame) == [], frame
    questions = {frame["id"]: frame["type"] for frame in said}
    for frame in told:
        group = "event" if frame["type"] in EVENTS else "server"
        assert schemas.problems(f"/components/messages/{group}.{frame['type']}/payload", frame) == [], frame
        if "id" in frame:
            assert frame["type"] in answers_to(questions[frame["id"]]), frame


def talk(server: ServerProcess, ann: Caller, bob: Caller, said: list[Frame]) -> list[Frame]:
    """Have a user say everything there is to say, and give what they were told."""
    room = ann.room("Harbour", members=(bob.username,))
    talker = Talker(server.ws_url)
    send = talker.socket.send

    def recording(text: str) -> None:
        said.append(json.loads(text))
        send(text)

    talker.socket.send = recording  # type: ignore[method-assign, assignment]
    # For so short a time that its end is near from the beginning.
    made = ann.call("POST", "/auth/tokens", {"name": "x", "scopes": list(Scope), "expires_in": 60}, status=201)
    talker.say("hello", data={"token": made["token"], "resume": {room: {"epoch": "e_other", "seq": 1}}})
    talker.until("reset")
    talker.until("expiring")
    talker.until("refreshed", frame_id=talker.say("refresh", data={"token": ann.token}))
    ann.call("POST", "/auth/login", {"username": ann.username, "password": PASSWORD})
    talker.until("signed_in")
    talker.subscribe(room, history=10)
    message = talker.send(room, "hello")["data"]["message_id"]
    ask(talker, "edit", room, message=message, body="hello there")
    ask(talker, "react", room, message=message, emoji="\N{THUMBS UP SIGN}")
    ask(talker, "unreact", room, message=message, emoji="\N{THUMBS UP SIGN}")
    ask(talker, "pin", room, message=message)
    ask(talker, "unpin", room, message=message)
    ask(talker, "read", room, seq=3)
    ask(talker, "delete", room, message=message)
    assert ask(talker, "delete", "r_nowhere", message=message)["type"] == "error"
    talker.until("pong", frame_id=talker.say("ping"))
    talker.until("page", frame_id=talker.say("fetch", room=room, data={"limit": 5}))
    talker.until("unsubscribed", frame_id=talker.say("unsubscribe", room=room))
    talker.subscribe(room, after=1)
    talker.until("caught_up")
    talker.close()
    return talker.seen


def ask(talker: Talker, kind: str, room: str, **data: object) -> Frame:
    """Give a command and wait for its answer."""
    return talker.until("ack", "error", frame_id=talker.say(kind, room=room, data=data))


def test_close_codes_are_documented(document: Document) -> None:
    """Every code, for people and for programs, and whether to come back by oneself."""
    codes = document["channels"]["socket"]["x-close-codes"]
    assert codes.keys() == {str(int(code)) for code in CloseCode}
    assert (codes["1012"]["reconnect"], codes["4501"]["reconnect"]) == (True, False)
    for code, entry in codes.items():
        assert f"| {code} | {entry['meaning']} |" in document["info"]["description"]


def test_what_answers_a_frame_is_among_what_the_server_says() -> None:
    """Every client frame has answers, and they are frames of the server."""
    for name in client_frames():
        assert set(answers_to(name)) <= SERVER_FRAMES.keys()
