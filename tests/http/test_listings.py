"""Listings page by page, members and their roles, and people looked up: over a real server."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.support.rest import Caller, register
from tests.support.server import ServerProcess

pytestmark = pytest.mark.real_clock


@pytest.fixture(scope="module")
def people(server: ServerProcess) -> list[Caller]:
    return [register(server, f"person{number}") for number in range(6)]


def _pages(caller: Caller, path: str, *, limit: int) -> list[list[Any]]:
    pages, cursor = [], ""
    while True:
        separator = "&" if "?" in path else "?"
        page = caller.call("GET", f"{path}{separator}limit={limit}{cursor}")
        pages.append(page["items"])
        if page["next_cursor"] is None:
            return pages
        cursor = f"&cursor={quote(page['next_cursor'], safe='')}"


@pytest.mark.parametrize("limit", [1, 2, 5, 6, 7])
def test_members_are_listed_once_each_over_all_pages(people: list[Caller], limit: int) -> None:
    """In order of their ids, whatever the page's size; full pages but the last, and no empty one."""
    ann = people[0]
    room = ann.room(members=tuple(person.username for person in people[1:]))
    pages = _pages(ann, f"/rooms/{room}/members", limit=limit)
    ids = [item["user"]["id"] for page in pages for item in page]
    assert ids == sorted(person.id for person in people)
    assert all(len(page) == limit for page in pages[:-1])
    assert pages[-1]
    assert {item["role"] for page in pages for item in page} == {"owner", "member"}


@pytest.mark.parametrize(
    "cursor", ["zzzz", "/", "////", "r_", "u_0", "%F0%9F%98%80", "null", "-1", "a" * 500, "%5C%27--"]
)
@pytest.mark.parametrize("path", ["/users/me/rooms", "/rooms?public=true", "/rooms/{room}/members"])
def test_a_cursor_that_somebody_made_up_finds_a_page_or_none(people: list[Caller], path: str, cursor: str) -> None:
    """Any text is a position; never an error, and never what is not the caller's to see."""
    ann, bob = people[:2]
    secret = bob.room("Secret")
    room = ann.room("Known")
    path = path.format(room=room)
    page = ann.call("GET", f"{path}{'&' if '?' in path else '?'}cursor={cursor}")
    assert secret not in [item.get("id") for item in page["items"]]


@pytest.mark.parametrize("cursor", ["%00", "a%0Ab", "a" * 501])
def test_a_cursor_that_cannot_be_one_is_refused(people: list[Caller], cursor: str) -> None:
    """Control characters and novels."""
    assert people[0].refused("GET", f"/rooms?cursor={cursor}", status=422) == "validation_failed"


def test_public_rooms_with_long_names_page_to_the_end(people: list[Caller]) -> None:
    """A name that grows threefold when it is folded: the cursor made of it is taken back."""
    ann, bob = people[:2]
    name = "\u0390" * 99
    rooms = [ann.room(f"{name}{number}", visibility="public") for number in range(3)]
    pages = _pages(bob, f"/rooms?public=true&q={quote(chr(0x390) * 20)}", limit=1)
    assert [item["id"] for page in pages for item in page] == rooms
    assert all(item["me"]["role"] is None for page in pages for item in page)


def test_people_are_found_by_ids_and_by_prefix(people: list[Caller]) -> None:
    """Junk among the ids is left out; too many, and no question at all, are refused."""
    ann, bob = people[:2]
    found = ann.call("GET", f"/users?ids=,{bob.id},,u_1,%E2%98%83,{bob.id},../x,%25")["items"]
    assert [user["id"] for user in found] == [bob.id]
    assert set(found[0]) == {"id", "username", "display_name"}
    assert ann.call("GET", "/users?ids=")["items"] == []
    assert ann.refused("GET", f"/users?ids={','.join(['u_1'] * 101)}", status=422) == "validation_failed"
    assert ann.refused("GET", "/users?ids=%00", status=422) == "validation_failed"
    assert ann.refused("GET", "/users", status=422) == "validation_failed"
    assert ann.refused("GET", "/users?q=", status=422) == "validation_failed"
    assert [user["username"] for user in ann.call("GET", "/users?q=PERSON&limit=2")["items"]] == ["person0", "person1"]
    assert ann.call("GET", "/users?q=person%25")["items"] == ann.call("GET", "/users?q=perso_0")["items"] == []
    assert ann.refused("GET", "/users?q=a&limit=21", status=422) == "validation_failed"


