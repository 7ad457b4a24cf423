"""`/docs` in a real browser: it shows the API, calls it, asks nobody else for anything, and nothing is blocked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import Window
from tests.support.rest import register
from tests.support.server import ServerProcess

SHOWN_MS = 40_000

pytestmark = [pytest.mark.thorough, pytest.mark.browser, pytest.mark.real_clock]


@pytest.fixture(scope="module")
def window(browser: Browser, shared_server: ServerProcess) -> Iterator[Window]:
    """A window on the page, which takes its time until everything is shown."""
    window = Window(browser, shared_server.url)
    window.page.set_default_timeout(SHOWN_MS)
    window.page.goto(f"{window.url}/docs")
    expect(window.page.locator(".opblock").first).to_be_visible(timeout=SHOWN_MS)
    yield window
    window.close()


def test_the_page_lists_every_operation_and_shows_its_types(window: Window, shared_server: ServerProcess) -> None:
    """As many rows as operations in the document; no error in the console, no request to another host."""
    document = register(shared_server).http.get(f"{shared_server.url}/openapi.json").json()
    expect(window.page.locator(".info .title")).to_contain_text("JustChat")
    operations = sum(len(methods) for methods in document["paths"].values())
    expect(window.page.locator(".opblock")).to_have_count(operations)
    row = window.page.locator("#operations-messages-messages_create")
    row.locator(".opblock-summary").click()
    row.get_by_text("Schema", exact=True).first.click()
    expect(row.locator(".request-body, .opblock-section-request-body").first).to_contain_text("client_msg_id")
    window.assert_quiet()


def test_a_call_can_be_tried_with_a_token(window: Window, shared_server: ServerProcess) -> None:
    """Authorize, open an operation with its schemas, execute it, and see the answer."""
    ann = register(shared_server)
    window.page.click(".scheme-container button.authorize")
    window.page.fill("#auth-bearer-value", ann.token)
    window.page.press("#auth-bearer-value", "Enter")
    window.page.locator("button.btn-done").first.click()
    row = window.page.locator("#operations-users-users_me")
    row.locator(".opblock-summary").click()
    row.locator("button.try-out__btn").click()
    row.locator("button.execute").click()
    answer = row.locator(".live-responses-table .response").first
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    expect(answer).to_contain_text(ann.id)
    window.assert_quiet()
