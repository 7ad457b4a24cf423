"""One empty store for each test and each kind of store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from storage.account_ports import Relations, Sessions
from storage.ports import Directory, Journal
from tests.storage.contract.backends import KINDS, Stores, each, open_stores, ram_folder

THOROUGH = (
    "test_accounts",
    "test_append",
    "test_conflicts",
    "test_credentials",
    "test_items",
    "test_model",
    "test_relations",
    "test_sessions",
    "test_trim",
)
"""Modules that take long with FerretDB, or never come to it: `make thorough` and CI run them on the split store."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the long ones of the slowest store out of the default run."""
    for item in items:
        module = item.nodeid.rpartition("/")[2].partition(".py")[0]
        if "contract" in item.nodeid and "[postgres+mongo" in item.nodeid and module in THOROUGH:
            item.add_marker(pytest.mark.thorough)


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
