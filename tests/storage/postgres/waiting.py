"""Finding out that sessions wait for each other, which is how two transactions are made to meet."""

from __future__ import annotations

import trio

from storage.postgres import PostgresPool


async def until_waiting(pool: PostgresPool, count: int) -> None:
    """Wait until so many sessions wait for locks of others."""
    with trio.fail_after(60):
        while len(await pool.fetch("SELECT pid FROM pg_locks WHERE NOT granted")) < count:
            await trio.lowlevel.checkpoint()
