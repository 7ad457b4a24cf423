"""Everything that one does in a chat, over HTTP alone."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.rest import PASSWORD, Caller, register
from tests.support.server import ServerProcess
from tests.support.talker import Talker

pytestmark = pytest.mark.real_clock

HEART = quote("\N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16}")


def sign_up(server: ServerProcess, **body: object) -> httpx.Response:
    """Register with this body."""
    return httpx.post(f"{server.url}/api/v1/auth/register", json={"password": PASSWORD, **body}, trust_env=False)


def reactions(caller: Caller, message: str) -> Any:
    """Read how a message is reacted to, as it is shown to somebody."""
    return caller.call("GET", f"/messages/{message}").get("reactions", [])


def test_people_sign_up_talk_read_and_react_over_http(server: ServerProcess) -> None:
    """Names are taken once in any case, and nobody makes themselves more than a user; what is said is there to read,
    page by page, and has reached who listens; a reaction counts once for each who reacts."""
    answer = sign_up(server, username="Mallory")
    assert (answer.status_code, answer.json()["user"]["username"]) == (201, "Mallory")
    taken = sign_up(server, username="mALLORY")
    assert (taken.status_code, taken.json()["code"]) == (409, "username_taken")
    for field in ({"role": "admin"}, {"kind": "bot"}, {"type": "admin"}):
        assert sign_up(server, username="climber", **field).status_code == 422
    ann, bob = register(server), register(server)
    assert ann.call("GET", f"/users/{bob.id}")["username"] == bob.username
    assert [user["id"] for user in ann.call("GET", f"/users?ids={bob.id},u_none")["items"]] == [bob.id]
    assert "Mallory" in [user["username"] for user in ann.call("GET", "/users?q=MALL")["items"]]

    room = ann.room(members=(bob.username,))
    listener = Talker.greeted(server.ws_url, bob.token)
    listener.subscribe(room)
    body = {"client_msg_id": "one", "body": "first"}
    posted = ann.call("POST", f"/rooms/{room}/messages", body, status=201)
    heard = listener.until("message.created")
    assert (heard["seq"], heard["data"]["id"]) == (posted["seq"], posted["id"])
    again = ann.http.post(f"/rooms/{room}/messages", json=body)
    assert (again.status_code, again.json(), again.headers["Idempotent-Replayed"]) == (200, posted, "true")
    said = [posted["id"], *(bob.post(room, f"{n}")["id"] for n in range(4))]
    newest = ann.call("GET", f"/rooms/{room}/messages?limit=2")["items"]
    older = ann.call("GET", f"/rooms/{room}/messages?limit=3&before={newest[0]['seq']}")["items"]
    assert [message["id"] for message in (*older, *newest)] == said

    path = f"/messages/{posted['id']}/reactions/{HEART}"
    for caller in (ann, bob, bob):
        caller.call("PUT", path, status=204)
    assert [(one["count"], one["me"]) for one in reactions(ann, posted["id"])] == [(2, True)]
    (who,) = bob.call("GET", f"/messages/{posted['id']}/reactions")["items"]
    assert {user["id"] for user in who["users"]} == {ann.id, bob.id}
    for _ in range(2):
        ann.call("DELETE", path, status=204)
    assert [(one["count"], one["me"]) for one in reactions(ann, posted["id"])] == [(1, False)]
    kinds = [event["type"] for event in ann.events(room)]
    assert kinds == ["room.created"] + ["message.created"] * 5 + ["reaction.added"] * 2 + ["reaction.removed"]
