"""Every operation there is x everybody who may not call it: made from the table that the OpenAPI document is made from.

A new route is tried here without a word: what a guest, a program without the scope, somebody who is out, and nobody are
answered follows from what the operation says of itself.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from justchat.accounts.identity import Scope, ServerRole
from justchat.accounts.personal_tokens import MadeToken
from justchat.http.openapi import published_operations
from justchat.http.operation import Caller, Operation
from tests.http.desk import bearer
from tests.http.office import Office, open_office

pytestmark = pytest.mark.real_clock
IDENTIFIED = (Caller.USER, Caller.SESSION, Caller.ADMIN)
Route = tuple[str, Operation]


@asynccontextmanager
async def open_house() -> AsyncIterator[tuple[Office, list[Route]]]:
    """An office with a user, an administrator and a guest, and all its operations with their whole addresses."""
    async with open_office(address_rate=1e9, auth_rate=1e9, read_rate=1e9, write_rate=1e9, search_rate=1e9) as office:
        for role in ServerRole:
            office.add_user(role.value, role=role.value)
        found = [(each.path, each.operation) for each in published_operations(office.app)]
        assert len(found) > 60
        yield office, found


async def answers(
    office: Office, operations: Iterable[Route], headers: dict[str, str]
) -> dict[str, tuple[int, str | None]]:
    """Call operations with a body that none would take; give what each was answered."""
    given = {}
    for path, operation in operations:
        address = re.sub(r"<[^>]+>", "x", path)
        answer = await office.call(operation.method, address, headers=headers)
        raw = await answer.get_data(as_text=False)
        code = json.loads(raw)["code"] if answer.content_type == "application/problem+json" else None
        given[f"{operation.method} {path}"] = (answer.status_code, code)
    return given


def wrong(given: dict[str, tuple[int, str | None]], *expected: tuple[int, str]) -> dict[str, tuple[int, str | None]]:
    """Keep what was answered in another way."""
    assert given
    return {route: answer for route, answer in given.items() if answer not in expected}


async def token_of(office: Office, name: str, *scopes: Scope) -> dict[str, str]:
    """Give the header of a program of somebody's with these scopes."""
    user = office.store.users[office.ids[name]]
    made = await office.system.accounts.personal.create(user, name="x", scopes=scopes, expires_in_seconds=None)
    assert isinstance(made, MadeToken)
    return bearer(made.text)


async def test_nobody_is_let_in_who_does_not_say_who_they_are() -> None:
    """401 from every operation that is for somebody, whatever they show that is no token."""
    async with open_house() as (office, operations):
        guarded = [each for each in operations if each[1].caller in IDENTIFIED]
        strange: tuple[dict[str, str], ...] = (
            {},
            bearer("x"),
            bearer(""),
            {"Authorization": "Basic eDp4"},
            bearer("jc_x"),
            bearer("wst_x"),
        )
        for headers in strange:
            assert wrong(await answers(office, guarded, headers), (401, "unauthenticated")) == {}


@pytest.mark.parametrize("how", ["expired", "logged out", "disabled", "revoked token"])
async def test_whoever_is_out_is_nobody(how: str) -> None:
    """401 from every operation that is for somebody; one whose time is over is told that it is that."""
    async with open_house() as (office, operations):
        store, user, code = office.store, office.ids["admin"], "unauthenticated"
        headers = bearer(office._tokens["admin"])
        if how == "expired":
            tokens, code = office.system.accounts.sessions._tokens, "token_expired"
            tokens._clock = lambda: time.time() - 620
            headers = bearer(tokens.issue(user, next(iter(store.sessions_of[user])))[0])
            tokens._clock = time.time
        elif how == "logged out":
            assert (await office.call("POST", "/api/v1/auth/logout", headers=headers)).status_code == 204
        elif how == "disabled":
            store.put_user(replace(store.users[user], disabled=True))
        else:
            headers = await token_of(office, "admin", *Scope)
            await office.system.accounts.personal.revoke(user)
        guarded = [each for each in operations if each[1].caller in IDENTIFIED]
        assert wrong(await answers(office, guarded, headers), (401, code)) == {}


