"""People register, make rooms, talk, leave, come back, and have missed nothing: through the public surface only."""

from __future__ import annotations

import json
import threading

import httpx
import pytest

from tests.support.rest import Caller, register
from tests.support.server import ServerProcess
from tests.support.talker import Talker

pytestmark = pytest.mark.real_clock


def test_a_message_reaches_every_subscriber_with_the_seq_its_sender_was_told(shared_server: ServerProcess) -> None:
    """S0-19: REST answer, ack, live events and history agree on id and seq."""
    ann, bob = register(shared_server), register(shared_server)
    room = ann.room(members=(bob.username,))
    talker = Talker.greeted(shared_server.ws_url, bob.token)
    subscribed = talker.subscribe(room)
    assert subscribed["data"]["head_seq"] == 1
    posted = ann.post(room, "by REST")
    ack = talker.send(room, "by socket")
    assert (posted["seq"], ack["seq"]) == (2, 3)
    events = talker.events(room)
    assert [(event["seq"], event["data"]["body"]) for event in events] == [(2, "by REST"), (3, "by socket")]
    assert events[0]["data"]["id"] == posted["id"]
    assert events[1]["data"]["id"] == ack["data"]["message_id"]
    assert events == ann.events(room)[1:]
    talker.close()


def test_live_events_are_the_journal_byte_for_byte(shared_server: ServerProcess) -> None:
    """S0-25: what two sockets received equals what `GET /events` says, to the byte."""
    ann = register(shared_server)
    room = ann.room()
    sockets = [Talker.greeted(shared_server.ws_url, ann.token) for _ in range(2)]
    raw: list[list[str]] = [[], []]
    for socket in sockets:
        socket.subscribe(room, history=0)
    for number in range(5):
        ann.post(room, f"héllo \u2603 {number}")
    for index, socket in enumerate(sockets):
        raw[index] = [str(socket.socket.recv(timeout=20)) for _ in range(5)]
    journal = ann.http.get(f"/rooms/{room}/events?after=1").text
    assert raw[0] == raw[1]
    assert f'{{"items":[{",".join(raw[0])}]' in journal
    for socket in sockets:
        socket.close()


def test_who_comes_back_gets_what_was_missed_and_then_lives_on(shared_server: ServerProcess) -> None:
    """Resume in hello: everything above the last seq, in order, `caught_up`, then live."""
    ann, bob = register(shared_server), register(shared_server)
    room = ann.room(members=(bob.username,))
    talker = Talker.greeted(shared_server.ws_url, bob.token)
    epoch = talker.subscribe(room)["data"]["epoch"]
    ann.post(room, "seen")
    talker.until("message.created")
    talker.close()
    for number in range(150):
        ann.post(room, f"missed {number}")
    back = Talker.greeted(shared_server.ws_url, bob.token, resume={room: {"epoch": epoch, "seq": 2}})
    assert back.until("caught_up")["data"]["seq"] == 152
    ann.post(room, "live")
    back.until("message.created")
    assert [event["seq"] for event in back.events(room)] == list(range(3, 154))
    back.close()


@pytest.mark.parametrize(
    ("position", "reason"), [({"epoch": "e_other", "seq": 1}, "epoch"), ({"epoch": "", "seq": 999}, "ahead")]
)
def test_a_position_that_cannot_be_replayed_is_answered_with_reset(
    shared_server: ServerProcess, position: dict[str, object], reason: str
) -> None:
    """Never a silent hole: another epoch or a seq from the future gives `reset` with the truth."""
    ann = register(shared_server)
    room = ann.room()
    talker = Talker.greeted(shared_server.ws_url, ann.token, resume={room: position})
    reset = talker.until("reset")
    assert reset["data"]["reason"] == reason
    assert reset["data"]["head_seq"] == 1
    talker.close()


