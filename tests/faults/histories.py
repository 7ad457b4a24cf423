"""Runs that never happened: what clients of a flawless server would have written down. Pure.

`play` turns a list of moves into logs and a history, through accepted, refused, repeated and lost posts, broken
connections and kills, all of which the promise allows. `moves` draws such lists for Hypothesis.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st
from msgspec import Struct

from tests.faults.checker import Answered, ClientLog, Closed, Delivered, Item, Joined, Posted, Resumed

ROOMS = ("r1", "r2")
USERS = ("ann", "bob", "cid")

Move = tuple[str, int, int]
"""What happens, to which client, in which room; indexes are taken modulo."""

# `post` is acked; `cut_late` stores the post and loses the ack; `cut_early` loses the post as well.
MOVES = ("post", "refuse", "repeat", "cut_late", "cut_early", "leave", "return", "kill")
moves = st.lists(
    st.tuples(st.sampled_from(MOVES), st.integers(0, len(USERS) - 1), st.integers(0, len(ROOMS) - 1)), max_size=25
)


class Run(Struct):
    """A run as the checker gets it."""

    logs: list[ClientLog]
    history: list[Item]
    kills: list[float]


class _Client:
    """One client: its log, its present connection (None while it has none), and its posts without an ack."""

    def __init__(self, user: str) -> None:
        self.log = ClientLog(user, [], drained=True)
        self.user = user
        self.connections = 0
        self.connection: int | None = None
        self.seen: dict[str, int] = {}
        self.owed: dict[str, tuple[str, str]] = {}
        self.posted: list[tuple[str, str, str]] = []


class _World:
    """The flawless server with its clients; every step takes a second."""

    def __init__(self) -> None:
        self.now = 0.0
        self.frames = 0
        self.rooms: dict[str, list[Item]] = {room: [Item(room, 1, "room.created", USERS[0])] for room in ROOMS}
        self.clients = [_Client(user) for user in USERS]
        self.kills: list[float] = []

    def tick(self) -> float:
        self.now += 1.0
        return self.now

    def connect(self, client: _Client) -> None:
        client.connections += 1
        client.connection = client.connections
        for room, items in self.rooms.items():
            if room not in client.seen:
                client.log.records.append(Joined(room, len(items)))
                client.seen[room] = len(items)
                continue
            missed = items[client.seen[room] :]
            for item in missed:
                self.deliver(client, item)
            client.log.records.append(Resumed(room, len(missed)))
        for client_msg_id, (room, body) in list(client.owed.items()):
            self.attempt(client, room, client_msg_id, body)

    def close(self, client: _Client) -> None:
        if client.connection is not None:
            client.log.records.append(Closed(self.tick(), client.connection))
            client.connection = None

    def deliver(self, client: _Client, item: Item) -> None:
        if client.connection is not None:
            client.seen[item.room] = item.seq
            client.log.records.append(Delivered(self.tick(), client.connection, item))

    def attempt(
        self, client: _Client, room: str, client_msg_id: str, body: str, *, stored: bool = True, code: str | None = ""
    ) -> None:
        """Post; `code` None loses the answer."""
        assert client.connection is not None
        self.frames += 1
        frame = str(self.frames)
        client.log.records.append(Posted(self.tick(), client.connection, frame, room, client_msg_id, body))
        client.owed[client_msg_id] = (room, body)
        item = next((i for i in self.rooms[room] if (i.author, i.client_msg_id) == (client.user, client_msg_id)), None)
        duplicate = item is not None
        if item is None and stored:
            seq = len(self.rooms[room]) + 1
            item = Item(room, seq, "message.created", client.user, f"m{room}{seq}", client_msg_id, body)
            self.rooms[room].append(item)
            for reader in self.clients:
                self.deliver(reader, item)
        if code is None:
            return
        head = Answered(self.tick(), client.connection, frame, room, client_msg_id, code=code)
        if code or item is None:
            client.log.records.append(head)
            return
        told = Answered(
            head.at, head.connection, frame, room, client_msg_id, item.seq, item.message_id, duplicate=duplicate
        )
        client.log.records.append(told)
        client.owed.pop(client_msg_id, None)

    def move(self, what: str, client: _Client, room: str) -> None:
        if what == "kill":
            self.kills.append(self.tick())
            for each in self.clients:
                self.close(each)
        elif client.connection is None:
            self.connect(client)
        elif what == "leave":
            self.close(client)
        elif what == "repeat" and client.posted:
            self.attempt(client, *client.posted[-1])
        elif what in {"post", "refuse", "cut_late", "cut_early"}:
            self.post(what, client, room)

    def post(self, what: str, client: _Client, room: str) -> None:
        client_msg_id = f"{client.user}{len(client.posted)}"
        client.posted.append((room, client_msg_id, f"body of {client_msg_id}"))
        code = {"post": "", "refuse": "room_overloaded"}.get(what)
        self.attempt(client, *client.posted[-1], stored=what in {"post", "cut_late"}, code=code)
        if code is None:
            self.close(client)


def play(what: Sequence[Move]) -> Run:
    """Play the moves between a beginning, in which everybody posts everywhere, and an end, for which all are back."""
    world = _World()
    for client in world.clients:
        world.connect(client)
    for room in ROOMS:
        for client in world.clients:
            world.move("post", client, room)
    for name, client_index, room_index in what:
        world.move(name, world.clients[client_index], ROOMS[room_index])
    for client in world.clients:
        if client.connection is None:
            world.connect(client)
        for client_msg_id, (room, body) in list(client.owed.items()):
            world.attempt(client, room, client_msg_id, body)
    logs = [client.log for client in world.clients]
    return Run(logs, [item for items in world.rooms.values() for item in items], world.kills)
