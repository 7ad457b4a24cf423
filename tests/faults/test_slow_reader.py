"""One member reads slowly, or not at all: the others do not notice, nothing is lost, and memory stays bounded."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import trio
from msgspec import Struct

from tests.faults.follower import Follower
from tests.faults.participant import Frame, Gone, Participant
from tests.faults.process_facts import look_at
from tests.faults.reading import Reading
from tests.faults.rig import Rig, faulty_rig, plain_rig
from tests.faults.seeds import seed_of
from tests.faults.sender import Sender

pytestmark = pytest.mark.real_clock

OUTBOX_ITEMS = 64
OUTBOX_KIB = 256
SLOW_BYTES_PER_SECOND = 10_240
# What the allocator keeps of a busy few seconds, besides the outbox and the room's ring of newest entries.
MARGIN_KIB = 12 * 1024
CATCH_UP_SECONDS = 60.0


class Size(Struct, frozen=True):
    """Members, messages a second and their size, and the length of each of the two phases."""

    members: int
    rate: float
    padding: int
    seconds: float
    times: int
    worst_factor: float


SHORT = Size(members=20, rate=200, padding=1000, seconds=4.0, times=1, worst_factor=5.0)
FULL = Size(members=100, rate=200, padding=1000, seconds=60.0, times=20, worst_factor=1.2)


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


class Crowd:
    """A room, one who talks, many who listen, and one who does not."""

    def __init__(self, rig: Rig, size: Size, seed: int) -> None:
        people = rig.api.people(size.members + 2)
        self.rig, self.size = rig, size
        self.owner, self.slow = people[0], people[1]
        self.room = rig.api.room(self.owner, *people[1:])
        self.sender = Sender(
            rig.port, self.owner.token, [self.room], tag="talk", choice=random.Random(seed),
            rate=size.rate, window=256, padding=size.padding,
        )  # fmt: skip
        self.others = [
            TimedFollower(rig.port, person.token, self.room, self.sender, choice=random.Random(seed))
            for person in people[2:]
        ]

    def p99(self) -> float:
        """Take the latencies since the last call, and give the 99th percentile in seconds."""
        seconds = sorted(value for other in self.others for value in other.seconds)
        for other in self.others:
            other.seconds.clear()
        assert len(seconds) > 1000, "too few messages to speak of percentiles"
        return seconds[int(len(seconds) * 0.99)]


class SlowReader:
    """The member who reads at most so many bytes a second, until told to hurry."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self.reading = Reading(crowd.room)
        self.hurries = trio.Event()
        self.code: int | None = None
        self.lagging_after: float | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Subscribe, then read slowly."""
        line = await Participant.greeted(self._crowd.rig.port, self._crowd.slow.token, receive_bytes=16_384)
        self.reading.take(await line.subscribe(self.reading.room, history=0))
        task_status.started()
        began = trio.current_time()
        try:
            while True:
                if not self.hurries.is_set():
                    await trio.sleep(0.1)
                size = 65_536 if self.hurries.is_set() else SLOW_BYTES_PER_SECOND // 10
                await line.read(size)
                for frame in line.taken():
                    self.reading.take(frame)
                if self.reading.lagging and self.lagging_after is None:
                    self.lagging_after = trio.current_time() - began
        except Gone as gone:
            self.code = gone.code
        finally:
            line.drop()

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
    with plain_rig(tmp_path, profile="loadtest", outbox_items=OUTBOX_ITEMS, outbox_bytes=OUTBOX_KIB * 1024) as rig:
        for number in range(size.times):
            crowd = Crowd(rig, size, seed + number)
            slow = SlowReader(crowd)
            baseline, beside, growth = await _two_phases(crowd, slow)
            reading = slow.reading
            print(
                f"  p99_ms baseline={baseline * 1000:.1f} beside_slow={beside * 1000:.1f} delivered={len(reading.given)}"
                f" lagging={reading.lagging} lagging_after_s={slow.lagging_after} rss_growth_kib={growth}"
            )
            assert slow.code is None, f"the slow reader was closed with {slow.code}"
            assert reading.lagging >= 1
            assert not reading.behind
            assert (reading.gaps, reading.repeats) == (0, 0)
            assert reading.last == rig.api.history(crowd.owner, crowd.room)[-1]["seq"]
            assert sum(other.readings[crowd.room].gaps for other in crowd.others) == 0
            assert not any(other.closes or other.readings[crowd.room].lagging for other in crowd.others)
            assert beside < max(baseline * size.worst_factor, 0.05 if size is SHORT else 0.0)
            assert growth < OUTBOX_KIB + MARGIN_KIB


async def _two_phases(crowd: Crowd, slow: SlowReader) -> tuple[float, float, int]:
    """Talk without and then with the slow reader; give both p99 and the growth of the server's memory in KiB."""
    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as starting:
            for other in crowd.others:
                starting.start_soon(nursery.start, other.run)
        nursery.start_soon(crowd.sender.run)
        # The first second is warm-up: it is in neither phase.
        await trio.sleep(1.0)
        crowd.p99()
        await trio.sleep(crowd.size.seconds)
        baseline, before = crowd.p99(), look_at(crowd.rig.server.pid)
        await nursery.start(slow.run)
        await trio.sleep(crowd.size.seconds)
        beside, after = crowd.p99(), look_at(crowd.rig.server.pid)
        slow.hurries.set()
        # It catches up while the talk goes on: that is the harder way.
        await trio.sleep(0.5)
        crowd.sender.stop()
        while crowd.sender.pending:  # noqa: ASYNC110 - the sender is another task of ours
            await trio.sleep(0.02)
        await slow.caught_up(max(crowd.sender.acks.values()))
        nursery.cancel_scope.cancel()
    return baseline, beside, after.resident_kib - before.resident_kib
