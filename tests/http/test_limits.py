"""Quotas over REST: what a request counts as, against whose quota, and what the caller is told."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import trio
from quart import Response

from justchat.http.border import rate_class_of
from justchat.http.openapi import published_operations
from justchat.http.openapi_refusals import refusals_of
from justchat.http.operation import Operation
from justchat.limiting.policy import RateClass
from justchat.wire.errors import ErrorCode
from tests.http.desk import Desk, bearer
from tests.http.office import Office, open_office

pytestmark = pytest.mark.real_clock

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"
SIX_NETWORK, SAME_NETWORK, NEXT_NETWORK = "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"
LOGIN = {"username": "nobody", "password": "correct horse battery"}


async def statuses(office: Office, count: int, method: str, path: str, **parts: Any) -> list[int]:
    return [(await office.call(method, f"/api/v1{path}", **parts)).status_code for _ in range(count)]


def standing(answer: Response) -> tuple[str, int, int, int]:
    """Give name, quota, what is left and the seconds until more comes, from headers that must fit together."""
    policy = re.fullmatch(r'"(\w+)";q=(\d+);w=60', answer.headers["RateLimit-Policy"])
    limit = re.fullmatch(r'"(\w+)";r=(\d+);t=(\d+)', answer.headers["RateLimit"])
    assert policy is not None
    assert limit is not None
    assert policy[1] == limit[1]
    return policy[1], int(policy[2]), int(limit[2]), int(limit[3])


@pytest.mark.parametrize(
    ("setting", "method", "path", "caller", "body", "good"),
    [
        ("address_rate", "GET", "/users/me", None, None, 401),
        ("address_rate", "GET", "/no/such/thing", None, None, 404),
        ("address_rate", "POST", "/users/me", None, None, 405),
        ("read_rate", "GET", "/users/me", "ann", None, 200),
        ("read_rate", "HEAD", "/users/me", "ann", None, 200),
        ("write_rate", "POST", "/rooms", "ann", {"kind": "group", "name": "x"}, 201),
        ("search_rate", "GET", "/users?q=a", "ann", None, 200),
        ("search_rate", "GET", "/rooms?public=true&q=a", "ann", None, 200),
        ("auth_rate", "POST", "/auth/login", None, LOGIN, 401),
        ("auth_rate", "POST", "/auth/register", None, {"username": "x"}, 422),
        ("address_rate", "POST", "/auth/refresh", None, None, 401),
        ("address_rate", "POST", "/auth/refresh", None, {"refresh_token": f"{'a' * 43}.{'b' * 42}A"}, 401),
        ("address_rate", "POST", "/auth/refresh", None, {"no": "form"}, 422),
        ("address_rate", "POST", "/auth/refresh", None, {"refresh_token": "x" * 70_000}, 413),
        ("address_rate", "POST", "/auth/logout", None, None, 401),
        ("address_rate", "POST", "/auth/logout", None, {"refresh_token": "none of ours"}, 204),
        ("session_rate", "POST", "/auth/ticket", "ann", None, 200),
    ],
)
async def test_the_request_after_the_last_is_refused_and_nobody_elses(
    setting: str, method: str, path: str, caller: str | None, body: object, good: int
) -> None:
    """N are answered, the next is 429 with everything it needs; another user at another address is not concerned."""
    async with open_office(**{setting: 3}) as office:
        office.add_user("ann")
        office.add_user("bob")
        call: dict[str, Any] = {"caller": caller, "body": body, "address": HERE}
        began = trio.current_time()
        assert await statuses(office, 3, method, path, **call) == [good] * 3
        answer = await office.call(method, f"/api/v1{path}", **call)
        assert answer.status_code == 429
        name, quota, left, seconds = standing(answer)
        assert (f"{name}_rate", quota, left) == (setting, 3, 0)
        passed = trio.current_time() - began
        assert 60 - passed - 1 <= int(answer.headers["Retry-After"]) <= 60
        assert abs(seconds - int(answer.headers["Retry-After"])) <= 1 + passed
        if method != "HEAD":
            problem = await answer.get_json(force=True)
            assert (problem["code"], problem["status"]) == ("rate_limited", 429)
            assert math.ceil(problem["retry_after"]) == int(answer.headers["Retry-After"])
        call["address"], call["caller"] = ELSEWHERE, "bob" if caller else None
        assert await statuses(office, 1, method, path, **call) == [good]


async def test_every_answer_of_the_api_tells_how_the_caller_stands() -> None:
    """Also refusals, answers without a body, and what nobody is charged for; counting down by one each time."""
    async with open_office(read_rate=10, address_rate=20) as office:
        office.add_user("ann")
        left = [standing(await office.call("GET", "/api/v1/users/me", caller="ann"))[:3] for _ in range(3)]
        assert left == [("read", 10, 9), ("read", 10, 8), ("read", 10, 7)]
        for method, path, expected in (
            ("GET", "/users/u_nobody", ("read", 10, 6)),
            ("GET", "/users/me?limit=x", ("read", 10, 5)),
            ("DELETE", "/rooms/r_none/members/me", ("write", 600, 599)),
            ("GET", "/users?q=a", ("search", 120, 119)),
            ("GET", "/users?ids=u_1", ("read", 10, 4)),
            ("OPTIONS", "/users/me", ("address", 20, 19)),
            ("GET", "/nothing", ("address", 20, 18)),
        ):
            answer = await office.call(method, f"/api/v1{path}", caller="ann")
            assert standing(answer)[:3] == expected, (method, path)
        for path in ("/health", "/", "/version"):
            assert "RateLimit" not in (await office.call("GET", path)).headers


async def test_who_cannot_be_told_apart_is_one_caller() -> None:
    """Ports and the other addresses of one /64 make nobody somebody else; the next network is."""
    async with open_office(address_rate=2) as office:
        assert await statuses(office, 2, "GET", "/users/me", address=SIX_NETWORK) == [401, 401]
        assert await statuses(office, 1, "GET", "/users/me", address=SAME_NETWORK) == [429]
        assert await statuses(office, 1, "GET", "/users/me", address=NEXT_NETWORK) == [401]
        for port in (1, 2, 3):
            answer = await office._client.open("/api/v1/users/me", scope_base={"client": (HERE, port)})
        assert answer.status_code == 429


async def test_a_user_keeps_their_quota_whatever_strangers_do_at_the_same_address() -> None:
    """A bad token is a stranger's request; a good one is its user's, from wherever it comes."""
    async with open_office(address_rate=2, read_rate=3) as office:
        office.add_user("ann")
        bad = {"Authorization": "Bearer nonsense"}
        assert await statuses(office, 3, "GET", "/users/me", address=HERE, headers=bad) == [401, 401, 429]
        assert await statuses(office, 2, "GET", "/users/me", address=HERE, caller="ann") == [200, 200]
        assert await statuses(office, 2, "GET", "/users/me", address=ELSEWHERE, caller="ann") == [200, 429]


async def test_an_office_behind_one_address_renews_as_its_people_and_not_as_its_address() -> None:
    """However many they are; who is too hasty keeps the token, so that the same one is good in the next minute."""
    async with open_office(address_rate=2, auth_rate=6, session_rate=3) as office:
        desk = Desk(office)
        people = [await desk.register(f"person{number}") for number in range(5)]
        hasty = people[0].refresh
        for person in people:
            body = {"refresh_token": person.refresh}
            renewed = await desk.get("POST", "/refresh", body=body)
            assert standing(await desk.ask("POST", "/ticket", headers=bearer(renewed["access_token"])))[2] == 1
            hasty = renewed["refresh_token"] if person is people[0] else hasty
        late = await desk.get("POST", "/refresh", body={"refresh_token": hasty})
        last = {"refresh_token": late["refresh_token"]}
        session = await office.system.accounts.sessions.of_refresh_token(late["refresh_token"])
        for _ in range(3):
            assert (await desk.refused("POST", "/refresh", body=last))[:2] == (429, "rate_limited")
            assert (await desk.refused("POST", "/logout", body=last))[:2] == (429, "rate_limited")
        assert session is not None
        assert await office.system.accounts.sessions.of_refresh_token(late["refresh_token"]) == session
        assert (await desk.ask("POST", "/login", body=LOGIN)).status_code == 401
        assert (await desk.ask("POST", "/login", body=LOGIN)).status_code == 429


async def test_a_token_that_was_used_up_is_noticed_however_busy_its_address_is() -> None:
    """Who comes with a former token is refused as a stranger; that the session ends does not wait for a quota."""
    async with open_office(address_rate=1) as office:
        desk = Desk(office)
        first = await desk.register("ann")
        second = await desk.get("POST", "/refresh", body={"refresh_token": first.refresh})
        await desk.get("POST", "/refresh", body={"refresh_token": second["refresh_token"]})
        await desk.refused("POST", "/refresh")
        assert (await desk.refused("POST", "/refresh"))[0] == 429
        assert (await desk.refused("POST", "/refresh", body={"refresh_token": first.refresh}))[0] == 429
        assert not await desk.is_in(first)


async def test_the_hundred_and_first_request_of_a_minute_is_refused_by_default() -> None:
    """D10: counted in one step, and for an address without its port, so that a new connection is no new caller."""
    async with open_office() as office:
        found = []
        for port in range(101):
            answer = await office._client.open("/api/v1/users/me", scope_base={"client": (HERE, 40_000 + port)})
            found.append(answer.status_code)
        assert found == [401] * 100 + [429]
        assert await statuses(office, 1, "GET", "/users/me", address=ELSEWHERE) == [401]


async def test_requests_at_once_cannot_overshoot() -> None:
    """Of fifty that come together exactly as many are let in as the quota says."""
    async with open_office(address_rate=7, write_rate=5) as office:
        office.add_user("ann")
        seen: list[int] = []

        async def call(method: str, path: str, caller: str | None) -> None:
            answer = await office.call(method, f"/api/v1{path}", caller=caller, address=HERE, body=None)
            seen.append(answer.status_code)

        async with trio.open_nursery() as nursery:
            for _ in range(25):
                nursery.start_soon(call, "GET", "/users/me", None)
                nursery.start_soon(call, "DELETE", "/rooms/r_none/members/me", "ann")
        assert seen.count(401) == 7
        assert seen.count(429) == 18 + 20


async def test_a_store_that_is_down_uses_up_nobodys_quota() -> None:
    """Whoever could not be recognised for our own fault is not taken for a stranger."""
    async with open_office(address_rate=2) as office:
        office.add_user("ann")
        office.switch.down = True
        assert await statuses(office, 5, "GET", "/users/me", caller="ann", address=HERE) == [503] * 5
        office.switch.down = False
        assert await statuses(office, 2, "GET", "/users/me", address=HERE) == [401, 401]


async def test_what_an_operation_counts_as_follows_from_what_it_is() -> None:
    """Looking is read, changing is write, proving who one is counts for the address; some are named."""
    async with open_office() as office:
        found: dict[str, set[str]] = {}
        for one in published_operations(office.app):
            if one.path.startswith("/api/v1/"):
                kind = rate_class_of(one.operation, {"q"}).value
                found.setdefault(kind, set()).add(f"{one.operation.method} {one.operation.path}")
        assert {"POST /auth/login", "POST /auth/register", "POST /auth/password"} <= found["auth"]
        assert found["session"] == {"POST /auth/refresh", "POST /auth/ticket", "POST /auth/logout"}
        assert all(" /auth/" in name for name in found["auth"])
        assert {"GET /users", "GET /rooms"} <= found["search"]
        assert all(
            rate_class_of(one.operation, ()) is RateClass.READ
            for one in published_operations(office.app)
            if f"{one.operation.method} {one.operation.path}" in {"GET /users", "GET /rooms"}
        )
        assert all(name.startswith("GET ") for name in found["read"] | found["search"])
        assert not any(name.startswith("GET ") for name in found["write"])
        assert {"POST /rooms/<room>/messages", "POST /auth/introspect", "POST /auth/tokens"} <= found["write"]


async def test_nothing_escapes_being_counted() -> None:
    """Every published operation, called by nobody, uses a unit of the address or of its logins, and may say 429."""
    async with open_office(address_rate=1000, auth_rate=1000, session_rate=1) as office:
        operations: list[Operation] = [
            one.operation for one in published_operations(office.app) if one.path.startswith("/api/v1/")
        ]
        before = {"address": 1000, "auth": 1000}
        for operation in operations:
            path = re.sub(r"<[^>]+>", "x", operation.path)
            name, _, left, _ = standing(await office.call(operation.method, f"/api/v1{path}", address=HERE))
            assert left == before[name] - 1, operation
            assert ErrorCode.RATE_LIMITED in refusals_of(operation, f"/api/v1{operation.path}")[429]
            before[name] = left
