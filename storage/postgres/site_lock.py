"""Who has a PostgreSQL site open: any number of servers, or one program that wants it for itself alone.

An advisory lock that the database server keeps for a connection and gives back when that ends, however it ends. A
server holds it with every connection of its pool, so that it is held for as long as any of them is open.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from storage.asyncio_seam import AsyncioSeam
from storage.errors import StorageInUse
from storage.postgres.connection import Connection, close, connect, translating
from storage.postgres.settings import PostgresSettings

LOCK = 0x4A757374_53697465  # "JustSite"
# The connection has nothing to do but to be there. Servers before version 14 do not know the setting.
STAY = "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'"
BUSY = "the database is being worked on by another program; wait until that is done"


async def share_site(connection: Connection) -> bool:
    """Hold the site together with others for as long as this connection is open; False if somebody has it alone."""
    ((held,),) = await connection.fetch("SELECT pg_try_advisory_lock_shared($1)", LOCK)
    return held is True


@asynccontextmanager
async def hold_site(seam: AsyncioSeam, settings: PostgresSettings) -> AsyncIterator[None]:
    """Hold the site alone. Raises StorageInUse or StorageUnavailable."""
    connection = await seam.call(lambda: _lock(settings))
    try:
        yield
    finally:
        with trio.CancelScope(shield=True):
            await seam.call(lambda: close(connection))


async def _lock(settings: PostgresSettings) -> Connection:
    connection = await connect(settings)
    held: object = False
    try:
        with translating():
            await connection.fetch(STAY)
            ((held,),) = await connection.fetch("SELECT pg_try_advisory_lock($1)", LOCK)
    finally:
        if held is not True:
            connection.terminate()
    if held is not True:
        raise StorageInUse("the database is in use: stop the server that has it open")
    return connection
