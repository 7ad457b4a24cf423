"""Requests as strangers write them, against a real server: every answer has its shape, and none is a 500."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator

import httpx
import pytest

from tests.http.raw import ask
from tests.support.rest import Caller, register
from tests.support.server import ServerProcess, running_server

pytestmark = pytest.mark.real_clock


@pytest.fixture(scope="module")
def ann(server: ServerProcess) -> Caller:
    return register(server)


@pytest.fixture(scope="module", autouse=True)
def _never_a_crash(server: ServerProcess) -> Iterator[None]:
    """Nothing in this module makes a handler crash, and no token or body is logged."""
    yield
    assert "request_crashed" not in server.log
    assert "Traceback" not in server.log
    assert "a secret body" not in server.log
    assert "eyJ" not in server.log


PATHS = [
    "/%00",
    "/rooms/%00",
    "/rooms/%ED%A0%80",
    "/rooms/%FF%FE",
    "/rooms/%E2%98%83",
    "/rooms/%F0%9F%98%80/messages",
    "/rooms/..%2f..%2fhealth",
    "/rooms/%2e%2e/%2e%2e",
    "/rooms/../../../etc/passwd",
    "/rooms//",
    "/rooms/",
    "/rooms/" + "a" * 4000,
    "/rooms/r_1;drop%20table/events",
    "/rooms/r_1%0d%0aX-Evil:%20yes",
    "/users/%00",
    "/users/%ED%A0%80",
    "/messages/%00",
    "/messages/" + "%F0%9F%98%80" * 300,
    "/rooms/%00/members/%00",
    "/rooms/%00/events",
    "/rooms/x/members/me/me",
    "/nothing",
    "",
]


@pytest.mark.parametrize("path", PATHS)
def test_garbage_in_a_path_is_not_found(server: ServerProcess, ann: Caller, path: str) -> None:
    """404 as problem details with a request id; no redirect, no header of the caller's making."""
    answer = ask(server, f"GET /api/v1{path}", token=ann.token)
    assert answer.status == 404
    assert answer.problem["code"] == "not_found"
    assert answer.problem["request_id"] == answer.headers["x-request-id"]
    assert "x-evil" not in answer.headers


@pytest.mark.parametrize("line", ["GET //evil.example/", "GET /api/v1//rooms", "GET /assets/../../cli.py"])
def test_no_address_is_redirected(server: ServerProcess, ann: Caller, line: str) -> None:
    """What an address does not name exactly is not there."""
    answer = ask(server, line, token=ann.token)
    assert (answer.status, answer.problem["code"]) == (404, "not_found")
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=1.0",
        "limit=",
        "limit=%D9%A3",
        "limit=1e2",
        "limit=" + "9" * 400,
        "before=9007199254740992",
        "before=x",
        "after=-1",
        "before=1&after=1",
        "around=1&before=1",
    ],
)
@pytest.mark.parametrize("listing", ["messages", "events"])
def test_numbers_out_of_bounds_are_refused_by_name(
    server: ServerProcess, ann: Caller, listing: str, query: str
) -> None:
    """422 that points at the parameter; never a clamp, never a crash."""
    room = ann.room()
    problem = ann.call("GET", f"/rooms/{room}/{listing}?{query}", status=422)
    assert problem["code"] == "validation_failed"
    (error,) = problem["errors"]
    assert error["pointer"] in {"", *(f"/{part.partition('=')[0]}" for part in query.split("&"))}


@pytest.mark.parametrize("listing", ["messages", "events"])
def test_bounds_that_are_allowed_give_pages_that_fit_together(server: ServerProcess, ann: Caller, listing: str) -> None:
    """From 0 to the greatest seq, and a limit of one."""
    room = ann.room()
    for number in range(3):
        ann.post(room, f"m{number}")
    for query, expected in {
        "before=0": [],
        "before=1": [],
        "after=0&limit=1": [1 if listing == "events" else 2],
        f"after={2**53 - 1}": [],
        f"before={2**53 - 1}&limit=1": [4],
        "before=4&limit=1": [3],
    }.items():
        page = ann.call("GET", f"/rooms/{room}/{listing}?{query}")
        assert [item["seq"] for item in page["items"]] == expected, query
    if listing == "messages":
        for query, expected in {"around=3&limit=1": [3], "around=0": [2, 3, 4], "around=99&limit=2": [4]}.items():
            page = ann.call("GET", f"/rooms/{room}/messages?{query}")
            assert [item["seq"] for item in page["items"]] == expected, query
    else:
        assert ann.refused("GET", f"/rooms/{room}/events?around=1", status=422) == "validation_failed"


