"""What is due while the server is down, and what is due while nobody looks: through the public surface only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.rest import Caller, register
from tests.support.server import ServerProcess, running_server
from tests.support.talker import Talker

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]


@pytest.fixture
def sleepy_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server whose rooms sleep almost at once, and are looked after by a restless timekeeper."""
    with running_server(tmp_path, profile="loadtest", room_idle_seconds=0.1, timekeeper_seconds=0.1) as server:
        yield server


def schedule(caller: Caller, room: str, body: str, *, at: datetime) -> None:
    caller.call("POST", f"/rooms/{room}/scheduled", {"body": body, "send_at": at.isoformat()}, status=201)


def test_what_came_due_while_the_server_was_dead_happens_once(sleepy_server: ServerProcess) -> None:
    """A post and the end of a mute; the second restart over it changes nothing any more."""
    ann, bob = register(sleepy_server), register(sleepy_server)
    room = ann.room(members=(bob.username,))
    due_at = datetime.now(UTC) + timedelta(seconds=3)
    ann.call("PUT", f"/rooms/{room}/mutes/{bob.id}", {"until": due_at.isoformat()}, status=204)
    schedule(ann, room, "good morning", at=due_at)
    sleepy_server.kill()
    time.sleep(max(0, (due_at - datetime.now(UTC)).total_seconds()))
    for _ in range(2):
        sleepy_server.start()
        talker = Talker.greeted(sleepy_server.ws_url, bob.token)
        talker.subscribe(room, after=2)
        due = [talker.until("message.created", "member.unmuted") for _ in range(2)]
        talker.close()
        assert {event["type"] for event in due} == {"message.created", "member.unmuted"}
        assert len(ann.events(room)) == 4
        sleepy_server.kill()
    sleepy_server.start()
    posted = bob.post(room, "I may speak")
    assert posted["seq"] == 5


def test_a_room_that_sleeps_is_woken_for_what_is_due(sleepy_server: ServerProcess) -> None:
    """Nobody is connected and nobody asks: the message is in the list, and the timekeeper in the operator's view."""
    ann = register(sleepy_server)
    room = ann.room()
    assert "timekeeper" in ann.http.get(f"{sleepy_server.url}/health/actors").text
    for seconds in (3, 30):  # a busy machine may see to the room only when it is due already
        head = head_of_only_room(ann)
        schedule(ann, room, "later", at=datetime.now(UTC) + timedelta(seconds=seconds))
        wait_for_sleep(sleepy_server, ann, room)
        if head_of_only_room(ann) == head:
            break
    # Asleep: from here on only listings are read, which wake no room.
    while head_of_only_room(ann) == head:
        time.sleep(0.02)
    message = ann.call("GET", f"/rooms/{room}/messages")["items"][-1]
    assert (message["body"], message["author"], message["seq"]) == ("later", ann.id, head + 1)


def wait_for_sleep(server: ServerProcess, caller: Caller, room: str) -> None:
    while (health := caller.http.get(f"{server.url}/health/rooms/{room}")).status_code == 200:
        assert health.json()["state"] in {"starting", "running"}
        time.sleep(0.02)


def head_of_only_room(caller: Caller) -> int:
    return int(caller.call("GET", "/users/me/rooms")["items"][0]["head_seq"])
