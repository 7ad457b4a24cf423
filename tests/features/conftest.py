"""One real server for all tests of features, which are shown as a client would see them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import rest, talker
from tests.support.server import ServerProcess, running_server


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that the tests share; rates are lifted so that tests need not wait."""
    with running_server(tmp_path_factory.mktemp("server"), profile="loadtest") as server:
        yield server
        print(server.log[-4000:])  # shown where a test failed


@pytest.fixture(autouse=True)
def _nothing_left_open() -> Iterator[None]:
    """Close what a test opened and, perhaps because it failed, did not close."""
    yield
    talker.close_all()
    rest.close_all()
