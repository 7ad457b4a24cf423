"""Behind proxies: their word is taken where they are configured, nobody else's, for everything that asks who calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.http.office import Office, open_office
from tests.http.raw import ask
from tests.support.rest import PASSWORD, register
from tests.support.server import ServerProcess, running_server
from tests.support.talker import Talker

pytestmark = pytest.mark.real_clock

PROXY, FRONT, STRANGER = "10.0.0.1", "10.0.0.2", "192.0.2.1"
ANN, BOB = "203.0.113.9", "203.0.113.10"
TRUSTED = ("10.0.0.0/8",)


async def status(office: Office, address: str, forwarded: str | None, path: str = "/api/v1/users/me") -> int:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return (await office.call("GET", path, address=address, headers=headers)).status_code


async def test_behind_a_proxy_everybody_has_a_quota_of_their_own() -> None:
    """What one uses up the next one has; a longer chain leads to the same caller, and lies in it to nobody."""
    async with open_office(trusted_proxies=TRUSTED, address_rate=2) as office:
        assert [await status(office, PROXY, ANN) for _ in range(3)] == [401, 401, 429]
        assert await status(office, PROXY, BOB) == 401
        assert await status(office, PROXY, f"{BOB}, {ANN}, {FRONT}") == 429
        assert await status(office, FRONT, f"127.0.0.1, {BOB}:4711") == 401
        assert await status(office, PROXY, BOB) == 429


@pytest.mark.parametrize("trusted", [(), TRUSTED])
async def test_a_stranger_cannot_be_somebody_else_by_saying_so(trusted: tuple[str, ...]) -> None:
    """Another address in every request, and other headers that say the same, are still one caller."""
    async with open_office(trusted_proxies=trusted, address_rate=2) as office:
        found = [await status(office, STRANGER, f"203.0.113.{number}") for number in range(4)]
        assert found == [401, 401, 429, 429]
        for name in ("Forwarded", "X-Real-IP", "Remote-Addr", "True-Client-IP", "CF-Connecting-IP"):
            answer = await office.call("GET", "/api/v1/users/me", address=STRANGER, headers={name: ANN})
            assert answer.status_code == 429


async def test_rubbish_from_a_proxy_is_the_proxys_own_request() -> None:
    """A header without an address counts for the proxy, and its other callers keep theirs."""
    async with open_office(trusted_proxies=TRUSTED, address_rate=2) as office:
        assert [await status(office, PROXY, rubbish) for rubbish in ("unknown", "", f"{ANN}, ?")] == [401, 401, 429]
        assert await status(office, PROXY, ANN) == 401


@pytest.mark.parametrize(
    ("trusted", "address", "headers", "allowed"),
    [
        ((), "127.0.0.1", {}, True),
        ((), "::1", {}, True),
        ((), STRANGER, {}, False),
        ((), STRANGER, {"X-Forwarded-For": "127.0.0.1"}, False),
        ((), "127.0.0.1", {"X-Forwarded-For": ANN}, False),
        ((), "127.0.0.1", {"Forwarded": "for=127.0.0.1"}, False),
        (("127.0.0.1/32",), "127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, False),
        (("127.0.0.1/32",), "127.0.0.1", {}, False),
        (TRUSTED, PROXY, {"X-Forwarded-For": "127.0.0.1"}, False),
        (TRUSTED, "127.0.0.1", {}, True),
    ],
)
async def test_behind_a_proxy_nobody_is_at_this_machine(
    trusted: tuple[str, ...], address: str, headers: dict[str, str], allowed: bool
) -> None:
    """What operators may see from the machine itself, nobody sees through a proxy, whatever the headers say."""
    async with open_office(trusted_proxies=trusted) as office:
        answer = await office.call("GET", "/health/actors", address=address, headers=headers)
        assert answer.status_code == (200 if allowed else 403)


async def test_sessions_and_failed_logins_are_told_apart_by_the_callers_address() -> None:
    """People see where they are signed in, and guesses from one place lock nobody out at another."""
    async with open_office(trusted_proxies=TRUSTED, login_failures=2) as office:

        async def post(path: str, address: str, **body: object) -> Any:
            headers = {"X-Forwarded-For": address}
            return await office.call("POST", f"/api/v1/auth/{path}", address=PROXY, headers=headers, body=body)

        made = await post("register", ANN, username="ann", password=PASSWORD)
        headers = {"Authorization": f"Bearer {(await made.get_json())['access_token']}"}
        listed = await office.call("GET", "/api/v1/auth/sessions", address=PROXY, headers=headers)
        assert [session["address"] for session in (await listed.get_json())["items"]] == [ANN]
        wrong = [(await post("login", BOB, username="ann", password="wrong")).status_code for _ in range(3)]
        assert wrong == [401, 401, 429]
        assert (await post("login", ANN, username="ann", password=PASSWORD)).status_code == 200


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server behind a proxy on the same machine, with few places for sockets."""
    folder = tmp_path_factory.mktemp("strict")
    with running_server(
        folder,
        trusted_proxies="127.0.0.1",
        sockets_per_address=3,
        arriving_per_address=2,
        allowed_origins="https://ok.example",
        # Some here are long in coming; the busier the machine, the longer.
        hello_seconds=60,
    ) as server:
        yield server


UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def test_sockets_are_counted_by_the_callers_address_and_refused_before_the_upgrade(strict: ServerProcess) -> None:
    """The one after the last gets 429 with a problem and Retry-After; another address does not; a place comes back."""
    token = register(strict).token
    ann = {"X-Forwarded-For": ANN}
    with ExitStack() as stack:

        def enter(headers: dict[str, str], *, greet: bool) -> Talker:
            talker = Talker(strict.ws_url, headers=headers)
            stack.callback(talker.close)
            if greet:
                talker.say("hello", data={"token": token})
                talker.until("welcome")
            return talker

        arriving = [enter(ann, greet=False) for _ in range(2)]
        with pytest.raises(InvalidStatus) as refused:
            enter(ann, greet=False)
        assert refused.value.response.status_code == 429
        answer = ask(strict, "GET /ws", headers=f"{UPGRADE}X-Forwarded-For: {ANN}\r\n")
        assert (answer.status, answer.problem["code"]) == (429, "rate_limited")
        assert int(answer.headers["retry-after"]) >= answer.problem["retry_after"] > 0
        enter({"X-Forwarded-For": BOB}, greet=True)
        for talker in arriving:
            talker.say("hello", data={"token": token})
            talker.until("welcome")
        last = enter(ann, greet=True)
        with pytest.raises(InvalidStatus):
            enter(ann, greet=False)
        last.close()
        place = _once_there_is_one(lambda: enter(ann, greet=True))
        assert place.seen[-1]["type"] == "welcome"


def _once_there_is_one(enter: Callable[[], Talker]) -> Talker:
    """Try until the server has seen the goodbye of the one that left; a refusal comes only after a real look."""
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        try:
            return enter()
        except InvalidStatus:
            continue
    raise AssertionError("the place of a socket that left never came back")


@pytest.mark.parametrize("origin", ["http://chat.example.org", "https://evil.example", "null", ""])
def test_a_socket_of_a_page_that_has_no_business_here_is_refused_before_the_upgrade(
    strict: ServerProcess, origin: str
) -> None:
    """403 with a problem; our own page over plain HTTP is such a page where the proxy says that it was TLS."""
    headers = f"{UPGRADE}X-Forwarded-For: {BOB}\r\nX-Forwarded-Proto: https\r\nOrigin: {origin}\r\n"
    answer = ask(strict, "GET /ws", headers=headers)
    assert (answer.status, answer.problem["code"]) == (403, "forbidden")
