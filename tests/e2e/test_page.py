"""The chat page in a real browser against a real server: what people do with it, and what must never happen in it.

Every test ends by checking that its windows were quiet: no dialog, no error in the console, no request to another host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ViewportSize, expect

import justchat.web
from tests.e2e.windows import OpenWindow, Windows, fresh, windows_on
from tests.support.browser import PASSWORD, Window
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.real_clock]

PHONE = ViewportSize(width=360, height=640)

# Each would leave a mark if it were ever taken for anything but text.
XSS_CORPUS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "<svg/onload=alert(3)>",
    '"><iframe srcdoc="<script>parent.alert(4)</script>">',
    "<a href='javascript:alert(5)'>press me</a>",
    "javascript:alert(6)",
    "data:text/html,<script>alert(7)</script>",
    "[press](javascript:alert(8))",
    'https://example.org/"onmouseover="alert(9)',
    "https://example.org/?q=<img/src/onerror=alert(10)>",
    "http://javascript:alert(11)@example.org/",
    "</textarea></li></ol><style>*{display:none}</style>",
    "<details open ontoggle=alert(12)>",
    "&lt;script&gt;alert(13)&lt;/script&gt;",
    "{{constructor.constructor('alert(14)')()}}${alert(15)}",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(16)>",
)
HANDLERS = "[...document.querySelectorAll('*')].flatMap((n) => n.getAttributeNames()).filter((a) => /^on/.test(a))"
SPOIL_TOKEN = """() => {
  const session = JSON.parse(sessionStorage.getItem("justchat.session"));
  sessionStorage.setItem("justchat.session", JSON.stringify({...session, token: "spoilt"}));
}"""
FOUND_ELEMENTS = "#app script, #app img, #app iframe, #app style, #app form form, #app details, #app math, #app object"


@pytest.fixture(scope="module")
def windows(browser: Browser, page_server: ServerProcess) -> Iterator[Windows]:
    with windows_on(browser, page_server) as windows:
        yield windows


@pytest.fixture
def open_window(windows: Windows) -> Iterator[OpenWindow]:
    with windows.lent() as open_one:
        yield open_one


def asked_for(window: Window) -> list[str]:
    """Record the types of the frames that a page sends."""
    kinds: list[str] = []

    def heed(text: bytes | str) -> None:
        kinds.append(json.loads(text)["type"])

    window.page.on("websocket", lambda socket: socket.on("framesent", heed))
    return kinds


def test_two_people_in_two_browsers_see_each_other_at_once(open_window: OpenWindow) -> None:
    """Sign up, make a public room, find and join it, talk: each message comes to the other screen unasked."""
    ada, bo = open_window(), open_window()
    asked = [asked_for(window) for window in (ada, bo)]
    ada.sign_up(fresh("ada"), display_name="Ada Lindqvist")
    bo.sign_up(fresh("bo"), display_name="Bo Okafor")
    ada.make_room("Harbour run", public=True)
    bo.join_room("Harbour run")
    ada.expect_system_line("Bo Okafor joined")
    expect(bo.page.locator("#beginning")).to_be_visible()
    for frames in asked:
        frames.clear()
    ada.say("Is the bridge open?")
    bo.expect_messages("Is the bridge open?")
    bo.say("Since Thursday.")
    ada.expect_messages("Is the bridge open?", "Since Thursday.")
    for frames in asked:
        assert {"fetch", "subscribe"}.isdisjoint(frames)
        assert "send" in frames
    expect(bo.page.locator(".row:not(.own) .who")).to_have_text("Ada Lindqvist")
    expect(ada.room_row("Harbour run")).to_contain_text("Bo Okafor: Since Thursday.")
    ada.assert_quiet()
    bo.assert_quiet()


@pytest.mark.thorough
def test_a_message_in_another_room_is_counted_until_the_room_is_opened(open_window: OpenWindow) -> None:
    """The list shows what was said elsewhere and how much of it is new; opening the room takes the number away."""
    ada, bo = open_window(), open_window()
    bo_name = fresh("bo")
    bo.come(bo_name)
    ada.come(fresh("ada"))
    ada.have_room("First", people=(bo_name,))
    bo.open_room("First")
    bo.have_room("Elsewhere")
    ada.say("one")
    ada.say("two")
    row = bo.room_row("First")
    expect(row.locator(".badge")).to_have_text("2")
    expect(row).to_contain_text("two")
    bo.open_room("First")
    bo.expect_messages("one", "two")
    expect(row.locator(".badge")).to_have_count(0)
    bo.assert_quiet()


@pytest.mark.thorough
def test_what_is_new_is_counted_from_the_start_and_read_on_every_device(open_window: OpenWindow) -> None:
    """What was said while nobody was there is in the list at once; read in one window, it is read in the next one."""
    ada, bo, other = open_window(), open_window(), open_window()
    bo_name = fresh("bo")
    bo.come(bo_name)
    bo.page.goto("about:blank")
    ada.come(fresh("ada"))
    ada.have_room("Harbour", people=(bo_name,))
    for text in ("one", "two", "three"):
        ada.say(text)
    ada.expect_messages("one", "two", "three")
    bo.page.go_back()
    row = bo.room_row("Harbour")
    expect(row.locator(".badge")).to_have_text("3")
    expect(row).to_contain_text("three")
    bo.open_room("Harbour")
    bo.expect_messages("one", "two", "three")
    expect(row.locator(".badge")).to_have_count(0)
    other.sign_in(bo_name)
    expect(other.room_row("Harbour")).to_contain_text("three")
    expect(other.room_row("Harbour").locator(".badge")).to_have_count(0)
    bo.assert_quiet()
    other.assert_quiet()


def test_a_reload_keeps_the_history_and_the_place(open_window: OpenWindow) -> None:
    """The person is still signed in, the same room is open, and it shows the same messages."""
    ada = open_window()
    ada.come(fresh("ada"))
    ada.have_room("Diary")
    said = [f"entry {number}" for number in range(8)]
    for text in said:
        ada.say(text)
    ada.expect_messages(*said)
    ada.page.reload()
    ada.expect_connected()
    ada.expect_messages(*said)
    ada.assert_quiet()


@pytest.mark.thorough
def test_scrolling_up_brings_all_older_messages_in_order(open_window: OpenWindow) -> None:
    """120 messages do not fit the first page; scrolling to the top again and again shows each of them once."""
    ada = open_window()
    ada.come(fresh("ada"))
    room = ada.call("POST", "/rooms", {"kind": "group", "name": "Archive"})["id"]
    said = [f"line {number}" for number in range(120)]
    ada.post(room, *said)
    ada.page.reload()
    ada.open_room("Archive")
    expect(ada.messages.last).to_have_text("line 119")
    assert ada.messages.count() < len(said)
    beginning = ada.page.locator("#beginning")
    for _ in range(10):
        if beginning.is_visible():
            break
        before = ada.messages.count()
        ada.page.locator("#scroller").evaluate("(node) => { node.scrollTop = 0; }")
        expect(ada.messages.nth(before)).to_be_attached()
    ada.expect_messages(*said)
    ada.assert_quiet()


@pytest.mark.thorough
def test_members_are_added_the_room_is_renamed_and_left(open_window: OpenWindow) -> None:
    """What happens to a room shows up for everybody in it; a room that was left is gone from the list."""
    ada, bo = open_window(), open_window()
    bo_name = fresh("bo")
    bo.come(bo_name, display_name="Bo")
    ada.come(fresh("ada"), display_name="Ada")
    ada.have_room("Old name")
    ada.page.click("#details-toggle")
    ada.page.click("#act-add")
    ada.choose("#add-people", bo_name)
    ada.page.click("#add-form button[type=submit]")
    expect(ada.page.locator("#member-list .member")).to_have_count(2)
    bo.open_room("Old name")
    ada.page.click("#act-settings")
    ada.page.fill("#settings-name", "New name")
    ada.page.click("#settings-form button[type=submit]")
    expect(bo.page.locator("#room-name")).to_have_text("New name")
    bo.expect_system_line("Ada renamed the room to New name")
    bo.page.click("#details-toggle")
    bo.page.click("#act-leave")
    bo.page.click("#confirm-yes")
    expect(bo.room_row("New name")).to_have_count(0)
    ada.expect_system_line("Bo left")
    expect(ada.page.locator("#member-list .member")).to_have_count(1)
    ada.assert_quiet()
    bo.assert_quiet()


@pytest.mark.thorough
def test_a_deleted_message_becomes_a_tombstone_for_everybody(open_window: OpenWindow) -> None:
    """Only one's own message can be deleted; afterwards nobody sees its text, not even after a reload."""
    ada, bo = open_window(), open_window()
    bo_name = fresh("bo")
    bo.come(bo_name)
    ada.come(fresh("ada"))
    ada.have_room("Slips", people=(bo_name,))
    bo.open_room("Slips")
    ada.say("my secret")
    bo.expect_messages("my secret")
    expect(bo.page.locator("[data-act=delete]")).to_have_count(0)
    ada.expect_messages("my secret")
    ada.page.hover(".row.own .bubble")
    ada.page.click("[data-act=delete]")
    ada.page.click("#confirm-yes")
    for window in (ada, bo):
        window.expect_messages("Message deleted")
        window.page.reload()
        window.expect_messages("Message deleted")
        expect(window.page.locator("body")).not_to_contain_text("my secret")
        window.assert_quiet()


