"""The refresh token as a browser keeps it: which cookies are left, who gets them, and what they are not enough for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http.cookies import Morsel
from typing import Any

import pytest

from justchat.http.cookies import CSRF_COOKIE, CSRF_HEADER, REFRESH_COOKIE
from tests.http.desk import PASSWORD, Desk, Person, cookies_of, person_of
from tests.http.office import open_office

pytestmark = pytest.mark.real_clock
ANN = {"username": "ann", "password": PASSWORD}
FRIEND = "https://friend.example"


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_office(api_docs="no", auth_rate=1e9, address_rate=1e9, allowed_origins=(FRIEND,)) as office:
        yield Desk(office)


def attributes(morsel: Morsel[str]) -> dict[str, object]:
    """Name what a browser is told about a cookie, but for how long it is kept."""
    kept = {name: value for name, value in morsel.items() if value and name not in {"expires", "max-age"}}
    return {**kept, "kept": int(morsel["max-age"]) > 0}


def left(answer: Any, *, secure: bool = True) -> None:
    """Check that an answer leaves both cookies, each as it has to be."""
    cookies = cookies_of(answer)
    tls = {"secure": True} if secure else {}
    assert cookies.keys() == {REFRESH_COOKIE, CSRF_COOKIE}
    assert attributes(cookies[REFRESH_COOKIE]) == {
        "path": "/api/v1/auth", "samesite": "Strict", "httponly": True, "kept": True, **tls
    }  # fmt: skip
    # Our pages read this one, wherever on the site they are.
    assert attributes(cookies[CSRF_COOKIE]) == {"path": "/", "samesite": "Strict", "kept": True, **tls}
    ages = {int(cookie["max-age"]) for cookie in cookies.values()}
    assert len(ages) == 1
    assert 14 * 86_400 - 2 <= ages.pop() <= 14 * 86_400
    assert len(cookies[CSRF_COOKIE].value) >= 32


def dropped(answer: Any) -> None:
    """Check that an answer takes both cookies away: by the same path, or browsers keep them."""
    cookies = cookies_of(answer)
    assert [(name, cookie.value, cookie["max-age"]) for name, cookie in cookies.items()] == [
        (REFRESH_COOKIE, "", "0"),
        (CSRF_COOKIE, "", "0"),
    ]
    assert (cookies[REFRESH_COOKIE]["path"], cookies[CSRF_COOKIE]["path"]) == ("/api/v1/auth", "/")


async def test_browsers_keep_the_refresh_token_where_no_script_reads_it(desk: Desk) -> None:
    """Registration, login and renewal leave it as a cookie unless told otherwise, and then it is not in the answer."""
    for path, body in (("/register", ANN), ("/login", ANN), ("/login", {**ANN, "cookie": True})):
        answer = await desk.ask("POST", path, body=body)
        left(answer)
        view = await answer.get_json()
        assert "refresh_token" not in view
        assert cookies_of(answer)[REFRESH_COOKIE].value not in await answer.get_data(as_text=True)
    renewed = await desk.ask("POST", "/refresh", headers=person_of(view, cookies_of(answer)).proven)
    left(renewed)
    assert "refresh_token" not in await renewed.get_json()
    tokens = [cookies_of(each)[name].value for each in (answer, renewed) for name in (REFRESH_COOKIE, CSRF_COOKIE)]
    assert len(set(tokens)) == 4


async def test_without_tls_cookies_can_be_had_by_configuration_only() -> None:
    """For a site that is tried out over plain HTTP."""
    async with open_office(api_docs="no", cookie_secure="no") as office:
        left(await Desk(office).ask("POST", "/register", body=ANN), secure=False)


async def test_whoever_asks_for_no_cookie_gets_none(desk: Desk) -> None:
    """Native clients get the token in the answer, and nothing else is left with them."""
    for path in ("/register", "/login"):
        answer = await desk.ask("POST", path, body={**ANN, "cookie": False})
        assert cookies_of(answer) == {}
        assert "refresh_token" in await answer.get_json()


async def browser(desk: Desk) -> Person:
    """Somebody who registered, and is logged in by a browser."""
    await desk.register()
    return await desk.browse()


@pytest.mark.parametrize("path", ["/refresh", "/logout"])
async def test_a_cookie_alone_does_nothing(desk: Desk, path: str) -> None:
    """A page elsewhere can have the cookies sent along; what it cannot do is repeat one of them in a header."""
    ann = await browser(desk)
    another = ann.csrf[:-1] + ("x" if ann.csrf[-1] != "x" else "y")
    only, empty = f"{REFRESH_COOKIE}={ann.refresh}", f"{REFRESH_COOKIE}={ann.refresh}; {CSRF_COOKIE}="
    for headers in (
        ann.cookies,
        {**ann.cookies, CSRF_HEADER: ""},
        {**ann.cookies, CSRF_HEADER: another},
        {**ann.cookies, CSRF_HEADER: ann.refresh},
        {"Cookie": only, CSRF_HEADER: ann.csrf},
        {"Cookie": only, CSRF_HEADER: ""},
        {"Cookie": empty, CSRF_HEADER: ""},
        {"Cookie": empty, CSRF_HEADER: ann.csrf},
    ):
        assert await desk.refused("POST", path, headers=headers) == (403, "forbidden", []), headers
    # Nothing was used up by it.
    assert await desk.is_in(ann)
    assert (await desk.ask("POST", "/refresh", headers=ann.proven)).status_code == 200


@pytest.mark.parametrize("path", ["/refresh", "/logout"])
async def test_a_page_of_ours_or_of_a_friend_goes_on_and_goes(desk: Desk, path: str) -> None:
    """With the proof, and an origin that may call, if there is one."""
    await desk.register()
    for origin in ({}, {"Origin": "http://localhost"}, {"Origin": "https://localhost"}, {"Origin": FRIEND}):
        ann = await desk.browse()
        answer = await desk.office.call("POST", f"/api/v1/auth{path}", headers={**ann.proven, **origin})
        if path == "/refresh":
            assert answer.status_code == 200
            left(answer)
        else:
            assert answer.status_code == 204
            dropped(answer)
        assert await desk.is_in(ann) is (path == "/refresh")


async def test_a_page_from_elsewhere_is_refused_even_with_the_proof(desk: Desk) -> None:
    """Whatever it has got hold of."""
    ann = await browser(desk)
    for origin in ("https://evil.example", "null", "", "https://localhost.evil.example", "file://", f"{FRIEND}:8443"):
        for path in ("/refresh", "/logout"):
            answer = await desk.office.call("POST", f"/api/v1/auth{path}", headers={**ann.proven, "Origin": origin})
            assert answer.status_code == 403, origin
            assert cookies_of(answer) == {}
    assert await desk.is_in(ann)


async def test_cookies_are_not_taken_from_just_any_page_where_all_may_call() -> None:
    """`*` lets every page call with a token of its own, and with nothing that the browser sends along by itself."""
    async with open_office(api_docs="no", allowed_origins=("*",)) as office:
        desk = Desk(office)
        ann = await browser(desk)
        for path in ("/refresh", "/logout"):
            answer = await office.call("POST", f"/api/v1/auth{path}", headers={**ann.proven, "Origin": FRIEND})
            assert answer.status_code == 403
        assert await desk.is_in(ann)


async def test_a_bearer_needs_no_proof(desk: Desk) -> None:
    """Nobody's browser sends a token by itself. Cookies that come along as well are not looked at, but dropped."""
    ann, bob = await browser(desk), await desk.register("bob")
    answer = await desk.ask("POST", "/logout", headers={**ann.cookies, **bob.bearer})
    assert answer.status_code == 204
    dropped(answer)
    assert [await desk.is_in(each) for each in (ann, bob)] == [True, False]
    room = {"kind": "group", "name": "Room"}
    headers = {**ann.bearer, **ann.cookies}
    assert (await desk.office.call("POST", "/api/v1/rooms", body=room, headers=headers)).status_code == 201


