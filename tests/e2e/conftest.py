"""One real server for each module of end-to-end tests, and one for each test that hurts its server.

Tests of the page have a browser for each module, too, and two people who are signed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ViewportSize

from tests.support import rest, talker
from tests.support.browser import Window, running_browser
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
        print(server.log[-4000:])  # shown where a test failed


@pytest.fixture(scope="module")
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
    bo.sign_up("bob", display_name="Bo")
    ada.sign_up("ada", display_name="Ada")
    yield ada, bo
    ada.close()
    bo.close()


@pytest.fixture(scope="module")
def account_server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose tokens last as long as its warning comes ahead, so that the warning comes at once."""
    folder = tmp_path_factory.mktemp("accounts")
    with running_server(folder, profile="loadtest", access_token_seconds=60) as server:
        yield server
        print(server.log[-4000:])  # shown where a test failed


@pytest.fixture
def account_window(browser: Browser, account_server: ServerProcess) -> Iterator[Callable[..., Window]]:
    """Opens windows, each with a storage of its own, and closes them in the end."""
    windows: list[Window] = []

    def open_one(viewport: ViewportSize | None = None) -> Window:
        size = viewport or ViewportSize(width=1280, height=800)
        windows.append(Window(browser, account_server.url, viewport=size))
        return windows[-1]

    yield open_one
    for window in windows:
        window.close()


@pytest.fixture(autouse=True)
def _nothing_left_open() -> Iterator[None]:
    """Close what a test opened and, perhaps because it failed, did not close."""
    yield
    talker.close_all()
    rest.close_all()
