"""Connections over real rooms and the memory store, with fake sockets, on the virtual clock."""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import trio

from actors import Reply, RestartPolicy, Supervisor
from justchat.accounts.identity import Identity
from justchat.accounts.sessions import BAD_TOKEN
from justchat.connections.connection import Connection
from justchat.connections.index import ConnectionIndex
from justchat.connections.services import ConnectionLimits, Services
from justchat.connections.streams import Join
from justchat.rooms.commands import Accepted, Command, CreateRoom
from justchat.rooms.mentions import resolver
from justchat.rooms.permissions import Kind, Visibility
from justchat.rooms.reading import Reading
from justchat.rooms.room import Rooms
from justchat.rooms.room_actor import RoomLimits, RoomPorts
from justchat.wire.errors import Refusal
from justchat.wire.server_frames import Limits
from storage.errors import StorageUnavailable
from storage.memory import MemoryDirectory, MemoryJournal, MemoryRelations, MemoryStore
from storage.records import Append, Entry
from tests.connections.fake_socket import FakeSocket
from tests.rooms.world import OWNER, ROOM, message, virtual_ms
from tests.support.signing_in import somebody

CALM = ConnectionLimits(command_rate=0)
PUBLIC_LIMITS = Limits(4000, 16_384, 100, 500, 10.0, 20, 512, 1_048_576)
SWEEP_SECONDS = 1.0


class FlakyJournal(MemoryJournal):
    """The memory journal, slow when told to be; reads fail as long as there are `read_errors` to give."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.append_seconds = 0.0
        self.read_seconds = 0.0
        self.read_errors = 0

    async def append(self, appends: Sequence[Append]) -> None:
        if self.append_seconds:
            await trio.sleep(self.append_seconds)
        await super().append(appends)

    async def read(self, room: str, *, after: int, upto: int | None = None, limit: int) -> list[Entry]:
        await self._hesitate()
        return await super().read(room, after=after, upto=upto, limit=limit)

    async def read_back(self, room: str, *, before: int | None = None, limit: int) -> list[Entry]:
        await self._hesitate()
        return await super().read_back(room, before=before, limit=limit)

    async def _hesitate(self) -> None:
        if self.read_seconds:
            await trio.sleep(self.read_seconds)
        if self.read_errors:
            self.read_errors -= 1
            raise StorageUnavailable("planted")


class House:
    """The parts, and what tests do with them."""

    def __init__(self, nursery: trio.Nursery, rooms: Rooms, services: Services, journal: FlakyJournal) -> None:
        self.nursery = nursery
        self.rooms = rooms
        self.services = services
        self.journal = journal
        self.index = services.index

    async def create(
        self, *members: str, room: str = ROOM, visibility: Visibility = Visibility.PRIVATE, posts: int = 0
    ) -> None:
        command = CreateRoom(OWNER, Kind.GROUP, visibility, "Room", "", "e_1", members)
        await self.command(command, room=room)
        await self.post(*[f"{room}-{number}" for number in range(posts)], room=room)

    async def command(self, command: Command, *, room: str = ROOM) -> Accepted:
        answer = await self.rooms.room(room).post(command)
        assert isinstance(answer, Accepted), answer
        return answer

    async def post(self, *bodies: str, room: str = ROOM, actor: str = OWNER) -> None:
        for body in bodies:
            await self.command(message(body, actor=actor), room=room)

    def submit(self, command: Command, *, room: str = ROOM) -> Reply[object]:
        """Hand a command in and do not wait; the reply fails nobody."""
        reply: Reply[object] = Reply()
        self.rooms.room(room).submit(command, reply)
        return reply

    def connect(
        self,
        user: str = OWNER,
        *,
        everything: bool = False,
        joins: Sequence[Join] = (),
        max_items: int = 512,
        identity: Identity | None = None,
    ) -> tuple[Connection, FakeSocket]:
        """Open a connection that has been greeted; `everything` is `subscribe: "all"`."""
        socket = FakeSocket(max_items=max_items)
        identity = identity or somebody(user)
        connection = Connection(socket, identity, self.services, subscribes_all=everything)  # type: ignore[arg-type]
        self.index.add(connection)
        connection.open(b'{"type":"welcome"}', joins)
        self.nursery.start_soon(self._run, connection)
        return connection, socket

    async def subscribed(self, user: str = OWNER, *, max_items: int = 512) -> tuple[Connection, FakeSocket]:
        """Open a connection that is live in the room."""
        connection, socket = self.connect(user, max_items=max_items)
        socket.say("subscribe", room=ROOM, data={"history": 0})
        await settle()
        assert socket.kinds(ROOM) == ["subscribed"]
        return connection, socket

    async def _run(self, connection: Connection) -> None:
        try:
            await connection.run()
        finally:
            self.index.remove(connection)

    def subscribers(self, room: str = ROOM) -> int:
        """Count what is in the room's table."""
        activation = self.rooms.registry.find(room)
        return 0 if activation is None else len(activation.subscribers)


async def settle(seconds: float = 0.01) -> None:
    """Let everything happen that needs no more time than this."""
    await trio.sleep(seconds)


@asynccontextmanager
async def open_house(
    *,
    limits: ConnectionLimits = CALM,
    room_limits: RoomLimits | None = None,
    policy: RestartPolicy | None = None,
    fault: Callable[[str, str], None] | None = None,
    rooms_max: int = 100,
) -> AsyncIterator[House]:
    """Open a house without faults; its sweep runs every second."""
    numbers = itertools.count(1)
    journal, index = FlakyJournal(), ConnectionIndex()
    async with trio.open_nursery() as rooms_nursery, trio.open_nursery() as edge_nursery:
        supervisor = Supervisor(
            rooms_nursery,
            policy=policy or RestartPolicy(intensity=100_000, backoff_min_seconds=0.01),
            random=random.Random(1),
        )
        directory = MemoryDirectory(journal._store)
        ports = RoomPorts(
            journal,
            directory,
            resolver(directory),
            virtual_ms,
            lambda prefix: f"{prefix}_{next(numbers)}",
            index.joined,
            fault,
        )
        rooms = Rooms(supervisor, ports, room_limits or RoomLimits(), active_max=rooms_max, ask_seconds=5.0)
        services = Services(
            nursery=edge_nursery,
            rooms=rooms,
            journal=journal,
            directory=directory,
            reading=Reading(rooms, journal, MemoryRelations(journal._store)),
            index=index,
            limits=limits,
            public_limits=PUBLIC_LIMITS,
            authenticate=nobody,
            wall_ms=lambda: 0,
        )
        edge_nursery.start_soon(_sweep, index)
        yield House(edge_nursery, rooms, services, journal)
        edge_nursery.cancel_scope.cancel()
        rooms_nursery.cancel_scope.cancel()


async def nobody(_token: str) -> Identity | Refusal:
    """Recognise no token."""
    return BAD_TOKEN


async def _sweep(index: ConnectionIndex) -> None:
    while True:
        await trio.sleep(SWEEP_SECONDS)
        for connection in index:
            connection.sweep(trio.current_time())
