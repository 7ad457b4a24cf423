"""Reports on the page: somebody tells the moderators about a message, and they see it and do something about it.

Ada owns the room, Bo writes in it and Cid reports. What the page says is held against what the API has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, ViewportSize, expect

from tests.support.browser import Window
from tests.support.server import ServerProcess, running_server

pytestmark = [pytest.mark.thorough, pytest.mark.browser, pytest.mark.real_clock]

NARROW = ViewportSize(width=375, height=740)
READ = "one.scrollHeight - one.clientHeight - one.scrollTop"  # how much lies below what is in sight
posts = count()


class Place:
    """A room that Ada owns, with Bo and Cid in it, open on all three screens."""

    def __init__(self, ada: Window, bo: Window, cid: Window, room: str) -> None:
        self.ada, self.bo, self.cid, self.id = ada, bo, cid, room
        self.bo_id = str(bo.call("GET", "/users/me")["id"])
        self.cards = ada.page.locator("#reports-list .report")

    def says(self, window: Window, body: str) -> str:
        """Have somebody post a message; give its id."""
        path = f"/rooms/{self.id}/messages"
        return str(window.call("POST", path, {"client_msg_id": f"{next(posts)}", "body": body})["id"])

    def told(self, window: Window, message: str, reason: str) -> None:
        """Have somebody report a message over the API."""
        window.call("POST", f"/messages/{message}/reports", {"reason": reason})

    def reports(self) -> list[dict[str, Any]]:
        """The open reports, as the API gives them to Ada."""
        found: list[dict[str, Any]] = self.ada.call("GET", f"/rooms/{self.id}/reports")["items"]  # type: ignore[assignment]
        return found

    def look(self, window: Window | None = None) -> None:
        """Have a moderator, if not said otherwise Ada, open the dialog that shows reports."""
        page = (window or self.ada).page
        if page.locator("#details").is_hidden():
            page.click("#details-toggle")
        page.click("#act-moderation")

    def card(self, text: str) -> Locator:
        """Give what Ada sees of one reported message."""
        return self.cards.filter(has_text=text)


@pytest.fixture(scope="module")
def cid(browser: Browser, page_server: ServerProcess) -> Iterator[Window]:
    """A third person, who is bothered."""
    window = Window(browser, page_server.url)
    window.come("cid", display_name="Cid")
    yield window
    window.close()


@pytest.fixture
def place(people: tuple[Window, Window], cid: Window, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A room of the test's own; no dialog stays open over the next one's."""
    ada, bo = people
    name = request.node.name.removeprefix("test_")[:60]
    room = str(ada.call("POST", "/rooms", {"kind": "group", "name": name, "members": ["bob", "cid"]})["id"])
    for window in (ada, bo, cid):
        window.open_room(name)
        expect(window.page.locator("#beginning")).to_be_visible()
    yield Place(ada, bo, cid, room)
    for window in (ada, bo, cid):
        window.page.evaluate("for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close()")


def row(window: Window, text: str) -> Locator:
    """Give the row of the message that reads like this."""
    body = window.page.locator(".body").get_by_text(text, exact=True)
    return window.page.locator("#timeline .row").filter(has=body)


def begin(window: Window, text: str) -> None:
    """Point at a message and press the tool that reports it."""
    row(window, text).locator(".bubble").hover()
    row(window, text).locator("[data-act=report]").click()
    expect(window.page.locator("#report-reason")).to_be_focused()


def send(window: Window, reason: str) -> None:
    """Give the reason, and send the report."""
    window.page.fill("#report-reason", reason)
    window.page.click("#report-form button[type=submit]")


