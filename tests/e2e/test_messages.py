"""What happens to messages reaches everybody, also who was away: over REST and an independent WebSocket client."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.support.rest import Caller, register
from tests.support.server import ServerProcess
from tests.support.talker import Frame, Talker

pytestmark = pytest.mark.real_clock
THUMB = "\U0001f44d"
Messages = dict[str, dict[str, Any]]


def _reacted(message: dict[str, Any], emoji: str, by: int) -> None:
    counts = {one["emoji"]: one["count"] for one in message.get("reactions", ())}
    counts[emoji] = counts.get(emoji, 0) + by
    message["reactions"] = [{"emoji": name, "count": count} for name, count in counts.items() if count]


def _gone(messages: Messages, gone: dict[str, Any]) -> None:
    message = messages[gone["id"]]
    for field in ("mentions", "reactions", "expires_at"):
        message.pop(field, None)
    message |= {"body": "", "deleted": True, "rev": message["rev"] + 1}
    if "thread_root" in gone:
        messages[gone["thread_root"]]["reply_count"] -= 1


def _apply(messages: Messages, event: Frame) -> None:
    """Do what the protocol says that a client does with an event."""
    data = event["data"]
    match event["type"]:
        case "message.created":
            messages[data["id"]] = dict(data)
            if "thread_root" in data:
                root = messages[data["thread_root"]]
                root["reply_count"] = root.get("reply_count", 0) + 1
        case "message.updated":
            changed = ("rev", "body", "edited_at", "mentions", "mentions_all")
            messages[data["id"]] |= {name: data[name] for name in changed if name in data}
        case "message.deleted":
            _gone(messages, data)
        case "message.bulk_deleted":
            for gone in data["messages"]:
                _gone(messages, gone)
        case "reaction.added":
            _reacted(messages[data["message"]], data["emoji"], 1)
        case "reaction.removed":
            _reacted(messages[data["message"]], data["emoji"], -1)
        case _:
            pass


def _as_shown(messages: Messages, ann: Caller, room: str) -> None:
    """Hold what a client made of the events against what REST shows."""
    shown = ann.call("GET", f"/rooms/{room}/messages?limit=100")["items"]
    for message in shown:
        for reaction in message.get("reactions", ()):
            del reaction["me"]
    kept = [{name: value for name, value in message.items() if value not in ([], 0)} for message in messages.values()]
    assert kept == shown


def _command(talker: Talker, kind: str, room: str, **data: object) -> Frame:
    answer = talker.until("ack", "error", frame_id=talker.say(kind, room=room, data=data))
    assert answer["type"] == "ack", answer
    return answer


def test_what_was_done_to_messages_while_somebody_was_away_reaches_them_when_they_come_back(
    shared_server: ServerProcess,
) -> None:
    """Edits, reactions, pins, replies and deletions by REST and by frames: the resumed stream gives what REST shows."""
    ann, bob = register(shared_server), register(shared_server)
    room = ann.room(members=(bob.username,))
    ids = [ann.post(room, f"m{number}")["id"] for number in range(6)]
    messages: Messages = {}
    away = Talker.greeted(shared_server.ws_url, bob.token)
    snapshot = away.subscribe(room, history=100)["data"]
    for event in snapshot["events"]:
        _apply(messages, event)
    away.close()

    ann.call("PATCH", f"/messages/{ids[0]}", {"body": "by REST", "rev": 1}, status=200)
    for caller in (ann, bob):
        caller.call("PUT", f"/messages/{ids[0]}/reactions/{quote(THUMB)}", status=204)
    ann.call("PUT", f"/rooms/{room}/pins/{ids[0]}", status=204)
    ann.call("DELETE", f"/messages/{ids[1]}", status=204)
    socket = Talker.greeted(shared_server.ws_url, ann.token)
    _command(socket, "edit", room, message=ids[2], body=f"by a frame, @{bob.username}", rev=1)
    _command(socket, "react", room, message=ids[2], emoji="a")
    _command(socket, "react", room, message=ids[2], emoji=THUMB)
    _command(socket, "unreact", room, message=ids[2], emoji="a")
    _command(socket, "pin", room, message=ids[2])
    _command(socket, "unpin", room, message=ids[0])
    reply = _command(socket, "send", room, client_msg_id="r", body="reply", thread_root=ids[2])["data"]["message_id"]
    _command(socket, "delete", room, message=ids[3])
    ann.call("POST", f"/rooms/{room}/messages/bulk-delete", {"messages": [ids[4], ids[5], reply]}, status=204)
    last = _command(socket, "react", room, message=ids[2], emoji=THUMB)
    assert last["data"]["changed"] is False
    socket.close()

    position = {room: {"epoch": snapshot["epoch"], "seq": snapshot["head_seq"]}}
    back = Talker.greeted(shared_server.ws_url, bob.token, resume=position)
    back.until("caught_up")
    events = back.events(room)
    assert [event["seq"] for event in events] == list(range(snapshot["head_seq"] + 1, last["seq"] + 1))
    assert events == bob.events(room)[snapshot["head_seq"] :]
    for event in events:
        _apply(messages, event)
    _as_shown(messages, ann, room)
    assert [pin["message"]["id"] for pin in bob.call("GET", f"/rooms/{room}/pins")["items"]] == [ids[2]]

    ann.call("PATCH", f"/messages/{ids[0]}", {"body": "live again"}, status=200)
    _apply(messages, back.until("message.updated"))
    _as_shown(messages, ann, room)


def test_two_who_edit_the_same_version_do_not_overwrite_each_other(shared_server: ServerProcess) -> None:
    """One of one's own devices says `rev`, the other If-Match: whoever comes second reads again first."""
    ann = register(shared_server)
    room = ann.room()
    message = ann.post(room, "first")["id"]
    socket = Talker.greeted(shared_server.ws_url, ann.token)
    tag = ann.http.get(f"/messages/{message}").headers["etag"]
    _command(socket, "edit", room, message=message, body="from the socket", rev=1)
    answer = ann.http.patch(f"/messages/{message}", json={"body": "from REST"}, headers={"If-Match": tag})
    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    tag = ann.http.get(f"/messages/{message}").headers["etag"]
    answer = ann.http.patch(f"/messages/{message}", json={"body": "from REST"}, headers={"If-Match": tag})
    assert (answer.status_code, answer.headers["etag"], answer.json()["body"]) == (200, '"3"', "from REST")
    late = socket.until(
        "ack", "error", frame_id=socket.say("edit", room=room, data={"message": message, "body": "again", "rev": 2})
    )
    assert late["data"]["code"] == "precondition_failed"


def test_one_reads_ones_own_writes(shared_server: ServerProcess) -> None:
    """With the seq of the answer to a frame, every read of the room is as of that, at once."""
    ann = register(shared_server)
    room = ann.room()
    socket = Talker.greeted(shared_server.ws_url, ann.token)
    for number in range(5):
        ack = socket.send(room, f"m{number}")
        found = ann.call("GET", f"/rooms/{room}/messages?min_seq={ack['seq']}&limit=1")["items"]
        assert [message["body"] for message in found] == [f"m{number}"]
        message = ack["data"]["message_id"]
        ack = _command(socket, "edit", room, message=message, body=f"edited {number}")
        assert ann.call("GET", f"/messages/{message}?min_seq={ack['seq']}")["body"] == f"edited {number}"
        ack = _command(socket, "pin", room, message=message)
        pins = ann.call("GET", f"/rooms/{room}/pins?min_seq={ack['seq']}")["items"]
        assert message in [pin["message"]["id"] for pin in pins]
