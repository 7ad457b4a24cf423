"""Windows that are opened once and lent to one test after another, and names for those who sit at them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Protocol

from playwright.sync_api import Browser, ViewportSize

from tests.support.browser import Window
from tests.support.server import ServerProcess

_numbers = count(1)
DESK = ViewportSize(width=1280, height=800)


def fresh(name: str) -> str:
    """Give a username that nobody else has."""
    return f"{name}{next(_numbers)}"


class OpenWindow(Protocol):
    """Gives a window that nobody has, as if it had just been opened for the first time."""

    def __call__(self, *, viewport: ViewportSize = DESK, dark: bool = False) -> Window: ...


class Windows:
    """Windows on one server; whoever borrows one gets it with nothing in it of whoever had it before."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url
        self._free: list[Window] = []

    @contextmanager
    def lent(self) -> Iterator[OpenWindow]:
        """Lend windows, and take them back in the end."""
        lent: list[Window] = []

        def open_one(*, viewport: ViewportSize = DESK, dark: bool = False) -> Window:
            if self._free:
                window = self._free.pop()
                lent.append(window)
                window.reopen(viewport=viewport, dark=dark)
            else:
                lent.append(Window(self._browser, self._url, viewport=viewport, dark=dark))
            return lent[-1]

        yield open_one
        for window in lent:
            window.vacate()
        self._free += reversed(lent)

    def close(self) -> None:
        """Close all of them."""
        for window in self._free:
            window.close()


@contextmanager
def windows_on(browser: Browser, server: ServerProcess) -> Iterator[Windows]:
    """Have windows on a server, and close them in the end."""
    windows = Windows(browser, server.url)
    try:
        yield windows
    finally:
        windows.close()