def test_a_message_is_reported_with_a_reason(place: Place) -> None:
    """The reason has the bounds of the API, which are told at the field; what was said first stands."""
    page, problem = place.cid.page, place.cid.page.locator("#report-form .field-error")
    place.says(place.bo, "buy pills")
    begin(place.cid, "buy pills")
    expect(page.locator("#report-author")).to_have_text("Bo")
    expect(page.locator("#report-body")).to_have_text("buy pills")
    send(place.cid, " \n ")
    expect(problem).to_have_text("Say in a few words what is wrong with it.")
    expect(page.locator("#report-reason")).to_be_focused()
    expect(page.locator("#report-reason")).to_have_attribute("aria-invalid", "true")
    send(place.cid, "x" * 1001)
    expect(problem).to_have_text("That is too long: 1001 characters, of at most 1000.")
    assert place.reports() == []
    longest = "💊" * 1000  # as many characters as the server takes, and twice as many as JavaScript counts
    send(place.cid, f" {longest}\n")
    expect(page.locator("#report-dialog")).to_be_hidden()
    expect(page.locator(".toast").last).to_have_text("The moderators of this room have your report.")
    begin(place.cid, "buy pills")
    expect(page.locator("#report-reason")).to_have_value("")
    expect(problem).to_be_hidden()
    send(place.cid, "again")
    expect(page.locator("#report-dialog")).to_be_hidden()
    (report,) = place.reports()
    assert (report["reason"], report["user"]["username"]) == (longest, "cid")
    place.cid.assert_quiet()


def test_only_what_others_say_where_somebody_moderates_can_be_reported(place: Place) -> None:
    """Not one's own words, not what is deleted, not in an archived room, and not between two people."""
    deleted = place.says(place.bo, "gone soon")
    place.says(place.bo, "bo's")
    place.cid.expect_messages("gone soon", "bo's")
    place.bo.call("DELETE", f"/messages/{deleted}")
    place.cid.expect_messages("Message deleted", "bo's")
    place.bo.expect_messages("Message deleted", "bo's")
    for window, tools in ((place.bo, 0), (place.cid, 1), (place.ada, 1)):
        expect(window.page.locator("[data-act=report]")).to_have_count(tools)
    tool = place.cid.page.locator("[data-act=report]")
    expect(tool).to_have_attribute("aria-label", "Report message…")
    place.ada.call("PATCH", f"/rooms/{place.id}", {"settings": {"archived": True}})
    expect(tool).to_have_count(0)
    direct = str(place.cid.call("PUT", f"/users/me/direct/{place.bo_id}")["id"])
    place.bo.call("POST", f"/rooms/{direct}/messages", {"client_msg_id": "d", "body": "psst"})
    place.cid.page.locator("#room-list .room-row", has_text="psst").click()
    expect(row(place.cid, "psst").locator("[data-act=reply]")).to_have_count(1)
    expect(tool).to_have_count(0)


def test_a_refusal_is_told_in_the_dialog(place: Place) -> None:
    """The message was deleted meanwhile: the dialog says so, and what was written is not lost."""
    page = place.cid.page
    message = place.says(place.bo, "rude")
    begin(place.cid, "rude")
    place.bo.call("DELETE", f"/messages/{message}")
    send(place.cid, "it is rude")
    expect(page.locator("#report-form .form-error")).to_have_text("The message is deleted.")
    expect(page.locator("#report-reason")).to_have_value("it is rude")
    page.locator("#report-dialog [data-close]").click()
    expect(page.locator("#report-dialog")).to_be_hidden()
    assert place.reports() == []


def test_who_reports_too_fast_is_told_how_long_to_wait(browser: Browser, tmp_path: Path) -> None:
    """By a server that lets one user change one thing in a minute."""
    with running_server(tmp_path, profile="loadtest", write_rate=1) as server:
        ada, bo = Window(browser, server.url), Window(browser, server.url)
        bo.come("bob")
        ada.come("ada")
        ada.have_room("Tea", people=("bob",))
        bo.open_room("Tea")
        for text in ("one", "two"):
            ada.say(text)
        bo.expect_messages("one", "two")
        begin(bo, "one")
        send(bo, "odd")
        expect(bo.page.locator("#report-dialog")).to_be_hidden()
        begin(bo, "two")
        send(bo, "even")
        problem = bo.page.locator("#report-form .form-error")
        expect(problem).to_have_text(re.compile(r"That was a little too fast\. Try again in \d+ (second|minute)s?\."))
        expect(bo.page.locator("#report-reason")).to_have_value("even")
        ada.close()
        bo.close()


