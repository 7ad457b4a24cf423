"""A real Chromium and a person's window on the chat page, for tests that look at the page as people do.

Playwright's synchronous API runs its own event loop, so tests that use it are plain functions, outside Trio. A window
keeps a record of what must never happen in it: dialogs, errors, requests to another host.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Locator, Page, ViewportSize, expect, sync_playwright

CHROMIUM = "JUSTCHAT_CHROMIUM"
REQUIRE_ALL = "JUSTCHAT_REQUIRE_ALL"
PASSWORD = "correct horse battery staple"
WAIT_MS = 20_000  # what has to come comes in time, however slow the machine is
RECONNECT_MS = 60_000  # the page's longest back-off, and as much again
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_CALL = """async ({method, path, body}) => {
  const {token} = JSON.parse(sessionStorage.getItem("justchat.session"));
  const headers = {Authorization: `Bearer ${token}`, "Content-Type": "application/json"};
  const content = body === null ? undefined : JSON.stringify(body);
  const answer = await fetch("/api/v1" + path, {method, headers, body: content});
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? {} : answer.json();
}"""
_POST = """async ({room, bodies}) => {
  const {token} = JSON.parse(sessionStorage.getItem("justchat.session"));
  const headers = {Authorization: `Bearer ${token}`, "Content-Type": "application/json"};
  const ids = [];
  for (const body of bodies) {
    const content = JSON.stringify({client_msg_id: crypto.randomUUID(), body});
    const answer = await fetch(`/api/v1/rooms/${room}/messages`, {method: "POST", headers, body: content});
    if (!answer.ok) throw new Error(`${body}: ${answer.status} ${await answer.text()}`);
    ids.push((await answer.json()).id);
  }
  return ids;
}"""
_BODIES = "(events) => events.filter((event) => event.type === 'message.created').map((event) => event.data.body)"
_DESK = ViewportSize(width=1200, height=800)


def find_chromium() -> str | None:
    """Find a Chromium: the one that JUSTCHAT_CHROMIUM names, or the first on PATH."""
    named = os.environ.get(CHROMIUM)
    return named or next((path for path in map(shutil.which, _NAMES) if path), None)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run a headless Chromium; skip the test where there is none, or fail it when JUSTCHAT_REQUIRE_ALL=1."""
    path = find_chromium()
    if path is None:
        reason = f"no Chromium: put one on PATH or set {CHROMIUM} to its binary"
        if os.environ.get(REQUIRE_ALL) == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    # Once anything has imported the storage, asyncio would hand out loops on top of Trio, which cannot be nested.
    with patch.object(asyncio, "new_event_loop", asyncio.SelectorEventLoop):
        playwright = sync_playwright().start()
    expect.set_options(timeout=WAIT_MS)
    try:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()
    finally:
        playwright.stop()


