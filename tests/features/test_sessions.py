"""Staying in and going out: what each proof of who one is does, how it is renewed, and how all of it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from websockets.exceptions import InvalidStatus

from tests.faults.site import site_of
from tests.features.waiting import wait_until
from tests.http.desk import Desk, bearer
from tests.http.office import open_office
from tests.support.rest import PASSWORD, Caller, log_in, register
from tests.support.server import ServerProcess, running_server
from tests.support.talker import Talker

pytestmark = pytest.mark.real_clock

REVOKED, UNAUTHENTICATED, COME_BACK = 4502, 4501, 1013
TICKET_SECONDS = 1.0
TRIES = 10


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose tokens run out a second after they are warned of, and its tickets after one."""
    folder = tmp_path_factory.mktemp("hasty")
    with running_server(
        folder, profile="loadtest", access_token_seconds=61, ticket_seconds=TICKET_SECONDS, signing_algorithm="RS256"
    ) as server:
        yield server


def hello(server: ServerProcess, token: str) -> int:
    """Say hello with a token that is refused; give the close code."""
    talker = Talker(server.ws_url)
    talker.say("hello", data={"token": token})
    return talker.closed()


async def test_the_eleventh_login_has_to_wait() -> None:
    """Ten failures in ten minutes are enough, for one account from one address; the right password waits as well."""
    async with open_office(api_docs="no") as office:
        desk = Desk(office)
        for name in ("ann", "bob"):
            await desk.register(name)
        wrong = {"username": "ann", "password": "not this one"}
        for _ in range(10):
            assert await desk.refused("POST", "/login", body=wrong) == (401, "unauthenticated", [])
        for password in ("not this one", PASSWORD):
            answer = await desk.ask("POST", "/login", body={"username": "ANN", "password": password})
            assert (answer.status_code, (await answer.get_json(force=True))["code"]) == (429, "rate_limited")
            assert 500 <= int(answer.headers["Retry-After"]) <= 600
        # Whoever owns the account is not locked out elsewhere, and nobody else is here.
        await desk.login("ann", address="198.51.100.7")
        await desk.login("bob")


def seconds_to_be_out(server: ServerProcess, caller: Caller) -> float:
    """Log somebody out who has sockets open; give how long it takes until they are closed."""
    sockets = [Talker.greeted(server.ws_url, caller.token) for _ in range(2)]
    caller.call("POST", "/auth/logout", status=204)
    began = time.monotonic()
    assert caller.refused("GET", "/users/me", status=401) == "unauthenticated"
    assert [socket.closed() for socket in sockets] == [REVOKED] * 2
    return time.monotonic() - began


def test_whoever_logs_out_is_out_everywhere_at_once_and_nobody_gets_in_while_that_cannot_be_known(
    tmp_path: Path,
) -> None:
    """401 from the next request on, sockets closed within a second; with the store down no token opens anything.

    One good try is enough for the second: what else runs on this machine holds up some.
    """
    with (
        site_of(tmp_path, "postgres", own=True) as site,
        running_server(
            tmp_path,
            profile="loadtest",
            **dict(site.settings),  # type: ignore[arg-type]
        ) as server,
    ):
        ann = register(server)
        other = log_in(server, ann.username)
        staying = Talker.greeted(server.ws_url, other.token)
        took = [seconds_to_be_out(server, ann)]
        while took[-1] >= 1.0 and len(took) < TRIES:
            took.append(seconds_to_be_out(server, log_in(server, ann.username)))
        assert took[-1] < 1.0, took
        assert hello(server, ann.token) == UNAUTHENTICATED
        assert ann.http.post("/auth/refresh", json={"refresh_token": ann.refresh}).status_code == 401
        staying.until("pong", frame_id=staying.say("ping"))
        assert other.call("GET", "/users/me")["id"] == ann.id
        site.postgres.kill()
        for caller in (ann, other):
            assert caller.refused("GET", "/users/me", status=503) == "storage_unavailable"
            assert hello(server, caller.token) == COME_BACK
        site.postgres.start()
        wait_until(lambda: httpx.get(f"{server.url}/health/ready", trust_env=False).status_code == 200)
        assert [caller.http.get("/users/me").status_code for caller in (ann, other)] == [401, 200]


