"""One member reads slowly, or not at all: the others do not notice, nothing is lost, and memory stays bounded."""

from __future__ import annotations

import random
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from msgspec import Struct

from bench.frames import PING, PONG, FrameWalker, client_frame
from tests.faults.api import Person
from tests.faults.follower import Follower
from tests.faults.participant import Frame, Gone, Participant
from tests.faults.process_facts import look_at
from tests.faults.reading import Reading
from tests.faults.rig import Rig, plain_rig
from tests.faults.seeds import seed_of
from tests.faults.sender import Sender

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

OUTBOX_ITEMS = 64
# As many as seconds bring, with what the kernel takes, so that a pause of the machine is not taken for a slow reader.
PATIENT_OUTBOX_ITEMS = 256
OUTBOX_KIB = 256
SLOW_BYTES_PER_SECOND = 10_240
DRAIN_SECONDS = 0.05
_SEQ = re.compile(rb'^\{"type":"message\.created".{0,80}?"seq":(\d+)')
# What the allocator keeps of a busy few seconds, besides the outbox and the room's ring of newest entries.
MARGIN_KIB = 12 * 1024
CATCH_UP_SECONDS = 60.0
# What the impatient server waits for a sign of life, and twice that.
STALL_SECONDS = 5.0
SLOW_SECONDS = 2 * STALL_SECONDS
_ENOUGH = 400


class Size(Struct, frozen=True):
    """Members with and without a watch, messages a second and their size, and the length of both phases.

    Latencies are judged by windows of one length, so that a rare hiccup of the machine counts alike in both phases.
    """

    timed: int
    others: int
    rate: float
    padding: int
    window_seconds: float
    windows_beside: int
    times: int
    worst_factor: float
    always_allowed_seconds: float


SHORT = Size(
    timed=6,
    others=14,
    rate=100,
    padding=1200,
    window_seconds=1.5,
    windows_beside=1,
    times=1,
    worst_factor=5.0,
    # Whoever waited for the slow reader would wait for as long as that one takes, which is minutes.
    always_allowed_seconds=20.0,
)
FULL = Size(
    timed=10,
    others=90,
    rate=200,
    padding=1000,
    window_seconds=10.0,
    windows_beside=6,
    times=20,
    worst_factor=1.2,
    always_allowed_seconds=0.0,
)


class TimedFollower(Follower):
    """A follower that notes how long each message took from its sender to here, by phase."""

    def __init__(self, port: int, token: str, room: str, sender: Sender, *, choice: random.Random) -> None:
        super().__init__(port, token, [room], choice=choice)
        self._sender = sender
        self.seconds: list[float] = []

    def take(self, frame: Frame) -> None:
        """Look at one frame, with a watch in hand."""
        super().take(frame)
        if frame["type"] == "message.created":
            begun = self._sender.begun_at.get(frame["data"]["client_msg_id"])
            if begun is not None:
                self.seconds.append(trio.current_time() - begun)


