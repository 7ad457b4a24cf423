"""A server that is killed while it writes: what it acknowledged is there, and what is there is whole."""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import trio

from storage.migrate import open_sqlite
from storage.sqlite import SqliteJournal, SqliteSettings

pytestmark = pytest.mark.real_clock

ROOT = Path(__file__).parents[3]

WRITER = """
import sys
import trio
from pathlib import Path
from storage.open import open_storage
from tests.storage.samples import posts

async def write(journal, room):
    for seq in range(1, 1_000_000, 2):
        await journal.append([posts(room, seq, seq + 1)])
        sys.stdout.write(f"{room} {seq + 1}\\n")
        sys.stdout.flush()

async def main():
    async with open_storage("sqlite:///" + sys.argv[1]) as storage, trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(write, storage.journal, f"r_{number}")

trio.run(main)
"""


def run_until_killed(path: Path, *, after: int) -> dict[str, int]:
    """Start a writer and kill it after so many acknowledgements; return the last acknowledged seq of each room."""
    acknowledged: dict[str, int] = {}
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        for count, line in enumerate(process.stdout, start=1):
            if count == after:
                process.send_signal(signal.SIGKILL)
            room, seq = line.split()
            acknowledged[room] = int(seq)
    assert process.returncode == -signal.SIGKILL
    return acknowledged


@pytest.mark.parametrize("after", [1, 100])
async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, after: int) -> None:
    """The process gets SIGKILL in the middle of its commits.

    No acknowledged entry is lost, no append of two entries is half there, and no room has a hole.
    """
    path = tmp_path / "chat.db"
    acknowledged = await trio.to_thread.run_sync(partial(run_until_killed, path, after=after))
    assert sum(acknowledged.values()) >= after

    async with open_sqlite(SqliteSettings(path), migrate=False) as database:
        journal = SqliteJournal(database)
        for room, seq in acknowledged.items():
            stored = [entry.seq for entry in await journal.read(room, after=0, limit=1_000_000)]
            assert len(stored) >= seq
            assert len(stored) % 2 == 0
            assert stored == list(range(1, len(stored) + 1))
            snapshot = await journal.load_room(room)
            assert snapshot is not None
            assert snapshot.room.applied_seq == snapshot.head_seq == len(stored)
        check = await database.read(lambda connection: connection.execute("PRAGMA integrity_check").fetchall())
    assert check == [("ok",)]
