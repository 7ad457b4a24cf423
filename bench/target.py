"""The servers that are measured, behind one face: a process, and rooms with the tokens of their members.

JustChat runs with its durable SQLite journal and the `loadtest` profile, which lifts the rate limits and nothing else;
its accounts and rooms are made over its own REST interface. The comparator has neither accounts nor rooms to make.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Protocol

import msgspec
from msgspec import Struct

from bench.connection import HOST
from bench.server_process import ServerProcess, server_process

JUSTCHAT = "justchat"
COMPARATOR = "websockets"
_REQUEST_SECONDS = 30.0
PASSWORD = "a long enough phrase 42"


class RestFailed(Exception):
    """A REST call that must succeed did not."""


class BenchRoom(Struct, frozen=True):
    """A room and the tokens of its members; the first made it."""

    id: str
    tokens: tuple[str, ...]


class Target(Protocol):
    """A running server that the bench can load."""

    @property
    def process(self) -> ServerProcess:
        """The server's process."""

    def make_room(self, *, members: int) -> BenchRoom:
        """Make a room with so many new users in it."""


class _RegisteredUser(Struct, frozen=True):
    username: str


class _Registered(Struct, frozen=True):
    user: _RegisteredUser
    access_token: str


class _MadeRoom(Struct, frozen=True):
    id: str


class JustChatTarget:
    """JustChat, over its public interface."""

    def __init__(self, process: ServerProcess) -> None:
        self.process = process
        self._numbers = count(1)

    def make_room(self, *, members: int) -> BenchRoom:
        """Register the members and let the first make the room. Raises RestFailed."""
        (_, token), *others = users = [self.register() for _ in range(members)]
        body = {"kind": "group", "name": f"room {next(self._numbers)}", "members": [name for name, _ in others]}
        made = msgspec.json.decode(self._post("/rooms", body, token=token), type=_MadeRoom)
        return BenchRoom(made.id, tuple(token for _, token in users))

    def register(self) -> tuple[str, str]:
        """Register a user and give their name and token. Raises RestFailed."""
        body = {"username": f"bench{next(self._numbers)}", "password": PASSWORD}
        made = msgspec.json.decode(self._post("/auth/register", body, token=""), type=_Registered)
        return made.user.username, made.access_token

    def _post(self, path: str, body: object, *, token: str) -> bytes:
        client = http.client.HTTPConnection(HOST, self.process.port, timeout=_REQUEST_SECONDS)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        try:
            client.request("POST", f"/api/v1{path}", msgspec.json.encode(body), headers)
            response = client.getresponse()
            answer = response.read()
        finally:
            client.close()
        if response.status != http.client.CREATED:
            raise RestFailed(f"POST {path}: {response.status} {answer[:500].decode('utf-8', 'replace')}")
        return answer


class ComparatorTarget:
    """The comparator: any name is a room, and nobody asks for a token."""

    def __init__(self, process: ServerProcess) -> None:
        self.process = process
        self._numbers = count(1)

    def make_room(self, *, members: int) -> BenchRoom:
        """Name a room, with a name as long as JustChat's ids."""
        return BenchRoom(f"r_{next(self._numbers):032d}", ("",) * members)


@contextmanager
def justchat_target(directory: Path, *settings: str) -> Iterator[JustChatTarget]:
    """Hold a JustChat with an empty database somewhere in `directory`; `settings` are further flags."""
    directory = Path(mkdtemp(prefix="justchat-", dir=directory))
    arguments = ["-m", "justchat", "serve", "--port", "0", "--profile", "loadtest", "--log-level", "warning"]
    arguments += ["--database", f"sqlite:///{directory / 'bench.db'}"]
    cheap = [] if "--bcrypt-cost" in settings else ["--bcrypt-cost", "4"]
    with server_process(JUSTCHAT, [*arguments, *cheap, *settings], directory=directory) as process:
        yield JustChatTarget(process)


@contextmanager
def comparator_target(directory: Path) -> Iterator[ComparatorTarget]:
    """Hold the comparator."""
    with server_process(COMPARATOR, ["-m", "bench.broadcaster"], directory=directory) as process:
        yield ComparatorTarget(process)
