"""Reading on the chat page: a long past, a server that is busy, notes at the edge, the page to those who listen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.e2e.page_line import Line, reload_through_line
from tests.e2e.windows import OpenWindow, Windows, fresh, windows_on
from tests.support.browser import Window
from tests.support.rest import Caller, register
from tests.support.server import ServerProcess
from tests.support.talker import Talker

pytestmark = [pytest.mark.thorough, pytest.mark.browser, pytest.mark.real_clock]


@pytest.fixture(scope="module")
def windows(browser: Browser, shared_server: ServerProcess) -> Iterator[Windows]:
    with windows_on(browser, shared_server) as windows:
        yield windows


@pytest.fixture
def open_window(windows: Windows) -> Iterator[OpenWindow]:
    with windows.lent() as open_one:
        yield open_one


@pytest.fixture
def writer(shared_server: ServerProcess) -> Caller:
    """Somebody who has written a lot."""
    return register(shared_server)


def signed_up(window: Window) -> str:
    name = fresh("ada")
    window.come(name)
    return name


def room_of(writer: Caller, reader: str, messages: int) -> str:
    """Make a room called "Archive" with so many messages in it that the reader has not seen."""
    room = writer.room("Archive", members=(reader,))
    talker = Talker.greeted(f"ws://{writer.http.base_url.netloc.decode()}/ws", writer.token)
    for begin in range(0, messages, 50):
        some = range(begin, min(begin + 50, messages))
        for number in some:
            talker.say("send", room=room, data={"client_msg_id": f"{number}", "body": f"line {number}"})
        for _ in some:
            assert talker.until("ack", "error")["type"] == "ack"
    talker.close()
    return room


class BusyServer:
    """Has the server say "not now" to the first question that is answered by a frame of this type."""

    def __init__(self, line: Line, kind: str) -> None:
        self.said = 0
        self._kind = kind
        line.edit = self._edit

    def _edit(self, frame: dict[str, object]) -> list[dict[str, object]]:
        if frame["type"] != self._kind or "id" not in frame or self.said:
            return [frame]
        self.said += 1
        problem = {"code": "rate_limited", "status": 429, "title": "Slow down", "detail": "", "retry_after": 0.3}
        return [{"type": "error", "id": frame["id"], "room": frame["room"], "data": problem}]


def test_a_room_opens_at_its_first_new_message_though_that_is_pages_back(
    open_window: OpenWindow, writer: Caller
) -> None:
    """Older pages are fetched until the line that says "New" stands where it belongs, in sight."""
    ada = open_window()
    room = room_of(writer, signed_up(ada), 150)
    ada.call("PUT", f"/rooms/{room}/read", {"seq": 31})
    ada.page.reload()
    ada.open_room("Archive")
    line = ada.page.locator("#timeline .new-line")
    expect(line.locator("+ li .body")).to_have_text("line 30")
    expect(line).to_be_in_viewport()
    ada.assert_quiet()


def test_what_is_new_is_known_though_the_list_of_rooms_comes_last(open_window: OpenWindow, writer: Caller) -> None:
    """A socket that is faster than the list does not say how far this person has read; the list still does."""
    ada = open_window()
    room = room_of(writer, signed_up(ada), 60)
    ada.call("PUT", f"/rooms/{room}/read", {"seq": 31})
    lists: list[Route] = []
    ada.page.route("**/users/me/rooms*", lambda route: lists.append(route))
    ada.page.reload()
    row = ada.room_row("Archive")
    expect(row.locator(".badge")).to_have_text("30")
    for route in lists:
        route.continue_()
    ada.page.unroute("**/users/me/rooms*")
    expect(row).to_contain_text("line 59")
    row.click()
    expect(ada.page.locator("#timeline .new-line + li .body")).to_have_text("line 30")
    ada.assert_quiet()


def test_a_long_unread_past_is_not_fetched_to_its_end(open_window: OpenWindow, writer: Caller) -> None:
    """A few pages are; then the page rests, with what is above it out of sight, until somebody scrolls."""
    ada = open_window()
    room_of(writer, signed_up(ada), 450)
    ada.open_room("Archive")
    expect(ada.messages.nth(299)).to_be_attached()
    expect(ada.page.locator("#timeline .new-line")).not_to_be_in_viewport()
    assert ada.messages.count() <= 350
    expect(ada.page.locator("#jump")).to_be_visible()
    ada.page.click("#jump")
    expect(ada.messages.last).to_be_in_viewport()
    expect(ada.messages.last).to_have_text("line 449")
    ada.assert_quiet()


def test_a_busy_server_does_not_end_the_past(open_window: OpenWindow, writer: Caller) -> None:
    """An older page that is refused for a moment is asked for again; nobody is told that it is kept no longer."""
    ada = open_window()
    room_of(writer, signed_up(ada), 80)
    ada.open_room("Archive")
    line = reload_through_line_at(ada, "line 79")
    busy = BusyServer(line, "page")
    ada.page.locator("#scroller").evaluate("(node) => { node.scrollTop = 0; }")
    ada.expect_messages(*(f"line {number}" for number in range(80)))
    expect(ada.page.locator("#beginning-text")).to_have_text("This is where it began.")
    assert busy.said == 1
    ada.assert_quiet()


def test_a_room_that_a_busy_server_does_not_show_is_asked_for_again(open_window: OpenWindow, writer: Caller) -> None:
    """It is there a moment later, without a word and without leaving it and coming back."""
    ada = open_window()
    name = signed_up(ada)
    ada.make_room("Here")
    room_of(writer, name, 3)
    line = reload_through_line(ada)
    busy = BusyServer(line, "subscribed")
    ada.open_room("Archive")
    ada.expect_messages("line 0", "line 1", "line 2")
    assert busy.said == 1
    assert ada.page.locator(".toast").count() == 0
    ada.assert_quiet()


def test_a_note_is_read_and_pressed_over_a_dialog_and_gone_after_signing_out(open_window: OpenWindow) -> None:
    """It lies on the dialog, not behind it; and it is nobody's business who comes next."""
    ada, other = open_window(), open_window()
    name = signed_up(ada)
    ada.page.click("#account-open")
    other.sign_in(name)
    other.expect_connected()
    toast = ada.page.locator(".toast")
    toast.get_by_role("button", name="See your sessions").click()
    expect(ada.page.locator("#session-list .item")).to_have_count(2)
    ada.page.keyboard.press("Escape")
    other.page.click("#sign-out")
    other.sign_in(name)
    expect(toast).to_be_in_viewport()
    ada.page.click("#sign-out")
    expect(ada.page.locator("#gate-username")).to_be_visible()
    expect(toast).to_have_count(0)
    ada.assert_quiet()


def test_who_listens_hears_who_wrote_and_keeps_the_place_when_a_message_goes(open_window: OpenWindow) -> None:
    """Every message says its author, also where only its side does; deleting one by keys stays with the messages."""
    ada = open_window()
    signed_up(ada)
    ada.make_room("Mine")
    ada.say("one")
    ada.say("two")
    ada.expect_messages("one", "two")
    expect(ada.page.locator("#timeline .row .bubble > p")).to_have_text(["You", "You"])
    ada.page.get_by_role("button", name="Delete message").last.focus()
    ada.page.keyboard.press("Enter")
    ada.page.keyboard.press("Enter")
    ada.expect_messages("one", "Message deleted")
    expect(ada.page.locator("#scroller")).to_be_focused()
    ada.assert_quiet()


def reload_through_line_at(window: Window, last: str) -> Line:
    """Load the page anew with a line in between, and wait until the room's last message is there."""
    line = Line(window)
    window.page.reload()
    window.expect_connected()
    expect(window.messages.last).to_have_text(last)
    return line
