"""Random interleavings of everything that can happen to subscriptions, judged frame by frame.

Posts, joins, resumes, replacements, slow and fast readers, room crashes, removals and re-adds, connections that come
and go, a store that hesitates and fails, mutes that end, history that is trimmed or hidden. Whatever the order: each
subscription's seqs are gapless and without duplicates, nothing above a removal arrives, every request is answered once,
and in the end everybody has everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from justchat.connections.services import ConnectionLimits
from justchat.connections.streams import Join
from justchat.rooms.commands import AddMember, MuteMember, RemoveMember, TrimHistory, UpdateRoom
from justchat.rooms.permissions import Visibility
from justchat.rooms.room_actor import FAULT_POINTS, TIMER_POINTS, RoomLimits
from justchat.wire.events import SYSTEM, SettingsChanges
from tests.connections.house import OWNER, House, open_house
from tests.connections.reader import Reader
from tests.rooms.world import Crash, message, virtual_ms

ROOMS = ("r_1", "r_2")
USERS = (OWNER, "u_2", "u_3")
LIMITS = ConnectionLimits(command_rate=0, catch_up_page=3, stall_seconds=1e9)
ROOM_LIMITS = RoomLimits(ring_entries=4, batch=4, idle_seconds=20)

room = st.sampled_from(ROOMS)
who = st.integers(0, 3)
STEPS = st.one_of(
    st.tuples(st.just("post"), room, st.integers(1, 6)),
    st.tuples(st.just("send"), who, room),
    st.tuples(st.just("subscribe"), who, room, st.integers(0, 5)),
    st.tuples(st.just("resume"), who, room),
    st.tuples(st.just("unsubscribe"), who, room),
    st.tuples(st.just("fetch"), who, room),
    st.tuples(st.just("hold"), who),
    st.tuples(st.just("release"), who),
    st.tuples(st.just("read"), who, st.integers(1, 9)),
    st.tuples(st.just("remove"), room, st.sampled_from(USERS[1:])),
    st.tuples(st.just("add"), room, st.sampled_from(USERS[1:])),
    st.tuples(st.just("visibility"), room, st.sampled_from(tuple(Visibility))),
    st.tuples(st.just("trim"), room, st.sampled_from([0.3, 0.7, 1.0])),
    st.tuples(st.just("history"), room, st.sampled_from(["shared", "since_join"])),
    st.tuples(st.just("mute"), room, st.sampled_from(USERS[1:]), st.sampled_from([4, 50, 2000])),
    st.tuples(st.just("crash"), room),
    st.tuples(st.just("fault"), st.sampled_from(FAULT_POINTS + TIMER_POINTS)),
    st.tuples(st.just("reconnect"), who),
    st.tuples(st.just("latency"), st.sampled_from([0.0, 0.004, 0.05, 6.0]), st.sampled_from([0.0, 0.004, 0.05])),
    st.tuples(st.just("read_errors"), st.integers(1, 2)),
    st.tuples(st.just("breathe"), st.integers(1, 9)),
    st.tuples(st.just("wait"), st.sampled_from([0.004, 0.05, 0.3, 2.0, 25.0])),
)


@dataclass
class Story:
    """One run: the house, four readers (two of them follow everything), and a fault that waits for its point."""

    house: House
    armed: list[str]
    readers: list[Reader] = field(default_factory=list)
    posts: int = 0

    def connect(self, index: int) -> Reader:
        user, everything = (*USERS, "u_2")[index], index in {1, 2}
        joins = []
        if index < len(self.readers):
            old = self.readers[index]
            old.socket.leave()
            joins = [Join(name, seq, replay=True, resumed=True) for name, seq in old.positions().items()]
        joins += [Join(name, own=True) for name in ROOMS if everything]
        _, socket = self.house.connect(user, everything=everything, joins=joins, max_items=6)
        return Reader(socket, user, self.house.journal._store.head)

    def reader(self, index: int) -> Reader:
        if self.readers[index].socket.closed:
            self.readers[index] = self.connect(index)
        return self.readers[index]

    async def step(self, step: tuple) -> None:  # type: ignore[type-arg]
        match step:
            case ("post", name, count):
                for _ in range(count):
                    self.posts += 1
                    self.house.submit(message(f"p{self.posts}"), room=name)
            case ("send", index, name):
                self.posts += 1
                self.reader(index).ask("send", name, {"client_msg_id": f"s{self.posts}", "body": "b"})
            case ("subscribe", index, name, history):
                self.reader(index).subscribe(name, history=history)
            case ("resume", index, name):
                reader = self.reader(index)
                reader.subscribe(name, after=reader.positions().get(name, 1))
            case ("unsubscribe" | "fetch" as kind, index, name):
                self.reader(index).ask(kind, name)
            case ("hold", index):
                self.reader(index).socket.hold()
            case ("release", index):
                self.reader(index).socket.release()
            case ("read", index, count):
                self.reader(index).socket.read(count)
            case ("remove", name, user):
                self.house.submit(RemoveMember(OWNER, user), room=name)
            case ("add", name, user):
                self.house.submit(AddMember(OWNER, user), room=name)
            case ("visibility", name, visibility):
                self.house.submit(UpdateRoom(OWNER, visibility=visibility), room=name)
            case ("trim", name, share):
                upto = round(self.house.journal._store.head(name) * share)
                self.house.submit(TrimHistory(SYSTEM, upto), room=name)
            case ("history", name, visibility):
                change = SettingsChanges(history_visibility=visibility)
                self.house.submit(UpdateRoom(OWNER, settings=change), room=name)
            case ("mute", name, user, ms):
                self.house.submit(MuteMember(OWNER, user, virtual_ms() + ms), room=name)
            case ("crash", name):
                self.house.rooms.crash(name, Crash("from outside"))
            case ("fault", point):
                self.armed[:] = [point]
            case ("reconnect", index):
                self.readers[index] = self.connect(index)
            case ("latency", append, read):
                self.house.journal.append_seconds, self.house.journal.read_seconds = append, read
            case ("read_errors", count):
                self.house.journal.read_errors = count
            case ("breathe", count):
                for _ in range(count):
                    await trio.lowlevel.checkpoint()
            case ("wait", seconds):
                await trio.sleep(seconds)


@given(st.lists(STEPS, min_size=10, max_size=60))
def test_whatever_happens_in_whatever_order_nothing_is_missed_doubled_or_leaked(steps: list[tuple]) -> None:  # type: ignore[type-arg]
    """Run the steps, then let everybody read and the store recover, and compare with the journal."""
    trio.run(_run, steps, clock=MockClock(autojump_threshold=0), strict_exception_groups=True)


async def _run(steps: list[tuple]) -> None:  # type: ignore[type-arg]
    armed: list[str] = []

    def fault(point: str, name: str) -> None:
        if armed == [point]:
            armed.clear()
            raise Crash(point)

    async with open_house(limits=LIMITS, room_limits=ROOM_LIMITS, fault=fault) as house:
        for name in ROOMS:
            await house.create("u_2", "u_3", room=name)
        story = Story(house, armed)
        story.readers.extend(story.connect(index) for index in range(4))
        for step in steps:
            await story.step(step)
        armed.clear()
        house.journal.append_seconds = house.journal.read_seconds = 0.0
        house.journal.read_errors = 0
        for index in range(4):
            story.reader(index).socket.release()
        await trio.sleep(120)
        await _compare(story)
        for reader in story.readers:
            reader.socket.leave()
        await trio.sleep(1)
        assert [house.subscribers(name) for name in ROOMS] == [0, 0]
        assert len(house.index) == 0


async def _compare(story: Story) -> None:
    house = story.house
    for index, reader in enumerate(story.readers):
        assert not reader.unanswered, reader.unanswered
        for name in ROOMS:
            head = house.journal._store.head(name)
            stream = reader.streams.get(name)
            member = reader.user in house.journal._store.members[name]
            if stream is not None:
                assert stream.last in {None, head}, (index, name, stream.last, head)
            elif index in {1, 2} and member:
                assert name in reader.lost, f"reader {index} follows everything, and {name} was forgotten"
