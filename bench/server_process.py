"""A server under test as a real process: started, waited for, ended by its own process id.

Its output goes to a file, so that no pipe can fill up and slow it down; when it does not come up, the end of that file
is the error.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from bench.tree import ROOT

START_SECONDS = 20.0
STOP_SECONDS = 15.0
_LOOK_SECONDS = 0.02
_SHOWN_CHARACTERS = 2000
_LISTENS = re.compile(r"listens on http://127\.0\.0\.1:(\d+)")


class ServerFailed(Exception):
    """The server did not come up, or went down while it was measured."""


class ServerProcess(Struct, frozen=True):
    """A server that listens."""

    name: str
    pid: int
    port: int


def _wait_for_port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = _LISTENS.search(log.read_text(encoding="utf-8", errors="replace"))
        if found:
            return int(found[1])
        if process.poll() is not None:
            break
        time.sleep(_LOOK_SECONDS)
    shown = log.read_text(encoding="utf-8", errors="replace")[-_SHOWN_CHARACTERS:]
    raise ServerFailed(f"{log.stem} did not come up (exit code {process.poll()}):\n{shown}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def server_process(name: str, arguments: Sequence[str], *, directory: Path) -> Iterator[ServerProcess]:
    """Hold `python <arguments>` as a server for the length of a block; its output goes to `directory`."""
    log = directory / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield ServerProcess(name, process.pid, _wait_for_port(process, log))
        if process.poll() is not None:
            raise ServerFailed(f"{name} ended with code {process.returncode} while it was measured")
    finally:
        _stop(process)
