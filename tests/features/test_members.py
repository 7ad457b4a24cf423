"""Members over REST: added once however often, looked at with what they may do, listed page by page."""

from __future__ import annotations

import threading

import pytest

from tests.support.rest import register
from tests.support.server import ServerProcess

pytestmark = pytest.mark.real_clock


def test_somebody_who_is_added_again_and_again_is_added_once(server: ServerProcess) -> None:
    """204 each time, also for those who ask at the same moment; one `member.added`, and no other event."""
    ann, bob = register(server), register(server)
    room = ann.room()
    path = f"/rooms/{room}/members/{bob.id}"
    at_once = threading.Barrier(6)
    statuses: list[int] = []

    def add() -> None:
        at_once.wait()
        statuses.append(ann.http.put(path).status_code)

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses.extend(ann.http.put(path, json={"role": "member"}).status_code for _ in range(4))
    assert statuses == [204] * 10
    assert [(event["type"], event["data"].get("user")) for event in ann.events(room)] == [
        ("room.created", None),
        ("member.added", bob.id),
    ]


def test_a_member_is_shown_with_their_role_and_what_it_lets_them_do(server: ServerProcess) -> None:
    """The effective permissions: those of the role, changed by what the room deviates in, and by a mute."""
    ann, bob = register(server), register(server)
    room = ann.room(members=(bob.username,))
    path = f"/rooms/{room}/members/{bob.id}"
    plain = bob.call("GET", path)
    assert (plain["user"]["id"], plain["role"]) == (bob.id, "member")
    assert plain["permissions"] == bob.call("GET", f"/rooms/{room}")["me"]["permissions"]
    assert {"room.view", "messages.send"} <= set(plain["permissions"])
    assert "messages.pin" not in plain["permissions"]
    ann.call("PATCH", f"/rooms/{room}/permissions", {"member": {"messages.pin": True, "messages.send": False}})
    deviating = set(ann.call("GET", path)["permissions"])
    assert deviating == set(plain["permissions"]) - {"messages.send"} | {"messages.pin"}
    ann.call("PUT", f"/rooms/{room}/mutes/{bob.id}")
    assert not {"messages.pin", "reactions.add"} & set(ann.call("GET", path)["permissions"])
    ann.call("PATCH", path, {"role": "moderator"})
    ann.call("DELETE", f"/rooms/{room}/mutes/{bob.id}")
    raised = ann.call("GET", path)
    assert raised["role"] == "moderator"
    assert {"members.ban", "messages.send"} <= set(raised["permissions"])
    assert set(ann.call("GET", f"/rooms/{room}/members/me")["permissions"]) > set(raised["permissions"])


def test_all_members_are_listed_page_by_page_and_to_nobody_else(server: ServerProcess) -> None:
    """Each once, over as many pages as it takes; of a private room a stranger hears 404, as of one that is not."""
    ann, *others = (register(server) for _ in range(8))
    room = ann.room(members=tuple(other.username for other in others))
    found, cursor = [], ""
    for left in (8, 5, 2):
        page = others[0].call("GET", f"/rooms/{room}/members?limit=3{cursor}")
        assert len(page["items"]) == min(left, 3)
        found += [(member["user"]["id"], member["role"]) for member in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    assert sorted(found) == sorted([(ann.id, "owner"), *((other.id, "member") for other in others)])
    stranger = register(server)
    assert stranger.refused("GET", f"/rooms/{room}/members", status=404) == "not_found"
    assert stranger.refused("GET", "/rooms/r_none/members", status=404) == "not_found"
