"""A client that talks, reads everything and writes it all down: on asyncio and the `websockets` library.

It shares no code with the server nor with the product's own client, and it is naive on purpose: every event goes into
the log as it comes, nothing is dropped, sorted or asked for again, so that the checker sees what the server did. After
a break it comes back, resumes where it was, and repeats under the same client_msg_id, in order, what was not answered.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.faults.api import Person
from tests.faults.checker import Answered, ClientLog, Closed, Delivered, Item, Joined, Posted, Resumed
from tests.support.server import ServerProcess

RETRYABLE = frozenset(
    {"room_overloaded", "room_unavailable", "storage_unavailable", "draining", "rate_limited", "internal"}
)
RECONNECT_SECONDS = 0.03
OPEN_SECONDS = 15.0
_numbers = itertools.count(1)


class Post(Struct, eq=False):
    """One post until its answer: an ack, or a refusal that a repeat cannot change."""

    room: str
    client_msg_id: str
    body: str
    answer: asyncio.Future[Answered]


def item_of(event: dict[str, Any]) -> Item:
    """Read a durable event, from a socket or from the journal."""
    data = event.get("data") or {}
    if event["type"] != "message.created":
        return Item(event["room"], event["seq"], event["type"], event["actor"])
    return Item(
        event["room"],
        event["seq"],
        event["type"],
        event["actor"],
        data["id"],
        data["client_msg_id"],
        data["body"],
    )


class Speaker:
    """One client of one user; `run` it as a task and `leave` in the end. Subscribes to all rooms of its user."""

    def __init__(self, server: ServerProcess, person: Person, *, heard: Callable[[], None] = lambda: None) -> None:
        """Take what to call after each frame that came in."""
        self.log = ClientLog(person.id, [])
        self.seen: dict[str, int] = {}
        self.acks = 0
        self.acked: Counter[str] = Counter()
        """The same by room."""
        self.slowest_seconds = 0.0
        """The longest that an answer took."""
        self.opened_at = 0.0
        self.first_ack_at: float | None = None
        """When the present connection brought its first ack."""
        self.broken_at = 0.0
        """When the latest connection broke."""
        self._owed_since: float | None = None
        self.surprises: list[str] = []
        """Frames that no run expects, such as the end of a subscription."""
        self._server = server
        self._token = person.token
        self._heard = heard
        self._connection = 0
        self._socket: ClientConnection | None = None
        self._epochs: dict[str, str] = {}
        self._resuming: dict[str, int] = {}
        self._pending: dict[int, Post] = {}
        self._in_flight: dict[str, tuple[int, float]] = {}
        self._unsent: deque[int] = deque()
        self._requests: deque[str] = deque()
        self._something_to_send = asyncio.Event()
        self._may_connect = asyncio.Event()
        self._may_connect.set()
        self._leaving = False

    @property
    def idle(self) -> bool:
        """Whether every post is answered."""
        return not self._pending

    @property
    def connected(self) -> bool:
        """Whether the server has said welcome on the present connection."""
        return self._socket is not None

    @property
    def caught_up(self) -> bool:
        """Whether the server has said of every room resumed that nothing is missing any more."""
        return not self._resuming

    def cut_off_by(self, kill: float) -> bool:
        """Tell whether the latest break came after this time and left a post unanswered that was sent before it."""
        return self.broken_at >= kill and self._owed_since is not None and self._owed_since <= kill

    def post(self, room: str, body: str, *, client_msg_id: str) -> asyncio.Future[Answered]:
        """Post, now or when connected again; cancel the answer to give the post up, so that it is not repeated."""
        number = next(_numbers)
        post = Post(room, client_msg_id, body, asyncio.get_running_loop().create_future())
        self._pending[number] = post
        self._unsent.append(number)
        self._something_to_send.set()
        return post.answer

    def cut(self) -> None:
        """Break the connection without a goodbye; a new one follows at once."""
        if self._socket is not None:
            self._socket.transport.abort()

    def stay_away(self) -> None:
        """Break the connection and stay away until `come_back`."""
        self._may_connect.clear()
        self.cut()

    def come_back(self) -> None:
        """Connect again."""
        self._may_connect.set()

    async def leave(self) -> None:
        """Say goodbye; `run` ends. What is not answered by now never will be, and the log shows it."""
        self._leaving = True
        self._may_connect.set()
        if self._socket is not None:
            await self._socket.close()

    async def run(self) -> None:
        """Stay connected until told to leave."""
        while True:
            await self._may_connect.wait()
            if self._leaving:
                return
            with suppress(OSError, WebSocketException, TimeoutError):
                await self._converse()
            if not self._leaving:
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _converse(self) -> None:
        async with connect(
            self._server.ws_url,
            compression=None,
            max_size=None,
            ping_interval=None,
            open_timeout=OPEN_SECONDS,
            close_timeout=1.0,
            proxy=None,
        ) as socket:
            self._connection += 1
            self._pending = {number: post for number, post in self._pending.items() if not post.answer.cancelled()}
            self._unsent = deque(self._pending)
            self._requests.clear()
            self.first_ack_at = None
            try:
                if await self._greeted(socket):
                    self._heard()
                    await self._talk(socket)
            finally:
                self._closed()

    async def _greeted(self, socket: ClientConnection) -> bool:
        async with asyncio.timeout(OPEN_SECONDS):
            await socket.send(json.dumps(self._hello()))
            welcome = json.loads(await socket.recv())
        if welcome["type"] != "welcome":
            self.surprises.append(f"{welcome['type']} instead of welcome: {welcome.get('data')}")
            return False
        self.opened_at = time.monotonic()
        self._socket = socket
        return True

    def _closed(self) -> None:
        self._socket = None
        self.broken_at = time.monotonic()
        self._owed_since = min((at for _, at in self._in_flight.values()), default=None)
        self._in_flight.clear()
        if not self._leaving:
            self.log.records.append(Closed(self.broken_at, self._connection))
        self._heard()

    def _hello(self) -> dict[str, object]:
        self._resuming = dict(self.seen)
        resume = {room: {"epoch": self._epochs[room], "seq": seq} for room, seq in self.seen.items()}
        return {"type": "hello", "data": {"token": self._token, "subscribe": "all", "resume": resume}}

    async def _talk(self, socket: ClientConnection) -> None:
        writing = asyncio.create_task(self._write(socket))
        try:
            async for text in socket:
                self._take(json.loads(text))
                self._heard()
        finally:
            writing.cancel()
            with suppress(asyncio.CancelledError, WebSocketException):
                await writing

    async def _write(self, socket: ClientConnection) -> None:
        while True:
            while self._requests:
                await socket.send(self._requests.popleft())
            while self._unsent:
                number = self._unsent.popleft()
                if number in self._pending:
                    await socket.send(self._attempt(number))
            self._something_to_send.clear()
            await self._something_to_send.wait()

    def _attempt(self, number: int) -> str:
        post = self._pending[number]
        frame, now = str(next(_numbers)), time.monotonic()
        self._in_flight[frame] = (number, now)
        self.log.records.append(Posted(now, self._connection, frame, post.room, post.client_msg_id, post.body))
        data = {"client_msg_id": post.client_msg_id, "body": post.body}
        return json.dumps({"type": "send", "id": frame, "room": post.room, "data": data})

    def _take(self, frame: dict[str, Any]) -> None:
        room = frame.get("room", "")
        match frame["type"]:
            case "ack" | "error" if frame.get("id") in self._in_flight:
                self._answered(frame)
            case "subscribed":
                self._epochs[room] = frame["data"]["epoch"]
                if room not in self.seen:
                    self._join(room, frame["data"]["head_seq"])
            case "caught_up":
                if room in self._resuming:
                    self.log.records.append(Resumed(room, self.seen[room] - self._resuming.pop(room)))
            case "reset":
                # The server says openly that our place is not in its journal: we begin anew where it stands.
                self.seen.pop(room, None)
                self._resuming.pop(room, None)
                self._epochs[room] = frame["data"]["epoch"]
                self._requests.append(json.dumps({"type": "subscribe", "room": room, "data": {"history": 0}}))
                self._something_to_send.set()
            case "lagging" | "goodbye":
                pass
            case _ if "actor" in frame:
                item = item_of(frame)
                self.log.records.append(Delivered(time.monotonic(), self._connection, item))
                self.seen[item.room] = item.seq
            case kind:
                self.surprises.append(f"{kind} {frame.get('data')}")

    def _join(self, room: str, seq: int) -> None:
        self.log.records.append(Joined(room, seq))
        self.seen[room] = seq

    def _answered(self, frame: dict[str, Any]) -> None:
        number, sent_at = self._in_flight.pop(frame["id"])
        post = self._pending[number]
        data, now = frame["data"], time.monotonic()
        self.slowest_seconds = max(self.slowest_seconds, now - sent_at)
        head = (now, self._connection, frame["id"], post.room, post.client_msg_id)
        if frame["type"] == "ack":
            answer = Answered(*head, frame["seq"], data["message_id"], duplicate=data.get("duplicate", False))
            self.acks += 1
            self.acked[post.room] += 1
            self.first_ack_at = self.first_ack_at or now
        else:
            answer = Answered(*head, code=data["code"])
        self.log.records.append(answer)
        if answer.code in RETRYABLE:
            asyncio.get_running_loop().call_later(data.get("retry_after", 0.1), self._repeat, number)
            return
        del self._pending[number]
        if not post.answer.done():
            post.answer.set_result(answer)

    def _repeat(self, number: int) -> None:
        # A new connection may have repeated it meanwhile.
        in_flight = {each for each, _ in self._in_flight.values()}
        if number in self._pending and number not in self._unsent and number not in in_flight:
            self._unsent.append(number)
            self._something_to_send.set()
