"""A run that is ended in the middle leaves no process and no file behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.tree import ROOT
from tests.bench.test_processes import running

pytestmark = pytest.mark.real_clock

_SECONDS = 50.0


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def connected(pid: int) -> bool:
    """Whether a process has a socket, as servers have that listen and clients that have been told to connect."""
    try:
        return any(str(link.readlink()).startswith("socket:") for link in Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:
        return False


def test_sigterm_in_the_middle_of_a_run_ends_everything_it_started(tmp_path: Path) -> None:
    """Both servers and the four client processes are gone, and so are the databases."""
    arguments = [
        "-m",
        "bench",
        "fanout",
        "--receivers",
        "6",
        "--sampled",
        "2",
        "--seconds",
        "60",
        "--data",
        str(tmp_path),
    ]
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + _SECONDS
        # One that has only just been started has nobody yet who would end it.
        while not (len(started := children(process.pid)) == 6 and all(map(connected, started))):
            assert time.monotonic() < deadline, started
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(_SECONDS) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()
    assert not any(running(pid) for pid in started)
    assert list(tmp_path.iterdir()) == []
