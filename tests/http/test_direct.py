"""Direct rooms over REST: one for each pair, whoever opens it and however often, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from tests.http.community import Community, open_community

pytestmark = pytest.mark.real_clock

NOT_DIRECT: list[tuple[dict[str, object], list[str]]] = [
    ({}, ["/members"]),
    ({"members": []}, ["/members"]),
    ({"members": ["member", "guest"]}, ["/members"]),
    ({"members": ["owner"]}, ["/members/0"]),
    ({"members": ["nobody"]}, ["/members/0"]),
    ({"members": ["member"], "name": "Us"}, ["/name"]),
    (
        {"members": ["member"], "name": "", "visibility": "public", "topic": "x", "settings": {}},
        ["/name", "/visibility", "/topic", "/settings"],
    ),
    ({"members": ["member", "guest"], "topic": "x"}, ["/topic", "/members"]),
]


async def _open(town: Community, caller: str, other: str, *, by: str = "PUT") -> tuple[int, str | None, Any]:
    """Open the room of two by either route; give status, Location (which only a new room has) and the room."""
    if by == "PUT":
        answer = await town.office.call("PUT", f"/api/v1/users/me/direct/{town.ids[other]}", caller=caller)
    else:
        body = {"kind": "direct", "members": [town.ids[other] if by == "id" else other]}
        answer = await town.office.call("POST", "/api/v1/rooms", caller=caller, body=body)
    return answer.status_code, answer.headers.get("Location"), await answer.get_json()


async def test_two_people_share_one_room_whoever_opens_it_and_by_whichever_route() -> None:
    """201 once, 200 ever after; each is told the same room, in which both may do the same."""
    async with open_community() as town:
        first = await _open(town, "owner", "member")
        assert first[0] == 201
        room = first[2]
        assert (room["kind"], room["visibility"], room["name"]) == ("direct", "private", "")
        assert first[1] == f"/api/v1/rooms/{room['id']}"
        for caller, other in (("owner", "member"), ("member", "owner")):
            for by in ("PUT", "id", "name"):
                status, location, again = await _open(town, caller, other, by=by)
                assert (status, location, again["id"]) == (200, None, room["id"])
                assert again["me"]["permissions"] == room["me"]["permissions"]
        assert await town.kinds(room["id"]) == ["room.created"]
        await town.post("owner", room["id"], "hello")
        await town.post("member", room["id"], "hello yourself")
        other_pair = await _open(town, "owner", "guest", by="id")
        assert other_pair[0] == 201
        assert other_pair[2]["id"] != room["id"]
        mine = (await town.call("member", "GET", "/users/me/rooms"))["items"]
        assert [listed["id"] for listed in mine] == [room["id"]]


async def test_a_direct_room_says_whom_it_is_with() -> None:
    """To each the other, in lists and by itself; by the id alone once the account is gone; no other room says so."""
    async with open_community() as town:
        town_room = await town.room("member")
        views = {}
        for caller, other in (("owner", "member"), ("member", "owner")):
            _, _, opened = await _open(town, caller, other)
            path = f"/rooms/{opened['id']}"
            listed = (await town.call(caller, "GET", "/users/me/rooms"))["items"]
            by_id = (await town.call(caller, "GET", f"/rooms?ids={opened['id']}"))["items"]
            shown = await town.call(caller, "GET", path)
            others = {"id": town.ids[other], "username": other, "display_name": other.title()}
            assert [each["peer"] for each in (opened, shown, *by_id, *listed) if "peer" in each] == [others] * 4
            views[caller] = [each["id"] for each in listed if "peer" not in each]
        assert views == {"owner": [town_room], "member": [town_room]}
        del town.office.store.users[town.ids["member"]]
        nameless = {"id": town.ids["member"], "username": "", "display_name": ""}
        assert (await town.call("owner", "GET", path))["peer"] == nameless


async def test_fifty_who_open_it_at_once_get_one_room_and_one_of_them_a_new_one() -> None:
    """From both sides and by all routes at the same time."""
    async with open_community() as town:
        answers: list[tuple[int, str | None, Any]] = []

        async def open_one(number: int) -> None:
            caller, other = ("owner", "member") if number % 2 else ("member", "owner")
            answers.append(await _open(town, caller, other, by=("PUT", "id", "name")[number % 3]))

        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(open_one, number)
        assert sorted(status for status, _, _ in answers) == [200] * 49 + [201]
        assert len({room["id"] for _, _, room in answers}) == 1
        assert await town.kinds(answers[0][2]["id"]) == ["room.created"]


async def test_a_direct_room_is_with_one_other_person_and_nothing_else() -> None:
    """Everything that is wrong is pointed at, and no room is made."""
    async with open_community() as town:
        for more, pointers in NOT_DIRECT:
            assert await town.pointers("owner", "POST", "/rooms", {"kind": "direct", **more}) == pointers
        assert (await town.call("owner", "GET", "/users/me/rooms"))["items"] == []


async def test_nobody_talks_to_themselves_or_to_who_is_not_there() -> None:
    """Not to made-up users, not to disabled ones; a room that is there already stays readable."""
    async with open_community() as town:
        direct = "/users/me/direct"
        assert await town.pointers("owner", "PUT", f"{direct}/{town.ids['owner']}", None) == ["/user"]
        for user in ("u_none", "member", "me", "%E2%98%83", "u_01a1fdb2f15672849aae512f789e0948"):
            assert await town.refused("owner", "PUT", f"{direct}/{user}", status=404) == "not_found"
        _, _, room = await _open(town, "owner", "member")
        town.disable("member")
        assert await town.refused("owner", "PUT", f"{direct}/{town.ids['member']}", status=404) == "not_found"
        body = {"kind": "direct", "members": ["member"]}
        assert await town.pointers("owner", "POST", "/rooms", body) == ["/members/0"]
        await town.call("owner", "GET", f"/rooms/{room['id']}")


async def test_a_direct_room_is_nobody_elses_and_stays_as_it_is() -> None:
    """A third person finds nothing there; the two neither change, leave, extend, moderate nor end it."""
    async with open_community() as town:
        _, _, room = await _open(town, "owner", "member")
        path, other, third = f"/rooms/{room['id']}", town.ids["member"], town.ids["stranger"]
        for method, rest, body in (
            ("GET", "", None),
            ("GET", "/members", None),
            ("PUT", "/members/me", None),
            ("GET", "/messages", None),
            ("POST", "/messages", {"client_msg_id": "1", "body": "x"}),
        ):
            assert await town.refused("stranger", method, path + rest, body, status=404) == "not_found"
        assert (await town.call("stranger", "GET", f"/rooms?ids={room['id']}"))["items"] == []
        for caller in ("owner", "member"):
            target = other if caller == "owner" else town.ids["owner"]
            changes: list[tuple[str, str, object]] = [
                ("PATCH", "", {"name": "Us"}),
                ("PATCH", "", {"settings": {"archived": True}}),
                ("PATCH", "", {"settings": {"retention_days": 1}}),
                ("DELETE", "", None),
                ("DELETE", "/members/me", None),
                ("PUT", f"/members/{third}", {"role": "member"}),
                ("PATCH", f"/members/{target}", {"role": "guest"}),
                ("DELETE", f"/members/{target}", None),
                ("PUT", f"/bans/{target}", None),
                ("PUT", f"/mutes/{target}", None),
                ("POST", "/invites", None),
                ("PATCH", "/permissions", {"guest": {"messages.send": True}}),
            ]
            for method, rest, change in changes:
                answer = await town.office.call(method, f"/api/v1{path}{rest}", caller=caller, body=change)
                assert answer.status_code in {403, 409}, (caller, method, rest)
            await town.call(caller, "PUT", f"{path}/members/me", status=204)
        assert await town.kinds(room["id"]) == ["room.created"]
