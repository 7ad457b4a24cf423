"""A copy is killed at random moments, again and again, and gone on with until it is done: then it is the source.

A real process, `kill -9`, and two SQLite files that are compared row by row with SQL. Half of the kills come when a
random share of the work is in the target, half of them at a random time after the start. `make soak` kills more often.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trio

from storage.facts import COPYING
from tests.faults.seeds import seed_of
from tests.operate.sites import make_many_rooms
from tests.storage.contract.backends import open_stores, ram_folder

pytestmark = pytest.mark.real_clock

TABLES = ("users", "rooms", "members", "entries", "messages", "items")
PATIENCE_SECONDS = 60.0
LONGEST_START_SECONDS = 1.0
TRIES = 5


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Read all that a file holds of a site."""
    with closing(sqlite3.connect(path)) as connection:
        return {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in TABLES}


def written(path: Path) -> int:
    """Count the accounts and entries in a file that is being written; 0 before there are any."""
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            (count,) = connection.execute(
                "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM entries)"
            ).fetchone()
            return int(count)
    except sqlite3.OperationalError:
        return 0


def copying(path: Path) -> str | None:
    """Return the mark of half a copy."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT value FROM facts WHERE name = ?", (COPYING,)).fetchone()
        return None if found is None else str(found[0])


@contextmanager
def copy(source: Path, target: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a copy; it does not outlive the block."""
    argv = [sys.executable, "-m", "justchat", "copy", f"--from=sqlite:///{source}", f"--to=sqlite:///{target}"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def kill_at(
    process: subprocess.Popen[str], target: Path, *, count: int, number: signal.Signals = signal.SIGKILL
) -> bool:
    """Send a signal once so much is in the target; False if the copy ended before."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while written(target) < count:
        assert time.monotonic() < deadline, "the copy does not come further"
        if process.poll() is not None:
            return False
        time.sleep(0.0005)
    process.send_signal(number)
    return process.wait() != 0


def kill_after(process: subprocess.Popen[str], seconds: float) -> bool:
    """Kill after so long; False if the copy ended before."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    return process.wait() < 0


@pytest.mark.parametrize(
    ("kills", "users", "rooms"), [(4, 150, 60), pytest.param(100, 2000, 90, marks=pytest.mark.soak)]
)
def test_a_copy_that_is_killed_again_and_again_ends_as_its_source(kills: int, users: int, rooms: int) -> None:
    """Not a row is lost, doubled or changed, and until the very end the target is marked as half a copy."""
    choice = random.Random(seed_of("copy kills"))
    with ram_folder() as folder:
        source, target = folder / "chat.db", folder / "copy.db"
        make_source(folder, users=users, rooms=rooms)
        total = written(source)
        plan: list[int | float] = [choice.uniform(0.05, LONGEST_START_SECONDS) for _ in range(kills // 2)]
        plan += sorted(choice.randrange(1, total) for _ in range(kills - len(plan) - 1))
        plan.append(total)  # in the proof
        died = run_plan(source, target, plan)
        assert died >= kills // 2, "the kills came too late to hit anything"
        with copy(source, target) as process:
            out, err = process.communicate(timeout=PATIENCE_SECONDS)
        print(f"copy kills: planned={len(plan)} died={died} total={total} {out.strip()}")
        assert (process.returncode, err) == (0, "")
        assert out.startswith(f"copied and verified: {users} users, {rooms + 1} rooms, ")
        assert rows(target) == rows(source)
        assert copying(target) is None


def make_source(folder: Path, *, users: int, rooms: int) -> None:
    async def make() -> None:
        async with open_stores("sqlite", folder) as site:
            await make_many_rooms(site, rooms=rooms, posts=8, users=users)

    trio.run(make)


def test_a_copy_that_is_interrupted_ends_at_once_and_says_so() -> None:
    """The interrupt key is no failure to puzzle over: one line, its own exit code, and the copy may be gone on with."""
    with ram_folder() as folder:
        source, target = folder / "chat.db", folder / "copy.db"
        make_source(folder, users=400, rooms=20)
        for _ in range(TRIES):
            with copy(source, target) as process:
                hit = kill_at(process, target, count=5, number=signal.SIGINT)
                out, err = process.communicate()
            if hit:
                break
            # Whoever looks may have been held up until it was over.
            target_is_whole(source, target)
        assert (process.returncode, out, err) == (130, "", "justchat: interrupted\n")
        assert copying(target) == f"sqlite:///{source}"


def run_plan(source: Path, target: Path, plan: list[int | float]) -> int:
    """Start the copy and kill it, as often as planned; return how many kills hit it alive.

    A kill that comes too late is tried again: whoever kills may have been held up meanwhile.
    """
    return sum(any(is_hit(source, target, moment) for _ in range(TRIES)) for moment in plan)


def is_hit(source: Path, target: Path, moment: float) -> bool:
    """Start the copy and kill it then, if it has not ended by then; tell whether it was hit alive."""
    with copy(source, target) as process:
        hit = kill_at(process, target, count=moment) if isinstance(moment, int) else kill_after(process, moment)
    if not hit:
        assert process.returncode == 0
    if not written(target):
        return hit
    mark = copying(target)
    # Without the mark it had done all there was to do, though it may have been killed before it could say so.
    if mark is None:
        target_is_whole(source, target)
    else:
        assert hit
        assert mark == f"sqlite:///{source}"
    return hit


def target_is_whole(source: Path, target: Path) -> None:
    """A copy that ended before it was killed has done all there is to do; the next one begins anew."""
    assert rows(target) == rows(source)
    for path in target.parent.glob(f"{target.name}*"):
        path.unlink()
