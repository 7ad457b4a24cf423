"""No token, password, code or message body is in any log: all kinds of requests against a server that logs all it can.

Each secret is one of a kind and is written down when it is sent or received; at the end none of them, nor any part of
one, is in what the server wrote. Good requests, refused ones, nonsense, and requests that crash in the middle.
"""

from __future__ import annotations

import json
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from justchat.ids import is_id
from tests.features.buggy_server import BUG
from tests.support.rest import Caller
from tests.support.server import ServerProcess, running_server
from tests.support.talker import Talker

pytestmark = pytest.mark.real_clock
JSON = {"Content-Type": "application/json"}


class Secrets:
    """What must not be in the log, and how much of what was asked for was answered how."""

    def __init__(self) -> None:
        self.kept: set[str] = set()
        self.statuses: Counter[int] = Counter()
        self._number = 0

    def new(self, kind: str, *, bug: bool = False) -> str:
        """Make a secret, which crashes whoever is handed it if it is to have a bug."""
        self._number += 1
        return self.keep(f"sEcReT-{kind}-{self._number:04d}{BUG if bug else ''}")

    def keep(self, text: str) -> str:
        """Write a secret down; each part of a token is one, too, but for the room's id that an invite's code names."""
        self.kept.update(part for part in (text, *text.split(".")) if len(part) >= 12 and not is_id("r", part))
        return text

    def keep_all(self, signed_in: dict[str, Any]) -> dict[str, Any]:
        """Write down the tokens of a sign-in."""
        for name in ("access_token", "refresh_token"):
            self.keep(signed_in[name])
        return signed_in


class Site:
    """The server, and one client that says whatever it is told to."""

    def __init__(self, server: ServerProcess, secrets: Secrets) -> None:
        self.server = server
        self.secrets = secrets
        self.http = httpx.Client(base_url=f"{server.url}/api/v1", timeout=10, trust_env=False)

    def call(self, method: str, path: str, body: object = None, *, token: str = "", **headers: str) -> Any:
        """Call, whatever comes of it, and give the answer's JSON if it has any."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        raw = body if isinstance(body, bytes) else None
        options: dict[str, Any] = {"content": raw} if raw is not None else {"json": body} if body is not None else {}
        answer = self.http.request(method, path, headers=sent | (JSON if raw is not None else {}), **options)
        self.http.cookies.clear()
        self.secrets.statuses[answer.status_code] += 1
        for cookie in answer.headers.get_list("set-cookie"):
            self.secrets.keep(cookie.partition("=")[2].partition(";")[0])
        is_json = answer.headers.get("content-type", "").endswith("json")
        return answer.json() if is_json else None

    def raw(self, request: bytes) -> None:
        """Send bytes that are perhaps no request, and read whatever comes back."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=20) as line:
            try:
                line.sendall(request)
                line.shutdown(socket.SHUT_WR)
                while line.recv(65_536):
                    pass
            except TimeoutError:
                raise  # it is kept open
            except OSError:
                pass  # whoever closes before having read everything resets the connection, wherever we are by then

    def talk(self, hello: object, *, query: str = "", headers: dict[str, str] | None = None) -> Talker | None:
        """Open a socket, which may be refused, and say hello, whatever that is."""
        try:
            talker = Talker(self.server.ws_url + query, headers=headers)
        except InvalidStatus as refused:
            self.secrets.statuses[refused.response.status_code] += 1
            return None
        talker.raw(json.dumps({"type": "hello", "id": "h", "data": hello}) if isinstance(hello, dict) else str(hello))
        return talker

    def closed(self, talker: Talker | None) -> None:
        """Wait until the server has closed."""
        if talker is not None:
            self.secrets.statuses[talker.closed()] += 1


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    settings = {"profile": "loadtest", "log_level": "debug", "log_format": "json", "sessions_per_user": 1000}
    with running_server(tmp_path, module="tests.features.buggy_server", **settings) as server:
        site = Site(server, Secrets())
        yield site
        site.http.close()


