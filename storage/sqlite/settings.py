"""Where a SQLite database is and how its connections behave."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class SqliteSettings(Struct, frozen=True):
    """One database file and how to open it."""

    path: Path
    busy_seconds: float = 5.0
    """How long to wait for another process that holds the lock, before the store counts as unavailable."""
    readers: int = 3
    """Reader threads, each with a connection of its own."""
    waiting: int = 256
    """How many calls may be with the threads of one kind at a time, run or waiting; more wait in line before them."""
    close_seconds: float = 10.0
    """How long closing waits for a thread that is still at work."""
