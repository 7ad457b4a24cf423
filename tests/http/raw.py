"""Requests that no HTTP library would send: bytes over a socket, and the answer taken apart."""

from __future__ import annotations

import json
import socket
from typing import Any, NamedTuple

from tests.support.server import ServerProcess


class Answer(NamedTuple):
    """A response; `headers` by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> Any:
        """The problem details, which the answer must be."""
        assert self.headers["content-type"] == "application/problem+json", self
        problem = json.loads(self.body)
        assert problem["status"] == self.status
        assert {"type", "title", "detail", "code"} <= problem.keys()
        return problem


def exchange(server: ServerProcess, request: bytes) -> bytes:
    """Send bytes and read until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(request)
        received = b""
        while data := connection.recv(65_536):
            received += data
    return received


def ask(server: ServerProcess, line: str | bytes, *, token: str = "", headers: str = "", body: bytes = b"") -> Answer:
    """Send one request on a connection of its own."""
    head = line.encode() if isinstance(line, str) else line
    fields = f"Host: chat.example.org\r\nConnection: close\r\n{headers}"
    if token:
        fields += f"Authorization: Bearer {token}\r\n"
    received = exchange(server, head + b" HTTP/1.1\r\n" + fields.encode() + b"\r\n" + body)
    start, _, rest = received.partition(b"\r\n\r\n")
    status, *lines = start.decode("latin-1").split("\r\n")
    named = (line.partition(":") for line in lines)
    return Answer(int(status.split()[1]), {name.lower(): value.strip() for name, _, value in named}, rest)