class Window:
    """One person's browser window, with storage of its own."""

    def __init__(self, browser: Browser, url: str, *, viewport: ViewportSize = _DESK, dark: bool = False) -> None:
        self.url = url
        self._context = browser.new_context()
        self._context.set_default_timeout(WAIT_MS)
        self._open(viewport, dark=dark)

    def vacate(self) -> None:
        """Leave the page, and with it the server."""
        for page in self._context.pages:
            page.unroute_all(behavior="ignoreErrors")
            page.goto("about:blank")

    def reopen(self, *, viewport: ViewportSize = _DESK, dark: bool = False) -> None:
        """Open it for somebody else: nothing is left but the files that the browser has, which spare it much work."""
        left = self._context.pages
        self._context.clear_cookies()
        self._open(viewport, dark=dark)
        storage = self._context.new_cdp_session(self.page)
        storage.send("Storage.clearDataForOrigin", {"origin": self.url, "storageTypes": "local_storage"})
        storage.detach()
        for page in left:
            page.close()

    def _open(self, viewport: ViewportSize, *, dark: bool) -> None:
        self.dialogs: list[str] = []
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self.page: Page = self._context.new_page()
        self.page.set_viewport_size(viewport)
        self.page.emulate_media(color_scheme="dark" if dark else "light")
        self.page.on("dialog", self._on_dialog)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._on_request(request.url))
        self.page.on("websocket", lambda socket: self._on_request(socket.url))

    def close(self) -> None:
        """Close the window and forget its storage."""
        self._context.close()

    def assert_quiet(self) -> None:
        """Check that nothing happened that must not: no dialog, no error, no request to another host."""
        assert (self.dialogs, self.errors, self.foreign) == ([], [], [])

    # --- what a person does ---

    def come(self, username: str, *, display_name: str = "") -> None:
        """Have an account and be signed in, without the form, and wait until the page is connected."""
        fields = {"username": username, "password": PASSWORD, "display_name": display_name or username}
        # A connection that is kept for the next time may be closed by the server just then.
        alone = {"Connection": "close"}
        answer = self._context.request.post(f"{self.url}/api/v1/auth/register", data=fields, headers=alone)
        assert answer.status == 201, answer.text()
        self.page.goto(self.url)
        self.expect_connected()

    def sign_up(self, username: str, *, display_name: str = "") -> None:
        """Create an account by the form and wait until the page is connected."""
        self.page.goto(self.url)
        self.page.click("#gate-switch")
        self.page.fill("#gate-username", username)
        self.page.fill("#gate-display", display_name)
        self.page.fill("#gate-password", PASSWORD)
        self.page.click("#gate-submit")
        self.expect_connected()

    def sign_in(self, username: str, password: str = PASSWORD) -> None:
        """Sign in on the page as it is shown after the end of a session, or open it for that."""
        if self.page.url == "about:blank":
            self.page.goto(self.url)
        self.page.fill("#gate-username", username)
        self.page.fill("#gate-password", password)
        self.page.click("#gate-submit")

    def make_room(self, name: str, *, public: bool = False, people: tuple[str, ...] = ()) -> None:
        """Make a room, with these usernames in it, and wait until it is open."""
        self.page.click("#new-open")
        self.page.fill("#new-name", name)
        self.page.check(f"#new-form input[name=visibility][value={'public' if public else 'private'}]", force=True)
        for username in people:
            self.choose("#new-people", username)
        self.page.click("#new-form button[type=submit]")
        expect(self.page.locator("#room-name")).to_have_text(name)
        expect(self.page.locator("#beginning")).to_be_visible()

    def have_room(self, name: str, *, people: tuple[str, ...] = ()) -> None:
        """Have a room with these usernames in it, without the form, and open it."""
        self.call("POST", "/rooms", {"kind": "group", "name": name, "members": list(people)})
        self.open_room(name)
        expect(self.page.locator("#beginning")).to_be_visible()

    def choose(self, picker: str, username: str) -> None:
        """Pick one person in a picker."""
        self.page.fill(picker, username)
        self.page.locator(f"{picker}-found li", has_text=f"@{username}").first.click()

    def join_room(self, name: str) -> None:
        """Find a public room by its name and join it."""
        self.page.click("#find-open")
        self.page.fill("#find-text", name)
        self.page.locator(".find-row", has_text=name).get_by_role("button", name="Join").click()
        expect(self.page.locator("#room-name")).to_have_text(name)

    def open_room(self, name: str) -> None:
        """Open one of my rooms."""
        self.room_row(name).click()
        expect(self.page.locator("#room-name")).to_have_text(name)

    def say(self, text: str) -> None:
        """Write a message and press Enter; it is on its way then, no more."""
        self.page.fill("#composer-text", text)
        self.page.press("#composer-text", "Enter")

    # --- what a person sees ---

    @property
    def messages(self) -> Locator:
        """The bodies of all messages in the open room, oldest first."""
        return self.page.locator("#timeline .row .body")

    @property
    def waiting(self) -> Locator:
        """Messages that are on their way."""
        return self.page.locator("#timeline .row.waiting")

    def room_row(self, name: str) -> Locator:
        """The room's row in the list."""
        return self.page.locator("#room-list .room-row").filter(has=self.page.locator("bdi", has_text=name))

    def expect_messages(self, *bodies: str, within_ms: int = WAIT_MS) -> None:
        """Wait until the open room shows exactly these messages, all of them acknowledged."""
        expect(self.messages).to_have_text(list(bodies), timeout=within_ms, use_inner_text=True)
        expect(self.waiting).to_have_count(0, timeout=within_ms)

    def expect_system_line(self, text: str) -> None:
        """Wait for a line that says what happened to the room."""
        expect(self.page.locator("#timeline .system", has_text=text)).to_have_count(1)

    def expect_connected(self, *, within_ms: int = WAIT_MS) -> None:
        """Wait until the page says that it is connected."""
        expect(self.page.locator("#status")).to_have_attribute("data-state", "live", timeout=within_ms)

    def expect_cut_off(self) -> None:
        """Wait until the page has noticed that the connection is gone."""
        expect(self.page.locator("#status")).not_to_have_attribute("data-state", "live", timeout=WAIT_MS)

    def reconnect_now(self) -> None:
        """Do not wait for the back-off, as a person would not."""
        # In one step: the page may be connected again before a pointer has reached the button.
        self.page.locator("#banner-now").evaluate("(button) => { if (!button.hidden) button.click(); }")
        self.expect_connected(within_ms=RECONNECT_MS)

    # --- what the server knows ---

    def call(self, method: str, path: str, body: object = None) -> dict[str, object]:
        """Call the API as the person signed in here and give the decoded answer, empty where there is none."""
        answer: dict[str, object] = self.page.evaluate(_CALL, {"method": method, "path": path, "body": body})
        return answer

    def post(self, room: object, *bodies: str) -> list[str]:
        """Post messages over the API as the person signed in here, one after another, and give their ids."""
        ids: list[str] = self.page.evaluate(_POST, {"room": room, "bodies": bodies})
        return ids

    def history(self) -> list[str]:
        """The bodies of the open room's newest 100 events that are messages, as the journal has them."""
        room = self.page.evaluate("location.hash.split('/').pop()")
        events = self.call("GET", f"/rooms/{room}/events?before={2**53 - 1}&limit=100")["items"]
        bodies: list[str] = self.page.evaluate(_BODIES, events)
        return bodies

    # --- what is recorded ---

    def _on_dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _on_request(self, address: str) -> None:
        if urlsplit(address).netloc != urlsplit(self.url).netloc and urlsplit(address).scheme not in {"data", "blob"}:
            self.foreign.append(address)
