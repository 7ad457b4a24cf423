"""Broken on purpose: commits are left to the operating system, so that they outlive the process but no power cut."""

from __future__ import annotations

import sqlite3
import sys

from justchat.rooms.room_actor import RoomActor
from storage.sqlite import database
from storage.sqlite.connection import connect
from storage.sqlite.settings import SqliteSettings
from tests.faults.broken.serving import serve


def connect_without_sync(settings: SqliteSettings, *, read_only: bool) -> sqlite3.Connection:
    """Connect as the product does, and then break its word."""
    connection = connect(settings, read_only=read_only)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


if __name__ == "__main__":
    database.connect = connect_without_sync  # type: ignore[attr-defined]  # where the product looks it up
    sys.exit(serve(RoomActor))
