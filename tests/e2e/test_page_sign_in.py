"""Signing in and staying signed in on the page: tokens that run out, several tabs, other devices, and the end."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Request, Route, expect

from tests.e2e.page_line import Line, data_of
from tests.e2e.windows import OpenWindow, fresh
from tests.support.browser import PASSWORD, WAIT_MS, Window
from tests.support.server import running_server

pytestmark = [pytest.mark.thorough, pytest.mark.browser, pytest.mark.real_clock]

SPOIL_TOKEN = """() => {
  const session = JSON.parse(sessionStorage.getItem("justchat.session"));
  sessionStorage.setItem("justchat.session", JSON.stringify({...session, token: "spoilt"}));
}"""


def hellos(line: Line) -> list[object]:
    """Give the tokens of every connection so far."""
    return [data_of(frame)["token"] for frame in line.sent if frame["type"] == "hello"]


def wait_for_frame(window: Window, line: Line, kind: str) -> dict[str, object]:
    """Wait until the page has sent a frame of this type."""
    for _ in range(WAIT_MS // 50):
        for frame in line.sent:
            if frame["type"] == kind:
                return frame
        window.page.wait_for_timeout(50)
    raise AssertionError(f"no {kind} was sent")


def test_the_sign_in_survives_the_end_of_an_access_token(account_window: OpenWindow) -> None:
    """Warned, the page hands over a fresh token and stays; thrown out or reloaded, it comes back by itself."""
    ada = account_window()
    line = Line(ada)
    ada.come(fresh("ada"))
    ada.have_room("Diary")
    refresh = wait_for_frame(ada, line, "refresh")
    first = hellos(line)
    assert data_of(refresh)["token"] not in first
    ada.say("same connection")
    ada.expect_messages("same connection")
    assert hellos(line) == first
    line.hang_up(code=4005)
    expect(ada.page.locator("#status")).to_have_attribute("data-state", "live")
    ada.say("another connection")
    ada.expect_messages("same connection", "another connection")
    assert len(set(hellos(line))) == 2
    for forget in (SPOIL_TOKEN, "sessionStorage.clear()", "localStorage.clear()"):
        ada.page.evaluate(forget)
        ada.page.reload()
        ada.expect_connected()
        ada.expect_messages("same connection", "another connection")
    assert ada.dialogs == ada.foreign == []


def test_a_renewal_is_proven_to_come_from_the_page_and_may_lose_its_answer(account_window: OpenWindow) -> None:
    """The header repeats the cookie; an answer that never came is asked for again, and the session goes on."""
    ada = account_window()
    ada.come(fresh("ada"))
    proofs: list[bool] = []
    lost: list[Request] = []

    def lose_the_first(route: Route) -> None:
        cookies = {cookie.get("name"): cookie.get("value") for cookie in ada.page.context.cookies()}
        proofs.append(route.request.headers["x-csrf-token"] == cookies["justchat_csrf"])
        if lost:
            route.continue_()
            return
        lost.append(route.request)
        # The server does its work; the page hears nothing, and its cookies stay as they were.
        headers = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        headers = {**route.request.headers, **headers}
        answer = httpx.post(route.request.url, headers=headers, content=b"{}", timeout=WAIT_MS / 1000)
        assert answer.status_code == 200
        route.abort()

    ada.page.route("**/auth/refresh", lose_the_first)
    ada.page.evaluate("sessionStorage.clear()")
    ada.page.reload()
    ada.expect_connected()
    assert proofs
    assert all(proofs)
    assert len(proofs) >= 2
    ada.page.unroute_all()


def test_tabs_share_one_sign_in_and_its_end(account_window: OpenWindow) -> None:
    """Another tab needs no password; both renew without a quarrel, and signing out in one is the end in both."""
    ada = account_window()
    ada.come(fresh("ada"))
    tabs = [ada.page.context.new_page() for _ in range(2)]
    for tab in tabs:
        tab.goto(ada.url)
        expect(tab.locator("#status")).to_have_attribute("data-state", "live")
    for page in (ada.page, *tabs):
        page.evaluate("sessionStorage.clear()")
    for page in (ada.page, *tabs):
        page.reload(wait_until="commit")
    for page in (ada.page, *tabs):
        expect(page.locator("#status")).to_have_attribute("data-state", "live")
    with ada.page.expect_response("**/auth/logout") as left:
        ada.page.click("#sign-out")
    left.value.finished()
    for tab in tabs:
        expect(tab.locator("#gate-error")).to_have_text("You signed out in another tab.")
        tab.reload()
        expect(tab.locator("#gate-username")).to_be_focused()
    assert {cookie.get("name") for cookie in ada.page.context.cookies()} == set()
    assert ada.page.evaluate("localStorage.length + sessionStorage.length") == 0


def test_a_new_sign_in_is_told_and_can_be_ended_from_the_toast(account_window: OpenWindow) -> None:
    """The toast leads to the list of sessions; the other browser is out at once and hears why."""
    ada, other = account_window(), account_window()
    name = fresh("ada")
    ada.come(name)
    other.sign_in(name)
    other.expect_connected()
    toast = ada.page.locator(".toast")
    expect(toast).to_contain_text(re.compile(r"New sign-in from Chrome on \w+, 127\.0\.0\.1\."))
    toast.get_by_role("button").click()
    rows = ada.page.locator("#session-list .item")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("This device")
    rows.nth(1).get_by_role("button").click()
    expect(rows).to_have_count(1)
    expect(ada.page.locator("#session-others")).to_be_hidden()
    expect(other.page.locator("#gate-error")).to_contain_text("This session was ended")
    expect(ada.page.locator("#account-tab-sessions")).to_be_focused()
    ada.assert_quiet()


def test_a_sign_in_that_is_refused_twice_leads_to_the_gate(account_window: OpenWindow) -> None:
    """A fresh token is tried once; when that is not taken either, the page says so instead of trying for ever."""
    ada = account_window()
    line = Line(ada)
    ada.come(fresh("ada"))
    line.cut(code=4501)
    expect(ada.page.locator("#gate-error")).to_contain_text("The server does not accept this sign-in any more.")
    assert ada.dialogs == ada.foreign == []


def test_a_server_that_wants_an_invitation_is_given_one(browser: Browser, tmp_path: Path) -> None:
    """The field is there once the server asked for it; what the server says about the code is shown."""
    with running_server(tmp_path, profile="loadtest", registration="invite") as server:
        ada = Window(browser, server.url)
        page, error = ada.page, ada.page.locator("#gate-error")
        page.goto(ada.url)
        page.click("#gate-switch")
        expect(page.locator("#gate-invitation")).to_be_hidden()
        page.fill("#gate-username", "ada")
        page.fill("#gate-password", PASSWORD)
        page.click("#gate-submit")
        expect(error).to_have_text("Registration needs an invitation.")
        page.fill("#gate-invitation", "not one")
        page.click("#gate-submit")
        expect(error).to_have_text("Registration needs an invitation that is still good.")
        ada.close()