def test_joining_amid_a_stream_of_messages_gives_one_gapless_sequence(shared_server: ServerProcess) -> None:
    """S0-17: snapshots taken while others write join their live events without gap or duplicate."""
    ann = register(shared_server)
    room = ann.room()
    stop = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        writer = Talker.greeted(shared_server.ws_url, ann.token)
        while not stop.is_set():
            for number in range(32):
                writer.say("send", room=room, data={"client_msg_id": f"{written}", "body": f"{number}"})
                written += 1
            for _ in range(32):
                writer.until("ack")
        writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(12):
            talker = Talker.greeted(shared_server.ws_url, ann.token)
            snapshot = talker.subscribe(room, history=50)["data"]
            for _ in range(40):
                talker.until("message.created")
            seqs = [event["seq"] for event in snapshot["events"]] + [event["seq"] for event in talker.events(room)]
            assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
            assert talker.events(room)[0]["seq"] == snapshot["head_seq"] + 1
            talker.close()
    finally:
        stop.set()
        thread.join()
    assert written > 200


def test_subscribe_all_follows_rooms_that_the_user_is_added_to_later(shared_server: ServerProcess) -> None:
    """A room created or joined after hello arrives by itself, beginning with the event that made one a member."""
    ann, bob = register(shared_server), register(shared_server)
    talker = Talker.greeted(shared_server.ws_url, bob.token, subscribe="all")
    room = ann.room()
    ann.call("PUT", f"/rooms/{room}/members/{bob.id}", status=204)
    assert talker.until("member.added")["data"]["user"] == bob.id
    ann.post(room, "welcome")
    talker.until("message.created")
    assert [event["seq"] for event in talker.events(room)] == [2, 3]
    talker.close()


def test_a_removed_member_hears_of_the_removal_and_of_nothing_after(shared_server: ServerProcess) -> None:
    """S3-30, N6: the last frame of the room is member.removed, then unsubscribed; rejoining is refused."""
    ann, bob = register(shared_server), register(shared_server)
    room = ann.room(members=(bob.username,))
    talker = Talker.greeted(shared_server.ws_url, bob.token)
    talker.subscribe(room)
    ann.post(room, "before")
    ann.call("DELETE", f"/rooms/{room}/members/{bob.id}", status=204)
    ann.post(room, "after")
    assert talker.until("unsubscribed")["data"] == {"seq": 3, "reason": "removed"}
    assert [event["type"] for event in talker.events(room)] == ["message.created", "member.removed"]
    assert talker.subscribe(room)["data"]["code"] == "not_a_member"
    assert talker.send(room, "still here?")["data"]["code"] == "not_a_member"
    assert bob.refused("GET", f"/rooms/{room}/messages", status=404) == "not_found"
    talker.close()


def test_an_identical_post_gives_the_same_seq_over_every_way_and_after_a_restart(server: ServerProcess) -> None:
    """Same client_msg_id at once, by REST, by socket, on another connection, after a restart: one message."""
    ann = register(server)
    room = ann.room()
    talker = Talker.greeted(server.ws_url, ann.token)
    first = talker.send(room, "once", client_msg_id="x")
    again = talker.send(room, "once", client_msg_id="x")
    response = ann.http.post(f"/rooms/{room}/messages", json={"client_msg_id": "x", "body": "once"})
    assert (response.status_code, response.headers["Idempotent-Replayed"]) == (200, "true")
    assert response.json()["seq"] == first["seq"] == again["seq"] == 2
    assert again["data"]["duplicate"] is True
    assert ann.refused("POST", f"/rooms/{room}/messages", {"client_msg_id": "x", "body": "twice"}, status=422) == (
        "idempotency_mismatch"
    )
    assert server.stop() == 0
    server.start()
    back = Talker.greeted(server.ws_url, ann.token)
    assert back.send(room, "once", client_msg_id="x")["seq"] == 2
    assert back.send(room, "else", client_msg_id="x")["data"]["code"] == "idempotency_mismatch"
    assert [event["seq"] for event in ann.events(room)] == [1, 2]


