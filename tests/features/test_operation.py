"""Running a site: its settings, its keys, its schema, and what is served on its one port; all by the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import jwt
import pytest

from justchat.config.catalogue import SETTINGS, Setting
from tests.config.test_load import some_value
from tests.features.waiting import wait_until
from tests.http.desk import bearer
from tests.support.rest import PASSWORD, log_in, register
from tests.support.server import ServerProcess, running_server
from tests.support.talker import Talker

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

KEY = "0123456789abcdef" * 4


def run(*argv: str, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, with nothing else in its environment that is ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JUSTCHAT_")}
    command = [sys.executable, "-m", "justchat", *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=kept | environ, cwd=cwd)


def get(server: ServerProcess, path: str) -> httpx.Response:
    """Get something that is there for everybody."""
    return httpx.get(f"{server.url}{path}", trust_env=False)


def test_one_port_serves_rest_sockets_documents_and_the_page(server: ServerProcess) -> None:
    """And nothing else has to run, or be asked."""
    ann = register(server)
    assert ann.call("GET", "/users/me")["id"] == ann.id
    assert Talker.greeted(server.ws_url, ann.token).seen[-1]["data"]["user"]["id"] == ann.id
    assert get(server, "/openapi.json").json()["openapi"].startswith("3.1")
    assert get(server, "/asyncapi.json").json()["asyncapi"].startswith("3.")
    for path in ("/", "/docs"):
        page = get(server, path)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_there_are_private_and_group_chats_with_members_pages_and_a_page_that_can_be_turned_off(
    server: ServerProcess, tmp_path: Path
) -> None:
    """Members are added once, what was said is read page by page; without the page there is everything but it."""
    ann, bob = register(server), register(server)
    answer = ann.http.post("/rooms", json={"kind": "group", "name": "Tea"})
    room = answer.json()["id"]
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/api/v1/rooms/{room}")
    for _ in range(2):
        ann.call("PUT", f"/rooms/{room}/members/{bob.id}")
    members = ann.call("GET", f"/rooms/{room}/members")["items"]
    assert {member["user"]["id"]: member["role"] for member in members} == {ann.id: "owner", bob.id: "member"}
    private = bob.call("PUT", f"/users/me/direct/{ann.id}", status=201)["id"]
    for chat in (room, private):
        said = [bob.post(chat, f"word {number}")["seq"] for number in range(5)]
        newest = ann.call("GET", f"/rooms/{chat}/messages?limit=2")["items"]
        older = ann.call("GET", f"/rooms/{chat}/messages?limit=3&before={newest[0]['seq']}")["items"]
        assert [message["seq"] for message in (*older, *newest)] == said
    assert [event["type"] for event in ann.events(room)][:2] == ["room.created", "member.added"]
    assert sum(event["type"] == "member.added" for event in ann.events(room)) == 1
    page = get(server, "/")
    assert page.status_code == 200
    assert "<script" in page.text
    with running_server(tmp_path, page="no") as bare:
        for path in ("/", "/assets/app.js"):
            assert (get(bare, path).status_code, get(bare, path).json()["code"]) == (404, "not_found")
        assert get(bare, "/docs").status_code == 200
        assert register(bare).call("GET", "/users/me")["role"] == "user"


def test_tokens_are_signed_as_configured_and_the_schema_goes_up_and_down(tmp_path: Path) -> None:
    """From nothing to the newest schema and back and up again by the command line; the server then signs either way."""
    store = f"--database=sqlite:///{tmp_path}/chat.db"
    up = run("migrate", "up", store)
    assert (up.returncode, up.stdout[:11]) == (0, "applied: 1,")
    assert run("migrate", "down", "--to=1", store).returncode == 2
    down = run("migrate", "down", "--to=1", "--yes", store)
    assert (down.returncode, down.stdout[:8], down.stdout.rstrip()[-2:]) == (0, "undone: ", " 2")
    assert run("migrate", "status", store).stdout.count("pending") > 0
    # What the server may not do by itself stays undone.
    refused = run("serve", store, "--migrate=no", "--port=0")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert run("migrate", "up", store).returncode == 0
    assert "pending" not in run("migrate", "status", store).stdout
    for algorithm in ("RS256", "HS256"):
        key = tmp_path / f"{algorithm}.key"
        with running_server(tmp_path, migrate="no", signing_algorithm=algorithm, signing_key_file=key) as server:
            ann = register(server)
            assert jwt.get_unverified_header(ann.token)["alg"] == algorithm
            assert ann.call("GET", "/users/me")["id"] == ann.id
            keys = get(server, "/.well-known/jwks.json").json()["keys"]
            assert {key["alg"] for key in keys} == ({algorithm} if algorithm != "HS256" else set())


def given(*argv: str, **environ: str) -> dict[str, str]:
    """Say where each setting comes from, as `config --check` does."""
    done = run("config", "--check", *argv, **environ)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.partition(" = ") for line in done.stdout.splitlines() if "  [" in line]
    return {name: rest.rpartition("  [")[2].rstrip("]") for name, _, rest in lines}


def test_every_setting_has_a_variable_and_a_key_in_a_file_and_no_other_is_taken(tmp_path: Path) -> None:
    """`config --check` says where each comes from; a key that nobody knows is an error, which names the nearest one."""
    texts = {setting.name: some_value(setting) for setting in SETTINGS} | {"database": "postgres://h/db"}
    # A key is given in one way or the other.
    for left_out in ("signing_key", "signing_key_file"):
        chosen = [setting for setting in SETTINGS if setting.name != left_out]
        variables = {setting.variable: texts[setting.name] for setting in chosen}
        found = given(**variables)
        assert {name: found[name] for name in found if name != left_out} == {
            setting.name: f"environment {setting.variable}" for setting in chosen
        }
        file = tmp_path / "chat.toml"
        file.write_text("".join(_toml(setting, texts[setting.name]) for setting in chosen))
        found = given(f"--config={file}")
        assert {name for name, source in found.items() if source == f"file {file}"} == {
            setting.name for setting in chosen
        }
        assert found[left_out] == "default"
    assert given(PORT="8123")["port"] == "environment PORT"
    file.write_text("outbox-items = 5\n")
    for argv, environ, nearest in (
        (("--outbox_items=5",), {}, "--outbox-items"),
        ((), {"JUSTCHAT_OUTBOX_ITEM": "5"}, "JUSTCHAT_OUTBOX_ITEMS"),
        ((f"--config={file}",), {}, "outbox_items"),
    ):
        for command, code in (("config", 1), ("serve", 2)):
            check = ("--check",) if command == "config" else ()
            refused = run(command, *check, *argv, **environ)
            assert (refused.returncode, refused.stdout) == (code, "")
            assert refused.stderr.rstrip().endswith(f"; the nearest is {nearest}")


def _toml(setting: Setting, text: str) -> str:
    value = text if setting.kind in {"integer", "number"} else json.dumps(text)
    return f"{setting.name} = [{value}]\n" if setting.kind == "list" else f"{setting.name} = {value}\n"


def kid(token: str) -> str:
    """The name of the key that made a token."""
    return str(jwt.get_unverified_header(token)["kid"])


def test_keys_are_rotated_beside_a_running_server_and_nobody_is_logged_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next key signs, the former one verifies what it signed; secrets come from a file or the environment."""
    with running_server(tmp_path, profile="loadtest") as server:
        ann = register(server)
        talker = Talker.greeted(server.ws_url, ann.token)

        def published() -> list[str]:
            return [key["kid"] for key in get(server, "/.well-known/jwks.json").json()["keys"]]

        first, following = published()
        assert kid(ann.token) == first
        path = tmp_path / "signing.key"
        rotated = run("keys", "rotate", f"--signing-key-file={path}")
        assert (rotated.returncode, rotated.stderr) == (0, "")
        wait_until(lambda: kid(log_in(server, ann.username).token) == following)
        assert (published()[0], published()[-1]) == (following, first)
        assert ann.call("GET", "/users/me")["id"] == ann.id
        talker.until("pong", frame_id=talker.say("ping"))
        assert Talker.greeted(server.ws_url, ann.token).seen[-1]["type"] == "welcome"
        listed = run("keys", "list", f"--signing-key-file={path}").stdout.splitlines()
        (line,) = (line for line in listed if line.startswith(first))
        # It verifies until the last of its tokens has run out.
        assert line.split()[2] == "retired"
        assert line.split()[4].endswith("Z")
        assert "PRIVATE" not in "".join(listed)
    monkeypatch.setenv("JUSTCHAT_SIGNING_KEY", KEY)
    with running_server(tmp_path, profile="loadtest") as server:
        assert jwt.get_unverified_header(log_in(server, ann.username).token)["alg"] == "HS256"
        assert ann.http.get(f"{server.url}/api/v1/users/me").status_code == 401


