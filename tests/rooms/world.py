"""A world for room actors on a virtual clock: the memory store, a registry of rooms, and sinks that record frames."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import trio

from actors import RestartPolicy, Supervisor
from justchat.connections.catch_up import CatchUp
from justchat.rooms.blocks import Blocks
from justchat.rooms.commands import Accepted, Command, CreateRoom, PostMessage
from justchat.rooms.items import ItemKind
from justchat.rooms.kept_commands import KeptCommand
from justchat.rooms.mentions import resolver
from justchat.rooms.permissions import Kind, Visibility
from justchat.rooms.posts import Content, post
from justchat.rooms.queries import Attach
from justchat.rooms.room import ActorFactory, Room, Rooms
from justchat.rooms.room_actor import RoomActor, RoomLimits, RoomPorts
from justchat.rooms.subscription import Subscription
from justchat.rooms.timekeeper import Timekeeper
from justchat.wire.errors import Refusal
from justchat.wire.events import RoomSettings
from storage.memory import MemoryDirectory, MemoryJournal, MemoryRelations, MemoryStore
from storage.ports import Directory
from storage.records import Append, ItemRecord

ROOM = "r_1"
OWNER = "u_owner"


class RecordingSink:
    """A connection that reads everything, or nothing once `capacity` frames are in its outbox."""

    def __init__(self, capacity: int = 1_000_000) -> None:
        self.capacity = capacity
        self.raw = bytearray()
        self.queued = 0
        self.behind: list[tuple[Subscription, int, bool]] = []
        self.cuts: list[tuple[str, int]] = []

    def offer(self, frames: bytes, count: int) -> bool:
        if self.queued + count > self.capacity:
            return False
        self.force(frames, count)
        return True

    def force(self, frames: bytes, count: int = 1) -> None:
        self.raw += frames
        self.queued += count

    def fell_behind(self, subscription: Subscription, *, head: int, announce: bool) -> None:
        self.behind.append((subscription, head, announce))

    def cut(self, subscription: Subscription, *, reason: str, seq: int) -> None:
        self.cuts.append((reason, seq))

    @property
    def frames(self) -> list[dict[str, object]]:
        """Decode what was queued: unmasked text frames, one JSON object each."""
        found, at = [], 0
        while at < len(self.raw):
            size, at = self.raw[at + 1], at + 2
            if size in {126, 127}:
                width = 2 if size == 126 else 8
                size, at = int.from_bytes(self.raw[at : at + width], "big"), at + width
            found.append(json.loads(self.raw[at : at + size]))
            at += size
        return found

    @property
    def seqs(self) -> list[int]:
        """The seqs of the durable events, in the order of their arrival."""
        return [int(str(frame["seq"])) for frame in self.frames if "seq" in frame and "actor" in frame]


class World:
    """Rooms over one journal, with handles for the tests."""

    def __init__(
        self, rooms: Rooms, journal: MemoryJournal, directory: Directory, supervisor: Supervisor, blocks: Blocks
    ) -> None:
        self.rooms = rooms
        self.blocks = blocks
        self.journal = journal
        self.directory = directory
        self.supervisor = supervisor
        self.joined: list[tuple[str, str, int]] = []

    def room(self, room: str = ROOM) -> Room:
        return self.rooms.room(room)

    async def create(
        self,
        *members: str,
        room: str = ROOM,
        visibility: Visibility = Visibility.PRIVATE,
        settings: RoomSettings | None = None,
    ) -> Room:
        handle = self.rooms.room(room)
        command = CreateRoom(OWNER, Kind.GROUP, visibility, "Room", "", "e_1", members, settings or RoomSettings())
        answer = await handle.post(command)
        assert isinstance(answer, Accepted), answer
        return handle

    async def do(self, command: Command | KeptCommand, *, room: str = ROOM) -> Accepted:
        """Have a command carried out."""
        answer = await self.room(room).post(command)
        assert isinstance(answer, Accepted), answer
        return answer

    async def refusal(self, command: Command | KeptCommand, *, room: str = ROOM) -> str:
        """Have a command refused, and give the code."""
        answer = await self.room(room).post(command)
        assert isinstance(answer, Refusal), answer
        return answer.code.value

    async def history(self, room: str = ROOM) -> list[str]:
        """Give what happened in a room: the types of its entries."""
        entries = await self.journal.read(room, after=0, limit=10_000)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        return [entry.type for entry in entries]

    async def items(self, kind: ItemKind, room: str = ROOM) -> list[ItemRecord]:
        """Give a room's items of a kind."""
        page = await self.directory.items(kind.value, room=room, cursor=None, limit=1000)
        return list(page.items)

    def restarts(self, room: str = ROOM) -> int:
        """Count the crashes of a room that is awake."""
        health = self.rooms.health(room)
        assert health is not None, "the room sleeps"
        return health.restarts

    async def attach(
        self, user: str = OWNER, *, after: int | None = None, sink: RecordingSink | None = None, replay: bool = False
    ) -> tuple[Subscription, RecordingSink]:
        sink = sink or RecordingSink()
        subscription = Subscription(ROOM, user, sink)
        await self.room().attach(Attach(subscription, after, replay=replay))
        return subscription, sink


