"""Coming in, going on and going out over REST, for native clients, which keep their refresh token themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from justchat.accounts.sessions import GRACE_MS
from justchat.http.auth_forms import RegisterBody
from tests.connections.test_index import Line
from tests.http.desk import BROWSER, PASSWORD, Desk, Person, bearer, cookies_of, person_of
from tests.http.office import open_office

pytestmark = pytest.mark.real_clock
NEW_PASSWORD = "wrong horse, right stable"
ANN = {"username": "ann", "password": PASSWORD}


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_office(api_docs="no", auth_rate=1e9, address_rate=1e9) as office:
        yield Desk(office)


def open_lines(desk: Desk, *people: Person) -> list[Line]:
    """Have something open by these sessions."""
    lines = [Line(person.id, session=person.session) for person in people]
    for line in lines:
        desk.office.system.index.add(line)
    return lines


async def test_a_registration_answers_who_it_made_and_what_to_go_on_with(desk: Desk) -> None:
    """All there is to know, where it is, and nothing of the password."""
    answer = await desk.ask("POST", "/register", body={**ANN, "email": "Ann@Example.org", "cookie": False})
    view = await answer.get_json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/v1/users/{view['user']['id']}"
    assert view.keys() == {
        *("user", "session_id", "access_token", "expires_in", "token_type", "refresh_token", "refresh_expires_in"),
    }
    assert (view["token_type"], view["expires_in"]) == ("Bearer", 600)
    assert 14 * 86_400 - 60 <= view["refresh_expires_in"] <= 14 * 86_400
    assert (view["user"]["username"], view["user"]["email"], view["user"]["role"]) == ("ann", "ann@example.org", "user")
    assert PASSWORD not in await answer.get_data(as_text=True)
    assert await desk.is_in(person_of(view))


@pytest.mark.parametrize("more", [{}, {"email": None}, {"display_name": "Ann", "email": "ann@example.org"}])
async def test_who_registered_logs_in_by_name_or_address(desk: Desk, more: dict[str, Any]) -> None:
    """In any writing; each time it is another session."""
    first = await desk.register(**more)
    ways: list[dict[str, str]] = [{"username": "ANN"}, *([{"email": "ANN@example.org"}] if more.get("email") else [])]
    sessions = {first.session}
    for who in ways:
        view = await desk.get("POST", "/login", body={**who, "password": PASSWORD, "cookie": False})
        assert (view["user"]["id"], await desk.is_in(person_of(view))) == (first.id, True)
        sessions.add(view["session_id"])
    assert len(sessions) == 1 + len(ways)


async def test_an_unknown_user_and_a_wrong_password_are_answered_alike(desk: Desk) -> None:
    """To the last byte, but for the request's id; so is a password that no account can have."""
    await desk.register()
    answers = []
    for username, password in (("ann", "wrong"), ("nobody", PASSWORD), ("ann", "x" * 73), ("nobody", "x" * 73)):
        answer = await desk.ask("POST", "/login", body={"username": username, "password": password})
        problem = await answer.get_json(force=True)
        problem.pop("request_id")
        answers.append((answer.status_code, problem, cookies_of(answer)))
    assert answers[0][0] == 401
    assert answers == [answers[0]] * 4


async def test_a_password_that_is_too_long_is_the_callers_mistake(desk: Desk) -> None:
    """bcrypt reads 72 bytes: more is refused when registering and fits nobody when logging in."""
    for password in ("x" * 73, "\u00e4" * 37, "\U0001f511" * 19, "x" * 1000):
        body = {"username": "ann", "password": password}
        assert await desk.refused("POST", "/register", body=body) == (422, "validation_failed", ["/password"])
        assert await desk.refused("POST", "/login", body=body) == (401, "unauthenticated", [])
    await desk.register(password="x" * 72)
    for longer in ("x" * 73, "x" * 72 + "\u00e4"):
        body = {"username": "ann", "password": longer}
        assert await desk.refused("POST", "/login", body=body) == (401, "unauthenticated", [])


