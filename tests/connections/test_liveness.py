"""Heartbeats, silence and readers that do not read: who is closed when, and who is not."""

from __future__ import annotations

import trio

from justchat.connections.services import ConnectionLimits
from tests.connections.fake_socket import PINGED, FakeSocket
from tests.connections.house import ROOM, open_house, settle

LIMITS = ConnectionLimits(command_rate=0, heartbeat_seconds=25, pong_seconds=10, stall_seconds=60)


def _pings(socket: FakeSocket) -> int:
    return sum(frame is PINGED for frame in socket.seen)


async def test_a_silent_client_that_answers_pings_stays_for_ever(autojump_clock: object) -> None:
    """One ping for each silence, no more."""
    async with open_house(limits=LIMITS) as house:
        _, socket = house.connect()
        await trio.sleep(300)
        assert not socket.closed
        assert 10 <= _pings(socket) <= 12


async def test_whoever_talks_is_not_pinged(autojump_clock: object) -> None:
    """Any bytes are a sign of life."""
    async with open_house(limits=LIMITS) as house:
        _, socket = house.connect()
        for _ in range(20):
            socket.say("ping")
            await trio.sleep(20)
        assert _pings(socket) == 0


async def test_a_client_that_answers_no_ping_is_closed_after_its_time(autojump_clock: object) -> None:
    """One ping after 25 s, 4002 ten seconds later, and the room forgets the subscription."""
    async with open_house(limits=LIMITS) as house:
        await house.create()
        _, socket = await house.subscribed()
        socket.mute = True
        await trio.sleep(34.5)
        assert not socket.closed
        await trio.sleep(3)
        assert socket.closed_with == (4002, "no sign of life")
        assert _pings(socket) == 1
        await settle()
        assert (len(house.index), house.subscribers()) == (0, 0)


async def test_nobody_is_silent_who_was_not_asked(autojump_clock: object) -> None:
    """Silence is looked for once a second: whoever answers the ping stays, however short the times are."""
    limits = ConnectionLimits(heartbeat_seconds=0.25, pong_seconds=0.25)
    async with open_house(limits=limits) as house:
        _, healthy = house.connect()
        _, silent = house.connect()
        silent.mute = True
        await trio.sleep(10)
        assert not healthy.closed
        assert (silent.closed_with, _pings(silent)) == ((4002, "no sign of life"), 1)


async def test_a_reader_without_any_progress_is_closed_as_stalled(autojump_clock: object) -> None:
    """Whether or not it would answer pings: it cannot see them behind what it does not read."""
    async with open_house(limits=LIMITS) as house:
        await house.create()
        _, socket = await house.subscribed(max_items=4)
        socket.hold()
        await house.post(*[f"m{number}" for number in range(20)])
        await trio.sleep(59.5)
        assert not socket.closed
        await trio.sleep(3)
        assert socket.closed_with is not None
        assert socket.closed_with[0] == 4003
        assert socket.peak_items <= 6


async def test_a_reader_that_looks_away_for_long_and_then_reads_it_all_at_once_stays(autojump_clock: object) -> None:
    """Longer than it may be silent, and shorter than it may stall: what it has just read is its sign of life."""
    async with open_house(limits=LIMITS) as house:
        await house.create()
        _, socket = await house.subscribed(max_items=4)
        socket.hold()
        await house.post(*[f"m{number}" for number in range(20)])
        await trio.sleep(50.25)
        socket.release()
        await trio.sleep(5)
        assert not socket.closed
        await trio.sleep(120)
        assert not socket.closed


async def test_a_slow_reader_that_gets_on_is_not_taken_for_a_silent_one(autojump_clock: object) -> None:
    """It asked for much, reads a frame every 20 s, and is not listened to meanwhile: all of it arrives."""
    async with open_house(limits=LIMITS) as house:
        await house.create(posts=3)
        _, socket = house.connect(max_items=4)
        socket.hold()
        asked = [socket.say("fetch", room=ROOM) for _ in range(12)]
        for _ in range(12):
            await trio.sleep(20)
            socket.read(1)
        assert not socket.closed
        socket.release()
        await trio.sleep(1)
        assert [len(socket.answers(frame_id)) for frame_id in asked] == [1] * 12
        assert socket.peak_items <= 6


async def test_whoever_does_not_read_its_answers_is_not_listened_to(autojump_clock: object) -> None:
    """A thousand pings cost no more memory than the outbox has room for."""
    async with open_house(limits=LIMITS) as house:
        _, socket = house.connect(max_items=10)
        socket.hold()
        for _ in range(900):
            socket.say("ping")
        await settle()
        assert socket.peak_items <= 12
        socket.release()
        await settle()
        assert [frame["type"] for frame in socket.seen].count("pong") == 900


async def test_a_reader_that_falls_behind_again_and_again_misses_nothing(autojump_clock: object) -> None:
    """Lagging, catching up, live, and lagging again: one gapless sequence."""
    async with open_house(limits=LIMITS) as house:
        await house.create()
        _, socket = await house.subscribed(max_items=6)
        for turn in range(8):
            socket.hold()
            await house.post(*[f"{turn}-{number}" for number in range(9 + turn)])
            socket.read(turn)
            await settle()
            socket.release()
            await settle()
        assert socket.kinds(ROOM).count("lagging") == socket.kinds(ROOM).count("caught_up") == 8
        assert socket.seqs(ROOM) == list(range(2, 2 + sum(9 + turn for turn in range(8))))
