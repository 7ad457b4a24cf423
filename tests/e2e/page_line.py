"""The line between a chat page and its server, in the hands of a test: a proxy for WebSocket frames in the browser."""

from __future__ import annotations

import json
from collections.abc import Callable

from playwright.sync_api import WebSocketRoute, expect

from tests.support.browser import Window


class Line:
    """The line between one page and the server: may be cut, and shows every frame to `edit` on its way to the page.

    `edit` gives the frames to deliver instead of one frame: none to drop it, two to repeat it.
    """

    def __init__(self, window: Window) -> None:
        self.open = True
        self.code = 4000
        self.edit: Callable[[dict[str, object]], list[dict[str, object]]] = lambda frame: [frame]
        self.sent: list[dict[str, object]] = []
        self._routes: list[WebSocketRoute] = []
        window.page.route_web_socket("**/ws", self._route)

    def cut(self, *, code: int = 4000) -> None:
        """Cut the line and keep it cut until `open` is set; connections are closed with this code."""
        self.open = False
        self.code = code
        self.hang_up(code=code)

    def hang_up(self, *, code: int = 4000) -> None:
        """Close the present connection as a network would, or with a code that the server has for that."""
        while self._routes:
            self._routes.pop().close(code=code)

    def inject(self, frame: dict[str, object]) -> None:
        """Have the page receive a frame that the server did not send."""
        self._routes[-1].send(json.dumps(frame))

    def _route(self, page_side: WebSocketRoute) -> None:
        if not self.open:
            page_side.close(code=self.code)
            return
        server_side = page_side.connect_to_server()
        page_side.on_message(lambda text: self._to_server(server_side, str(text)))
        server_side.on_message(lambda text: self._to_page(page_side, str(text)))
        self._routes.append(page_side)

    def _to_server(self, server_side: WebSocketRoute, text: str) -> None:
        self.sent.append(json.loads(text))
        server_side.send(text)

    def _to_page(self, page_side: WebSocketRoute, text: str) -> None:
        for frame in self.edit(json.loads(text)):
            page_side.send(json.dumps(frame))


def data_of(frame: dict[str, object]) -> dict[str, object]:
    """Give a frame's data, empty where it has none."""
    data = frame.get("data")
    return data if isinstance(data, dict) else {}


def reload_through_line(window: Window) -> Line:
    """Load the page anew with a line in between that the test controls."""
    line = Line(window)
    window.page.reload()
    window.expect_connected()
    expect(window.page.locator("#beginning")).to_be_visible()
    return line
