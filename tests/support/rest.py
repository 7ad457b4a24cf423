"""A thin REST caller for tests: one user, one base address, JSON in and out, on the blocking httpx client."""

from __future__ import annotations

import itertools
from typing import Any

import httpx

from tests.support.server import ServerProcess

_numbers = itertools.count(1)
_open: list[httpx.Client] = []
PASSWORD = "correct horse battery staple"
# Shorter than the server's patience with an idle connection, so that none is taken up again as it closes.
_KEEP_ALIVE_SECONDS = 1.0


class Caller:
    """One registered user and the tokens of one session of theirs."""

    def __init__(
        self, base: str, username: str, *, token: str, user: str, session: str = "", refresh: str = ""
    ) -> None:
        self.username = username
        self.token = token
        self.refresh = refresh
        self.session = session
        self.id = user
        limits = httpx.Limits(keepalive_expiry=_KEEP_ALIVE_SECONDS)
        self.http = httpx.Client(
            base_url=f"{base}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
            trust_env=False,
            limits=limits,
        )
        _open.append(self.http)

    def call(self, method: str, path: str, body: object = None, *, status: int | None = None) -> Any:
        """Call and give the decoded answer; `status` asserts what it must be."""
        response = self.http.request(method, path, json=body) if body is not None else self.http.request(method, path)
        if status is not None:
            assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        else:
            assert response.status_code < 300, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def refused(self, method: str, path: str, body: object = None, *, status: int) -> str:
        """Call, expect a refusal with this status, and give its code."""
        problem = self.call(method, path, body, status=status)
        assert problem["status"] == status
        return str(problem["code"])

    def room(self, name: str = "Room", *, visibility: str = "private", members: tuple[str, ...] = ()) -> str:
        """Make a room and give its id."""
        body = {"kind": "group", "name": name, "visibility": visibility, "members": list(members)}
        return str(self.call("POST", "/rooms", body, status=201)["id"])

    def post(self, room: str, body: str, *, client_msg_id: str | None = None) -> Any:
        """Post a message and give it."""
        client_msg_id = client_msg_id or f"c{next(_numbers)}"
        return self.call("POST", f"/rooms/{room}/messages", {"client_msg_id": client_msg_id, "body": body})

    def events(self, room: str) -> list[dict[str, Any]]:
        """Read the room's whole journal, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["seq"] if found else 0
            page = self.call("GET", f"/rooms/{room}/events?after={after}&limit=100")
            found.extend(page["items"])
            if not page["more"]:
                return found


def register(server: ServerProcess, username: str | None = None) -> Caller:
    """Register a new user."""
    return _come(server, "register", username or f"user{next(_numbers)}", status=201)


def log_in(server: ServerProcess, username: str, *, password: str = PASSWORD) -> Caller:
    """Log a user in, by a session of its own."""
    return _come(server, "login", username, status=200, password=password)


def _come(server: ServerProcess, how: str, username: str, *, status: int, password: str = PASSWORD) -> Caller:
    response = httpx.post(
        f"{server.url}/api/v1/auth/{how}",
        json={"username": username, "password": password, "cookie": False},
        timeout=30,
        trust_env=False,
    )
    assert response.status_code == status, response.text
    view = response.json()
    return Caller(
        server.url,
        username,
        token=view["access_token"],
        user=view["user"]["id"],
        session=view["session_id"],
        refresh=view["refresh_token"],
    )


def close_all() -> None:
    """Close every caller's connections."""
    while _open:
        _open.pop().close()