class Drain:
    """A member who reads everything a few times a second, looks at the seqs, and costs the test next to nothing."""

    def __init__(self, port: int, token: str, room: str) -> None:
        self._port = port
        self._token = token
        self._room = room
        self.gaps = 0
        self.lagging = 0

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Read until cancelled. Raises Gone if the server closes."""
        line = await Participant.greeted(self._port, self._token)
        last = (await line.subscribe(self._room, history=0))["data"]["head_seq"]
        task_status.started()
        walker = FrameWalker()
        try:
            while data := await line.stream.receive_some(262_144):
                for frame in walker.feed(bytes(data)):
                    if frame.opcode == PING:
                        await line.raw(client_frame(frame.payload, PONG))
                    self.lagging += b'"lagging"' in frame.payload[:40]
                    found = _SEQ.search(frame.payload)
                    if found is not None:
                        self.gaps += int(found[1]) != last + 1
                        last = int(found[1])
                await trio.sleep(DRAIN_SECONDS)
            raise Gone(1006)
        finally:
            line.drop()


class Crowd:
    """A room, one who talks, many who listen, and one who does not."""

    def __init__(self, rig: Rig, size: Size, seed: int) -> None:
        people = rig.api.people(size.timed + size.others + 2)
        self.rig, self.size = rig, size
        self.owner, self.slow = people[0], people[1]
        self.room = rig.api.room(self.owner, *people[1:])
        self.sender = Sender(
            rig.port, self.owner.token, [self.room], tag="talk", choice=random.Random(seed),
            rate=size.rate, window=256, padding=size.padding,
        )  # fmt: skip
        self.timed = [
            TimedFollower(rig.port, person.token, self.room, self.sender, choice=random.Random(seed))
            for person in people[2 : 2 + size.timed]
        ]
        self.others = [Drain(rig.port, person.token, self.room) for person in people[2 + size.timed :]]

    async def until_enough(self) -> None:
        """Wait until there are so many latencies that one may speak of percentiles."""
        with trio.fail_after(60):
            while sum(len(follower.seconds) for follower in self.timed) < _ENOUGH:  # noqa: ASYNC110 - they read
                await trio.sleep(0.02)

    def forget(self) -> None:
        """Begin the latencies anew."""
        for follower in self.timed:
            follower.seconds.clear()

    def p99(self) -> float:
        """Take the latencies since the last call, and give the 99th percentile in seconds."""
        seconds = sorted(value for follower in self.timed for value in follower.seconds)
        self.forget()
        assert len(seconds) >= _ENOUGH, "too few messages to speak of percentiles"
        return seconds[int(len(seconds) * 0.99)]


class SlowReader:
    """The member who reads at most so many bytes a second, until told to hurry."""

    def __init__(self, crowd: Crowd, *, bytes_per_second: int) -> None:
        self._crowd = crowd
        self._bytes_per_second = bytes_per_second
        self.reading = Reading(crowd.room)
        self.hurries = trio.Event()
        self.code: int | None = None
        self.told_after = 0.0

    @property
    def habit(self) -> str:
        """How it reads."""
        return f"reads {self._bytes_per_second} B/s" if self._bytes_per_second else "reads nothing"

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Subscribe, then read slowly."""
        line = await Participant.greeted(self._crowd.rig.port, self._crowd.slow.token, receive_bytes=16_384)
        self.reading.take(await line.subscribe(self.reading.room, history=0))
        task_status.started()
        began = trio.current_time()
        try:
            while True:
                if not self.hurries.is_set():
                    await self._look_away()
                size = 65_536 if self.hurries.is_set() else self._bytes_per_second // 10
                await line.read(size)
                for frame in line.taken():
                    self.reading.take(frame)
                if self.reading.lagging and not self.told_after:
                    self.told_after = trio.current_time() - began
        except Gone as gone:
            self.code = gone.code
        finally:
            line.drop()

    async def _look_away(self) -> None:
        if self._bytes_per_second:
            await trio.sleep(0.1)
        else:
            await self.hurries.wait()

    async def caught_up(self, seq: int) -> None:
        """Wait until it has everything up to `seq` and has been told that it is live again."""
        with trio.fail_after(CATCH_UP_SECONDS):
            while (self.reading.last < seq or self.reading.behind) and self.code is None:  # noqa: ASYNC110
                await trio.sleep(0.02)


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(SHORT, id="short"),
        pytest.param(FULL, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
    ],
)
async def test_a_slow_member_lags_and_catches_up_and_the_others_do_not_notice(tmp_path: Path, size: Size) -> None:
    """T9: `lagging`, every seq in order, `caught_up`, no close; the others' p99 and the server's memory hold."""
    seed = seed_of("slow reader")
    baselines: list[float] = []
    besides: list[float] = []
    settings = {"outbox_items": PATIENT_OUTBOX_ITEMS, "outbox_bytes": OUTBOX_KIB * 1024}
    # Who reads nothing for the whole of a long phase would otherwise be closed, and rightly.
    settings["stall_seconds"] = 600
    with plain_rig(tmp_path, profile="loadtest", **settings) as rig:
        for number in range(size.times):
            crowd = Crowd(rig, size, seed + number)
            slow = SlowReader(crowd, bytes_per_second=0 if number % 2 else SLOW_BYTES_PER_SECOND)
            baseline, beside, growth = await _two_phases(crowd, slow)
            reading = slow.reading
            windows = "/".join(f"{seconds * 1000:.1f}" for seconds in beside)
            print(
                f"  {slow.habit} p99_ms baseline={baseline * 1000:.1f} beside={windows}"
                f" delivered={len(reading.given)} lagging={reading.lagging} told_after_s={slow.told_after:.1f}"
                f" rss_growth_kib={growth}"
            )
            assert slow.code is None, f"the slow reader was closed with {slow.code}"
            assert reading.lagging >= 1
            assert not reading.behind
            assert (reading.gaps, reading.repeats) == (0, 0)
            assert reading.last == rig.api.history(crowd.owner, crowd.room)[-1]["seq"]
            assert sum(other.gaps + other.lagging for other in crowd.others) == 0
            assert not any(follower.closes for follower in crowd.timed)
            assert sum(follower.readings[crowd.room].gaps for follower in crowd.timed) == 0
            baselines.append(baseline)
            besides.extend(beside)
            assert growth < OUTBOX_KIB + MARGIN_KIB
    # One window is at the mercy of its neighbours on the machine; the middle of many is not.
    baseline, found = statistics.median(baselines), statistics.median(besides)
    print(f"  windows={len(baselines)}+{len(besides)} median p99_ms {baseline * 1000:.1f} and {found * 1000:.1f}")
    assert found <= max(baseline * size.worst_factor, size.always_allowed_seconds)


