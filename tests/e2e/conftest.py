"""Real servers for end-to-end tests: shared ones, and one for each test that hurts its server.

Tests of the page share a browser, and those of a module two people who are signed in. Windows are used again, by
somebody else: a browser that has the page's files already needs half the time to show it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.windows import OpenWindow, Windows, windows_on
from tests.support import rest, talker
from tests.support.browser import Window, running_browser
from tests.support.server import ServerProcess, running_server


@pytest.fixture(scope="package")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that tests share who bring everybody they need; rates are lifted so that tests need not wait."""
    with running_server(tmp_path_factory.mktemp("server"), profile="loadtest") as server:
        yield server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server of the test's own, which it may kill and start again."""
    with running_server(tmp_path, profile="loadtest") as server:
        yield server
        print(server.log[-4000:])  # shown where a test failed


# Not longer than this package: while it runs, nothing else in the process can have an event loop of asyncio.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A browser, without which the test is skipped."""
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def page_server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose page the tests of one module share, with the rates that people meet."""
    with running_server(tmp_path_factory.mktemp("page")) as server:
        yield server
        print(server.log[-4000:])  # shown where a test failed


@pytest.fixture(scope="module")
def people(browser: Browser, page_server: ServerProcess) -> Iterator[tuple[Window, Window]]:
    """Ada and Bo, signed in."""
    ada, bo = Window(browser, page_server.url), Window(browser, page_server.url)
    bo.come("bob", display_name="Bo")
    ada.come("ada", display_name="Ada")
    yield ada, bo
    ada.close()
    bo.close()


@pytest.fixture
def pair(people: tuple[Window, Window], request: pytest.FixtureRequest) -> tuple[Window, Window]:
    """The two of them in a room of the test's own that Ada made."""
    ada, bo = people
    name = request.node.name.removeprefix("test_")[:60]
    ada.have_room(name, people=("bob",))
    bo.open_room(name)
    return ada, bo


@pytest.fixture(scope="package")
def account_server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose tokens last as long as its warning comes ahead, so that the warning comes at once."""
    folder = tmp_path_factory.mktemp("accounts")
    with running_server(folder, profile="loadtest", access_token_seconds=60) as server:
        yield server
        print(server.log[-4000:])  # shown where a test failed


@pytest.fixture(scope="package")
def account_windows(browser: Browser, account_server: ServerProcess) -> Iterator[Windows]:
    """The windows on that server."""
    with windows_on(browser, account_server) as windows:
        yield windows


@pytest.fixture
def account_window(account_windows: Windows) -> Iterator[OpenWindow]:
    """Opens windows, each with a storage of its own."""
    with account_windows.lent() as open_one:
        yield open_one


@pytest.fixture(autouse=True)
def _nothing_left_open() -> Iterator[None]:
    """Close what a test opened and, perhaps because it failed, did not close."""
    yield
    talker.close_all()
    rest.close_all()
