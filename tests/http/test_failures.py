"""What callers are told when storage, rooms or the server itself cannot do it, and who may look inside."""

from __future__ import annotations

import logging

import pytest

from tests.http.office import Office, open_office

pytestmark = pytest.mark.real_clock
MESSAGE = "m_01a1fdb2f15672849aae512f789e0948"
EVERY_CALL: list[tuple[str, str, object]] = [
    ("GET", "/users/me", None),
    ("GET", "/users/{bob}", None),
    ("GET", "/users?q=b", None),
    ("GET", "/users?ids={bob}", None),
    ("GET", "/users/me/rooms", None),
    ("GET", "/rooms?public=true", None),
    ("POST", "/rooms", {"kind": "group", "name": "x", "members": ["bob"]}),
    ("GET", "/rooms/{room}/members", None),
    ("GET", "/rooms/{room}/members/{bob}", None),
    ("PUT", "/rooms/{room}/members/{bob}", {"role": "member"}),
    ("PATCH", "/rooms/{room}/members/{bob}", {"role": "guest"}),
    ("PATCH", "/rooms/{room}", {"name": "y"}),
    ("POST", "/rooms/{room}/messages", {"client_msg_id": "1", "body": "x"}),
    ("GET", "/rooms/{room}/messages", None),
    ("GET", "/rooms/{room}/events", None),
    ("POST", "/rooms/{room}/messages/bulk-delete", {"messages": [MESSAGE]}),
    ("GET", "/rooms/{room}/pins", None),
    ("PUT", f"/rooms/{{room}}/pins/{MESSAGE}", None),
    ("GET", "/rooms/{room}/reports", None),
    ("GET", "/rooms/{room}/scheduled", None),
    ("GET", f"/messages/{MESSAGE}", None),
    ("PATCH", f"/messages/{MESSAGE}", {"body": "y"}),
    ("DELETE", f"/messages/{MESSAGE}", None),
    ("GET", f"/messages/{MESSAGE}/revisions", None),
    ("GET", f"/messages/{MESSAGE}/replies", None),
    ("GET", f"/messages/{MESSAGE}/reactions", None),
    ("PUT", f"/messages/{MESSAGE}/reactions/x", None),
    ("POST", f"/messages/{MESSAGE}/reports", {"reason": "x"}),
    ("POST", "/auth/register", {"username": "carol", "password": "correct horse battery"}),
    ("POST", "/auth/login", {"username": "bob", "password": "correct horse battery"}),
]
# Once the caller is known, and the room awake.
NEEDS_NO_STORE = {("GET", "/users/me"), ("GET", "/users/{bob}"), ("PATCH", "/rooms/{room}/members/{bob}")}


async def _room_of(office: Office) -> str:
    office.add_user("ann")
    office.add_user("bob")
    answer = await office.call("POST", "/api/v1/rooms", caller="ann", body={"kind": "group", "name": "x"})
    return str((await answer.get_json())["id"])


async def test_without_storage_every_call_is_a_503_that_says_when_to_come_back() -> None:
    """Problem details with Retry-After, whoever was the first to need the store; with it, the same call works."""
    async with open_office() as office:
        room = await _room_of(office)
        for method, path, body in EVERY_CALL:
            url = "/api/v1" + path.format(room=room, bob=office.ids["bob"])
            office.switch.down = True
            answer = await office.call(method, url, caller="ann", body=body)
            assert (answer.status_code, answer.content_type) == (503, "application/problem+json"), (method, path)
            assert answer.headers["Retry-After"] == "1"
            assert (await answer.get_json(force=True))["code"] == "storage_unavailable"
            office.switch.down = False
            again = await office.call(method, url, caller="ann", body=body)
            assert again.status_code < 500, (method, path)


async def test_a_store_that_fails_after_the_caller_is_known_is_never_a_500() -> None:
    """Handlers and rooms turn it into the same 503; what needs no store is answered."""
    async with open_office() as office:
        room = await _room_of(office)
        office.switch.down, office.switch.spared = True, frozenset({"user", "session"})
        for method, path, body in EVERY_CALL:
            url = "/api/v1" + path.format(room=room, bob=office.ids["bob"])
            answer = await office.call(method, url, caller="ann", body=body)
            if answer.status_code != 503:
                assert (method, path) in NEEDS_NO_STORE
                continue
            problem = await answer.get_json(force=True)
            assert problem["code"] in {"storage_unavailable", "room_unavailable"}
            assert int(answer.headers["Retry-After"]) >= problem["retry_after"] > 0


async def test_health_tells_being_alive_from_being_ready() -> None:
    """Without storage and while draining the process lives and is not ready."""
    async with open_office() as office:
        ready = await office.call("GET", "/health/ready")
        storage = (await ready.get_json())["storage"]
        assert (ready.status_code, storage["journal"]["state"], storage["directory"]["ready"]) == (200, "running", True)
        office.switch.down = True
        with pytest.raises(Exception, match="planted"):
            await office.system.storage.directory.probe()
        ready = await office.call("GET", "/health/ready")
        answer = await ready.get_json()
        assert (ready.status_code, answer["status"]) == (503, "storage_unavailable")
        assert ready.headers["Retry-After"] == "1"
        assert not answer["storage"]["directory"]["ready"]
        assert (await office.call("GET", "/health")).status_code == 200
        office.system.draining = True
        ready = await office.call("GET", "/health/ready")
        assert (ready.status_code, (await ready.get_json())["status"]) == (503, "draining")