@pytest.mark.thorough
def test_refusals_are_said_kindly_and_at_the_right_field(open_window: OpenWindow) -> None:
    """A taken name and a short password are explained at their fields, a wrong password above the form."""
    ada, other = open_window(), open_window()
    name = fresh("ada")
    ada.come(name)
    page = other.page
    page.goto(other.url)
    page.fill("#gate-username", name)
    page.fill("#gate-password", "not the password")
    page.click("#gate-submit")
    expect(page.locator("#gate-error")).to_have_text("User name or password is not right.")
    page.click("#gate-switch")
    page.fill("#gate-username", name)
    page.fill("#gate-password", "short")
    page.click("#gate-submit")
    expect(page.locator("#gate-form .field-error[data-for=password]")).to_be_visible()
    page.fill("#gate-password", PASSWORD)
    page.click("#gate-submit")
    expect(page.locator("#gate-form .field-error[data-for=username]")).to_have_text(
        "Somebody already has that user name."
    )
    assert other.dialogs == []


@pytest.mark.thorough
def test_a_sign_in_that_ended_leads_back_to_the_gate_with_a_reason(open_window: OpenWindow) -> None:
    """A sign-in that the server no longer takes asks for the password again; signing out asks without a reason."""
    ada = open_window()
    name = fresh("ada")
    ada.come(name)
    ada.page.evaluate(SPOIL_TOKEN)
    ada.page.context.clear_cookies()
    ada.page.reload()
    expect(ada.page.locator("#gate-error")).to_have_text("Your sign-in has run out. Please sign in again.")
    ada.page.fill("#gate-username", name)
    ada.page.fill("#gate-password", PASSWORD)
    ada.page.click("#gate-submit")
    ada.expect_connected()
    ada.page.click("#sign-out")
    expect(ada.page.locator("#gate-username")).to_be_focused()
    expect(ada.page.locator("#gate-error")).to_be_hidden()
    assert ada.page.evaluate("localStorage.length + sessionStorage.length") == 0
    assert ada.dialogs == ada.foreign == []


