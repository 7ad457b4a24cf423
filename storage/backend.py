"""What a backend is to those around it: its ports, a probe and figures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio
from msgspec import Struct

from storage.account_ports import Relations, Sessions
from storage.ports import Directory, Journal

if TYPE_CHECKING:
    from storage.mongo.client import MongoStatistics
    from storage.postgres import PostgresStatistics
    from storage.split.limits import SplitStatistics


class BackendStatistics(Struct, frozen=True):
    """How the databases are doing, as far as there are any with a connection."""

    postgres: PostgresStatistics | None = None
    mongo: MongoStatistics | None = None
    projections: SplitStatistics | None = None


class Backend(Struct, frozen=True):
    """The ports as a database offers them; `probe_journal` asks the journal's own database whether it answers."""

    journal: Journal
    directory: Directory
    sessions: Sessions
    relations: Relations
    probe_journal: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
    statistics: Callable[[], BackendStatistics] = BackendStatistics


def no_fault(_: str) -> None:
    """Let an append pass."""