def test_nothing_secret_is_logged_whatever_happens(site: Site) -> None:
    """Standard output and standard error together, at the level at which most is logged."""
    secrets = site.secrets
    ann = come_in(site)
    for act in (go_on, change_passwords, make_tokens, talk_nonsense, post, stand_at_the_door, meet_bugs):
        act(site, ann)
    written = all_that_was_written(site.server)
    leaks = sorted(secret for secret in secrets.kept if secret in written)
    assert leaks == []
    private = (site.server._folder / "signing.key").read_text()
    assert not any(line in written for line in private.splitlines() if len(line) >= 40)
    # All of it happened, and there was a log that it could have been in.
    assert ann.id in written
    assert len(secrets.kept) > 120
    assert secrets.statuses.keys() >= {
        200,
        201,
        204,
        400,
        401,
        403,
        404,
        405,
        409,
        413,
        415,
        422,
        500,
        1003,
        1009,
        4000,
        4501,
    }
    lines = [json.loads(line) for line in site.server.log.splitlines()]
    events = "\n".join(line["event"] for line in lines)
    for event in ("registered", "signed_in", "login_refused", "refresh_token_reused", "password_changed"):
        assert f"event={event}" in events
    assert {"error", "warning", "info"} <= {line["level"] for line in lines}
    crashes = "\n".join(line.get("traceback", "") for line in lines)
    for name in ("check", "hash", "authenticate", "is_good", "of_refresh_token", "post"):
        assert f"Planted: {name}" in crashes


def all_that_was_written(server: ServerProcess) -> str:
    """Stop the server, and give what it wrote until its end."""
    process = server._process
    assert process is not None
    assert process.stdout is not None
    server.send_signal(signal.SIGTERM)
    rest = process.stdout.read().decode(errors="replace")
    assert server.wait() == 0
    return rest + server.log


def come_in(site: Site) -> Caller:
    """Register and log in, well and badly; give somebody who is in."""
    secrets = site.secrets
    password = secrets.new("password")
    good = {"username": "ann", "password": password, "email": "ann@example.org", "cookie": False}
    view = secrets.keep_all(site.call("POST", "/auth/register", good))
    site.call("POST", "/auth/register", good)
    site.call("POST", "/auth/register", {"username": "bob", "password": secrets.new("password"), "cookie": True})
    site.call("POST", "/auth/register", {"username": "a b", "password": secrets.new("password") * 9})
    site.call("POST", "/auth/register", {**good, "username": "eve", "invitation": secrets.new("invitation")})
    site.call("POST", "/auth/register", {**good, secrets.new("field"): secrets.new("value")})
    for wrong in (secrets.new("password"), secrets.new("password") * 5, secrets.new("password") * 50):
        site.call("POST", "/auth/login", {"username": "ann", "password": wrong})
        site.call("POST", "/auth/login", {"email": "ann@example.org", "password": wrong})
        site.call("POST", "/auth/login", {"username": secrets.new("username"), "password": wrong})
    secrets.keep_all(site.call("POST", "/auth/login", {**good, "username": None}))
    token = view["access_token"]
    ann = Caller(
        site.server.url, "ann", token=token, user=view["user"]["id"], refresh=view["refresh_token"], session=password
    )
    ann.http.close()
    return ann


def go_on(site: Site, ann: Caller) -> None:
    """Renew and log out: by body and by cookie, with tokens that are good, used, unknown or nothing."""
    secrets = site.secrets
    login = {"email": "ann@example.org", "password": ann.session, "cookie": False}
    for path in ("/auth/refresh", "/auth/logout"):
        view = secrets.keep_all(site.call("POST", "/auth/login", login))
        family = view["refresh_token"].partition(".")[0]
        proof = secrets.new("csrf")
        cookies = f"justchat_refresh={view['refresh_token']}; justchat_csrf={proof}"
        site.call("POST", path, Cookie=cookies)
        site.call("POST", path, Cookie=cookies, X_CSRF_Token=secrets.new("csrf"))
        site.call("POST", path, Cookie=cookies, X_CSRF_Token=proof, Origin="https://evil.example")
        site.call("POST", path, Cookie=cookies, X_CSRF_Token=proof)
        for token in (view["refresh_token"], secrets.new("refresh"), f"{family}.{family}", view["access_token"]):
            secrets.keep(token)
            site.call("POST", path, {"refresh_token": token})
        site.call("POST", path, {secrets.new("field"): 1})
    view = secrets.keep_all(site.call("POST", "/auth/login", login))
    site.call("POST", "/auth/logout", token=view["access_token"])
    site.call("GET", "/users/me", token=view["access_token"])
    site.call("GET", "/users/me", token=secrets.new("bearer"))
    site.call("GET", "/users/me", Authorization=f"Basic {secrets.new('basic')}")
    site.call("GET", f"/users/me?access_token={secrets.new('query')}")
    site.call("POST", "/auth/introspect", {"token": view["access_token"]}, token=ann.token)
    site.call("POST", "/auth/introspect", {"token": secrets.new("introspected")}, token=ann.token)


