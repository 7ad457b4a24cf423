"""A database of an earlier release: brought up to date by starting the server, with everything that was said in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from storage.migrations import load_migrations
from tests.support.rest import PASSWORD, Caller, register
from tests.support.server import ServerProcess, running_server

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

LATEST = len(load_migrations("sqlite"))
# From the first release all steps are made; the ones between are tried where there is more time.
EARLIER = [1, *(pytest.param(version, marks=pytest.mark.thorough) for version in range(2, LATEST))]


def migrate(folder: Path, *arguments: str) -> str:
    """Run `justchat migrate` on the database in a folder and give what it says."""
    command = [sys.executable, "-m", "justchat", "migrate", *arguments, f"--database=sqlite:///{folder}/chat.db"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sign_in(server: ServerProcess, username: str) -> Caller:
    """Sign in again: an older release knew less of who is signed in."""
    body = {"username": username, "password": PASSWORD}
    answer = httpx.post(f"{server.url}/api/v1/auth/login", json=body, trust_env=False)
    assert answer.status_code == 200, answer.text
    session = answer.json()
    return Caller(server.url, username, token=session["access_token"], user=session["user"]["id"])


def applied(status: str) -> list[bool]:
    """Tell of each migration whether it is applied, as `migrate status` lists them."""
    return ["pending" not in line for line in status.splitlines()[1:]]


@pytest.mark.parametrize("version", EARLIER)
def test_an_older_database_is_brought_up_to_date_with_all_that_is_in_it(tmp_path: Path, version: int) -> None:
    """Undone to an earlier release by hand, applied by starting: people, rooms and messages are what they were."""
    with running_server(tmp_path, profile="loadtest") as server:
        ann, bob = register(server, "ann"), register(server, "bob")
        room = ann.room("Kitchen", members=("bob",))
        said = [ann.post(room, "first"), bob.post(room, "second")]
        ann.call("PATCH", f"/messages/{said[0]['id']}", {"body": "better"})
        before = ann.call("GET", f"/rooms/{room}")
        events, messages = ann.events(room), ann.call("GET", f"/rooms/{room}/messages")
        server.stop()
        assert applied(migrate(tmp_path, "status")) == [True] * LATEST
        migrate(tmp_path, "down", "--to", str(version), "--yes")
        assert applied(migrate(tmp_path, "status")) == [True] * version + [False] * (LATEST - version)
        server.start()
        ann, bob = sign_in(server, "ann"), sign_in(server, "bob")
        assert ann.events(room) == events
        assert ann.call("GET", f"/rooms/{room}/messages") == messages
        # How far somebody has read is of a later release, and gone with it.
        present = ann.call("GET", f"/rooms/{room}")
        kept = {name: present["me"][name] for name in ("role", "permissions")}
        assert present | {"me": None} == before | {"me": None}
        assert kept == {name: before["me"][name] for name in kept}
        assert [listed["id"] for listed in bob.call("GET", "/users/me/rooms")["items"]] == [room]
        assert bob.post(room, "third")["seq"] == events[-1]["seq"] + 1
        again = ann.http.post(
            f"/rooms/{room}/messages", json={"client_msg_id": said[0]["client_msg_id"], "body": "first"}
        )
        assert (again.status_code, again.json()["id"]) == (200, said[0]["id"])
        server.stop()
        assert applied(migrate(tmp_path, "status")) == [True] * LATEST
        assert migrate(tmp_path, "up").strip() == "applied: nothing"
