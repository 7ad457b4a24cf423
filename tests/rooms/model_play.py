"""Real rooms beside the reference model: steps are played on both, and everything that can be seen is compared.

The wall's clock is the test's own; Trio's is virtual where the store lives in memory. Each step ends with the room at
rest: what was due is done, what crashed is back, and every subscriber has read what there is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import trio

from actors import Reply
from justchat.connections.catch_up import CatchUp
from justchat.rooms.blocks import Blocks
from justchat.rooms.commands import Accepted, Command, PostMessage
from justchat.rooms.kept_commands import KeptCommand
from justchat.rooms.queries import Attach, Attached, OutOfReach
from justchat.rooms.room_actor import RoomLimits
from justchat.rooms.subscription import Subscription
from justchat.wire.errors import Refusal
from storage.records import Entry, UserRecord
from tests.rooms.command_values import NAMED, Chance, beginning, referring
from tests.rooms.model_look import look, looked_for
from tests.rooms.reference_model import EVERYBODY, SYSTEM
from tests.rooms.reference_room import ReferenceRoom
from tests.rooms.scenes import NOW, ROOM
from tests.rooms.world import Crash, RecordingSink, World, open_world
from tests.storage.contract.backends import Stores

# At these a batch in hand was committed already when the room crashes: its answers are those that were decided then.
AFTER_COMMIT = ("after_commit", "before_fan_out", "after_fan_out")
LIMITS = RoomLimits(ring_entries=8)


def spoken(answer: object, command: Command | KeptCommand) -> tuple[object, ...]:
    """Say an answer as the model does."""
    if isinstance(answer, Refusal):
        return ("no", answer.code.value)
    assert isinstance(answer, Accepted), answer
    word = "repeat" if answer.duplicate else "yes" if answer.changed else "unchanged"
    assert (answer.message_id is not None) == (isinstance(command, PostMessage) and word != "unchanged")
    return (word, answer.seq)


class Client:
    """A subscriber: what they have been given, in order."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.sink = RecordingSink()
        self.subscription: Subscription | None = None
        self.seen: list[dict[str, Any]] = []
        self.since = self.last = 0
        self.reset = False

    def read(self) -> None:
        """Take what has arrived; every event has to be the next one."""
        for frame in self.sink.frames:
            self.reset = self.reset or frame["type"] == "reset"
            if "actor" in frame:
                assert frame["seq"] == self.last + 1, (self.user, frame, self.last)
                self.last += 1
                self.seen.append(frame)
        self.sink.raw.clear()
        self.sink.queued = 0


class Outlet:
    """The connection of a client, as catching up needs it."""

    def __init__(self, client: Client, ended: Callable[[Subscription], None]) -> None:
        self.force = client.sink.force
        self.ended = ended

    async def wait_room(self) -> None:
        """There is always room."""
        await trio.lowlevel.checkpoint()