async def _until_lagging(crowd: Crowd) -> None:
    """The server knows before the reader does, who has yet to read that far."""
    await crowd.rig.api.until_room(crowd.room, lambda health: health["lagging"] == 1)


async def _window(crowd: Crowd) -> float:
    await trio.sleep(crowd.size.window_seconds)
    await crowd.until_enough()
    return crowd.p99()


async def _two_phases(crowd: Crowd, slow: SlowReader) -> tuple[float, list[float], int]:
    """Talk without and then with the slow reader; give the p99 of each window and the server's growth in KiB."""
    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as starting:
            for run in [member.run for member in crowd.timed] + [member.run for member in crowd.others]:
                starting.start_soon(nursery.start, run)
        nursery.start_soon(crowd.sender.run)
        # The first half second is warm-up: it is in neither phase.
        await trio.sleep(0.5)
        crowd.forget()
        baseline, before = await _window(crowd), look_at(crowd.rig.server.pid)
        await nursery.start(slow.run)
        beside = [await _window(crowd) for _ in range(crowd.size.windows_beside)]
        await _until_lagging(crowd)
        after = look_at(crowd.rig.server.pid)
        slow.hurries.set()
        # It catches up while the talk goes on: that is the harder way.
        await trio.sleep(0.5)
        crowd.sender.stop()
        with trio.fail_after(CATCH_UP_SECONDS):
            while crowd.sender.pending:  # noqa: ASYNC110 - the sender is another task of ours
                await trio.sleep(0.02)
        await slow.caught_up(max(crowd.sender.acks.values()))
        nursery.cancel_scope.cancel()
    return baseline, beside, after.resident_kib - before.resident_kib


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A server that wants a sign of life every few seconds, and some progress as often."""
    folder = tmp_path_factory.mktemp("server")
    settings = {"heartbeat_seconds": 1, "pong_seconds": STALL_SECONDS, "stall_seconds": STALL_SECONDS}
    settings["outbox_items"] = OUTBOX_ITEMS
    with plain_rig(folder, profile="loadtest", **settings) as rig:
        yield rig


async def _fill(rig: Rig, owner: Person, room: str) -> None:
    """Post until the room's one slow subscriber lags, or has been given up already."""
    line = await Participant.greeted(rig.port, owner.token)
    for number in range(1000):
        data = {"client_msg_id": f"fill{number}", "body": f"{number} " + "x" * 3900}
        assert (await line.ask("send", room=room, data=data))["type"] == "ack"
        if number % 20 == 19:
            health = await trio.to_thread.run_sync(rig.api.room_health, room)
            if health["lagging"] or not health["subscribers"]:
                break
    else:
        raise AssertionError("a subscriber that reads nothing never lagged")
    line.drop()