def test_roles_change_when_named_and_only_then(people: list[Caller]) -> None:
    """A PATCH that names no role takes nobody's; a body without a type is not passed over."""
    ann, bob = people[:2]
    room = ann.room(members=(bob.username,))
    path = f"/rooms/{room}/members/{bob.id}"
    ann.call("PATCH", path, {"role": "admin"}, status=204)
    assert ann.refused("PATCH", path, {}, status=422) == "validation_failed"
    assert ann.refused("PATCH", path, {"role": None}, status=422) == "validation_failed"
    assert ann.refused("PATCH", path, {"role": "king"}, status=422) == "validation_failed"
    detail = bob.call("GET", f"/rooms/{room}/members/me")
    assert detail["role"] == "admin"
    assert "roles.manage" in detail["permissions"]
    assert ann.call("GET", path) == detail
    carol = people[2]
    other = f"/rooms/{room}/members/{carol.id}"
    assert ann.http.put(other, content=b'{"role":"admin"}').status_code == 415
    assert ann.refused("GET", other, status=404) == "not_found"
    ann.call("PUT", other, status=204)
    assert ann.call("GET", other)["role"] == "member"
    ann.call("DELETE", other, status=204)
    ann.call("PUT", other, {"role": "guest"}, status=204)
    assert ann.call("GET", other)["role"] == "guest"


def test_nobody_rises_above_whom_they_stand_below(people: list[Caller]) -> None:
    """Members change nobody, admins nobody above them, and the last owner stays."""
    ann, bob, carol = people[:3]
    room = ann.room(members=(bob.username, carol.username))
    members = f"/rooms/{room}/members"
    assert bob.refused("PATCH", f"{members}/{bob.id}", {"role": "owner"}, status=403) == "forbidden"
    assert bob.refused("DELETE", f"{members}/{carol.id}", status=403) == "forbidden"
    ann.call("PATCH", f"{members}/{bob.id}", {"role": "admin"}, status=204)
    assert bob.refused("PATCH", f"{members}/{carol.id}", {"role": "owner"}, status=403) == "forbidden"
    assert bob.refused("PATCH", f"{members}/{ann.id}", {"role": "guest"}, status=403) == "forbidden"
    assert bob.refused("DELETE", f"{members}/{ann.id}", status=403) == "forbidden"
    assert ann.refused("DELETE", f"{members}/me", status=409) == "last_owner"
    assert ann.refused("PATCH", f"{members}/{ann.id}", {"role": "member"}, status=409) == "last_owner"
    assert ann.refused("PATCH", f"{members}/u_none", {"role": "member"}, status=404) == "not_found"
    assert ann.refused("PUT", f"{members}/u_none", status=404) == "not_found"


def test_strangers_get_one_and_the_same_answer_for_a_private_room_and_for_none(people: list[Caller]) -> None:
    """On every route below a room: nothing tells the one from the other."""
    ann, bob = people[:2]
    room = ann.room("Private")
    posted = ann.post(room, "inside")["id"]
    calls = [
        ("GET", "/rooms/{}", None),
        ("PATCH", "/rooms/{}", {"name": "x"}),
        ("DELETE", "/rooms/{}", None),
        ("PUT", "/rooms/{}/members/me", None),
        ("GET", "/rooms/{}/members", None),
        ("GET", "/rooms/{}/members/me", None),
        ("GET", f"/rooms/{{}}/members/{ann.id}", None),
        ("PUT", f"/rooms/{{}}/members/{bob.id}", None),
        ("PUT", "/rooms/{}/members/u_none", None),
        ("PATCH", f"/rooms/{{}}/members/{ann.id}", {"role": "guest"}),
        ("DELETE", f"/rooms/{{}}/members/{ann.id}", None),
        ("POST", "/rooms/{}/messages", {"client_msg_id": "1", "body": "x"}),
        ("GET", "/rooms/{}/messages", None),
        ("GET", "/rooms/{}/events", None),
    ]
    none = "r_01a1fdb2f15672849aae512f789e0948"
    for method, path, body in calls:
        answers = []
        for name in (room, none):
            problem = bob.call(method, path.format(name), body, status=404)
            answers.append({key: problem[key] for key in ("code", "title", "detail", "status")})
        assert answers[0] == answers[1], (method, path)
    assert bob.refused("GET", f"/messages/{posted}", status=404) == "not_found"
    assert bob.refused("DELETE", f"/messages/{posted}", status=404) == "not_found"
    bob.call("DELETE", f"/rooms/{room}/members/me", status=204)
    bob.call("DELETE", f"/rooms/{none}/members/me", status=204)
