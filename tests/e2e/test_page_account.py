"""The account dialog in a real browser: what people do with their own account."""

from __future__ import annotations

import struct
import zlib

import httpx
import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.e2e.windows import DESK, OpenWindow, fresh
from tests.support.browser import PASSWORD, WAIT_MS, Window

pytestmark = [pytest.mark.thorough, pytest.mark.browser, pytest.mark.real_clock]

OTHER_PASSWORD = "battery staple horse correct"
TABS = ("profile", "sessions", "password", "contacts", "tokens", "leave")
PHONE = ViewportSize(width=390, height=844)
NAMELESS = """() => [...document.querySelectorAll("#account-dialog :is(input, textarea, select, button)")]
  .filter((node) => node.checkVisibility() && !(node.labels?.length || node.ariaLabel || node.textContent.trim()))
  .map((node) => node.outerHTML)"""


def picture() -> bytes:
    """A PNG, wider than high: green in the middle, red at both ends."""
    row = b"\x00" + b"\xff\x00\x00" * 40 + b"\x00\xa0\x00" * 80 + b"\xff\x00\x00" * 40

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 160, 80, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(row * 80)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.fixture
def pair(account_window: OpenWindow) -> tuple[Window, Window]:
    """Ada, and Bo in a room with her."""
    ada, bo = account_window(), account_window()
    names = fresh("ada"), fresh("bob")
    bo.come(names[1], display_name="Bo")
    ada.come(names[0], display_name="Ada")
    ada.have_room("Tea", people=(names[1],))
    bo.open_room("Tea")
    return ada, bo


def open_account(window: Window, tab: str) -> Page:
    """Open the account dialog at one of its tabs."""
    window.page.click("#account-open")
    window.page.click(f"#account-tab-{tab}")
    expect(window.page.locator(f"#account-{tab}")).to_be_visible()
    return window.page


