"""Somebody who follows one room over a WebSocket that may break at any time: what they have is a prefix of its journal.

They keep each event as it came, to the byte, and always ask for what comes next.
"""

from __future__ import annotations

import json

from tests.support.server import ServerProcess
from tests.support.talker import Frame, Talker


class Follower:
    """A client with a log of its own; `ends` counts how often it was told that it has everything."""

    def __init__(self, server: ServerProcess, token: str, room: str) -> None:
        self._server = server
        self._token = token
        self._room = room
        self._talker: Talker | None = None
        self.epoch: str | None = None
        self.log: list[str] = []
        self.ends = 0

    def connect(self) -> None:
        """Connect, and ask for everything after what is there."""
        self._talker = Talker.greeted(self._server.ws_url, self._token)
        position: Frame = {"after": len(self.log)} | ({} if self.epoch is None else {"epoch": self.epoch})
        subscribed = self._talker.subscribe(self._room, **position)
        assert subscribed["type"] == "subscribed", subscribed
        self.epoch = subscribed["data"]["epoch"]

    def leave(self) -> None:
        """Break the connection off, in the middle of whatever is on its way."""
        if self._talker is not None:
            self._talker.close()
            self._talker = None

    def read_upto(self, head: int) -> None:
        """Read until everything up to this seq is there: each event is the next one."""
        while len(self.log) < head:
            self._read()

    def read_to_the_end(self) -> None:
        """Read until the server says that this was everything, which comes behind the last event."""
        ends = self.ends
        while self.ends == ends:
            self._read()

    def _read(self) -> None:
        assert self._talker is not None
        text = self._talker.socket.recv(timeout=20)
        frame = json.loads(text)
        if "actor" in frame:
            assert frame["seq"] == len(self.log) + 1
            self.log.append(str(text))
        elif frame["type"] == "caught_up":
            assert frame["data"]["seq"] == len(self.log)
            self.ends += 1