def test_log_lines_are_found_by_request_user_and_room_at_a_level_that_changes_while_it_runs(tmp_path: Path) -> None:
    """JSON, one object a line; what is secret is in none of them, also when everything is logged."""
    with running_server(tmp_path, profile="loadtest", log_format="json", log_level="info") as server:

        def lines(**fields: str) -> list[dict[str, str]]:
            # Only whole lines: the server may be in the middle of one.
            found = [json.loads(line) for line in server.log.rpartition("\n")[0].splitlines()]
            return [line for line in found if fields.items() <= line.items()]

        def switch(level: str) -> None:
            before = len(lines())
            server.send_signal(signal.SIGUSR1)
            # Others may write behind it.
            wait_until(lambda: f"event=log_level_changed level={level}" in [line["event"] for line in lines()[before:]])

        ann = register(server)
        room = ann.room()
        (registered,) = lines(user_id=ann.id, logger="justchat.accounts.accounts")
        assert registered["event"].startswith("event=registered ")
        quiet = len(lines())
        ann.call("GET", "/users/me")
        assert len(lines()) == quiet
        switch("debug")
        message = {"client_msg_id": "1", "body": "sEcReT-body"}
        answer = ann.http.post(f"/rooms/{room}/messages", json=message, headers={"X-Request-Id": "mine-1"})
        (line,) = lines(request_id="mine-1")
        assert answer.headers["X-Request-Id"] == "mine-1"
        assert (line["user_id"], line["room_id"], line["level"]) == (ann.id, room, "debug")
        assert line["event"].endswith(" method=POST route=/api/v1/rooms/<room>/messages status=201")
        other = log_in(server, ann.username)
        other.http.get("/users/me?token=sEcReT-query", headers=bearer("sEcReT-token"))
        other.http.post("/auth/login", json={"username": ann.username, "password": "sEcReT-password"})
        switch("info")
        loud = len(lines())
        ann.call("GET", "/users/me")
        assert len(lines()) == loud
        assert {"ts", "level", "logger", "event"} <= set.intersection(*(set(line) for line in lines()))
        for secret in ("sEcReT", PASSWORD, *ann.token.split("."), *ann.refresh.split("."), other.refresh):
            assert secret not in server.log


