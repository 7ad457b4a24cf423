"""One empty store for each test and each kind of store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from storage.account_ports import Relations, Sessions
from storage.ports import Directory, Journal
from tests.storage.contract.backends import KINDS, Stores, each, open_stores, ram_folder


@pytest.fixture(params=each(KINDS))
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    """Open an empty store."""
    with ram_folder() as folder:
        async with open_stores(request.param, folder) as opened:
            yield opened


@pytest.fixture
def journal(stores: Stores) -> Journal:
    """Return the store's journal."""
    return stores.journal


@pytest.fixture
def directory(stores: Stores) -> Directory:
    """Return the store's directory."""
    return stores.directory


@pytest.fixture
def sessions(stores: Stores) -> Sessions:
    """Return the store's sessions."""
    return stores.sessions


@pytest.fixture
def relations(stores: Stores) -> Relations:
    """Return the store's relations."""
    return stores.relations
