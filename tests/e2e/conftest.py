"""One real server for each module of end-to-end tests, and one for each test that hurts its server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import rest, talker
from tests.support.server import ServerProcess, running_server


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that the tests of one module share; rates are lifted so that tests need not wait."""
    with running_server(tmp_path_factory.mktemp("server"), profile="loadtest") as server:
        yield server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server of the test's own, which it may kill and start again."""
    with running_server(tmp_path, profile="loadtest") as server:
        yield server


@pytest.fixture(autouse=True)
def _nothing_left_open() -> Iterator[None]:
    """Close what a test opened and, perhaps because it failed, did not close."""
    yield
    talker.close_all()
    rest.close_all()
