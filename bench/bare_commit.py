"""The floor under a durable message: one row committed by SQLite itself, with nothing around it.

Same file system, same journal mode and the same durability as the server's journal, on a connection of its own. What a
server takes longer than this is its own doing; what this takes is the disk's.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory


def bare_commits_ms(directory: Path, *, count: int, row_bytes: int) -> list[float]:
    """Commit `count` rows one at a time to a new file in `directory`; give the milliseconds of each."""
    found = []
    with (
        TemporaryDirectory(dir=directory) as fresh,
        closing(sqlite3.connect(Path(fresh) / "bare.db", isolation_level=None)) as database,
    ):
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE entries (room TEXT, seq INTEGER, body BLOB, PRIMARY KEY (room, seq))")
        body = b"x" * row_bytes
        for seq in range(count):
            began = time.perf_counter()
            database.execute("INSERT INTO entries VALUES ('r', ?, ?)", (seq, body))
            found.append((time.perf_counter() - began) * 1e3)
    return found