def test_a_moderator_sees_who_reported_what_and_dismisses_it(place: Place) -> None:
    """Each message once, as it reads now, with all that was said about it, as text; the keyboard goes on."""
    page, none = place.ada.page, place.ada.page.locator("#reports-none")
    place.look()
    expect(none).to_be_visible()
    page.keyboard.press("Escape")
    first = place.says(place.bo, "buy <img src=x onerror=alert(1)>")
    second = place.says(place.ada, "be nice")
    place.told(place.cid, first, "<b>spam</b>")
    place.told(place.ada, first, "seen it elsewhere, too")
    place.told(place.bo, second, "bossy")
    place.bo.call("PATCH", f"/messages/{first}", {"body": "buy <i>nothing</i>"})
    place.look()
    expect(place.cards).to_have_count(2)
    card = place.card("<i>nothing</i>")
    expect(card.locator(".report-head")).to_contain_text("edited since")
    expect(card.locator(".report-head bdi")).to_have_text("Bo")
    expect(card.locator(".reported")).to_have_text("buy <i>nothing</i>")
    expect(card.locator(".reasons li")).to_have_count(2)
    expect(card.locator(".reasons li", has_text="Cid")).to_contain_text("<b>spam</b>")
    expect(card.locator(".reasons li", has_text="Ada")).to_contain_text("seen it elsewhere, too")
    expect(card.get_by_role("button")).to_have_text(["Dismiss", "Delete message", "Mute…", "Ban…"])
    expect(place.card("be nice").get_by_role("button")).to_have_text(["Dismiss", "Delete message"])
    card.get_by_role("button", name="Dismiss: Bo").focus()
    page.keyboard.press("Enter")
    expect(place.cards).to_have_count(1)
    expect(place.card("be nice")).to_be_focused()
    assert [report["reason"] for report in place.reports()] == ["bossy"]
    page.keyboard.press("Tab")
    expect(place.card("be nice").get_by_role("button", name="Dismiss: Ada")).to_be_focused()
    page.keyboard.press("Enter")
    expect(none).to_be_visible()
    expect(none).to_be_focused()
    assert place.reports() == []
    page.keyboard.press("Escape")
    place.ada.assert_quiet()


def test_a_reported_message_is_deleted_and_its_author_muted_and_banned(place: Place) -> None:
    """Only after a question; the report stays until it is dismissed, and says that the message is gone."""
    page = place.ada.page
    place.told(place.cid, place.says(place.bo, "rude"), "it is rude")
    place.look()
    place.card("it is rude").get_by_role("button", name="Delete message").click()
    page.click("#confirm-dialog [data-close]")
    expect(place.card("it is rude").locator(".reported")).to_have_text("rude")
    place.card("it is rude").get_by_role("button", name="Delete message").click()
    page.click("#confirm-yes")
    card = place.card("it is rude")
    expect(card.locator(".reported")).to_have_text("This message is gone: deleted or expired.")
    expect(card).to_be_focused()
    place.bo.expect_messages("Message deleted")
    for entry, part, tag in (("Mute…", "#mutes-list", "muted"), ("Ban…", "#bans-list", "banned")):
        card.get_by_role("button", name=entry).click()
        expect(page.locator("#sanction-title")).to_contain_text("Bo?")
        page.click("#sanction-yes")
        expect(page.locator(f"{part} .item")).to_contain_text(["Bo"])
        expect(card.locator(".tag", has_text=tag)).to_have_count(1)
        expect(card.get_by_role("button", name=entry)).to_have_count(0)
    page.locator("#mutes-list").get_by_role("button", name="Let speak again").click()
    expect(card.get_by_role("button", name="Mute…")).to_have_count(1)
    page.keyboard.press("Escape")
    place.look()
    expect(card.locator(".reported")).to_have_text("This message is gone: deleted or expired.")
    card.get_by_role("button", name="Dismiss").click()
    expect(page.locator("#reports-none")).to_be_visible()
    page.keyboard.press("Escape")
    expect(place.bo.room_row("a_reported_message_is_deleted")).to_have_count(0)
    place.ada.assert_quiet()