def change_passwords(site: Site, ann: Caller) -> None:
    """Well and badly; accounts are not deleted by a wrong one, either."""
    secrets = site.secrets
    for old, new in (
        (secrets.new("password"), secrets.new("password")),
        (ann.session, secrets.new("password") * 9),
        (ann.session, "short"),
        (ann.session, secrets.new("password")),
    ):
        site.call("POST", "/auth/password", {"password": old, "new_password": new}, token=ann.token)
        ann.session = new if old == ann.session and 8 < len(new) < 72 else ann.session
    site.call("DELETE", "/users/me", {"password": secrets.new("password")}, token=ann.token)


def make_tokens(site: Site, ann: Caller) -> None:
    """Personal tokens, tickets and codes: good, used up, wrong, and in the address."""
    secrets = site.secrets
    scopes = {"scopes": ["account", "messages:read"]}
    made = site.call("POST", "/auth/tokens", {"name": "x", **scopes}, token=ann.token)
    secrets.keep(made["token"])
    site.call("GET", "/users/me", token=made["token"])
    site.call("POST", "/rooms", {"kind": "group", "name": "x"}, token=made["token"])
    site.call("POST", "/auth/tokens", {"name": secrets.new("name"), "scopes": [secrets.new("scope")]}, token=ann.token)
    site.call("DELETE", f"/auth/tokens/{made['id']}", token=ann.token)
    site.call("GET", "/users/me", token=made["token"])
    site.call("POST", "/users/me/email/verification/confirm", {"code": secrets.new("code")}, token=ann.token)
    for _ in range(2):
        ticket = secrets.keep(site.call("POST", "/auth/ticket", token=ann.token)["ticket"])
        talker = site.talk({}, query=f"?ticket={ticket}")
        assert talker is not None
        talker.until("welcome")
        site.closed(site.talk({"ticket": ticket}))
    site.closed(site.talk({}, query=f"?ticket={secrets.new('ticket')}"))
    for name in ("token", "access_token"):
        assert site.talk({}, query=f"?{name}={ann.token}") is None
    room = site.call("POST", "/rooms", {"kind": "group", "name": "x"}, token=ann.token)["id"]
    code = secrets.keep(site.call("POST", f"/rooms/{room}/invites", token=ann.token)["code"])
    for each in (code, secrets.new("code"), code[:-1]):
        secrets.keep(each)
        site.call("POST", f"/invites/{each}/accept", token=ann.token)
        site.call("GET", f"/rooms/{room}/invites/{each}", token=ann.token)
        site.call("GET", f"/invites/{each}/{each}", token=ann.token)
        site.call("DELETE", f"/invites/{each}/accept", token=ann.token)


def talk_nonsense(site: Site, ann: Caller) -> None:
    """Bodies that are no JSON, too large, of another type, or wrong somewhere; and frames of that kind."""
    secrets = site.secrets
    for path in ("/auth/register", "/auth/login", "/auth/refresh", "/auth/password", "/auth/tokens", "/rooms"):
        for template in (
            '{"password": "%s"',
            '{"password": %s}',
            '{"%s": 1}',
            '["%s"]',
            '"%s"',
            '{"username": ["%s"]}',
        ):
            site.call("POST", path, (template % secrets.new("body")).encode(), token=ann.token)
        site.call("POST", path, b'{"x": "' + secrets.new("body").encode() + b'\xff"}', token=ann.token)
        site.call("POST", path, (secrets.new("body") * 5000).encode(), token=ann.token)
    answer = site.http.post("/auth/login", content=f"password={secrets.new('form')}")
    secrets.statuses[answer.status_code] += 1
    site.http.put(
        "/users/me/avatar", content=secrets.new("picture").encode(), headers={"Authorization": f"Bearer {ann.token}"}
    )
    for hello in (
        {"token": secrets.new("token")}, {"token": ann.refresh}, {"token": [secrets.new("token")]},
        {secrets.new("field"): 1}, secrets.new("hello"), '{"type":"hello","data":{"token":"' + secrets.new("token"),
        json.dumps({"type": secrets.new("type")}),
    ):  # fmt: skip
        site.closed(site.talk(hello))
    site.closed(site.talk({}, headers={"Authorization": f"Bearer {secrets.new('bearer')}"}))
    talker = Talker.greeted(site.server.ws_url, ann.token)
    talker.until("error", frame_id=talker.say("refresh", data={"token": secrets.new("token")}))
    talker.until("refreshed", frame_id=talker.say("refresh", data={"token": ann.token}))
    talker.raw(secrets.new("frame"))
    talker.until("error")
    talker.raw(secrets.new("binary").encode())
    site.closed(talker)
    talker = Talker.greeted(site.server.ws_url, ann.token)
    talker.raw(secrets.new("large") * 1000)
    site.closed(talker)