async def test_a_draining_server_refuses_what_needs_a_room() -> None:
    """503 draining with a hint, so that a balancer or client goes elsewhere."""
    async with open_office() as office:
        room = await _room_of(office)
        office.system.rooms.start_draining()
        body = {"client_msg_id": "1", "body": "x"}
        assert await office.problem("POST", f"/api/v1/rooms/{room}/messages", caller="ann", body=body) == (
            503,
            "draining",
        )
        assert await office.problem("GET", f"/api/v1/rooms/{room}", caller="ann") == (503, "draining")


async def test_a_bug_is_a_500_with_a_number_and_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The log has the traceback and the id, one line of its own making, and neither token nor body."""
    async with open_office() as office:
        office.add_user("ann")

        async def broken(token: str) -> object:
            raise RuntimeError("planted")

        office.system.accounts.authenticate = broken  # type: ignore[method-assign, assignment]
        caplog.set_level(logging.DEBUG)
        path = "/api/v1/rooms/x%0A2026-01-01%20ERROR%20forged"
        answer = await office.call("PATCH", path, caller="ann", body={"name": "the body"})
        problem = await answer.get_json(force=True)
        assert (answer.status_code, problem["code"]) == (500, "internal")
        assert "planted" not in problem["detail"]
        record = next(record for record in caplog.records if "request_crashed" in record.message)
        assert problem["request_id"] in record.message
        assert "\n" not in record.message
        assert office._tokens["ann"] not in caplog.text
        assert "the body" not in caplog.text


WHO_LOOKS: list[tuple[str, dict[str, str], bool]] = [
    ("127.0.0.1", {}, True),
    ("::1", {}, True),
    ("127.0.0.1", {"Host": "localhost:8000"}, True),
    ("127.0.0.1", {"Host": "127.0.0.1:8000"}, True),
    ("::1", {"Host": "[::1]:8000"}, True),
    ("127.0.0.1", {"Host": "rebound.example:8000"}, False),
    ("127.0.0.1", {"Host": "localhost.example"}, False),
    ("203.0.113.9", {}, False),
    ("203.0.113.9", {"X-Forwarded-For": "127.0.0.1"}, False),
    ("203.0.113.9", {"Forwarded": "for=127.0.0.1", "X-Real-IP": "127.0.0.1"}, False),
    ("203.0.113.9", {"Remote-Addr": "127.0.0.1"}, False),
    ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, False),
    ("127.0.0.1", {"Via": "1.1 proxy"}, False),
    ("127.0.0.1", {"Authorization": "Bearer wrong-operator-token"}, False),
    ("203.0.113.9", {"Authorization": "Bearer wrong-operator-token"}, False),
    ("203.0.113.9", {"Authorization": "Bearer operator-token-of-16"}, True),
    ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9", "Authorization": "bearer operator-token-of-16"}, True),
    ("", {}, False),
    ("<local>", {}, False),
]


async def test_only_operators_look_inside() -> None:
    """A caller on this machine or with the token; whatever proxies say about the caller is not believed."""
    async with open_office(operator_token="operator-token-of-16") as office:
        for path in ("/health/rooms", "/health/rooms/r_1", "/health/actors"):
            for address, headers, allowed in WHO_LOOKS:
                answer = await office.call("GET", path, address=address, headers=headers)
                assert (answer.status_code != 403) is allowed, (path, address, headers)
                if not allowed:
                    assert await office.problem("GET", path, address=address, headers=headers) == (403, "forbidden")


async def test_without_an_operator_token_no_token_opens_anything_from_afar() -> None:
    """An empty bearer token is none."""
    async with open_office() as office:
        office.add_user("ann")
        for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer None"}, {"Authorization": "x"}):
            answer = await office.call("GET", "/health/actors", address="203.0.113.9", headers=headers)
            assert answer.status_code == 403
        assert (await office.call("GET", "/health/actors", caller="ann", address="203.0.113.9")).status_code == 403


async def test_the_whole_tree_of_actors_is_reported() -> None:
    """Storage, rooms and connections, as numbers."""
    async with open_office() as office:
        room = await _room_of(office)
        tree = await (await office.call("GET", "/health/actors")).get_json()
        assert {actor["name"] for actor in tree["actors"]} >= {f"room {room}", "journal", "directory"}
        assert tree["connections"] == {"websockets": 0}
        rooms = await (await office.call("GET", "/health/rooms?sort=received&limit=1")).get_json()
        assert [item["room"] for item in rooms["items"]] == [room]
        assert await office.problem("GET", "/health/rooms?sort=__class__") == (422, "validation_failed")
        assert await office.problem("GET", "/health/rooms/r_asleep") == (404, "not_found")
