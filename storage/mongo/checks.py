"""What a MongoDB must be like for JustChat to trust it with messages, looked at before anything is served.

Each problem is one line that says what is wrong and how to mend it.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from msgspec import Struct, convert
from pymongo.errors import OperationFailure

from storage.errors import StorageUnavailable
from storage.mongo.client import Collections, MongoDatabase
from storage.mongo.documents import Document
from storage.mongo.failures import in_short
from storage.mongo.layout import make_ready

OLDEST_VERSION = (4, 4)
MAX_CLOCK_SECONDS = 5.0


class ServerFacts(Struct, frozen=True):
    """What a server says about itself; times in milliseconds since the epoch, read at the same moment."""

    version: tuple[int, ...]
    writable: bool
    read_only: bool
    server_time: int
    our_time: int


async def prepare(database: MongoDatabase, *, migrate: bool) -> None:
    """Check the server and have our layout in its database: made if `migrate`, else refused if it is another.

    Raises StorageUnavailable with one line for each problem, or MigrationRefused.
    """

    async def work(collections: Collections) -> None:
        found = problems(await _facts(database))
        if found:
            raise StorageUnavailable("; ".join(found))
        try:
            await make_ready(collections, migrate=migrate)
        except OperationFailure as error:
            # Rights, a journal that is switched off, duplicates under a unique index: it says which.
            raise StorageUnavailable(f"MongoDB refuses to be set up: {in_short(error)}") from error

    await database.prepare(work)


def problems(facts: ServerFacts) -> list[str]:
    """Name what is wrong, a line each."""
    found: list[str] = []
    if facts.version < OLDEST_VERSION:
        have, need = (".".join(map(str, version)) for version in (facts.version, OLDEST_VERSION))
        found.append(f"MongoDB {have} is too old: use version {need} or newer")
    if not facts.writable:
        found.append("this server is no primary, so it cannot be written: name its replica set with ?replicaSet=NAME")
    elif facts.read_only:
        found.append("this server was started read-only: start it for writing")
    ahead = (facts.server_time - facts.our_time) / 1000
    if abs(ahead) > MAX_CLOCK_SECONDS:
        direction = "ahead of" if ahead > 0 else "behind"
        found.append(f"the server's clock is {abs(ahead):.1f} s {direction} ours: let both be set by NTP")
    return found


async def _facts(database: MongoDatabase) -> ServerFacts:
    admin = database.client.admin
    build: Document = await admin.command("buildInfo")
    before = time.time_ns()
    hello: Document = await admin.command("hello")
    after = time.time_ns()
    local = convert(hello["localTime"], datetime)
    return ServerFacts(
        version=convert(build["versionArray"], tuple[int, ...])[:3],
        writable=hello.get("isWritablePrimary") is True,
        read_only=hello.get("readOnly") is True,
        server_time=round(local.replace(tzinfo=UTC).timestamp() * 1000),
        our_time=(before + after) // 2_000_000,
    )