def post(site: Site, ann: Caller) -> None:
    """Messages: posted, edited, scheduled, reported, refused; over REST and over the socket."""
    secrets = site.secrets
    room = site.call("POST", "/rooms", {"kind": "group", "name": "x"}, token=ann.token)["id"]
    path = f"/rooms/{room}/messages"
    message = site.call("POST", path, {"client_msg_id": "1", "body": secrets.new("body")}, token=ann.token)["id"]
    site.call("POST", path, {"client_msg_id": "1", "body": secrets.new("body")}, token=ann.token)
    site.call("POST", path, {"client_msg_id": "2", "body": secrets.new("body") * 300}, token=ann.token)
    site.call("PATCH", f"/messages/{message}", {"body": secrets.new("body")}, token=ann.token)
    site.call("PATCH", f"/messages/{message}", {"text": secrets.new("body")}, token=ann.token)
    later = {"body": secrets.new("body"), "send_at": "2100-01-01T00:00:00Z"}
    site.call("POST", f"/rooms/{room}/scheduled", later, token=ann.token)
    site.call("POST", f"/messages/{message}/reports", {"reason": secrets.new("reason")}, token=ann.token)
    talker = Talker.greeted(site.server.ws_url, ann.token, subscribe="all")
    assert talker.send(room, secrets.new("body"))["type"] == "ack"
    assert talker.send("r_none", secrets.new("body"))["type"] == "error"
    edit = talker.say("edit", room=room, data={"message": message, "body": secrets.new("body")})
    talker.until("ack", frame_id=edit)
    talker.close()


def stand_at_the_door(site: Site, ann: Caller) -> None:
    """What the front door refuses before anybody has read it."""
    secrets = site.secrets
    for request in (
        f"GET /{secrets.new('target')} HTTP/1.1\r\nAuthorization: Bearer {secrets.new('bearer')}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {secrets.new('bearer')}\r\n\r\n",
        f"{secrets.new('method')} / HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secrets.new('bearer') * 5000}\r\n\r\n",
        f"GET /ws?ticket={secrets.new('ticket')} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n",
        f"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n{secrets.new('body')}",
        f"\x16\x03{secrets.new('tls')}",
    ):
        site.raw(request.encode("latin-1"))
    site.call("TRACE", "/auth/login", token=secrets.new("bearer"))
    site.call("GET", f"/{secrets.new('path')}?{secrets.new('query')}={secrets.new('query')}", token=ann.token)


def meet_bugs(site: Site, ann: Caller) -> None:
    """Requests that crash while the secret is in hand: 500s, rooms that crash, and sockets that do."""
    secrets = site.secrets
    bug = {kind: secrets.new(kind, bug=True) for kind in ("password", "token", "ticket", "refresh", "invitation")}
    site.call("POST", "/auth/login", {"username": "ann", "password": bug["password"]})
    site.call("POST", "/auth/register", {"username": "zoe", "password": bug["password"]})
    good = {"username": "zoe", "password": secrets.new("password"), "invitation": bug["invitation"]}
    site.call("POST", "/auth/register", good)
    site.call("POST", "/auth/refresh", {"refresh_token": bug["refresh"]})
    site.call("POST", "/auth/logout", {"refresh_token": bug["refresh"]})
    site.call("GET", "/users/me", token=bug["token"])
    site.call("POST", "/auth/introspect", {"token": bug["token"]}, token=ann.token)
    change = {"password": bug["password"], "new_password": secrets.new("password")}
    site.call("POST", "/auth/password", change, token=ann.token)
    assert secrets.statuses[500] == 8
    site.closed(site.talk({"token": bug["token"]}))
    site.closed(site.talk({}, query=f"?ticket={bug['ticket']}"))
    talker = Talker.greeted(site.server.ws_url, ann.token)
    talker.say("refresh", data={"token": bug["token"]})
    site.closed(talker)
    room = site.call("POST", "/rooms", {"kind": "group", "name": "x"}, token=ann.token)["id"]
    body = {"client_msg_id": "1", "body": secrets.new("body", bug=True)}
    for _ in range(3):
        site.call("POST", f"/rooms/{room}/messages", body, token=ann.token)