@pytest.mark.thorough
def test_the_keyboard_is_enough(open_window: OpenWindow) -> None:
    """Signing up, making a room and writing work without a pointer."""
    ada = open_window()
    keyboard = ada.page.keyboard
    ada.page.goto(ada.url)
    ada.page.focus("#gate-switch")
    keyboard.press("Enter")
    expect(ada.page.locator("#gate-username")).to_be_focused()
    keyboard.type(fresh("ada"))
    keyboard.press("Tab")
    keyboard.press("Tab")
    keyboard.type(PASSWORD)
    keyboard.press("Enter")
    ada.expect_connected()
    ada.page.focus("#new-open")
    keyboard.press("Enter")
    expect(ada.page.locator("#new-name")).to_be_focused()
    keyboard.type("By keys")
    keyboard.press("Enter")
    expect(ada.page.locator("#composer-text")).to_be_focused()
    keyboard.type("first line")
    keyboard.press("Shift+Enter")
    keyboard.type("second line")
    keyboard.press("Enter")
    ada.expect_messages("first line\nsecond line")
    ada.assert_quiet()


@pytest.mark.thorough
def test_a_phone_in_the_dark_shows_one_thing_at_a_time(open_window: OpenWindow) -> None:
    """At phone width nothing sticks out sideways, the list and the room take turns, and dark mode is dark."""
    ada = open_window(viewport=PHONE, dark=True)
    ada.come(fresh("ada"))
    ada.have_room("Pocket")
    ada.say("x" * 300 + " https://example.org/" + "y" * 200)
    expect(ada.messages).to_have_count(1)
    sidebar, room = ada.page.locator(".sidebar"), ada.page.locator("#room")
    expect(sidebar).to_be_hidden()
    assert ada.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    ada.page.click("#room-back")
    expect(sidebar).to_be_visible()
    expect(room).to_be_hidden()
    channels = re.findall(r"\d+", ada.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert max(map(int, channels[:3])) < 64
    ada.assert_quiet()


@pytest.mark.thorough
def test_hostile_text_stays_text_wherever_it_is_shown(open_window: OpenWindow) -> None:
    """Messages, room names, a topic and a display name out of an XSS corpus open no dialog and make no element."""
    ada, bo = open_window(), open_window()
    bo_name = fresh("bo")
    bo.come(bo_name, display_name="<img src=x onerror=alert(1)>")
    ada.come(fresh("ada"), display_name="<script>alert(2)</script>")
    for number, hostile in enumerate(XSS_CORPUS):
        fields = {"kind": "group", "name": hostile[:90], "topic": hostile, "members": [bo_name]}
        room = ada.call("POST", "/rooms", fields)["id"]
        ada.post(room, hostile, *(XSS_CORPUS if number == 0 else ()))
    expect(bo.page.locator("#room-list .room-row")).to_have_count(len(XSS_CORPUS))
    bo.page.locator("#room-list bdi", has_text=XSS_CORPUS[0]).click()
    expect(bo.messages).to_have_text([XSS_CORPUS[0], *XSS_CORPUS], use_inner_text=True)
    bo.page.click("#details-toggle")
    expect(bo.page.locator("#member-list .member")).to_have_count(2)
    bo.say(XSS_CORPUS[1])
    expect(bo.messages).to_have_count(len(XSS_CORPUS) + 2)
    assert bo.page.locator(FOUND_ELEMENTS).count() == 0
    assert bo.page.evaluate(HANDLERS) == []
    links = bo.page.locator("#app a[target]").evaluate_all("(all) => all.map((a) => [a.protocol, a.rel])")
    assert len(links) >= 2
    assert {tuple(link) for link in links} <= {
        (scheme, "noopener noreferrer nofollow") for scheme in ("http:", "https:")
    }
    ada.assert_quiet()
    bo.assert_quiet()


@pytest.mark.thorough
def test_the_page_needs_no_exception_from_its_policy(open_window: OpenWindow) -> None:
    """The strict policy is served, and the markup holds nothing inline and no address of another host."""
    window = open_window()
    answer = window.page.goto(window.url)
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for path in Path(justchat.web.__file__).parent.rglob("*"):
        if path.suffix not in {".html", ".js", ".css", ".svg"}:
            continue
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        assert re.findall(r"https?://\w|\binnerHTML\b|\binsertAdjacentHTML\b|\beval\(", text) == [], path.name
    markup = answer.text()
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", markup) == []
    window.assert_quiet()