def test_a_socket_is_opened_by_header_hello_or_ticket_and_never_by_a_token_in_its_address(
    server: ServerProcess, hasty: ServerProcess
) -> None:
    """A ticket is good once, for 30 seconds unless a site says otherwise; the refusal of a token says what to do."""
    ann, hal = register(server), register(hasty)
    ticket = ann.call("POST", "/auth/ticket")
    assert ticket["expires_in"] == 30.0
    ways: tuple[tuple[str, dict[str, str], dict[str, str]], ...] = (
        ("", bearer(ann.token), {}),
        ("", {}, {"token": ann.token}),
        (f"?ticket={ticket['ticket']}", {}, {}),
    )
    for query, headers, data in ways:
        talker = Talker(server.ws_url + query, headers=headers)
        talker.say("hello", data=data)
        assert talker.until("welcome")["data"]["user"]["id"] == ann.id
    again = Talker(f"{server.ws_url}?ticket={ticket['ticket']}")
    again.say("hello", data={})
    assert again.closed() == UNAUTHENTICATED
    for name in ("token", "access_token"):
        with pytest.raises(InvalidStatus) as refused:
            Talker(f"{server.ws_url}?{name}={ann.token}")
        assert refused.value.response.status_code == 400
        assert b"send it in a header or in hello" in (refused.value.response.body or b"")
    late = hal.call("POST", "/auth/ticket")
    assert late["expires_in"] == TICKET_SECONDS
    time.sleep(TICKET_SECONDS + 0.1)
    talker = Talker(f"{hasty.ws_url}?ticket={late['ticket']}")
    talker.say("hello", data={})
    assert talker.closed() == UNAUTHENTICATED


def test_a_refresh_token_is_good_once_and_its_copy_ends_the_session(server: ServerProcess) -> None:
    """A login gives both tokens; each renewal others; a used one that comes back takes the whole family along."""
    register(server, "rotating")
    ann, other = log_in(server, "rotating"), log_in(server, "rotating")
    assert ann.call("GET", "/users/me")["username"] == "rotating"
    tokens, access = [ann.refresh], [ann.token]
    for _ in range(3):
        view = ann.call("POST", "/auth/refresh", {"refresh_token": tokens[-1]}, status=200)
        assert (view["user"]["id"], view["session_id"]) == (ann.id, ann.session)
        assert ann.http.get("/users/me", headers=bearer(view["access_token"])).status_code == 200
        tokens.append(view["refresh_token"])
        access.append(view["access_token"])
    assert len({*tokens, *access}) == 8
    talker = Talker.greeted(server.ws_url, access[-1])
    assert ann.refused("POST", "/auth/refresh", {"refresh_token": tokens[0]}, status=401) == "unauthenticated"
    assert talker.closed() == REVOKED
    for token in tokens:
        ann.refused("POST", "/auth/refresh", {"refresh_token": token}, status=401)
    for token in access:
        assert ann.http.get("/users/me", headers=bearer(token)).status_code == 401
    # It was one session's family.
    other.call("POST", "/auth/refresh", {"refresh_token": other.refresh}, status=200)


def test_a_service_may_ask_about_a_token_or_check_it_by_itself(hasty: ServerProcess) -> None:
    """Who it is of, as long as it is good; by the published keys and any library the same, without asking."""
    ann, service = register(hasty), register(hasty)
    shown = service.call("POST", "/auth/introspect", {"token": ann.token}, status=200)
    who = {"active": True, "sub": ann.id, "username": ann.username, "sid": ann.session}
    assert {name: shown[name] for name in who} == who
    keys = httpx.get(f"{hasty.url}/.well-known/jwks.json", trust_env=False).json()
    assert not {"d", "p", "q", "k"} & {name for key in keys["keys"] for name in key}
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(ann.token)["kid"]]
    claims = jwt.decode(ann.token, key, algorithms=["RS256"], audience="justchat:access", issuer="justchat")
    assert (claims["sub"], claims["sid"], claims["exp"]) == (ann.id, ann.session, shown["exp"])
    ann.call("POST", "/auth/logout", status=204)
    for token in (ann.token, ann.refresh, "x", "a.b.c"):
        assert service.call("POST", "/auth/introspect", {"token": token}, status=200) == {"active": False}