async def test_a_token_in_the_body_goes_before_the_cookie_and_needs_no_proof(desk: Desk) -> None:
    """The answer comes as the question did: no cookie is left for somebody who keeps their token themselves."""
    ann, bob = await browser(desk), await desk.register("bob")
    answer = await desk.ask("POST", "/refresh", body={"refresh_token": bob.refresh}, headers=ann.cookies)
    assert (await answer.get_json())["user"]["id"] == bob.id
    assert cookies_of(answer) == {}
    assert (await desk.ask("POST", "/refresh", headers=ann.proven)).status_code == 200


async def test_cookies_open_nothing_but_renewal_and_logout(desk: Desk) -> None:
    """Whoever sends them anywhere else is nobody, with or without the proof."""
    ann = await browser(desk)
    for method, path in (
        ("GET", "/users/me"), ("PATCH", "/users/me"), ("POST", "/rooms"), ("GET", "/auth/sessions"),
        ("POST", "/auth/ticket"), ("POST", "/auth/logout-all"), ("POST", "/auth/tokens"), ("POST", "/auth/password"),
        ("POST", "/auth/introspect"),
    ):  # fmt: skip
        for headers in (ann.cookies, ann.proven):
            assert (await desk.office.problem(method, f"/api/v1{path}", headers=headers))[0] == 401, path
    assert await desk.is_in(ann)


async def test_a_browser_that_logged_out_is_out(desk: Desk) -> None:
    """Its cookies are taken away, are worth nothing if it kept them, and doing it again does no harm."""
    ann = await browser(desk)
    for _ in range(2):
        answer = await desk.ask("POST", "/logout", headers=ann.proven)
        assert answer.status_code == 204
        dropped(answer)
    assert await desk.refused("POST", "/refresh", headers=ann.proven) == (401, "unauthenticated", [])
    assert not await desk.is_in(ann)


async def test_logging_out_everywhere_takes_the_cookies_away(desk: Desk) -> None:
    """Of the browser that asked for it."""
    ann = await browser(desk)
    dropped(await desk.ask("POST", "/logout-all", headers=ann.bearer))
