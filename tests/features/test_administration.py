"""What accounts may do on a server as a whole: guests look, administrators look after it, and all of it is recorded."""

from __future__ import annotations

import json
import re

import pytest

from tests.http.community import open_community
from tests.http.office import open_office

pytestmark = pytest.mark.real_clock

MUTATING = ("post", "put", "patch", "delete")


async def test_a_guest_reads_public_rooms_and_every_route_that_changes_something_refuses_them() -> None:
    """As the server's own document lists them; what lies under `/auth` is how guests come and go, and stays theirs."""
    async with open_office(write_rate=1e9, read_rate=1e9) as office:
        for name, role in (("ann", "user"), ("gus", "guest")):
            office.add_user(name, role=role)
        rooms = {}
        for visibility in ("public", "private"):
            body = {"kind": "group", "name": visibility, "visibility": visibility}
            made = await (await office.call("POST", "/api/v1/rooms", caller="ann", body=body)).get_json()
            rooms[visibility] = f"/api/v1/rooms/{made['id']}"
            message = {"client_msg_id": "1", "body": f"hello {visibility}"}
            await office.call("POST", f"{rooms[visibility]}/messages", caller="ann", body=message)
        document = json.loads(await (await office.call("GET", "/openapi.json")).get_data())
        tried = 0
        for path, item in document["paths"].items():
            for method in item.keys() & set(MUTATING):
                if path.startswith("/api/v1/auth/"):
                    continue
                address = re.sub(r"\{[^}]+\}", "x", path.replace("{room}", rooms["public"].rpartition("/")[2]))
                refusal = await office.problem(method.upper(), address, caller="gus", body={})
                assert refusal == (403, "forbidden"), (method, path)
                tried += 1
        assert tried > 40
        for path in ("", "/messages", "/events", "/members"):
            answer = await office.call("GET", f"{rooms['public']}{path}", caller="gus")
            assert answer.status_code == 200, path
            assert await office.problem("GET", f"{rooms['private']}{path}", caller="gus") == (404, "not_found")
        page = await (await office.call("GET", f"{rooms['public']}/messages", caller="gus")).get_json()
        assert [message["body"] for message in page["items"]] == ["hello public"]
        listed = await (await office.call("GET", "/api/v1/rooms?public=true", caller="gus")).get_json()
        assert [room["name"] for room in listed["items"]] == ["public"]


async def test_administrators_list_change_and_end_accounts_and_rooms_and_each_deed_is_recorded() -> None:
    """Who is disabled is out at once; a room is taken over, edited and deleted; nobody else may, or reads the log."""
    async with open_community() as town:
        town.make_admin("stranger")
        room = await town.room("member")
        user, path = f"/admin/users/{town.ids['member']}", f"/rooms/{room}"
        deeds = (
            ("PATCH", user, {"role": "bot"}, 200, "user.role_changed"),
            ("PATCH", user, {"disabled": True}, 200, "user.disabled"),
            ("PATCH", user, {"disabled": False}, 200, "user.enabled"),
            ("POST", f"/admin{path}/takeover", None, 204, "member.added"),
            ("PATCH", path, {"name": "Tidy"}, 200, "room.updated"),
            ("DELETE", f"/admin{path}", None, 204, "room.deleted"),
            ("DELETE", f"/admin/users/{town.ids['muted']}", None, 204, "user.deleted"),
        )
        for method, address, body, status, _ in deeds:
            if address.startswith("/admin"):
                assert await town.refused("owner", method, address, body, status=403) == "forbidden"
            await town.call("stranger", method, address, body, status=status)
            if body == {"disabled": True}:
                assert await town.refused("member", "GET", "/users/me", status=401) == "unauthenticated"
        assert await town.refused("owner", "GET", path, status=404) == "not_found"
        users = (await town.call("stranger", "GET", "/admin/users?limit=100"))["items"]
        shown = {one["id"]: one for one in users}
        assert shown.keys() == set(town.ids.values())
        member = shown[town.ids["member"]]
        assert (member["role"], member["disabled"]) == ("bot", False)
        rooms = (await town.call("stranger", "GET", "/admin/rooms"))["items"]
        assert [(one["id"], one["name"], one["deleted_at"] is not None) for one in rooms if one["id"] == room] == [
            (room, "Tidy", True)
        ]
        log = (await town.call("stranger", "GET", "/admin/audit-log?limit=100"))["items"]
        kinds = [item["type"] for item in reversed(log)]
        places = [kinds.index(kind) for *_, kind in deeds]
        assert places == sorted(places)
        assert {"room.taken_over", "room.deleted_by_admin"} <= set(kinds)
        by = {item["actor"] for item in log if item["type"].startswith("user.") or item["room"] == ""}
        assert by == {town.ids["stranger"]}
        assert await town.refused("owner", "GET", "/admin/audit-log", status=403) == "forbidden"