WRONG: list[tuple[str, dict[str, object], list[str]]] = [
    ("/register", {"username": "a b", "password": "x", "email": "nowhere"}, ["/username", "/password", "/email"]),
    ("/register", {"username": "ann", "password": "password1"}, ["/password"]),
    ("/register", {"username": "ann"}, [""]),
    ("/register", {**ANN, "password": "x" * 1001}, ["/password"]),
    ("/register", {**ANN, "cookie": "yes"}, ["/cookie"]),
    ("/login", {"password": "x"}, [""]),
    ("/login", {"username": "ann", "email": "ann@example.org", "password": "x"}, [""]),
    ("/login", {"username": "ann", "password": "x" * 1001}, ["/password"]),
    ("/refresh", {"refresh_token": ""}, ["/refresh_token"]),
    ("/refresh", {"refresh_token": "x" * 4097}, ["/refresh_token"]),
    ("/refresh", {"token": "x"}, [""]),
    ("/logout", {"refresh_token": 1}, ["/refresh_token"]),
]


async def test_what_is_wrong_with_a_body_is_said_at_its_place(desk: Desk) -> None:
    """All of it at once where the fields are of the right types; nobody is made or let in."""
    for path, body, pointers in WRONG:
        assert await desk.refused("POST", path, body=body) == (422, "validation_failed", pointers), (path, body)
    assert desk.office.store.users == {}


async def test_a_registration_cannot_say_what_it_makes(desk: Desk) -> None:
    """Not even with a value that would change nothing: what is not asked for is refused."""
    for field in ("role", "type", "kind", "admin", "is_admin", "scopes", "id", "disabled", "state"):
        assert field not in RegisterBody.__struct_fields__
        for value in ("admin", "user", True, None):
            body = {**ANN, field: value}
            assert await desk.refused("POST", "/register", body=body) == (422, "validation_failed", [""])
    assert desk.office.store.users == {}


async def test_taken_names_are_said_to_be_taken(desk: Desk) -> None:
    """The name and the address, each at its place."""
    await desk.register(email="ann@example.org")
    body = {"username": "ANN", "password": PASSWORD}
    assert await desk.refused("POST", "/register", body=body) == (409, "username_taken", ["/username"])
    body = {"username": "bob", "password": PASSWORD, "email": "ANN@example.org"}
    assert await desk.refused("POST", "/register", body=body) == (409, "email_taken", ["/email"])


@pytest.mark.parametrize("mode", ["invite", "closed"])
async def test_registration_may_need_an_invitation_or_be_closed(mode: str) -> None:
    """Which is forbidden, not a matter of who is calling."""
    async with open_office(api_docs="no", registration=mode) as office:
        desk = Desk(office)
        for more in ({}, {"invitation": "x"}):
            assert await desk.refused("POST", "/register", body={**ANN, **more}) == (403, "forbidden", [])
        assert office.store.users == {}


async def test_a_sign_in_is_told_to_what_the_user_has_open(desk: Desk) -> None:
    """From where and with what, so that somebody who was robbed hears of it; a registration has nobody to tell."""
    ann, bob = await desk.register(), await desk.register("bob")
    mine, others = open_lines(desk, ann, bob)
    there = await desk.login(address="198.51.100.7", headers={"User-Agent": "Robber/1.0"})
    assert len(mine.told) == 1
    frame = str(mine.told[0])
    assert all(part in frame for part in ('"signed_in"', there.session, "198.51.100.7", "Robber/1.0"))
    assert others.told == []


