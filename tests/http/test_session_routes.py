"""Sessions and personal tokens as their owner sees and ends them, what tokens say to others, and the public keys."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from msgspec.structs import replace

from justchat.accounts.identity import Scope
from tests.connections.test_index import Line
from tests.http.desk import BROWSER, HERE, Desk, Person, bearer, person_of
from tests.http.office import open_office

pytestmark = pytest.mark.real_clock
ALL_SCOPES = [scope.value for scope in Scope]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_office(api_docs="no", auth_rate=1e9, address_rate=1e9) as office:
        yield Desk(office)


async def make_token(desk: Desk, person: Person, *scopes: str, **fields: object) -> Any:
    """Make a personal token and give what was answered."""
    body = {"name": "Robot", "scopes": list(scopes) or ALL_SCOPES, **fields}
    return await desk.get("POST", "/tokens", body=body, headers=person.bearer, status=201)


async def introspected(desk: Desk, caller: Person, token: str) -> Any:
    """Ask about a token."""
    return await desk.get("POST", "/introspect", body={"token": token}, headers=caller.bearer)


async def test_ones_sessions_are_listed_with_device_and_address(desk: Desk) -> None:
    """The one seen latest first, the one that asks marked, and nobody else's."""
    ann = await desk.register()
    there = await desk.login(address="2001:db8::7", headers={"User-Agent": "Phone/2.0 " + "x" * 500})
    await desk.register("bob")
    page = await desk.get("GET", "/sessions", headers=ann.bearer)
    assert page["next_cursor"] is None
    assert [(one["id"], one["current"], one["address"]) for one in page["items"]] == [
        (there.session, False, "2001:db8::7"),
        (ann.session, True, HERE),
    ]
    assert [one["user_agent"] for one in page["items"]] == [("Phone/2.0 " + "x" * 500)[:200], BROWSER]
    for one in page["items"]:
        assert one.keys() == {"id", "current", "user_agent", "address", "created_at", "last_seen_at", "expires_at"}
        assert one == await desk.get("GET", f"/sessions/{one['id']}", headers=ann.bearer)
        assert one["created_at"] <= one["last_seen_at"] < one["expires_at"]
    renewed = person_of(await desk.get("POST", "/refresh", body={"refresh_token": ann.refresh}))
    newest = (await desk.get("GET", "/sessions", headers=renewed.bearer))["items"][0]
    assert (newest["id"], newest["last_seen_at"] > page["items"][1]["last_seen_at"]) == (ann.session, True)


async def test_a_session_can_be_ended_from_another_one(desk: Desk) -> None:
    """At once, with what is open by it; only one's own, and only once."""
    ann, there, bob = await desk.register(), await desk.login(), await desk.register("bob")
    lines = [Line(one.id, session=one.session) for one in (ann, there, bob)]
    for line in lines:
        desk.office.system.index.add(line)
    for session in (bob.session, "s_none", "x"):
        for method in ("GET", "DELETE"):
            refusal = await desk.refused(method, f"/sessions/{session}", headers=ann.bearer)
            assert refusal == (404, "not_found", [])
    await desk.get("DELETE", f"/sessions/{there.session}", headers=ann.bearer, status=204)
    assert [await desk.is_in(one) for one in (ann, there, bob)] == [True, False, True]
    assert [line.told for line in lines] == [[], ["revoked"], []]
    assert (await desk.refused("DELETE", f"/sessions/{there.session}", headers=ann.bearer))[0] == 404
    await desk.get("DELETE", f"/sessions/{ann.session}", headers=ann.bearer, status=204)
    assert not await desk.is_in(ann)