def test_unknown_methods_name_the_ones_there_are(server: ServerProcess, ann: Caller) -> None:
    """405 with Allow and problem details; OPTIONS says the same without a caller; HEAD is GET without a body."""
    room = ann.room()
    for method in ("PUT", "TRACE", "FOO"):
        answer = ask(server, f"{method} /api/v1/rooms/{room}", token=ann.token)
        assert (answer.status, answer.problem["code"]) == (405, "method_not_allowed")
        assert {"GET", "PATCH", "DELETE"} <= set(answer.headers["allow"].split(", "))
    options = ask(server, f"OPTIONS /api/v1/rooms/{room}")
    assert (options.status, options.body) == (200, b"")
    assert {"GET", "PATCH", "DELETE"} <= set(options.headers["allow"].split(", "))
    head = ask(server, f"HEAD /api/v1/rooms/{room}", token=ann.token)
    get = ask(server, f"GET /api/v1/rooms/{room}", token=ann.token)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(get.body))


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("application/json", b'{"kind":"group","name":"x","nmae":"y"}', 422, "validation_failed"),
        ("application/json", b'{"kind":"group","name":"x","name":"y"}', 422, "validation_failed"),
        ("application/json", b'{"kind":"direct","name":"x"}', 422, "validation_failed"),
        ("application/json", b'{"kind":"group","name":"   "}', 422, "validation_failed"),
        ("application/json", b'{"kind":"group","name":"a\\u0000b"}', 422, "validation_failed"),
        ("application/json", b'{"kind":"group","name":"a\\nb"}', 422, "validation_failed"),
        ("application/json", b'{"kind":"group","name":"\\ud800"}', 422, "validation_failed"),
        ("application/json", b'{"kind":"group","name":"x","members":["\\ud83d"]}', 422, "validation_failed"),
        ("application/json", b'{"kind":"group","name":"x","topic":null}', 422, "validation_failed"),
        ("application/json", b"[]", 422, "validation_failed"),
        ("application/json", b"", 422, "validation_failed"),
        ("application/json", b"\xff\xfe", 422, "validation_failed"),
        ("application/json", b"[" * 60_000, 422, "validation_failed"),
        ("application/json", b" " * 70_000, 413, "payload_too_large"),
        ("text/plain", b'{"kind":"group","name":"x"}', 415, "unsupported_media"),
        ("application/x-www-form-urlencoded", b"kind=group&name=x", 415, "unsupported_media"),
        ("multipart/form-data; boundary=x", b"--x--", 415, "unsupported_media"),
        ("application/jsonx", b'{"kind":"group","name":"x"}', 415, "unsupported_media"),
        ("", b'{"kind":"group","name":"x"}', 415, "unsupported_media"),
    ],
)
def test_bodies_are_read_strictly(
    server: ServerProcess, ann: Caller, content_type: str, body: bytes, status: int, code: str
) -> None:
    """What is refused is refused with its code, and made no room."""
    headers = f"Content-Length: {len(body)}\r\n" + (f"Content-Type: {content_type}\r\n" if content_type else "")
    answer = ask(server, "POST /api/v1/rooms", token=ann.token, headers=headers, body=body)
    assert (answer.status, answer.problem["code"]) == (status, code)


