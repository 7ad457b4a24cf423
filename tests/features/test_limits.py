"""What callers may ask for at most, and from where: over REST, over sockets, and from pages of other sites."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from bench.connection import Connection, Greeting, open_connections
from bench.frames import CLOSE, PING
from justchat.config import Config
from justchat.ids import new_id
from tests.features.waiting import wait_until
from tests.support.rest import register
from tests.support.server import ServerProcess, running_server
from tests.support.talker import Talker

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

FRIEND, EVIL = "https://friend.example", "https://evil.example"
TOO_BIG, SILENT = 1009, 4002
TRIES = 20


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with the limits that come by default, but for a room's; it believes a proxy on this machine."""
    folder = tmp_path_factory.mktemp("strict")
    with running_server(
        folder,
        allowed_origins=FRIEND,
        # As many at once: what makes a room, and one post.
        room_rate=2,
        trusted_proxies="127.0.0.1",
    ) as server:
        yield server


def look(server: ServerProcess, *, address: str, token: str = "") -> httpx.Response:
    """Ask who one is, on a connection of its own, which has a port of its own."""
    headers = {"X-Forwarded-For": address} | ({"Authorization": f"Bearer {token}"} if token else {})
    return httpx.get(f"{server.url}/api/v1/users/me", headers=headers, trust_env=False, verify=False, timeout=20)


def is_told(answer: httpx.Response, name: str) -> None:
    """Check that a refusal says by which quota, and when to come back."""
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.headers["RateLimit"].startswith(f'"{name}";r=0;t=')
    assert answer.headers["RateLimit-Policy"].startswith(f'"{name}";q=')


def test_the_hundred_and_first_request_of_an_address_is_refused_and_no_user_pays_for_it(strict: ServerProcess) -> None:
    """However many come at once and from whatever port; a user is counted by themselves, from wherever they call."""
    ann = register(strict)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: look(strict, address="192.0.2.1"), range(101)))
    assert sorted(answer.status_code for answer in found) == [401] * 100 + [429]
    (refused,) = (answer for answer in found if answer.status_code == 429)
    is_told(refused, "address")
    assert all(answer.headers["RateLimit"].startswith('"address";r=') for answer in found)
    assert look(strict, address="192.0.2.2").status_code == 401
    known = [look(strict, address=f"192.0.2.{number}", token=ann.token) for number in (1, 1, 2)]
    assert [answer.status_code for answer in known] == [200] * 3
    left = [answer.headers["RateLimit"].split(";")[:2] for answer in known]
    assert left == [['"read"', "r=1199"], ['"read"', "r=1198"], ['"read"', "r=1197"]]


def ping_often(talker: Talker) -> list[str]:
    """Ask forty times at once; give the types of the answers."""
    frames = [talker.say("ping") for _ in range(40)]
    return [talker.until("pong", "error", frame_id=frame)["type"] for frame in frames]


def test_addresses_users_rooms_and_connections_each_have_a_limit_of_their_own(strict: ServerProcess) -> None:
    """An address by the minute, over REST; a connection and a room by the second, and a room by whichever way."""
    address = "198.51.100.1"
    found = [look(strict, address=address) for _ in range(101)]
    assert [answer.status_code for answer in found] == [401] * 100 + [429]
    is_told(found[-1], "address")
    ann, bob = register(strict), register(strict)
    # One connection: a burst, and then no faster than its pace. Where this machine pauses in the middle, more get
    # through meanwhile: then somebody else tries.
    talker, other = (Talker.greeted(strict.ws_url, one.token) for one in (ann, bob))
    tries = [ping_often(talker)]
    while tries[-1].count("error") < 15 and len(tries) < TRIES:
        talker = Talker.greeted(strict.ws_url, register(strict).token)
        tries.append(ping_often(talker))
    assert all(kinds[:20] == ["pong"] * 20 for kinds in tries), tries
    assert 15 <= tries[-1].count("error") <= 20, tries
    refusal = next(frame for frame in talker.seen if frame["type"] == "error")["data"]
    assert (refusal["code"], refusal["retry_after"] > 0) == ("rate_limited", True)
    other.until("pong", frame_id=other.say("ping"))
    # One room: what comes over REST and over the socket, of all its members together; another room is as before.
    room, elsewhere = ann.room(members=(bob.username,)), ann.room()
    answers: set[object] = set()

    def both_ways_take_some_and_refuse_some() -> bool:
        answers.add(
            bob.http.post(f"/rooms/{room}/messages", json={"client_msg_id": new_id("x"), "body": "x"}).status_code
        )
        answers.add(other.send(room, "x")["data"].get("code", "ack"))
        return {201, 429, "rate_limited"} <= answers

    wait_until(both_ways_take_some_and_refuse_some)
    assert answers <= {201, 429, "rate_limited", "ack"}
    ann.post(elsewhere, "nobody holds me up")


