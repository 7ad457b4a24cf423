"""What the tests of the journal actor share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.storage.journal_house import House


@pytest.fixture
async def house(nursery: trio.Nursery) -> AsyncIterator[House]:
    """Start a journal actor that waits for its first append."""
    opened = House(nursery)
    await wait_all_tasks_blocked()
    yield opened
    nursery.cancel_scope.cancel()
