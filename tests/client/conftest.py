"""A scripted server, and clients that do not wait between connections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest

from justchat.client import Client, ClientSettings, open_client
from tests.client.scripted_server import ScriptedServer, open_server

# Back at once; the deadlines are beyond the tests' own patience, and no test waits for them.
QUICK = ClientSettings(
    first_connection_seconds=60.0,
    connect_seconds=60.0,
    write_seconds=60.0,
    reconnect_base_seconds=0.01,
    reconnect_cap_seconds=0.01,
    retry_base_seconds=0.01,
    retry_cap_seconds=0.01,
)
OpenClient = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with open_server() as running:
        yield running


@pytest.fixture
def opened(server: ScriptedServer) -> OpenClient:
    """Give `open_client` for the scripted server: `async with opened(...) as client`."""
    return partial(open_client, server.url, token="t0ken", settings=QUICK, jitter=lambda: 0.0)
