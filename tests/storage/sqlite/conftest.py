"""A SQLite file for each test."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from storage.sqlite.connection import connect, create_file
from storage.sqlite.schema import known_migrations, up
from storage.sqlite.session import Session
from storage.sqlite.settings import SqliteSettings
from tests.storage.contract.backends import ram_folder


@pytest.fixture
def settings() -> Iterator[SqliteSettings]:
    """Make an empty file; nobody waits long for its lock."""
    with ram_folder() as folder:
        made = SqliteSettings(folder / "chat.db", busy_seconds=0.02)
        create_file(made)
        yield made


@pytest.fixture
def session(settings: SqliteSettings) -> Iterator[Session]:
    """Return a session that writes, on a file with the whole schema."""
    opened = Session(partial(connect, settings, read_only=False))
    opened.prepare(lambda connection: up(connection, known_migrations()))
    yield opened
    opened.close()