async def test_a_reader_that_makes_slow_progress_is_neither_stalled_nor_dead(impatient: Rig) -> None:
    """Pings and pongs are stuck behind what it has yet to read; that it goes on reading is the sign of life."""
    owner, member = impatient.api.people(2)
    room = impatient.api.room(owner, member)
    slow = await Participant.greeted(impatient.port, member.token, receive_bytes=16_384)
    reading = Reading(room)
    reading.take(await slow.subscribe(room, history=0))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_read_slowly, slow)
        await _fill(impatient, owner, room)
        await trio.sleep(SLOW_SECONDS)
        nursery.cancel_scope.cancel()
    head = impatient.api.room_health(room)["head_seq"]
    with trio.fail_after(CATCH_UP_SECONDS):
        while reading.last < head or reading.behind:
            reading.take(await slow.next())
    print(f"  read slowly for {SLOW_SECONDS} s, then up to {head}; lagging={reading.lagging}")
    assert reading.lagging > 0
    assert (reading.gaps, reading.repeats) == (0, 0)
    slow.drop()


async def _read_slowly(line: Participant) -> None:
    """Read a little now and then. Raises Gone when the server has given up."""
    while True:
        await line.read(SLOW_BYTES_PER_SECOND // 10)
        await trio.sleep(0.1)


async def test_a_reader_that_makes_no_progress_is_closed_as_stalled(impatient: Rig) -> None:
    """4003 after the time for it and not before; the client may come back, and resumes where it was."""
    owner, member = impatient.api.people(2)
    room = impatient.api.room(owner, member)
    stuck = await Participant.greeted(impatient.port, member.token, receive_bytes=16_384)
    reading = Reading(room)
    began = trio.current_time()
    reading.take(await stuck.subscribe(room, history=0))
    await _fill(impatient, owner, room)
    await impatient.api.until_room(room, lambda health: health["subscribers"] == 0)
    seconds = trio.current_time() - began
    assert await stuck.closed(reading.take) == 4003
    stuck.drop()
    resume = {room: reading.resume()}
    back = await Participant.greeted(impatient.port, member.token, resume=resume)
    head = impatient.api.room_health(room)["head_seq"]
    while reading.last < head:
        reading.take(await back.next())
    print(f"  closed after {seconds:.1f} s at seq {resume[room]['seq']}, resumed to {head}")
    assert seconds >= STALL_SECONDS
    assert (reading.gaps, reading.repeats) == (0, 0)
    back.drop()


async def test_pages_asked_for_at_once_wait_for_their_reader(impatient: Rig) -> None:
    """Thirty of the largest pages, asked for in one go by somebody who reads slowly: each comes, nobody is cut."""
    owner = impatient.api.person()
    room = impatient.api.room(owner)
    line = await Participant.greeted(impatient.port, owner.token, receive_bytes=16_384)
    for number in range(100):
        data = {"client_msg_id": f"page{number}", "body": "x" * 3900}
        assert (await line.ask("send", room=room, data=data))["type"] == "ack"
    asked = [await line.say("fetch", room=room, data={"after": 1, "limit": 100}) for _ in range(30)]
    answered: list[str] = []
    with trio.fail_after(90):
        while len(answered) < len(asked):
            frame = await line.next()
            if frame["type"] == "page":
                assert len(frame["data"]["events"]) == 100
                answered.append(frame["id"])
                await trio.sleep(0.02)
    assert answered == asked
    line.drop()