async def test_a_refresh_token_is_exchanged_for_the_next_one(desk: Desk) -> None:
    """In the body, which then has the next one in the answer and leaves no cookie."""
    first = await desk.register()
    answer = await desk.ask("POST", "/refresh", body={"refresh_token": first.refresh})
    second = person_of(await answer.get_json())
    assert (answer.status_code, cookies_of(answer)) == (200, {})
    assert (second.id, second.session) == (first.id, first.session)
    assert (second.refresh != first.refresh, await desk.is_in(second)) == (True, True)
    again = person_of(await desk.get("POST", "/refresh", body={"refresh_token": first.refresh}))
    assert again.refresh == second.refresh


async def test_a_refresh_token_that_comes_back_too_late_ends_the_session(desk: Desk) -> None:
    """And closes what is open by it; the session's newest tokens are nothing any more."""
    first = await desk.register()
    (line,) = open_lines(desk, first)
    second = person_of(await desk.get("POST", "/refresh", body={"refresh_token": first.refresh}))
    store = desk.office.store
    store.put_session(_rotated_earlier(store.sessions[first.session], GRACE_MS + 1))
    assert await desk.refused("POST", "/refresh", body={"refresh_token": first.refresh}) == (401, "unauthenticated", [])
    assert line.told == ["revoked"]
    assert not await desk.is_in(second)
    assert (await desk.refused("POST", "/refresh", body={"refresh_token": second.refresh}))[0] == 401


def _rotated_earlier(session: Any, milliseconds: int) -> Any:
    return replace(session, rotated_at=session.rotated_at - milliseconds)


@pytest.mark.parametrize("body", [None, {}, {"refresh_token": None}, {"refresh_token": "x"}, {"refresh_token": "a.b"}])
async def test_without_a_refresh_token_nobody_goes_on(desk: Desk, body: object) -> None:
    """An access token does not do in its place."""
    ann = await desk.register()
    assert await desk.refused("POST", "/refresh", body=body, headers=ann.bearer) == (401, "unauthenticated", [])


@pytest.mark.parametrize("how", ["bearer", "body", "former token"])
async def test_who_logs_out_is_out_at_once(desk: Desk, how: str) -> None:
    """Said by the access token or by the refresh token; other sessions stay, and what is open by this one closes."""
    ann, other = await desk.register(), await desk.login()
    lines = open_lines(desk, ann, other)
    token = ann.refresh
    if how == "former token":
        await desk.get("POST", "/refresh", body={"refresh_token": token})
    parts: dict[str, Any] = {"headers": ann.bearer} if how == "bearer" else {"body": {"refresh_token": token}}
    await desk.get("POST", "/logout", status=204, **parts)
    assert [await desk.is_in(one) for one in (ann, other)] == [False, True]
    assert [line.told for line in lines] == [["revoked"], []]
    assert (await desk.refused("POST", "/refresh", body={"refresh_token": token}))[0] == 401
    # A second time: whoever shows a token hears that it is nothing; a refresh token is forgotten either way.
    again = await desk.ask("POST", "/logout", **parts)
    assert again.status_code == (401 if how == "bearer" else 204)
    assert await desk.is_in(other)


@pytest.mark.parametrize("body", [None, {"refresh_token": "nonsense"}])
async def test_a_logout_that_names_nobody_ends_nothing(desk: Desk, body: object) -> None:
    """Nothing at all is 401; a token of no session is as good as logged out."""
    ann = await desk.register()
    answer = await desk.ask("POST", "/logout", body=body)
    assert answer.status_code == (401 if body is None else 204)
    assert await desk.is_in(ann)


async def test_a_personal_token_logs_itself_out(desk: Desk) -> None:
    """It is revoked, and the sessions stay."""
    ann = await desk.register()
    made = await desk.get("POST", "/tokens", body={"name": "x", "scopes": ["account"]}, headers=ann.bearer, status=201)
    await desk.get("POST", "/logout", headers=bearer(made["token"]), status=204)
    assert (await desk.refused("POST", "/logout", headers=bearer(made["token"])))[0] == 401
    assert await desk.is_in(ann)