class SwitchedJournal(MemoryJournal):
    """The memory journal with a gate before and after each append, and an error to raise when told to."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.error: Exception | None = None
        self.error_after_commit = False
        self.gate: trio.Event | None = None
        self.commits = 0

    async def append(self, appends: Sequence[Append]) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None and not self.error_after_commit:
            error, self.error = self.error, None
            raise error
        await super().append(appends)
        self.commits += 1
        if self.error is not None:
            error, self.error = self.error, None
            raise error


def virtual_ms() -> int:
    """Give the virtual clock as if it were the wall's."""
    return round(trio.current_time() * 1000)


class Crash(Exception):
    """The planted fault."""


class CrashOnce:
    """Crashes a room where it comes by a point, once each time that it is armed. `hits` is how often it did."""

    def __init__(self, point: str) -> None:
        self.point = point
        self.armed = False
        self.hits = 0

    def __call__(self, at: str, _: str) -> None:
        if self.armed and at == self.point:
            self.armed = False
            self.hits += 1
            raise Crash(at)


async def catch_up(world: World, sink: RecordingSink) -> None:
    """Do what a connection does for a subscription that is behind: read the journal, then go live."""

    class Outlet:
        force = sink.force

        async def wait_room(self) -> None:
            await trio.lowlevel.checkpoint()

        def ended(self, _: object) -> None: ...

    task = CatchUp(Outlet(), rooms=world.rooms, journal=world.journal, page=300)
    for behind, head, _ in sink.behind:
        task.add(behind, head=head)
    sink.behind.clear()
    await task.run()


def message(
    body: str, *, actor: str = OWNER, client_msg_id: str | None = None, content: Content | None = None
) -> PostMessage:
    command = post(
        actor,
        client_msg_id=client_msg_id or f"id-{body}",
        body=body,
        content=content or Content(),
        max_characters=4000,
    )
    assert isinstance(command, PostMessage), command
    return command


@asynccontextmanager
async def open_world(
    *,
    journal: MemoryJournal | None = None,
    directory: Directory | None = None,
    now_ms: Callable[[], int] = virtual_ms,
    new_id: Callable[[str], str] | None = None,
    fault: Callable[[str, str], None] | None = None,
    limits: RoomLimits | None = None,
    policy: RestartPolicy | None = None,
    actor: ActorFactory = RoomActor,
    timekeeper_seconds: float | None = None,
    blocks: Blocks | None = None,
) -> AsyncIterator[World]:
    """Open a world; without `timekeeper_seconds` nobody wakes a room that sleeps."""
    numbers = itertools.count(1)
    journal = journal or MemoryJournal(MemoryStore())
    directory = directory or MemoryDirectory(journal._store)
    if blocks is None:
        blocks = Blocks(MemoryRelations(journal._store if isinstance(journal, MemoryJournal) else MemoryStore()))
    joined: list[tuple[str, str, int]] = []
    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(
            nursery,
            policy=policy or RestartPolicy(intensity=100_000, backoff_min_seconds=0.01),
            random=random.Random(1),
        )
        ports = RoomPorts(
            journal,
            directory,
            resolver(directory),
            now_ms,
            new_id or (lambda prefix: f"{prefix}_{next(numbers)}"),
            lambda user, room, seq: joined.append((user, room, seq)),
            fault,
            blocks,
        )
        rooms = Rooms(supervisor, ports, limits or RoomLimits(), active_max=100, ask_seconds=5.0, actor=actor)
        world = World(rooms, journal, directory, supervisor, blocks)
        world.joined = joined
        if timekeeper_seconds is not None:
            Timekeeper(rooms, journal=journal, now_ms=now_ms, seconds=timekeeper_seconds).start(supervisor)
        yield world
        nursery.cancel_scope.cancel()
