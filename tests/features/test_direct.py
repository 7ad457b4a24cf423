"""Two people, one room: nobody else finds it, and whoever blocks the other hears no more from them."""

from __future__ import annotations

import pytest

from tests.support.rest import register
from tests.support.server import ServerProcess
from tests.support.talker import Talker

pytestmark = pytest.mark.real_clock


def test_a_direct_room_is_for_two_and_a_block_ends_the_talk(server: ServerProcess) -> None:
    """Opened once by whoever is first; 404 for a third, on every way in; 403 for whoever the other has blocked."""
    ann, bob, eve = register(server), register(server), register(server)
    room = ann.call("PUT", f"/users/me/direct/{bob.id}", status=201)["id"]
    assert bob.call("PUT", f"/users/me/direct/{ann.id}", status=200)["id"] == room
    hello = ann.post(room, "hello")
    bob.post(room, "hello yourself")
    for method, path, body in (
        ("GET", f"/rooms/{room}", None),
        ("GET", f"/rooms/{room}/messages", None),
        ("GET", f"/messages/{hello['id']}", None),
        ("PUT", f"/rooms/{room}/members/me", None),
        ("POST", f"/rooms/{room}/messages", {"client_msg_id": "x", "body": "x"}),
    ):
        assert eve.refused(method, path, body, status=404) == "not_found"
    assert Talker.greeted(server.ws_url, eve.token).subscribe(room)["data"]["code"] == "not_a_member"
    bob.call("PUT", f"/users/me/blocks/{ann.id}", status=204)
    message = {"client_msg_id": "blocked", "body": "listen to me"}
    code = ann.refused("POST", f"/rooms/{room}/messages", message, status=403)
    over_socket = Talker.greeted(server.ws_url, ann.token).send(room, "listen to me")
    assert (over_socket["type"], over_socket["data"]["code"]) == ("error", code)
    eve.call("PUT", f"/users/me/blocks/{ann.id}", status=204)
    assert ann.refused("PUT", f"/users/me/direct/{eve.id}", status=403) == code
    assert [item["body"] for item in bob.call("GET", f"/rooms/{room}/messages")["items"]] == ["hello", "hello yourself"]
    bob.call("DELETE", f"/users/me/blocks/{ann.id}", status=204)
    ann.post(room, "thank you")