def test_many_reports_are_shown_page_by_page(place: Place) -> None:
    """Here two at a time: a message whose reports lie on two pages is one, and the last page takes the button away."""
    page, more = place.ada.page, place.ada.page.locator("#reports-more")
    for number in range(3):
        message = place.says(place.bo, f"rude {number}")
        place.told(place.cid, message, f"no {number}")
    place.told(place.ada, message, "no, indeed")
    page.route(
        re.compile(r"/reports\?"), lambda route: route.continue_(url=route.request.url.replace("limit=20", "limit=2"))
    )
    place.look()
    expect(place.cards).to_have_count(2)
    more.focus()
    page.keyboard.press("Enter")
    expect(more).to_be_hidden()
    expect(place.cards).to_have_count(3)
    expect(page.locator("#reports-list .reasons li")).to_have_count(4)
    expect(place.cards.nth(2)).to_be_focused()
    page.unroute_all()
    page.keyboard.press("Escape")
    place.ada.assert_quiet()


def test_reports_are_for_those_who_may_delete_messages(place: Place) -> None:
    """Whatever their role is called: a right given alone shows this part alone, and a right taken takes it away."""
    bo = place.bo.page
    place.told(place.cid, place.says(place.ada, "hm"), "dull")
    bo.click("#details-toggle")
    expect(bo.locator("#act-moderation")).to_be_hidden()
    place.ada.call("PATCH", f"/rooms/{place.id}/permissions", {"member": {"messages.delete_any": True}})
    expect(bo.locator("#act-moderation")).to_be_visible()
    place.look(place.bo)
    card = bo.locator("#reports-list .report")
    expect(card).to_contain_text("dull")
    expect(card.get_by_role("button")).to_have_text(["Dismiss", "Delete message"])
    expect(bo.locator("#mutes-part, #bans-part")).to_have_count(2)
    for part in ("#mutes-part", "#bans-part"):
        expect(bo.locator(part)).to_be_hidden()
    place.ada.call("PATCH", f"/rooms/{place.id}/permissions", {"member": {"messages.delete_any": None}})
    expect(bo.locator("#act-moderation")).to_be_hidden()
    card.get_by_role("button", name="Dismiss").click()
    expect(bo.locator("#reports-part .form-error")).to_have_text("You may not do that here.")
    bo.keyboard.press("Escape")
    place.ada.call("PATCH", f"/rooms/{place.id}/members/{place.bo_id}", {"role": "moderator"})
    place.ada.call("PATCH", f"/rooms/{place.id}/permissions", {"moderator": {"messages.delete_any": False}})
    for tool, there in (("pin", 1), ("delete", 0)):  # the page has heard of both
        expect(row(place.bo, "hm").locator(f"[data-act={tool}]")).to_have_count(there)
    place.look(place.bo)
    expect(bo.locator("#mutes-none")).to_be_visible()
    expect(bo.locator("#reports-part")).to_be_hidden()


def test_a_phone_has_room_for_it_all(browser: Browser, place: Place) -> None:
    """At 375 pixels nothing has to be scrolled sideways, and a long text is read to its end by keyboard."""
    place.told(place.cid, place.says(place.bo, "blah " * 400 + "x" * 200), "y" * 300)
    ada = Window(browser, place.ada.url, viewport=NARROW, dark=True)
    ada.sign_in("ada")
    ada.open_room("a_phone_has_room_for_it_all")
    begin(ada, ada.page.locator(".row .body").inner_text())
    wide = "(one) => one.scrollWidth - one.clientWidth"
    assert ada.page.locator("#report-dialog").evaluate(wide) == 0
    ada.page.keyboard.press("Escape")
    place.look(ada)
    text = ada.page.get_by_role("group", name="Message of Bo")
    expect(text).to_be_visible()
    for part in (ada.page.locator("#moderation-dialog"), text, ada.page.locator("html")):
        assert part.evaluate(wide) == 0
    text.focus()
    ada.page.keyboard.press("End")
    ada.page.wait_for_function(f"(one) => {READ} < 2", arg=text.element_handle())
    ada.assert_quiet()
    ada.close()