async def test_a_personal_token_is_told_once_and_listed_without_its_text(desk: Desk) -> None:
    """With its name, its scopes and its end; by itself it can be read as well."""
    ann, bob = await desk.register(), await desk.register("bob")
    made = await make_token(desk, ann, "rooms:read", "messages:read", "rooms:read", expires_in=60)
    text = made.pop("token")
    assert text.startswith("jc_")
    assert made.keys() == {"id", "name", "scopes", "created_at", "expires_at"}
    assert (made["name"], made["scopes"]) == ("Robot", ["messages:read", "rooms:read"])
    other = await make_token(desk, ann)
    assert other.pop("token") != text
    assert "expires_at" not in other
    page = await desk.get("GET", "/tokens", headers=ann.bearer)
    assert page == {"items": [other, made], "next_cursor": None}
    assert await desk.get("GET", f"/tokens/{made['id']}", headers=ann.bearer) == made
    assert (await desk.get("GET", "/tokens", headers=bob.bearer))["items"] == []
    assert (await desk.refused("GET", f"/tokens/{made['id']}", headers=bob.bearer))[0] == 404


async def test_where_a_new_token_is_said_to_be_it_is(desk: Desk) -> None:
    """The address that the answer names can be read."""
    ann = await desk.register()
    body = {"name": "Robot", "scopes": ["account"]}
    answer = await desk.ask("POST", "/tokens", body=body, headers=ann.bearer)
    path = answer.headers["Location"].removeprefix("/api/v1/auth")
    assert (await desk.get("GET", path, headers=ann.bearer))["id"] == (await answer.get_json())["id"]


async def test_a_revoked_token_is_nothing_and_what_is_open_by_it_closes(desk: Desk) -> None:
    """Only one's own, and only once."""
    ann, bob = await desk.register(), await desk.register("bob")
    made, other = await make_token(desk, ann), await make_token(desk, ann)
    lines = [Line(ann.id, credential=each["id"]) for each in (made, other)]
    for line in lines:
        desk.office.system.index.add(line)
    path = f"/tokens/{made['id']}"
    assert (await desk.refused("DELETE", path, headers=bob.bearer))[0] == 404
    await desk.get("DELETE", path, headers=ann.bearer, status=204)
    assert (await desk.refused("DELETE", path, headers=ann.bearer)) == (404, "not_found", [])
    assert [line.told for line in lines] == [["revoked"], []]
    statuses = [
        (await desk.office.call("GET", "/api/v1/users/me", headers=bearer(each["token"]))).status_code
        for each in (made, other)
    ]
    assert statuses == [401, 200]


async def test_a_wrong_token_is_refused_at_its_place(desk: Desk) -> None:
    """And the fifty-first altogether."""
    ann = await desk.register()
    good: dict[str, object] = {"name": "x", "scopes": ["account"]}
    for change, pointer in (
        ({"name": ""}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["admin"]}, "/scopes/0"),
        ({"scopes": ["account"] * 6}, "/scopes"),
        ({"expires_in": 59}, "/expires_in"),
        ({"expires_in": 366 * 86_400 + 1}, "/expires_in"),
        ({"role": "admin"}, ""),
    ):
        refusal = await desk.refused("POST", "/tokens", body={**good, **change}, headers=ann.bearer)
        assert refusal == (422, "validation_failed", [pointer]), change
    for _ in range(50):
        await desk.get("POST", "/tokens", body=good, headers=ann.bearer, status=201)
    assert await desk.refused("POST", "/tokens", body=good, headers=ann.bearer) == (409, "conflict", [])


async def test_guests_make_no_tokens(desk: Desk) -> None:
    """Though they may see to their own sessions."""
    ann = await desk.register()
    store = desk.office.store
    store.put_user(replace(store.users[ann.id], role="guest"))
    body = {"name": "x", "scopes": ["account"]}
    assert await desk.refused("POST", "/tokens", body=body, headers=ann.bearer) == (403, "forbidden", [])
    assert len((await desk.get("GET", "/sessions", headers=ann.bearer))["items"]) == 1