def how_it_ends(silent: Connection) -> tuple[int, bool]:
    """Wait for the end of a connection that answers nothing; give its close code, and whether it was pinged."""
    opcodes, code = set(), 0
    while not code:
        for frame in silent.receive():
            opcodes.add(frame.opcode)
            if frame.opcode == CLOSE:
                code = int.from_bytes(frame.payload[:2])
    return code, PING in opcodes


def test_too_large_a_frame_and_too_long_a_silence_end_a_connection(server: ServerProcess, tmp_path: Path) -> None:
    """1009 for a frame over the limit; a peer that answers no ping is closed, by default within forty seconds."""
    ann = register(server)
    talker = Talker.greeted(server.ws_url, ann.token)
    talker.raw("x" * (Config().frame_max_bytes + 1))
    assert talker.closed() == TOO_BIG
    # Whoever answers has time for it also where this machine pauses.
    with running_server(tmp_path, heartbeat_seconds=1, pong_seconds=5) as watchful:
        token = register(watchful).token
        (silent,) = open_connections(watchful.port, [Greeting(token)])
        answering = Talker.greeted(watchful.ws_url, token)
        with closing(silent):
            assert how_it_ends(silent) == (SILENT, True)
        answering.until("pong", frame_id=answering.say("ping"))
    assert Config().heartbeat_seconds + Config().pong_seconds <= 39.0


def test_pages_of_other_sites_may_call_if_they_are_listed_and_no_others(strict: ServerProcess) -> None:
    """Nothing is shared with a page by default; a preflight, an answer and a socket are for listed origins alone."""
    ann = register(strict)
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for origin in (FRIEND, EVIL, f"{FRIEND}:8443", "http://friend.example", "null"):
        is_listed = origin == FRIEND
        asked = ann.http.options("/rooms", headers={"Origin": origin, **preflight})
        assert asked.status_code == (204 if is_listed else 403)
        shown = ann.http.get("/users/me", headers={"Origin": origin})
        for answer in (asked, shown):
            assert answer.headers.get("Access-Control-Allow-Origin") == (FRIEND if is_listed else None)
        login = ann.http.post("/auth/login", json={"username": "x", "password": "x"}, headers={"Origin": origin})
        # Who shows a token speaks for themselves; a page that brings none is asked where it is from.
        bare = httpx.post(f"{strict.url}/api/v1/auth/login", json={}, headers={"Origin": origin}, trust_env=False)
        assert (bare.status_code == 403) is not is_listed
        assert login.status_code in {401, 403}
        if is_listed:
            talker = Talker(strict.ws_url, origin=origin)
            talker.say("hello", data={"token": ann.token})
            talker.until("welcome")
            continue
        with pytest.raises(InvalidStatus) as refused:
            Talker(strict.ws_url, origin=origin)
        assert refused.value.response.status_code == 403
    # Programs that are no browsers name no origin.
    Talker.greeted(strict.ws_url, ann.token)
