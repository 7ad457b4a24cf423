"""What is said in a room reaches those who are in it, and nobody else; who may is asked of no database."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import httpx
import pytest

from tests.support.rest import Caller, register
from tests.support.server import ServerProcess
from tests.support.talker import Frame, Talker

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

ROOMS = 100
PEOPLE = 10
MESSAGES = 200


def flushed(talker: Talker) -> list[Frame]:
    """Give everything that was sent to somebody so far: what was offered to a socket before a pong comes before it."""
    talker.until("pong", frame_id=talker.say("ping"))
    return talker.seen


def test_nobody_receives_a_frame_of_a_room_that_they_are_not_in(server: ServerProcess) -> None:
    """A hundred rooms of random members, and random talk: each gets every event of their rooms and none of another."""
    chance = random.Random(20)
    people = {caller.id: caller for caller in (register(server) for _ in range(PEOPLE))}
    members: dict[str, set[str]] = {}
    for _ in range(ROOMS):
        owner, *others = chance.sample(sorted(people), chance.randint(1, PEOPLE - 1))
        room = people[owner].room(members=tuple(people[other].username for other in others))
        members[room] = {owner, *others}
    talkers = {user: Talker.greeted(server.ws_url, caller.token, subscribe="all") for user, caller in people.items()}
    for user, talker in talkers.items():
        for _ in range(sum(user in those for those in members.values())):
            talker.until("subscribed")
    said: dict[str, list[str]] = defaultdict(list)
    for _ in range(MESSAGES):
        room = chance.choice(sorted(members))
        author = chance.choice(sorted(members[room]))
        said[room].append(people[author].post(room, f"{room} {len(said[room])}")["id"])
    assert len(said) > 0.8 * ROOMS
    for user, talker in talkers.items():
        received: dict[str, list[str]] = defaultdict(list)
        for frame in flushed(talker):
            assert frame.get("room") is None or user in members[frame["room"]], frame
            if frame["type"] == "message.created":
                received[frame["room"]].append(frame["data"]["id"])
        assert received == {room: ids for room, ids in said.items() if user in members[room]}


def test_the_lobby_is_everybodys_and_names_are_not_for_the_sender_to_choose(server: ServerProcess) -> None:
    """Whoever is connected may listen there and hears each message; its author is who the token says, whatever else."""
    ann, bob, cid = (register(server) for _ in range(3))
    (lobby,) = ann.call("GET", "/rooms?public=true&q=lobby")["items"]
    room = lobby["id"]
    talkers = {caller.id: Talker.greeted(server.ws_url, caller.token) for caller in (ann, bob, cid)}
    for talker in talkers.values():
        assert talker.subscribe(room)["type"] == "subscribed"
    ann.call("PUT", f"/rooms/{room}/members/me", status=204)
    speaker = talkers[ann.id]
    for name in ("author", "actor", "user", "username", "sender"):
        data = {"client_msg_id": name, "body": "I am Bob", name: bob.id}
        refused = speaker.until("error", "ack", frame_id=speaker.say("send", room=room, data=data))
        assert (refused["type"], refused["data"]["code"]) == ("error", "validation_failed")
    ack = speaker.send(room, "hello everybody")
    for talker in talkers.values():
        created = [frame for frame in flushed(talker) if frame["type"] == "message.created"]
        assert [(frame["seq"], frame["actor"], frame["data"]["author"]) for frame in created] == [
            (ack["seq"], ann.id, ann.id)
        ]
        assert created[0]["data"]["body"] == "hello everybody"


def storage_of(server: ServerProcess) -> tuple[int, int]:
    """Count what storage was asked so far, in the directory and in the journal, and the entries that were written."""
    storage: Any = httpx.get(f"{server.url}/health/actors", trust_env=False).json()["storage"]
    asked = storage["directory"]["calls"]["calls"] + storage["journal"]["reads"]["calls"]
    return asked, storage["journal"]["entries"]


def test_whether_somebody_may_speak_is_looked_up_nowhere_and_is_never_out_of_date(server: ServerProcess) -> None:
    """A hundred messages cost no query besides writing them; the message after a removal is refused."""
    ann, bob = register(server), register(server)
    room = ann.room(members=(bob.username,))
    talker = Talker.greeted(server.ws_url, bob.token)
    talker.subscribe(room)
    talker.send(room, "the room is awake")
    asked, written = storage_of(server)
    for number in range(100):
        assert talker.send(room, f"{number}")["type"] == "ack"
    asked_now, written_now = storage_of(server)
    assert written_now == written + 100
    # The server itself looks every second what is due, and a slow machine takes some seconds for this.
    assert asked_now - asked < 50
    removed = kick(ann, bob, room)
    refused = talker.send(room, "one more")
    assert (refused["type"], refused["data"]["code"]) == ("error", "not_a_member")
    assert [frame["seq"] for frame in talker.events(room)][-1] == removed
    message = {"client_msg_id": "x", "body": "x"}
    assert bob.refused("POST", f"/rooms/{room}/messages", message, status=404) == "not_found"
    assert ann.events(room)[-1]["seq"] == removed


def kick(ann: Caller, bob: Caller, room: str) -> int:
    """Remove somebody and give the seq at which that happened."""
    ann.call("DELETE", f"/rooms/{room}/members/{bob.id}", status=204)
    (event,) = [event for event in ann.events(room) if event["type"] == "member.removed"]
    return int(event["seq"])