async def test_introspection_says_what_a_good_token_is(desk: Desk) -> None:
    """Of a session and of a personal token, with its end in whole seconds where it has one."""
    began = int(time.time())
    ann, bob = await desk.register(), await desk.register("bob")
    made = await make_token(desk, ann, "account", "rooms:read", expires_in=3600)
    endless = await make_token(desk, ann, "account")
    who = {"active": True, "sub": ann.id, "username": "ann", "role": "user", "token_type": "Bearer"}
    of_session = await introspected(desk, bob, ann.access)
    assert began <= of_session.pop("exp") - 600 <= time.time() + 1
    assert of_session == {**who, "sid": ann.session}
    of_token = await introspected(desk, bob, made["token"])
    assert began <= of_token.pop("exp") - 3600 <= time.time() + 1
    assert of_token == {**who, "scope": "account rooms:read"}
    assert await introspected(desk, bob, endless["token"]) == {**who, "scope": "account"}


async def test_introspection_says_of_all_other_tokens_only_that_they_are_none(desk: Desk) -> None:
    """Of a session or token that is over, one that has expired, a user who is disabled, and rubbish."""
    ann, ended, bob = await desk.register(), await desk.login(), await desk.register("bob")
    made, revoked = await make_token(desk, ann), await make_token(desk, ann)
    await desk.get("DELETE", f"/tokens/{revoked['id']}", headers=ann.bearer, status=204)
    await desk.get("POST", "/logout", headers=ended.bearer, status=204)
    tokens = desk.office.system.accounts.sessions._tokens
    tokens._clock = lambda: time.time() - 620
    expired, _ = tokens.issue(ann.id, ann.session)
    tokens._clock = time.time
    for token in (revoked["token"], ended.access, expired, ann.refresh, "x", "a.b.c", "jc_x", "wst_x", "\u20ac"):
        assert await introspected(desk, bob, token) == {"active": False}, token
    store = desk.office.store
    store.put_user(replace(store.users[ann.id], disabled=True))
    for token in (ann.access, made["token"]):
        assert await introspected(desk, bob, token) == {"active": False}


async def test_a_program_with_the_right_scope_may_introspect(desk: Desk) -> None:
    """A service that is shown tokens; without the scope it may not."""
    ann = await desk.register()
    able, unable = await make_token(desk, ann, "account"), await make_token(desk, ann, "rooms:read")
    body = {"token": ann.access}
    assert (await desk.get("POST", "/introspect", body=body, headers=bearer(able["token"])))["active"] is True
    refusal = await desk.refused("POST", "/introspect", body=body, headers=bearer(unable["token"]))
    assert refusal == (403, "forbidden", [])
    assert (await desk.refused("POST", "/introspect", body=body))[0] == 401


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
async def test_others_can_check_tokens_with_the_published_keys(algorithm: str) -> None:
    """By a library of their own, over what is served at the site's root; and nothing private is published."""
    async with open_office(api_docs="no", signing_algorithm=algorithm) as office:
        ann = await Desk(office).register()
        answer = await office.call("GET", "/.well-known/jwks.json")
        assert (answer.status_code, answer.content_type) == (200, "application/json")
        assert answer.headers["Cache-Control"] == "public, max-age=300"
        keys = await answer.get_json()
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"}.intersection(*(key.keys() for key in keys["keys"]))
        header = jwt.get_unverified_header(ann.access)
        key = jwt.PyJWKSet.from_dict(keys)[header["kid"]]
        claims = jwt.decode(ann.access, key, algorithms=[algorithm], audience="justchat:access", issuer="justchat")
        assert (claims["sub"], claims["sid"], header["typ"]) == (ann.id, ann.session, "at+jwt")


async def test_a_secret_is_not_published() -> None:
    """With HS256 there is nothing that others could check tokens with and not make them."""
    async with open_office(api_docs="no", signing_key="0123456789abcdef" * 4) as office:
        ann = await Desk(office).register()
        assert jwt.get_unverified_header(ann.access)["alg"] == "HS256"
        assert await (await office.call("GET", "/.well-known/jwks.json")).get_json() == {"keys": []}