def test_json_with_a_charset_and_in_chunks_is_json(server: ServerProcess, ann: Caller) -> None:
    """Capitals and parameters of a media type mean nothing; a chunked body beyond the limit is too large."""
    headers = "Content-Type: Application/JSON; charset=UTF-8\r\nTransfer-Encoding: chunked\r\n"
    body = b'5\r\n{"kin\r\n16\r\nd":"group","name":"x"}\r\n0\r\n\r\n'
    assert ask(server, "POST /api/v1/rooms", token=ann.token, headers=headers, body=body).status == 201
    large = b"20000\r\n" + b" " * 0x20000 + b"\r\n0\r\n\r\n"
    answer = ask(server, "POST /api/v1/rooms", token=ann.token, headers=headers, body=large)
    assert (answer.status, answer.problem["code"]) == (413, "payload_too_large")


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that does not wait for a body as long as the others do, which must not take a busy caller for gone."""
    with running_server(tmp_path_factory.mktemp("impatient"), body_read_seconds=1) as server:
        yield server


@pytest.mark.thorough
@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_a_body_that_does_not_come_is_told_so(impatient: ServerProcess, framing: str) -> None:
    """408 as problem details with a request id, and not the end of the connection without a word."""
    headers = f"Content-Type: application/json\r\n{framing}\r\n"
    answer = ask(impatient, "POST /api/v1/auth/login", headers=headers, body=b"1\r\n{\r\n")
    assert (answer.status, answer.problem["code"]) == (408, "validation_failed")
    assert answer.problem["request_id"] == answer.headers["x-request-id"]


def test_every_answer_has_a_request_id_of_the_callers_or_our_own(server: ServerProcess, ann: Caller) -> None:
    """Ours where there is none, or none that may be written into a log; in problems too."""
    for given, kept in (("abc-9._Z", True), ("a b", False), ("x" * 65, False), ("x" * 64, True)):
        for path in ("/health", "/api/v1/users/me", "/api/v1/nothing", "/"):
            header = f"X-Request-Id: {given}\r\n"
            answer = ask(server, f"GET {path}", token=ann.token, headers=header)
            found = answer.headers["x-request-id"]
            assert (found == given) is kept, (path, given, found)
            assert found.startswith("q_") is not kept
            assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_answer_without_content_has_no_length_either(server: ServerProcess, ann: Caller) -> None:
    """RFC 9110 forbids Content-Length in a 204, and the connection stays in step all the same."""
    room = ann.room(visibility="public")
    for _ in range(3):
        response = ann.http.put(f"/rooms/{room}/members/me")
        assert (response.status_code, response.content) == (204, b"")
        assert "content-length" not in response.headers
        assert "content-type" not in response.headers


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic YTpi", "bearer x.y.z", "Bearer " + "x" * 3000])
def test_whatever_is_no_token_is_a_401_with_a_challenge(server: ServerProcess, value: str) -> None:
    """Not a 403, not a 500."""
    answer = ask(server, "GET /api/v1/users/me", headers=f"Authorization: {value}\r\n" if value else "")
    assert (answer.status, answer.problem["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_caller_that_leaves_in_the_middle_hurts_nobody(server: ServerProcess, ann: Caller) -> None:
    """Reset in the head, in the body, and while the answer is made: the next request is answered."""
    room = ann.room()
    body = json.dumps({"client_msg_id": "gone", "body": "a secret body"}).encode()
    head = (
        f"POST /api/v1/rooms/{room}/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ann.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    for sent in (head[:40], head, head + body[:10], head + body):
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        connection.sendall(sent)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    again = ann.http.post(f"/rooms/{room}/messages", json={"client_msg_id": "gone", "body": "a secret body"})
    assert again.status_code in {200, 201}
    assert [message["body"] for message in ann.call("GET", f"/rooms/{room}/messages")["items"]] == ["a secret body"]


def test_a_repeat_is_told_apart_by_status_and_header(server: ServerProcess, ann: Caller) -> None:
    """201 with Location once, then 200 with Idempotent-Replayed and the same message."""
    room = ann.room()
    posts = [
        ann.http.post(f"/rooms/{room}/messages", json={"client_msg_id": "x", "body": "a secret body"}) for _ in range(3)
    ]
    assert [post.status_code for post in posts] == [201, 200, 200]
    assert [post.headers.get("idempotent-replayed") for post in posts] == [None, "true", "true"]
    assert posts[0].json() == posts[1].json() == posts[2].json()
    assert posts[0].headers["location"] == f"/api/v1/messages/{posts[0].json()['id']}"
    location = server.url + posts[0].headers["location"]
    found = httpx.get(location, headers=ann.http.headers, timeout=30, trust_env=False)
    assert found.json() == posts[0].json()
