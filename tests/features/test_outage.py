"""The database goes away: everybody is told at once, nobody waits for ever, and the server mends itself."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.site import site_of
from tests.features.waiting import wait_until
from tests.support.rest import Caller, register
from tests.support.server import running_server
from tests.support.talker import Talker

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

# A database that says nothing is waited for so long at most; by default it is five seconds. While it is well it
# answers sooner, also on a machine that pauses now and then.
PATIENCE_SECONDS = 2.0
AT_ONCE_SECONDS = 1.0
TRIES = 10


def calls(room: str, message: str) -> list[tuple[str, str, object]]:
    """Name calls of every sort: what is looked up, what is listed, what rooms decide, and who signs in."""
    return [
        ("GET", "/users/me/rooms", None),
        ("GET", f"/rooms/{room}/messages", None),
        ("GET", f"/messages/{message}", None),
        ("GET", "/users?q=a", None),
        ("POST", f"/rooms/{room}/messages", {"client_msg_id": "down", "body": "is anybody there?"}),
        ("PATCH", f"/rooms/{room}", {"name": "Dark"}),
        ("POST", "/rooms", {"kind": "group", "name": "Another"}),
        ("POST", "/auth/login", {"username": "nobody", "password": "nobody's password"}),
    ]


def ask(ann: Caller, method: str, path: str, body: object) -> tuple[int, str | None, float]:
    """Call; give the status, when to come back, and how long it took."""
    began = time.monotonic()
    answer = ann.http.request(method, path, json=body)
    return answer.status_code, answer.headers.get("Retry-After"), time.monotonic() - began


@pytest.mark.parametrize("outage", ["dead", pytest.param("silent", marks=pytest.mark.thorough)])
def test_without_its_database_a_server_says_so_at_once_and_is_well_again_with_it(tmp_path: Path, outage: str) -> None:
    """503 with Retry-After within a second, whatever is asked; the socket stays, and nothing has to be started anew.

    Within a second of the patience that there is with a database that does not even refuse. One good try is enough for
    each call: what else runs on this machine holds up some.
    """
    in_time = AT_ONCE_SECONDS + (PATIENCE_SECONDS if outage == "silent" else 0.0)
    with (
        site_of(tmp_path, "postgres", own=True) as site,
        running_server(
            tmp_path,
            profile="loadtest",
            storage_deadline_seconds=PATIENCE_SECONDS,
            # How often a room that had to give up is tried again.
            probe_seconds=1,
            **dict(site.settings),  # type: ignore[arg-type]
        ) as server,
    ):
        ann = register(server)
        room = ann.room()
        message = ann.post(room, "before")["id"]
        talker = Talker.greeted(server.ws_url, ann.token)
        talker.subscribe(room)
        pid = server.pid
        site.postgres.kill() if outage == "dead" else site.postgres.pause()
        for method, path, body in calls(room, message):
            took: list[float] = []
            while not took or (took[-1] >= in_time and len(took) < TRIES):
                status, retry_after, seconds = ask(ann, method, path, body)
                assert (status, retry_after is not None) == (503, True), (method, path, status)
                took.append(seconds)
            assert took[-1] < in_time, (method, path, took)
        refused = talker.send(room, "is anybody there?", client_msg_id="down")
        assert refused["data"]["code"] in {"storage_unavailable", "room_unavailable"}
        assert ann.http.get(f"{server.url}/health").status_code == 200
        assert ann.http.get(f"{server.url}/health/ready").status_code == 503
        site.postgres.start() if outage == "dead" else site.postgres.resume()
        wait_until(lambda: ann.http.get(f"{server.url}/health/ready").status_code == 200)
        wait_until(lambda: talker.send(room, "is anybody there?", client_msg_id="down")["type"] == "ack")
        for method, path, body in calls(room, message)[:-1]:
            assert ask(ann, method, path, body)[0] in {200, 201, 422}, (method, path)
        assert server.pid == pid
        said = [item["body"] for item in ann.call("GET", f"/rooms/{room}/messages")["items"]]
        assert said == ["before", "is anybody there?"]
