"""The kernel's accounts are read right."""

from __future__ import annotations

import gc
import os
import time
from mmap import mmap

import pytest

from bench.meter import Meter
from bench.usage import Cpu, cpu_of, machine_busy_seconds, resident_bytes

pytestmark = pytest.mark.real_clock

BURNT = 0.2
# Two ticks for the user's part, two for the kernel's, and what it takes to look.
COARSE = 0.1


def burn(seconds: float) -> None:
    """Use so much CPU, hardly any of it in the kernel."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        sum(range(5000))


def test_cpu_is_that_of_the_process() -> None:
    """As the process itself is told, to within the clock's ticks."""
    before = cpu_of(os.getpid())
    own = time.process_time()
    burn(BURNT)
    used = cpu_of(os.getpid()).since(before)
    assert used.total == pytest.approx(time.process_time() - own, abs=COARSE)
    assert used.user > 0


def test_the_machine_is_at_least_as_busy_as_this_process() -> None:
    """Everybody's CPU includes ours."""
    before = machine_busy_seconds()
    burn(BURNT)
    assert machine_busy_seconds() - before >= BURNT / 4


def test_the_parts_of_cpu_add_up() -> None:
    """Differences are taken part by part."""
    assert Cpu(3.0, 5.0).since(Cpu(1.0, 2.0)) == Cpu(2.0, 3.0)
    assert Cpu(2.0, 3.0).total == 5.0


def test_resident_memory_grows_by_what_is_touched() -> None:
    """Ten megabytes, written to: fresh pages, for what the allocator has in store is resident already."""
    gc.collect()
    with mmap(-1, 10_000_000) as held:
        before = resident_bytes(os.getpid())
        held.write(b"x" * 10_000_000)
        assert resident_bytes(os.getpid()) - before > 9_000_000


def test_a_meter_tells_the_servers_cpu_and_ours_from_that_of_others() -> None:
    """This process is server and client here: what it burns is on both accounts and not on others'."""
    meter = Meter(os.getpid())
    burn(BURNT)
    metered = meter.read()
    assert metered.server.total == pytest.approx(BURNT, abs=COARSE)
    assert 0 < metered.own_cpu_share <= 1.05
    assert metered.wall_seconds >= BURNT
