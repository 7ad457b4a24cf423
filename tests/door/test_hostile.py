"""Hundreds of hostile connections at once leave the door as it was: alive, empty, and with nothing escaped."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import trio
from websockets.trio.client import connect

from justchat.door.limits import DoorLimits
from tests.door.running import PATIENCE_SECONDS, Running, running, until
from tests.support.hostile import KINDS, Target, attack

pytestmark = pytest.mark.real_clock

SEED = 20_250_101
LIMITS = DoorLimits(
    head_seconds=0.4,
    keep_alive_seconds=0.4,
    body_read_seconds=0.4,
    body_bytes_per_second=10_000,
    send_seconds=0.5,
    linger_seconds=0.2,
    close_seconds=0.3,
    outbox_items=64,
    outbox_bytes=65_536,
)


def descriptors() -> int:
    """Count this process's open files."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def answers(house: Running) -> None:
    """Require that ordinary clients of both kinds are served."""
    async with httpx.AsyncClient(base_url=house.url, timeout=PATIENCE_SECONDS) as http:
        assert (await http.get("/hi")).text == "hi"
    async with connect(house.ws) as client:
        await client.send("still there?")
        assert await client.recv() == "still there?"


async def test_five_hundred_hostile_connections_leave_nothing_behind(capsys: pytest.CaptureFixture[str]) -> None:
    """Alive and answering, 0 escaped, no slot held, tasks and descriptors back at the baseline."""
    async with running(limits=LIMITS) as house:
        await answers(house)
        await until(lambda: house.door.statistics().http + house.door.statistics().websockets == 0)
        tasks, files = trio.lowlevel.current_statistics().tasks_living, descriptors()
        target = Target(page="/hi", upload="/echo", download="/big/30000000")
        counters = await attack(house.port, seed=SEED, count=504, target=target, patience_seconds=PATIENCE_SECONDS)
        await until(lambda: trio.lowlevel.current_statistics().tasks_living <= tasks and descriptors() <= files)
        statistics = house.door.statistics()
        await answers(house)
    with capsys.disabled():
        print(f"\n{counters.table()}\n  {statistics}")
    assert (statistics.reading_head, statistics.http, statistics.websockets) == (0, 0, 0)
    assert statistics.escaped == 0
    assert statistics.contained == 0
    assert not counters.overstayed
    assert counters.unreachable == 0
    # Guards against a run that proves nothing.
    assert set(counters.tried) == set(KINDS)
    for answer in (
        "http-101",
        "http-200",
        "http-400",
        "http-431",
        "http-505",
        "close-1002",
        "close-1003",
        "close-1009",
    ):
        assert counters.answered[answer] > 0, answer
    assert statistics.upgraded > 100
    assert statistics.timed_out > 20