def answered(window: Window, token: str, path: str) -> int:
    """Ask for something as a program does, and give the status."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{window.url}/api/v1{path}", headers=headers, timeout=WAIT_MS / 1000).status_code


def test_a_profile_is_changed_with_a_picture_and_others_see_it(pair: tuple[Window, Window]) -> None:
    """Nothing takes effect before it is saved; the picture is beside messages and in the list of members."""
    ada, bo = pair
    ada.say("hello")
    bo.expect_messages("hello")
    page = open_account(ada, "profile")
    face, foot = page.locator("#profile-face canvas"), page.locator("#me-avatar canvas")
    page.fill("#profile-name", "Ada L.")
    page.fill("#profile-bio", "Tea before noon.")
    page.set_input_files("#profile-file", {"name": "me.png", "mimeType": "image/png", "buffer": picture()})
    expect(face).to_have_count(1)
    expect(foot).to_have_count(0)
    page.click("#profile-form button[type=submit]")
    expect(page.locator("#profile-note")).to_have_text("Saved.")
    expect(foot).to_have_count(1)
    expect(page.locator("#me-name")).to_have_text("Ada L.")
    bo.page.reload()
    bo.expect_messages("hello")
    beside = bo.page.locator("#timeline .avatar canvas")
    expect(beside).to_have_count(1)
    # The middle is what is kept.
    corner = beside.evaluate("(canvas) => [...canvas.getContext('2d').getImageData(4, 4, 1, 1).data]")
    assert corner[1] > corner[0] + 60
    bo.page.click("#details-toggle")
    expect(bo.page.locator("#member-list .avatar canvas")).to_have_count(1)
    page.click("#profile-remove")
    expect(face).to_have_count(0)
    page.click("#profile-form button[type=submit]")
    expect(foot).to_have_count(0)
    assert ada.call("GET", "/users/me")["avatar_url"] is None
    assert ada.call("GET", "/users/me")["bio"] == "Tea before noon."
    ada.assert_quiet()
    bo.assert_quiet()


def test_a_file_that_is_no_picture_is_refused_before_it_is_sent(account_window: OpenWindow) -> None:
    """What the browser cannot show is said where it was chosen, and what was there stays."""
    ada = account_window()
    ada.come(fresh("ada"))
    page = open_account(ada, "profile")
    page.set_input_files("#profile-file", {"name": "me.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(page.locator("#profile-form .form-error")).to_contain_text("This cannot be read as a picture.")
    expect(page.locator("#profile-face canvas")).to_have_count(0)
    ada.assert_quiet()


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(account_window: OpenWindow) -> None:
    """A wrong present password is said at its field; the other browser is at its gate, and takes the new one only."""
    ada, other = account_window(), account_window()
    name = fresh("ada")
    ada.come(name)
    other.sign_in(name)
    other.expect_connected()
    page = open_account(ada, "password")
    page.fill("#password-old", "not the password")
    page.fill("#password-new", OTHER_PASSWORD)
    page.click("#password-form button[type=submit]")
    expect(page.locator("#password-form .field-error[data-for=password]")).to_have_text("Not the password.")
    page.fill("#password-old", PASSWORD)
    page.click("#password-form button[type=submit]")
    expect(page.locator("#password-note")).to_have_text("Your password is changed.")
    expect(page.locator("#password-old")).to_have_value("")
    expect(other.page.locator("#gate-error")).to_contain_text("by a new password")
    other.sign_in(name)
    expect(other.page.locator("#gate-error")).to_have_text("User name or password is not right.")
    other.sign_in(name, OTHER_PASSWORD)
    other.expect_connected()
    ada.expect_connected()


def test_a_personal_token_is_shown_once_works_and_is_revoked(account_window: OpenWindow) -> None:
    """It does what was ticked and nothing else; closed and opened again, the dialog only knows its name."""
    ada = account_window()
    ada.come(fresh("ada"))
    page = open_account(ada, "tokens")
    page.click("#token-form button[type=submit]")
    expect(page.locator("#token-form .field-error")).to_have_text("Say what the token is for.")
    page.fill("#token-name", "tea bot")
    for box in page.locator("#token-scopes input").all():
        box.uncheck()
    page.click("#token-form button[type=submit]")
    expect(page.locator("#token-form .form-error")).to_have_text("Choose what it may do.")
    page.check("#token-scopes input[value=account]")
    page.click("#token-form button[type=submit]")
    expect(page.locator("#token-text")).to_be_focused()
    token = page.input_value("#token-text")
    assert answered(ada, token, "/users/me") == 200
    assert answered(ada, token, "/users/me/rooms") == 403
    page.keyboard.press("Escape")
    open_account(ada, "tokens")
    expect(page.locator("#token-made")).to_be_hidden()
    assert page.input_value("#token-text") == ""
    expect(page.locator("#token-list .item")).to_contain_text("tea bot")
    page.locator("#token-list").get_by_role("button", name="Revoke tea bot").click()
    page.click("#confirm-yes")
    expect(page.locator("#token-list .item")).to_have_count(0)
    assert answered(ada, token, "/users/me") == 401
    ada.assert_quiet()


def test_contacts_are_asked_accepted_blocked_and_unblocked(pair: tuple[Window, Window]) -> None:
    """Each side sees the same at its own place; a block ends the contact and is seen by who made it alone."""
    ada, bo = pair
    name = str(bo.call("GET", "/users/me")["username"])
    page = open_account(ada, "contacts")
    page.click("#contact-form button[type=submit]")
    expect(page.locator("#contact-form .form-error")).to_have_text("Choose somebody first.")
    ada.choose("#contact-people", name)
    page.click("#contact-form button[type=submit]")
    groups = page.locator("#contact-groups")
    expect(groups).to_contain_text("You asked")
    theirs = open_account(bo, "contacts").locator("#contact-groups")
    expect(theirs).to_contain_text("They ask you")
    theirs.get_by_role("button", name="Accept: Ada").click()
    expect(theirs.locator("h3")).to_have_text(["Contacts"])
    page.click("#account-tab-contacts")
    expect(groups.locator("h3")).to_have_text(["Contacts"])
    ada.choose("#contact-people", name)
    page.click("#contact-block")
    expect(groups.locator("h3")).to_have_text(["Blocked"])
    bo.page.click("#account-tab-contacts")
    expect(theirs).to_contain_text("Nobody yet.")
    groups.get_by_role("button", name="Unblock: Bo").click()
    expect(groups).to_contain_text("Nobody yet.")
    ada.assert_quiet()
    bo.assert_quiet()


def test_deleting_the_account_takes_the_password_and_a_second_thought(pair: tuple[Window, Window]) -> None:
    """Refused with a wrong password, left alone when not confirmed; then the gate says so, and nobody gets in again."""
    ada, bo = pair
    name = str(ada.call("GET", "/users/me")["username"])
    ada.say("remember me")
    bo.expect_messages("remember me")
    page = open_account(ada, "leave")
    page.fill("#leave-password", "not the password")
    page.click("#leave-form button[type=submit]")
    page.click("#confirm-yes")
    expect(page.locator("#leave-form .field-error[data-for=password]")).to_have_text("Not the password.")
    page.fill("#leave-password", PASSWORD)
    page.click("#leave-form button[type=submit]")
    page.locator("#confirm-dialog [data-close]").click()
    ada.expect_connected()
    page.click("#leave-form button[type=submit]")
    expect(page.locator("#confirm-text")).to_contain_text("What you wrote stays")
    page.click("#confirm-yes")
    expect(page.locator("#gate-error")).to_have_text("Your account has been deleted.")
    ada.sign_in(name)
    expect(page.locator("#gate-error")).to_have_text("User name or password is not right.")
    bo.page.reload()
    expect(bo.page.locator(".row .who").first).to_have_text("Deleted user")


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_the_dialog_is_used_by_keyboard_and_fits(account_window: OpenWindow, viewport: ViewportSize) -> None:
    """Arrows walk the tabs, everything has a name, nothing sticks out sideways, and focus returns to the button."""
    ada = account_window(viewport=viewport)
    ada.come(fresh("ada"))
    page = ada.page
    page.focus("#account-open")
    page.keyboard.press("Enter")
    for tab in TABS:
        expect(page.locator(f"#account-tab-{tab}")).to_be_focused()
        expect(page.locator(f"#account-{tab}")).to_be_visible()
        assert page.evaluate(NAMELESS) == []
        assert page.locator("#account-dialog").evaluate("(node) => node.scrollWidth - node.clientWidth") <= 0
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        page.keyboard.press("ArrowRight")
    expect(page.locator("#account-tab-profile")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#profile-file")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#account-open")).to_be_focused()
    ada.assert_quiet()