def test_a_deleted_message_is_a_tombstone_everywhere(shared_server: ServerProcess) -> None:
    """S0-22: its seq stays, its text goes, the event is live and on resume, a repeat is 204 and silent."""
    ann, bob = register(shared_server), register(shared_server)
    room = ann.room(members=(bob.username,))
    talker = Talker.greeted(shared_server.ws_url, bob.token)
    talker.subscribe(room)
    posted = ann.post(room, "regrettable")
    assert bob.refused("DELETE", f"/messages/{posted['id']}", status=403) == "forbidden"
    ann.call("DELETE", f"/messages/{posted['id']}", status=204)
    ann.call("DELETE", f"/messages/{posted['id']}", status=204)
    deleted = talker.until("message.deleted")
    assert deleted["data"] == {"id": posted["id"], "message_seq": 2, "msg_no": 1}
    shown = bob.call("GET", f"/messages/{posted['id']}")
    assert (shown["deleted"], shown["body"], shown["seq"]) == (True, "", 2)
    assert [event["type"] for event in bob.events(room)][1:] == ["message.created", "message.deleted"]
    talker.close()


def test_a_deleted_room_says_goodbye_to_its_subscribers(shared_server: ServerProcess) -> None:
    """S0-02: members may not delete it; then room.deleted, unsubscribed, and 404 from then on."""
    ann, bob = register(shared_server), register(shared_server)
    room = ann.room(members=(bob.username,))
    talker = Talker.greeted(shared_server.ws_url, bob.token)
    talker.subscribe(room)
    assert bob.refused("DELETE", f"/rooms/{room}", status=403) == "forbidden"
    ann.call("DELETE", f"/rooms/{room}", status=204)
    assert talker.until("room.deleted")["seq"] == 2
    assert talker.until("unsubscribed")["data"]["reason"] == "deleted"
    assert ann.refused("GET", f"/rooms/{room}", status=404) == "not_found"
    assert room not in [item["id"] for item in ann.call("GET", "/users/me/rooms")["items"]]
    talker.close()


def test_a_renamed_room_tells_everybody_old_and_new(shared_server: ServerProcess) -> None:
    """S0-03: one room.updated with both names; a member may not; renaming to the same name is silent."""
    ann, bob = register(shared_server), register(shared_server)
    room = ann.room("Tea", members=(bob.username,))
    talker = Talker.greeted(shared_server.ws_url, bob.token)
    talker.subscribe(room)
    assert bob.refused("PATCH", f"/rooms/{room}", {"name": "Mine"}, status=403) == "forbidden"
    assert ann.call("PATCH", f"/rooms/{room}", {"name": "Coffee"})["name"] == "Coffee"
    ann.call("PATCH", f"/rooms/{room}", {"name": "Coffee"})
    assert talker.until("room.updated")["data"] == {"old": {"name": "Tea"}, "new": {"name": "Coffee"}}
    assert len(ann.events(room)) == 2
    talker.close()


def test_history_pages_in_both_directions_and_around(shared_server: ServerProcess) -> None:
    """S0-20: before, after and around, ascending by seq, over REST and over the socket."""
    ann = register(shared_server)
    room = ann.room()
    for number in range(1, 31):
        ann.post(room, f"m{number}")

    def bodies(query: str) -> list[str]:
        return [item["body"] for item in ann.call("GET", f"/rooms/{room}/messages?{query}")["items"]]

    assert bodies("limit=3") == ["m28", "m29", "m30"]
    assert bodies("before=10&limit=3") == ["m6", "m7", "m8"]
    assert bodies("after=10&limit=3") == ["m10", "m11", "m12"]
    assert bodies("around=11&limit=4") == ["m8", "m9", "m10", "m11"]
    talker = Talker.greeted(shared_server.ws_url, ann.token)
    page = talker.until("page", frame_id=talker.say("fetch", room=room, data={"before": 5, "limit": 3}))["data"]
    assert ([event["seq"] for event in page["events"]], page["more"], page["head_seq"]) == ([2, 3, 4], True, 31)
    talker.close()