def test_in_production_a_server_starts_with_safe_settings_only(tmp_path: Path) -> None:
    """It makes no key of its own and knows no default one; too short a secret is refused, each problem on a line."""
    store = f"--database=sqlite:///{tmp_path}/chat.db"
    # Not in the checkout, where a server in development may have left a key.
    unsafe = run("serve", "--profile=production", "--port=0", "--bcrypt-cost=4", "--allowed-origins=*", cwd=tmp_path)
    assert (unsafe.returncode, unsafe.stdout) == (2, "")
    named = [line.removeprefix("justchat: ").split(" (")[0] for line in unsafe.stderr.splitlines()]
    assert named == ["signing_key_file", "bcrypt_cost", "allowed_origins", "database"]
    for secret in ("supersecret", "changeme", "x" * 31):
        refused = run("serve", "--profile=production", "--port=0", store, JUSTCHAT_SIGNING_KEY=secret)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr.startswith("justchat: signing_key (environment JUSTCHAT_SIGNING_KEY)")
        assert secret not in refused.stderr
    assert list(tmp_path.iterdir()) == []
    key = tmp_path / "signing.key"
    key.touch(mode=0o600)
    key.write_text(KEY)
    with running_server(tmp_path, profile="production", bcrypt_cost=12) as server:
        assert get(server, "/health/ready").status_code == 200
        ann = register(server)
        assert httpx.get(f"{server.url}/api/v1/users/me", headers=bearer(ann.token), trust_env=False).status_code == 200