class Play:
    """One room and its model, over a store; `run` is begun anew for each server.

    To look at everything takes long where each question goes to a database, so that it is not done after every step.
    """

    def __init__(self, stores: Stores, *, look_every: int) -> None:
        self.journal, self.directory, self.look_every = stores.journal, stores.directory, look_every
        self.blocks = Blocks(stores.relations)
        self.model = ReferenceRoom(NAMED)
        self.clients = {user: Client(user) for user in EVERYBODY}
        self.fault: str | None = None
        self.now = self.model.now = NOW
        self.made = self.adopted = self.steps = 0
        self.totals: Counter[str] = Counter()
        self.posted: list[str] = []
        self.world: World

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Open the rooms, as a server that starts."""
        async with open_world(
            journal=self.journal,
            directory=self.directory,
            now_ms=lambda: self.now,
            new_id=self.new_id,
            fault=self.reach,
            limits=LIMITS,
            blocks=self.blocks,
        ) as self.world:
            yield

    def new_id(self, prefix: str) -> str:
        self.made += 1
        return f"{prefix}_{self.made:06d}"

    def reach(self, point: str, _: str) -> None:
        if point == self.fault:
            self.fault = None
            self.totals["crashes"] += 1
            raise Crash

    async def begin(self, seed: int) -> None:
        """Let there be the users whom texts may name, and a room that is talked about."""
        for name, user in NAMED.items():
            await self.directory.create_user(UserRecord(user, name, name, name, None, "", "user", 0))
        for batch in beginning(Chance(Random(seed)).create()):
            await self.serve(batch)

    # Steps.

    async def serve(self, batch: Sequence[Command | KeptCommand], *, fault: str | None = None) -> None:
        """Say all of it at once; with a fault, the room crashes at that point if it comes by.

        What leads to no entry comes in batches of its own, of one where the room is to crash over it.
        """
        commands = [referring(command, list(reversed(self.posted))) for command in batch]
        self.fault = fault
        replies = [Reply[object]() for _ in commands]
        for command, reply in zip(commands, replies, strict=True):
            assert self.world.room().submit(command, reply) is None
        with trio.fail_after(30):
            answers = [await reply.wait() for reply in replies]
        crashed, self.fault = fault is not None and self.fault is None, None
        if crashed and fault == "after_keep":
            # What follows from no entry was kept already, and is decided a second time.
            for command in commands:
                self.model.answer(command)
        for command, answer in zip(commands, answers, strict=True):
            if crashed and fault not in AFTER_COMMIT:
                # After a crash they are taken one by one, and what is due comes before each.
                self.model.pass_time()
            expected = self.model.answer(command)
            if command.actor == SYSTEM and expected[0] == "unchanged":
                expected = ("unchanged", 0 if self.model.visibility == "private" else self.model.head)
            assert spoken(answer, command) == expected, (command, answer)
            self.totals[str(expected[0])] += 1
            self.totals["kept"] += isinstance(command, KeptCommand) and expected[0] == "yes"
        await self.rest()

    async def pass_time(self, milliseconds: int, *, fault: str | None = None) -> None:
        """Let time pass, and what is due happen; with a fault the room crashes on the way, if it comes by."""
        self.now = self.model.now = self.now + milliseconds
        self.fault = fault
        await self.rest()
        self.fault = None

    async def kill(self, *, fault: str | None = None) -> None:
        """Make the room crash out of the blue, and perhaps once more while it loads."""
        self.fault = fault
        self.totals["crashes"] += self.world.rooms.crash(ROOM, Crash())
        await self.rest()
        self.fault = None

    async def leave(self, user: str) -> None:
        """Cut a subscriber's connection."""
        client = self.clients[user]
        if client.subscription is not None:
            self.world.room().detach(client.subscription)
            client.subscription = None

    async def attach(self, user: str, *, slow: bool = False) -> None:
        """Let somebody listen who does not: from where they were, if that can be had, and from now on otherwise."""
        client, model = self.clients[user], self.model
        if client.subscription is not None:
            return
        client.sink = RecordingSink(3 if slow else 1_000_000)
        answer = await self.ask(client, client.last if client.seen else None)
        if not model.can(user, "room.view"):
            assert isinstance(answer, Refusal)
            return
        floor = model.floor_of(user)
        if client.seen and client.last < floor:
            reason = "retention" if client.last < model.floor else "history_visibility"
            assert isinstance(answer, OutOfReach)
            assert (answer.reason, answer.head) == (reason, model.head)
            self.totals["resets"] += 1
            answer = await self.ask(client, None)
            client.seen = []
        assert isinstance(answer, Attached)
        self.totals["resumes" if client.seen else "subscriptions"] += 1
        client.since = model.head
        if not client.seen:
            client.last = model.head
        await self.rest()

    async def ask(self, client: Client, after: int | None) -> object:
        subscription = Subscription(ROOM, client.user, client.sink)
        answer = await self.world.room().attach(Attach(subscription, after, replay=after is not None))
        client.subscription = subscription if isinstance(answer, Attached) else None
        if isinstance(answer, Attached) and not answer.live:
            client.sink.behind.append((subscription, answer.head, False))
        return answer

    async def restart(self) -> None:
        """End the server and begin another, over the same store."""
        for client in self.clients.values():
            client.subscription = None

    # Comparing.

    async def rest(self) -> None:
        """Wait until the room has done what is due and everybody has read; then compare everything."""
        with trio.fail_after(30):
            # Only the room knows when it is back.
            while not await self.is_there():  # noqa: ASYNC110
                await trio.sleep(0.01)
        self.model.pass_time()
        for client in self.clients.values():
            while client.sink.behind:
                self.totals["catch-ups"] += 1
                await self.catch_up(client)
            client.read()
        await self.compare()

    async def is_there(self) -> bool:
        """Tell whether the room answers, if only that there is no such room."""
        answer = await self.world.room().look(SYSTEM)
        return not isinstance(answer, Refusal) or answer.code == "not_found"

    async def catch_up(self, client: Client) -> None:
        """Let a connection serve its reader from the journal, as it does when the reader is behind."""
        task = CatchUp(
            Outlet(client, lambda over: task.discard(over)), rooms=self.world.rooms, journal=self.journal, page=5
        )
        behind, client.sink.behind = client.sink.behind, []
        for subscription, head, _ in behind:
            if subscription is client.subscription:
                task.add(subscription, head=head)
        with trio.fail_after(30):
            await task.run()

    async def compare(self) -> None:
        entries = await self.journal.read(ROOM, after=0, limit=10_000)
        assert [(entry.type, entry.actor) for entry in entries] == self.model.log
        self.adopt(entries)
        for client in self.clients.values():
            self.compare_stream(client, entries)
        self.steps += 1
        if self.steps % self.look_every:
            return
        shown, expected = await look(self.world, self.journal, self.directory), looked_for(self.model)
        wrong = {name: (value, expected[name]) for name, value in shown.items() if value != expected[name]}
        assert not wrong, wrong

    def adopt(self, entries: Sequence[Entry]) -> None:
        """Tell the model which ids new messages got."""
        for entry in entries[self.adopted :]:
            if entry.message_id is not None:
                self.posted.append(entry.message_id)
                message = self.model.messages.pop(f"at {entry.seq}", None)
                if message is not None:  # else it was trimmed at once
                    self.model.messages[entry.message_id] = message
            self.totals["events"] += 1
            self.totals["posted later"] += (entry.client_msg_id or "").startswith("scheduled:")
            self.totals["by itself"] += entry.actor == SYSTEM
        self.adopted = len(entries)

    def compare_stream(self, client: Client, entries: Sequence[Entry]) -> None:
        """A subscriber has seen everything from where they began up to their end, and not a byte more."""
        if client.subscription is None:
            return
        if client.reset:
            # They were behind, and what they had not read is kept no longer.
            assert client.last < self.model.floor
            self.totals["resets"] += 1
            client.subscription, client.seen, client.reset = None, [], False
            return
        ends = [seq for seq in range(client.since + 1, self.model.head + 1) if client.user in self.model.lost[seq - 1]]
        upto = ends[0] if ends else self.model.head
        assert client.last == upto, (client.user, client.last, upto)
        for frame in client.seen:
            body = entries[frame["seq"] - 1].body
            assert not body or json.loads(body) == frame
        if ends:
            assert [seq for _, seq in client.sink.cuts] == [upto]
            client.subscription, client.seen = None, []
            self.totals["cuts"] += 1