async def test_a_guest_changes_nothing() -> None:
    """403 from every operation that is not GET, but for those by which guests come and go."""
    async with open_house() as (office, operations):
        headers = bearer(office._tokens["guest"])
        guarded = [
            each for each in operations if each[1].caller in IDENTIFIED and each[1].method not in {"GET", "HEAD"}
        ]
        theirs = [each for each in guarded if each[0].startswith("/api/v1/auth/")]
        others = [each for each in guarded if each not in theirs]
        assert len(others) > 40
        before = repr((office.store.users, office.store.rooms, office.store.entries))
        assert wrong(await answers(office, others, headers), (403, "forbidden")) == {}
        assert repr((office.store.users, office.store.rooms, office.store.entries)) == before
        looking = [each for each in operations if each[1].caller is Caller.USER and each[1].method == "GET"]
        given = await answers(office, looking, headers)
        assert {route for route, (status, _) in given.items() if status in {401, 403}} == set()
        # Their own session ends as anybody's does; it comes last here.
        ending = [each for each in theirs if each[0].endswith("/logout-all")]
        given = await answers(office, [each for each in theirs if each not in ending], headers)
        assert {route for route, (status, _) in given.items() if status == 403} == set()
        assert [status for status, _ in (await answers(office, ending, headers)).values()] == [204]


@pytest.mark.parametrize("scope", Scope)
async def test_a_program_does_what_its_scope_names_and_nothing_else(scope: Scope) -> None:
    """Of a user, a bot and an administrator alike: 403 from every operation outside of the scope."""
    async with open_house() as (office, operations):
        for name in ("user", "bot", "admin"):
            headers = await token_of(office, name, scope)
            for_users = [each for each in operations if each[1].caller is Caller.USER]
            outside = [each for each in for_users if each[1].scope is not scope]
            assert wrong(await answers(office, outside, headers), (403, "forbidden")) == {}
            given = await answers(office, [each for each in for_users if each[1].scope is scope], headers)
            assert len(given) > 2
            assert {route for route, (status, _) in given.items() if status in {401, 403}} == set()


@pytest.mark.parametrize("name", ["user", "bot", "admin"])
async def test_what_takes_a_session_is_not_done_by_a_program(name: str) -> None:
    """Whatever its scopes: passwords, sessions, tokens, tickets, and all that administrators do."""
    async with open_house() as (office, operations):
        personal = [each for each in operations if each[1].caller in {Caller.SESSION, Caller.ADMIN}]
        assert {path for path, _ in personal} >= {
            *("/api/v1/auth/password", "/api/v1/auth/sessions", "/api/v1/auth/tokens", "/api/v1/auth/ticket"),
            *("/api/v1/auth/logout-all", "/api/v1/admin/users"),
        }
        headers = await token_of(office, name, *Scope)
        assert wrong(await answers(office, personal, headers), (403, "forbidden")) == {}


@pytest.mark.parametrize("name", ["user", "bot", "guest"])
async def test_what_is_for_administrators_is_for_nobody_else(name: str) -> None:
    """403 from all of it."""
    async with open_house() as (office, operations):
        for_admins = [each for each in operations if each[1].caller is Caller.ADMIN]
        assert len(for_admins) > 3
        given = await answers(office, for_admins, bearer(office._tokens[name]))
        assert wrong(given, (403, "forbidden")) == {}
        given = await answers(office, for_admins, bearer(office._tokens["admin"]))
        assert {route for route, (status, _) in given.items() if status in {401, 403}} == set()


async def test_a_store_that_is_down_lets_nobody_in() -> None:
    """503 from every operation that is for somebody, with a token that was good a moment ago: never an answer."""
    async with open_house() as (office, operations):
        guarded = [each for each in operations if each[1].caller in IDENTIFIED]
        program = await token_of(office, "admin", *Scope)
        office.switch.down = True
        for headers in (bearer(office._tokens["admin"]), program):
            assert wrong(await answers(office, guarded, headers), (503, "storage_unavailable")) == {}


async def test_every_operation_that_is_for_nobody_in_particular_is_known() -> None:
    """What is open to anybody is listed here, so that a route cannot come to be open by mistake."""
    async with open_house() as (_, operations):
        is_open = {f"{each.method} {path}" for path, each in operations if each.caller is Caller.ANYBODY}
        assert is_open == {
            *(f"POST /api/v1/auth/{name}" for name in ("register", "login", "refresh", "logout")),
            *("GET /.well-known/jwks.json", "GET /health", "GET /health/ready", "GET /version"),
        }
