"""One real server for each module of HTTP tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import rest
from tests.support.server import ServerProcess, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that the tests of one module share."""
    folder = tmp_path_factory.mktemp("server")
    with running_server(folder, profile="loadtest", log_level="debug") as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def _nothing_left_open() -> Iterator[None]:
    """Close what the module's tests opened; they share their callers."""
    yield
    rest.close_all()
