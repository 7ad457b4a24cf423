"""Blocks, deleted accounts and rooms that are taken over, on a real server, as people see it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support import rest, talker
from tests.support.rest import PASSWORD, Caller, register
from tests.support.server import ServerProcess, running_server
from tests.support.talker import Talker

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

SECRET = "a secret that must go"
DEADLINE_SECONDS = 30.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server has its data."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ServerProcess]:
    """One server for all tests; one of them kills it and starts it again."""
    with running_server(folder, profile="loadtest") as server:
        yield server


@pytest.fixture(autouse=True)
def _tidy(server: ServerProcess) -> Iterator[None]:
    yield
    talker.close_all()
    rest.close_all()
    print(server.log[-4000:])  # shown where a test failed


def until(holds: Callable[[], bool]) -> None:
    """Wait for what another task of the server brings about."""
    give_up_at = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < give_up_at, "it does not come about"
        time.sleep(0.02)


def direct(caller: Caller, other: Caller, *, status: int | None = None) -> Any:
    return caller.call("PUT", f"/users/me/direct/{other.id}", status=status)


def leave(caller: Caller, *, erase: bool) -> None:
    """Delete an account."""
    caller.call("DELETE", "/users/me", {"password": PASSWORD, "erase": erase}, status=204)


def members(caller: Caller, room: str) -> dict[str, str]:
    page = caller.call("GET", f"/rooms/{room}/members")
    return {member["user"]["id"]: member["role"] for member in page["items"]}


def stored(folder: Path) -> bytes:
    """Give all that the database holds in its rows, whatever is left in pages that it does not use any more."""
    with closing(sqlite3.connect(f"file:{folder}/chat.db?mode=ro", uri=True, timeout=30)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [row for table in tables for row in database.execute(f"SELECT * FROM {table}")]
    values = (value for row in rows for value in row)
    return b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in values)


def test_a_block_stands_between_two_and_goes_again(server: ServerProcess) -> None:
    """Neither opens a direct room or writes in it, by REST or socket; both read on, and others are not concerned."""
    ann, ben, eve = (register(server) for _ in range(3))
    ben.call("PUT", f"/users/me/blocks/{ann.id}", status=204)
    assert ann.refused("PUT", f"/users/me/direct/{ben.id}", status=403) == "forbidden"
    assert ben.refused("PUT", f"/users/me/direct/{ann.id}", status=403) == "forbidden"
    ben.call("DELETE", f"/users/me/blocks/{ann.id}", status=204)
    room = direct(ann, ben, status=201)["id"]
    said = ann.post(room, "hello")
    ben.call("PUT", f"/users/me/blocks/{ann.id}", status=204)
    for caller in (ann, ben):
        body = {"client_msg_id": "again", "body": "again"}
        assert caller.refused("POST", f"/rooms/{room}/messages", body, status=403) == "forbidden"
        socket = Talker.greeted(server.ws_url, caller.token)
        assert socket.send(room, "by socket")["data"]["code"] == "forbidden"
        assert [event["type"] for event in caller.events(room)] == ["room.created", "message.created"]
        assert direct(caller, ben if caller is ann else ann, status=200)["id"] == room
    assert ann.refused("PATCH", f"/messages/{said['id']}", {"body": "other"}, status=403) == "forbidden"
    ann.call("DELETE", f"/messages/{said['id']}", status=204)
    assert direct(ann, eve, status=201)["id"] != room
    ben.call("DELETE", f"/users/me/blocks/{ann.id}", status=204)
    ann.post(room, "now again")


def test_who_blocks_somebody_is_not_called_by_them(server: ServerProcess) -> None:
    """In a group, by name; the others are."""
    ann, ben, eve = (register(server) for _ in range(3))
    room = ann.room(members=(ben.username, eve.username))
    ben.call("PUT", f"/users/me/blocks/{ann.id}", status=204)
    assert ann.post(room, f"hi @{ben.username} and @{eve.username}")["mentions"] == [eve.id]
    assert eve.post(room, f"hi @{ben.username}")["mentions"] == [ben.id]


def test_a_deleted_account_leaves_rooms_in_order_and_its_words_behind(server: ServerProcess) -> None:
    """At once, and announced to who listens; messages stay, of nobody in particular."""
    ann, ben, eve = (register(server) for _ in range(3))
    room = ann.room(members=(ben.username, eve.username))
    said = ann.post(room, "I was here")
    ann.call("PATCH", f"/rooms/{room}/members/{eve.id}", {"role": "admin"})
    alone, pair = ann.room("Alone", visibility="public"), direct(ann, ben)["id"]
    ann.post(pair, "bye")
    socket = Talker.greeted(server.ws_url, ben.token)
    socket.subscribe(room)
    leave(ann, erase=False)
    removed = socket.until("member.removed")
    assert (removed["actor"], removed["data"]["user"]) == ("system", ann.id)
    assert [event["type"] for event in socket.events(room)] == ["member.role_changed", "member.removed"]
    assert members(ben, room) == {ben.id: "member", eve.id: "owner"}
    assert ben.call("GET", f"/messages/{said['id']}")["body"] == "I was here"
    until(lambda: bool(ben.call("GET", f"/rooms/{pair}")["settings"]["archived"]))
    body = {"client_msg_id": "x", "body": "are you there?"}
    assert ben.refused("POST", f"/rooms/{pair}/messages", body, status=403) == "forbidden"
    assert ben.refused("PUT", f"/users/me/direct/{ann.id}", status=404) == "not_found"
    assert [event["data"]["body"] for event in ben.events(pair) if event["type"] == "message.created"] == ["bye"]
    # Rooms are left in no order of which anybody may be sure.
    until(lambda: alone not in {room["id"] for room in ben.call("GET", "/rooms?public=true&limit=100")["items"]})


def test_an_erased_account_leaves_no_word(server: ServerProcess, folder: Path) -> None:
    """In no table of the database, and over a restart in the middle of it; a client that replays sees tombstones."""
    ann, ben = register(server), register(server)
    left, room = ben.room("Left", members=(ann.username,)), ben.room("Room", members=(ann.username,))
    ann.post(left, SECRET)
    ann.call("DELETE", f"/rooms/{left}/members/me", status=204)
    said = [ann.post(room, f"{SECRET} {number}") for number in range(120)]
    ann.call("PATCH", f"/messages/{said[0]['id']}", {"body": f"{SECRET}, edited"})
    ann.call("DELETE", f"/messages/{said[1]['id']}", status=204)
    assert SECRET.encode() in stored(folder)
    leave(ann, erase=True)
    server.kill()
    server.start()
    until(lambda: SECRET.encode() not in stored(folder))
    for name in (left, room):
        events = ben.events(name)
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert SECRET not in json.dumps(events)
        page = ben.call("GET", f"/rooms/{name}/messages?limit=100")
        assert all(message["deleted"] for message in page["items"])
    assert sum(event["type"] == "message.bulk_deleted" for event in ben.events(room)) == 2


def test_an_administrator_takes_a_room_over_in_front_of_everybody(server: ServerProcess, folder: Path) -> None:
    """Though they are banned from it; the room's log and the server's say who it was. Direct rooms are left alone."""
    ann, ben, root = (register(server) for _ in range(3))
    database = f"--database=sqlite:///{folder}/chat.db"
    command = [sys.executable, "-m", "justchat", "admin", "role", root.id, "admin", database]
    made = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert made.returncode == 0, made.stderr
    room, pair = ann.room(members=(ben.username,)), direct(ann, ben)["id"]
    ann.call("PUT", f"/rooms/{room}/bans/{root.id}", {"reason": "no admins"})
    socket = Talker.greeted(server.ws_url, ben.token)
    socket.subscribe(room)
    root.call("POST", f"/admin/rooms/{room}/takeover", status=204)
    added = socket.until("member.added")
    assert (added["actor"], added["data"]) == ("system", {"user": root.id, "role": "owner", "by": root.id})
    assert members(ben, room)[root.id] == "owner"
    log = ann.call("GET", f"/rooms/{room}/audit-log")["items"]
    assert [(event["type"], event["data"]["by"]) for event in log[:2]] == [
        ("member.added", root.id),
        ("member.unbanned", root.id),
    ]
    assert root.refused("POST", f"/admin/rooms/{pair}/takeover", status=409) == "conflict"
    assert ann.refused("POST", f"/admin/rooms/{room}/takeover", status=403) == "forbidden"