def test_unknown_members_are_all_named_and_nothing_is_created(shared_server: ServerProcess) -> None:
    """S3-21: one 422 that lists every unknown name."""
    ann = register(shared_server)
    body = {"kind": "group", "name": "x", "members": ["nobody-1", ann.username, "nobody-2"]}
    problem = ann.call("POST", "/rooms", body, status=422)
    assert [error["pointer"] for error in problem["errors"]] == ["/members/0", "/members/2"]
    assert ann.call("GET", "/users/me/rooms")["items"] == []


def test_public_rooms_are_found_by_prefix_and_joined(shared_server: ServerProcess) -> None:
    """S3-29: listing finds public rooms only; joining emits one event however often it is repeated."""
    ann, bob = register(shared_server), register(shared_server)
    room = ann.room("Zebra crossing", visibility="public")
    ann.room("Zebra secret")
    found = bob.call("GET", "/rooms?public=true&q=ZEBRA")["items"]
    assert [item["id"] for item in found] == [room]
    assert found[0]["me"]["role"] is None
    for _ in range(3):
        bob.call("PUT", f"/rooms/{room}/members/me", status=204)
    assert [event["type"] for event in ann.events(room)] == ["room.created", "member.joined"]
    assert bob.call("GET", f"/rooms/{room}")["me"]["role"] == "member"


def test_roles_cannot_be_raised_above_ones_own(shared_server: ServerProcess) -> None:
    """D1: adding as admin and changing roles both need the right, and nobody grants above their own."""
    ann, bob, eve = register(shared_server), register(shared_server), register(shared_server)
    room = ann.room(members=(bob.username,))
    assert bob.refused("PUT", f"/rooms/{room}/members/{eve.id}", {"role": "admin"}, status=403) == "forbidden"
    assert bob.refused("PATCH", f"/rooms/{room}/members/{bob.id}", {"role": "owner"}, status=403) == "forbidden"
    ann.call("PATCH", f"/rooms/{room}/members/{bob.id}", {"role": "admin"}, status=204)
    assert bob.refused("PATCH", f"/rooms/{room}/members/{bob.id}", {"role": "owner"}, status=403) == "forbidden"
    assert bob.refused("DELETE", f"/rooms/{room}/members/{ann.id}", status=403) == "forbidden"
    assert ann.refused("DELETE", f"/rooms/{room}/members/me", status=409) == "last_owner"
    assert "roles.manage" in bob.call("GET", f"/rooms/{room}/members/{bob.id}")["permissions"]


def test_five_tabs_of_one_user_all_receive_everything(shared_server: ServerProcess) -> None:
    """D6: one subscriber per socket, not per user; closing one disturbs no other."""
    ann = register(shared_server)
    room = ann.room()
    tabs = [Talker.greeted(shared_server.ws_url, ann.token) for _ in range(5)]
    for tab in tabs:
        tab.subscribe(room)
    tabs[0].close()
    ann.post(room, "to all")
    for tab in tabs[1:]:
        assert tab.until("message.created")["data"]["body"] == "to all"
        tab.close()


def test_nobody_creates_events_directly(shared_server: ServerProcess) -> None:
    """S0-26: no method on /events but GET, and a system type in a frame is no frame."""
    ann = register(shared_server)
    room = ann.room()
    assert ann.refused("POST", f"/rooms/{room}/events", {"type": "notice"}, status=405) == "method_not_allowed"
    talker = Talker.greeted(shared_server.ws_url, ann.token)
    talker.raw(json.dumps({"type": "member.removed", "room": room, "data": {"user": ann.id}}))
    assert talker.until("error")["data"]["code"] == "invalid_frame"
    assert len(ann.events(room)) == 1
    talker.close()