def test_sessions_are_shown_to_their_owner_told_of_and_ended_one_by_one(server: ServerProcess) -> None:
    """With device and address; what is open hears of a new one at once. Nothing runs for it but this one process."""
    ann, eve = register(server), register(server)
    talker = Talker.greeted(server.ws_url, ann.token)
    stranger = Talker.greeted(server.ws_url, eve.token)
    phone = {"User-Agent": "Phone/2.0 (of ann)"}
    login = {"username": ann.username, "password": PASSWORD, "cookie": False}
    there: dict[str, Any] = ann.http.post("/auth/login", json=login, headers=phone).json()
    told = talker.until("signed_in")["data"]
    expected = {"session": there["session_id"], "user_agent": phone["User-Agent"], "address": "127.0.0.1"}
    assert {name: told[name] for name in expected} == expected
    shown = {one["id"]: one for one in ann.call("GET", "/auth/sessions")["items"]}
    assert shown.keys() == {ann.session, there["session_id"]}
    assert (shown[ann.session]["current"], shown[there["session_id"]]["current"]) == (True, False)
    device = shown[there["session_id"]]
    assert (device["user_agent"], device["address"]) == (phone["User-Agent"], "127.0.0.1")
    assert shown[ann.session]["user_agent"].startswith("python-httpx/")
    path = f"/auth/sessions/{there['session_id']}"
    assert eve.refused("GET", path, status=404) == eve.refused("DELETE", path, status=404) == "not_found"
    socket = Talker.greeted(server.ws_url, there["access_token"])
    ann.call("DELETE", path, status=204)
    assert socket.closed() == REVOKED
    assert ann.http.get("/users/me", headers=bearer(there["access_token"])).status_code == 401
    assert [one["id"] for one in ann.call("GET", "/auth/sessions")["items"]] == [ann.session]
    for staying in (talker, stranger):
        staying.until("pong", frame_id=staying.say("ping"))
    assert "signed_in" not in {frame["type"] for frame in stranger.seen}


async def test_what_a_cookie_authenticates_needs_a_proof_and_a_bearer_token_needs_none() -> None:
    """403 for a cookie alone or with another page's proof; the header that repeats the cookie is the proof."""
    async with open_office(api_docs="no", auth_rate=1e9, address_rate=1e9) as office:
        desk = Desk(office)
        native = await desk.register()
        for path, done in (("/refresh", 200), ("/logout", 204)):
            ann, bob = await desk.browse(), await desk.browse()
            foreign = {**ann.cookies, "X-CSRF-Token": bob.csrf}
            for headers in (ann.cookies, foreign, {**ann.proven, "Origin": "https://evil.example"}):
                assert await desk.refused("POST", path, headers=headers) == (403, "forbidden", [])
            assert await desk.is_in(ann)
            assert (await desk.ask("POST", path, headers=ann.proven)).status_code == done
        room = {"kind": "group", "name": "Room"}
        assert (await office.call("POST", "/api/v1/rooms", body=room, headers=native.bearer)).status_code == 201
        assert (await desk.ask("POST", "/refresh", body={"refresh_token": native.refresh})).status_code == 200
        assert (await desk.ask("POST", "/logout", headers=native.bearer)).status_code == 204


def test_a_token_is_warned_of_a_minute_ahead_and_another_one_keeps_the_socket(hasty: ServerProcess) -> None:
    """`expiring` sixty seconds before the end and not sooner; `refresh` keeps socket and subscriptions as they are."""
    ann = register(hasty)
    room = ann.room()
    talker = Talker.greeted(hasty.ws_url, ann.token)
    talker.subscribe(room)
    ann.post(room, "before")
    warning = talker.until("expiring", seconds=20)
    # What is left tells how soon it came. It comes when the server next looks, and finds time for that.
    assert 45_000 < warning["data"]["in_ms"] <= 60_000
    view = ann.call("POST", "/auth/refresh", {"refresh_token": ann.refresh})
    answer = talker.until("refreshed", "error", frame_id=talker.say("refresh", data={"token": view["access_token"]}))
    assert answer["type"] == "refreshed"
    assert 45_000 < answer["data"]["expires_in_ms"] <= 61_000
    ann.http.headers.update(bearer(view["access_token"]))
    ann.post(room, "after")
    while [event["data"]["body"] for event in talker.events(room)] != ["before", "after"]:
        talker.until("message.created")
    assert talker.send(room, "and back")["type"] == "ack"
