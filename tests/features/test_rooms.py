"""Rooms are made: who owns them, who is in them, what they are about, and that all of it is the first event."""

from __future__ import annotations

import pytest

from tests.support.rest import register
from tests.support.server import ServerProcess

pytestmark = pytest.mark.real_clock


@pytest.mark.parametrize("kind", ["group", "channel"])
def test_a_room_is_made_with_an_owner_an_address_and_a_first_event(server: ServerProcess, kind: str) -> None:
    """201 with Location; whoever makes it is its owner, and the journal begins with `room.created` at seq 1."""
    ann = register(server)
    response = ann.http.post("/rooms", json={"kind": kind, "name": "Kitchen"})
    made = response.json()
    assert (response.status_code, made["kind"], made["name"]) == (201, kind, "Kitchen")
    assert ann.http.get(f"{server.url}{response.headers['Location']}").json() == made
    assert (made["me"]["role"], made["head_seq"], made["member_count"]) == ("owner", 1, 1)
    (event,) = ann.events(made["id"])
    assert (event["type"], event["seq"], event["actor"]) == ("room.created", 1, ann.id)
    assert event["data"]["members"] == [{"user": ann.id, "role": "owner"}]


def test_a_group_has_a_name_and_says_what_it_is_about(server: ServerProcess) -> None:
    """The description is the room's topic: shown to its members, in its first event, and changed like the name."""
    ann, bob = register(server), register(server)
    body = {"kind": "group", "name": "Kitchen", "topic": "Who cooks what, and when", "members": [bob.username]}
    response = ann.http.post("/rooms", json=body)
    made = response.json()
    room, shown = f"/rooms/{made['id']}", ("Kitchen", "Who cooks what, and when")
    assert (response.status_code, response.headers["Location"]) == (201, f"/api/v1{room}")
    assert (made["me"]["role"], made["name"], made["topic"]) == ("owner", *shown)
    seen = bob.call("GET", room)
    (listed,) = bob.call("GET", "/users/me/rooms")["items"]
    (event,) = bob.events(made["id"])
    assert [(each["name"], each["topic"]) for each in (seen, listed, event["data"])] == [shown] * 3
    assert (event["type"], event["seq"]) == ("room.created", 1)
    ann.call("PATCH", room, {"topic": "Closed on Mondays"})
    assert bob.call("GET", room)["topic"] == "Closed on Mondays"
    assert bob.events(made["id"])[-1]["data"] == {
        "old": {"topic": "Who cooks what, and when"},
        "new": {"topic": "Closed on Mondays"},
    }


def test_a_group_is_made_with_people_by_their_names(server: ServerProcess) -> None:
    """Whom one names is in it from the first event on, in whatever case one writes the name, and nobody else is."""
    ann, bob, cid = register(server), register(server, "Alice.B"), register(server, "bert")
    body = {"kind": "group", "name": "Trip", "members": ["alice.b", "bert"]}
    made = ann.call("POST", "/rooms", body, status=201)
    assert made["member_count"] == 3
    (event,) = ann.events(made["id"])
    assert [(each["user"], each["role"]) for each in event["data"]["members"]] == [
        (ann.id, "owner"),
        (bob.id, "member"),
        (cid.id, "member"),
    ]
    for caller in (bob, cid):
        assert [room["id"] for room in caller.call("GET", "/users/me/rooms")["items"]] == [made["id"]]
        caller.post(made["id"], f"{caller.username} is here")
    assert register(server).refused("GET", f"/rooms/{made['id']}", status=404) == "not_found"
