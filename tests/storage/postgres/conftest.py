"""A real PostgreSQL for each test: the shared server, with an empty database, and a pool on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from storage.asyncio_seam import AsyncioSeam, open_seam
from storage.postgres import PostgresPool, PostgresSettings, open_postgres
from tests.storage.postgres.server import empty, shared_database, shared_server
from tests.support.postgres_server import PostgresServer


@pytest.fixture
def server() -> PostgresServer:
    """Return the server of this process."""
    return shared_server()


@pytest.fixture
async def url(server: PostgresServer) -> str:
    """Return the URL of an empty database."""
    await empty(shared_database())
    return shared_database()


@pytest.fixture
def settings(url: str) -> PostgresSettings:
    """Return settings with few connections."""
    return PostgresSettings(url, connections=5)


@pytest.fixture
async def seam() -> AsyncIterator[AsyncioSeam]:
    """Open a seam."""
    async with open_seam() as opened:
        yield opened


@pytest.fixture
async def pool(seam: AsyncioSeam, settings: PostgresSettings) -> AsyncIterator[PostgresPool]:
    """Open a pool on a database with the whole schema."""
    async with open_postgres(settings, migrate=True, seam=seam) as opened:
        yield opened


@pytest.fixture
async def hasty(seam: AsyncioSeam, settings: PostgresSettings) -> AsyncIterator[PostgresPool]:
    """Open a pool, on a database with the whole schema, that gives up soon."""
    impatient = replace(settings, connect_seconds=4.0, command_seconds=2.0, deadline_seconds=4.0, close_seconds=5.0)
    async with open_postgres(impatient, migrate=True, seam=seam) as opened:
        yield opened