async def test_logging_out_everywhere_leaves_nobody_in(desk: Desk) -> None:
    """All sessions, this one too, and all personal tokens; nobody else's."""
    ann, there, bob = await desk.register(), await desk.login(), await desk.register("bob")
    made = await desk.get("POST", "/tokens", body={"name": "x", "scopes": ["account"]}, headers=ann.bearer, status=201)
    lines = open_lines(desk, ann, there, bob)
    await desk.get("POST", "/logout-all", headers=ann.bearer, status=204)
    assert [await desk.is_in(one) for one in (ann, there, bob)] == [False, False, True]
    assert [line.told for line in lines] == [["revoked"], ["revoked"], []]
    assert (await desk.office.call("GET", "/api/v1/users/me", headers=bearer(made["token"]))).status_code == 401
    assert (await desk.refused("POST", "/logout-all", headers=ann.bearer))[0] == 401


async def test_a_changed_password_keeps_this_session_and_ends_the_others(desk: Desk) -> None:
    """What is open by the others closes; from then on only the new password counts."""
    ann, there = await desk.register(), await desk.login()
    lines = open_lines(desk, ann, there)
    body = {"password": PASSWORD, "new_password": NEW_PASSWORD}
    await desk.get("POST", "/password", body=body, headers=ann.bearer, status=204)
    assert [await desk.is_in(one) for one in (ann, there)] == [True, False]
    assert [line.told for line in lines] == [[], ["revoked"]]
    assert (await desk.refused("POST", "/login", body=ANN))[0] == 401
    assert (await desk.ask("POST", "/login", body={**ANN, "password": NEW_PASSWORD})).status_code == 200


async def test_a_password_is_not_changed_to_anything_or_by_anybody(desk: Desk) -> None:
    """Nothing has changed then: the sessions stay, and so does the password."""
    ann, there = await desk.register(), await desk.login()
    for password, new_password, refusal in (
        ("not this", NEW_PASSWORD, (403, "forbidden", ["/password"])),
        (PASSWORD, "short", (422, "validation_failed", ["/new_password"])),
        (PASSWORD, "password1", (422, "validation_failed", ["/new_password"])),
        (PASSWORD, "x" * 73, (422, "validation_failed", ["/new_password"])),
        ("x" * 73, NEW_PASSWORD, (403, "forbidden", ["/password"])),
    ):
        body = {"password": password, "new_password": new_password}
        assert await desk.refused("POST", "/password", body=body, headers=ann.bearer) == refusal
    assert await desk.is_in(there)
    assert (await desk.ask("POST", "/login", body=ANN)).status_code == 200


async def test_a_ticket_is_for_a_session_and_good_once(desk: Desk) -> None:
    """For as many seconds as are said."""
    ann = await desk.register()
    view = await desk.get("POST", "/ticket", headers=ann.bearer)
    assert view["expires_in"] == 30.0
    identity: Any = await desk.office.system.accounts.redeem(view["ticket"])
    assert (identity.user.id, identity.session) == (ann.id, ann.session)
    assert await desk.office.system.accounts.redeem(view["ticket"]) != identity
    # It is a ticket and no token.
    view = await desk.get("POST", "/ticket", headers=ann.bearer)
    assert (await desk.refused("POST", "/ticket", headers=bearer(view["ticket"])))[0] == 401


async def test_a_device_is_remembered_as_it_called_itself(desk: Desk) -> None:
    """Cut, and without what could not be shown; the address has no port."""
    ann = await desk.register()
    for agent, shown in ((BROWSER, BROWSER), ("", ""), ("x" * 500, "x" * 200), ("Bro\tw\x7fser", "Browser")):
        there = await desk.login(address="2001:db8::1", headers={"User-Agent": agent})
        session = await desk.get("GET", f"/sessions/{there.session}", headers=ann.bearer)
        assert (session["user_agent"], session["address"]) == (shown, "2001:db8::1")