def test_every_error_is_problem_json_with_a_request_id(shared_server: ServerProcess) -> None:
    """S3-22: routes that exist and routes that do not answer alike, and the caller's request id comes back."""
    ann: Caller = register(shared_server)
    for method, path, status in (
        ("GET", "/nothing", 404),
        ("PATCH", "/users/me/rooms", 405),
        ("GET", "/rooms/r_unknown", 404),
        ("GET", "/rooms/%00", 404),
        ("GET", "/rooms?limit=1e9", 422),
    ):
        response = ann.http.request(method, path, headers={"X-Request-Id": "my-id.1"})
        assert response.status_code == status, (method, path, response.text)
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["request_id"] == response.headers["X-Request-Id"] == "my-id.1"
    anonymous = httpx.get(f"{shared_server.url}/api/v1/users/me", trust_env=False, timeout=20)
    assert anonymous.status_code == 401
    assert anonymous.json()["code"] == "unauthenticated"
    assert anonymous.headers["WWW-Authenticate"] == "Bearer"


def test_poison_is_refused_and_disturbs_no_room(shared_server: ServerProcess) -> None:
    """T7: odd JSON over REST and over the socket is answered with an error; no actor restarts."""
    ann = register(shared_server)
    room = ann.room()
    ann.post(room, "before")
    poison = [
        b'{"client_msg_id":"p","body":"\\ud800"}',
        b'{"client_msg_id":"p","body":NaN}',
        b'{"client_msg_id":"p","body":"a\\u0000b"}',
        b'{"client_msg_id":"p","client_msg_id":"q","body":"b"}',
        b'{"client_msg_id":"p","body":"b","reply_to":' + b"9" * 5000 + b"}",
        b'{"client_msg_id":"p","body":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"client_msg_id":"p","body":"\xff"}',
        b'{"client_msg_id":"p","body":"b"',
        b"",
    ]
    for body in poison:
        response = ann.http.post(f"/rooms/{room}/messages", content=body, headers={"content-type": "application/json"})
        assert 400 <= response.status_code < 500, (body[:60], response.text)
        if len(body) < 16_000 and b"\xff" not in body:
            talker = Talker.greeted(shared_server.ws_url, ann.token)
            talker.raw(f'{{"type":"send","id":"p","room":"{room}","data":{body.decode()}}}')
            assert talker.until("error")["data"]["status"] < 500
            talker.close()
    health = httpx.get(f"{shared_server.url}/health/rooms/{room}", trust_env=False, timeout=20).json()
    assert (health["restarts"], health["quarantined"], health["state"]) == (0, 0, "running")
    assert len(ann.events(room)) == 2


def test_close_codes_say_why(shared_server: ServerProcess) -> None:
    """No hello, a bad token, a query token, a foreign origin, binary, oversize, three bad frames: each its own end."""
    ann = register(shared_server)
    silent = Talker(shared_server.ws_url)
    silent.raw('{"type":"ping"}')
    assert silent.closed() == 4501
    wrong = Talker(shared_server.ws_url)
    wrong.say("hello", data={"token": ann.token[:-2] + "xx"})
    assert wrong.closed() == 4501
    binary = Talker.greeted(shared_server.ws_url, ann.token)
    binary.raw(b"\x00\x01")
    assert binary.closed() == 1003
    large = Talker.greeted(shared_server.ws_url, ann.token)
    large.raw("x" * 70_000)
    assert large.closed() == 1009
    noisy = Talker.greeted(shared_server.ws_url, ann.token)
    for _ in range(3):
        noisy.raw("not json")
    assert noisy.closed() == 4500
    by_header = Talker(shared_server.ws_url, headers={"Authorization": f"Bearer {ann.token}"})
    by_header.say("hello")
    by_header.until("welcome")
    by_header.close()
    query = httpx.get(f"{shared_server.url}/ws?token={ann.token}", headers=_UPGRADE, trust_env=False, timeout=20)
    assert query.status_code == 400
    foreign = httpx.get(
        f"{shared_server.url}/ws", headers={**_UPGRADE, "Origin": "https://evil.example"}, trust_env=False, timeout=20
    )
    assert foreign.status_code == 403


_UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
