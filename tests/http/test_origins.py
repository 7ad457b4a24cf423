"""Pages of other origins: who may call, what their browsers are told, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.office import Office, open_office

pytestmark = pytest.mark.real_clock

HOST = "chat.example.org"
FRIEND, EVIL, OWN = "https://friend.example", "https://evil.example", "http://chat.example.org"
SHARED = {
    "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id", "ETag", "Location", "Idempotent-Replayed",
}  # fmt: skip
LOGIN = {"username": "nobody", "password": "correct horse battery"}


async def call(office: Office, method: str, path: str, origin: str | None, **parts: Any) -> Any:
    headers = {"Host": HOST, **parts.pop("headers", {})}
    if origin is not None:
        headers["Origin"] = origin
    return await office.call(method, f"/api/v1{path}", headers=headers, **parts)


def shared_with(answer: Any) -> tuple[str | None, bool]:
    """Give the origin that the answer is for, and whether with credentials."""
    assert "Origin" in {part.strip() for part in answer.headers["Vary"].split(",")}
    credentials = answer.headers.get("Access-Control-Allow-Credentials")
    assert credentials in {None, "true"}
    shown = answer.headers.get("Access-Control-Expose-Headers")
    origin = answer.headers.get("Access-Control-Allow-Origin")
    assert (shown is None) == (origin is None)
    if shown is not None:
        assert set(shown.split(", ")) == SHARED
    return origin, credentials == "true"


# origin, allow-list -> what the answer says; and whether an unsafe call without a token is let through
CASES = [
    (None, (), (None, False), True),
    (None, (FRIEND,), (None, False), True),
    (OWN, (), (None, False), True),
    (OWN, (FRIEND,), (None, False), True),
    (FRIEND, (), (None, False), False),
    (FRIEND, (FRIEND,), (FRIEND, True), True),
    (FRIEND, (EVIL,), (None, False), False),
    (FRIEND, ("*",), ("*", False), True),
    (FRIEND, ("*", FRIEND), (FRIEND, True), True),
    ("http://friend.example", (FRIEND,), (None, False), False),
    ("https://friend.example:8443", (FRIEND,), (None, False), False),
    ("https://friend.example.evil.example", (FRIEND,), (None, False), False),
    ("http://chat.example.org:8080", (), (None, False), False),
    ("null", (), (None, False), False),
    ("null", ("*",), (None, False), False),
    ("", ("*",), (None, False), False),
]


@pytest.mark.parametrize(("origin", "allowed", "shared", "unsafe"), CASES)
async def test_only_listed_pages_are_shown_answers_and_only_they_change_anything(
    origin: str | None, allowed: tuple[str, ...], shared: tuple[str | None, bool], unsafe: bool
) -> None:
    """By method: looking is answered and not shown; changing without a token is refused; a token speaks for itself."""
    async with open_office(allowed_origins=allowed) as office:
        office.add_user("ann")
        for method, path, caller, body, status in (
            ("GET", "/users/me", "ann", None, 200),
            ("HEAD", "/users/me", "ann", None, 200),
            ("GET", "/users/me", None, None, 401),
            ("GET", "/nothing", None, None, 404),
            ("POST", "/auth/login", None, LOGIN, 401 if unsafe else 403),
            ("DELETE", "/nothing", None, None, 404 if unsafe else 403),
            ("POST", "/rooms", "ann", {"kind": "group", "name": "x"}, 201),
            ("PATCH", "/users/me", None, {}, 401 if unsafe else 403),
        ):
            answer = await call(office, method, path, origin, caller=caller, body=body)
            if (method, path) != ("PATCH", "/users/me") or answer.status_code != 405:
                assert answer.status_code == status, (method, path)
            assert shared_with(answer) == shared, (method, path)


PREFLIGHT = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization,content-type"}


@pytest.mark.parametrize(
    ("origin", "allowed", "shared"),
    [(FRIEND, (FRIEND,), (FRIEND, True)), (FRIEND, ("*",), ("*", False))],
)
async def test_an_allowed_page_is_told_what_it_may_send(
    origin: str, allowed: tuple[str, ...], shared: tuple[str, bool]
) -> None:
    """204 without a body: the methods of that very address, the headers that calls have, and for how long."""
    async with open_office(allowed_origins=allowed) as office:
        answer = await call(office, "OPTIONS", "/rooms/r_1", origin, headers=PREFLIGHT)
        assert (answer.status_code, await answer.get_data()) == (204, b"")
        assert shared_with(answer) == shared
        assert {"GET", "PATCH", "DELETE"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
        assert "POST" not in answer.headers["Access-Control-Allow-Methods"]
        sent = {name.lower() for name in answer.headers["Access-Control-Allow-Headers"].split(", ")}
        assert {"authorization", "content-type", "x-csrf-token", "if-match", "idempotency-key"} <= sent
        assert int(answer.headers["Access-Control-Max-Age"]) > 0
        assert {"Access-Control-Request-Method", "Origin"} <= set(answer.headers["Vary"].split(", "))


@pytest.mark.parametrize("origin", [EVIL, "null", "", OWN, None])
async def test_no_other_page_is(origin: str | None) -> None:
    """A preflight from elsewhere is refused and names nothing; our own page never needs one."""
    async with open_office(allowed_origins=(FRIEND,)) as office:
        answer = await call(office, "OPTIONS", "/rooms/r_1", origin, headers=PREFLIGHT)
        assert answer.status_code == 403
        assert shared_with(answer) == (None, False)
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")]


async def test_preflights_use_up_nobodys_quota() -> None:
    """Browsers make them by themselves, for all people behind one address."""
    async with open_office(allowed_origins=(FRIEND,), address_rate=1) as office:
        for _ in range(5):
            answer = await call(office, "OPTIONS", "/rooms/r_1", FRIEND, headers=PREFLIGHT)
            assert answer.status_code == 204
        assert (await call(office, "GET", "/users/me", FRIEND)).status_code == 401


async def test_a_refused_page_may_read_why_if_it_is_allowed_at_all() -> None:
    """429 and 404 are shown to a listed page like any other answer."""
    async with open_office(allowed_origins=(FRIEND,), address_rate=1) as office:
        await call(office, "GET", "/users/me", FRIEND)
        answer = await call(office, "GET", "/users/me", FRIEND)
        assert answer.status_code == 429
        assert shared_with(answer) == (FRIEND, True)


async def test_a_cookie_is_not_taken_from_a_page_that_only_the_asterisk_lets_in() -> None:
    """With `*` any page may call with a token; the browser's own proof of who it is counts for named pages only."""
    async with open_office(allowed_origins=("*", FRIEND)) as office:
        made = await call(
            office, "POST", "/auth/register", OWN, body={"username": "ann", "password": "correct horse battery"}
        )
        jar = {cookie.partition("=")[0]: cookie.split(";")[0] for cookie in made.headers.getlist("Set-Cookie")}
        proof = jar["justchat_csrf"].partition("=")[2]
        headers = {"Cookie": "; ".join(jar.values()), "X-CSRF-Token": proof}
        for origin, status in ((EVIL, 403), ("null", 403), (FRIEND, 200)):
            answer = await call(office, "POST", "/auth/refresh", origin, headers=headers)
            assert answer.status_code == status, origin


async def test_outside_of_the_api_nothing_is_shared() -> None:
    """Pages and health are for their own origin."""
    async with open_office(allowed_origins=(FRIEND,)) as office:
        for path in ("/", "/health", "/openapi.json"):
            answer = await office.call("GET", path, headers={"Origin": FRIEND})
            assert answer.status_code == 200
            assert "Access-Control-Allow-Origin" not in answer.headers
