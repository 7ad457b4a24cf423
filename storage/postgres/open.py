"""Opens a PostgreSQL store: the server checked, the schema up to date, the pool ready."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from storage.asyncio_seam import AsyncioSeam, open_seam
from storage.postgres.pool import PostgresPool, open_pool
from storage.postgres.schema import make_ready, prepare
from storage.postgres.settings import PostgresSettings
from storage.postgres.site_lock import hold_site


@asynccontextmanager
async def open_postgres(
    settings: PostgresSettings, *, migrate: bool, exclusive: bool = False, seam: AsyncioSeam | None = None
) -> AsyncIterator[PostgresPool]:
    """Open a database with an up-to-date schema: brought up to date if `migrate`, refused otherwise.

    `exclusive` asks for a database that nobody else has open. It runs on `seam`, or on one of its own. What the body
    raises comes out as it is.

    Raises:
        StorageUnavailable: the server does not answer, or is not fit for messages; the text says how to mend it.
        StorageInUse: another program has it open, and one of the two wants it for itself alone.
        MigrationRefused: the schema is newer than this program, or not JustChat's, or outdated and not to be touched.
    """
    async with AsyncExitStack() as stack:
        if seam is None:
            seam = await stack.enter_async_context(open_seam(close_seconds=settings.close_seconds))
        if exclusive:
            await stack.enter_async_context(hold_site(seam, settings))
        await prepare(seam, settings, partial(make_ready, migrate=migrate))
        yield await stack.enter_async_context(open_pool(seam, settings, shares_site=not exclusive))
