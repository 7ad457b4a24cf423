"""Running a room from the page: what moderators and owners can do in it, what others are not even offered.

Ada owns the room, Bo is in it; each thing is done on Ada's screen and looked at on both.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.support.browser import Window
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.thorough, pytest.mark.browser, pytest.mark.real_clock]

ADD, INVITE, SETTINGS, MODERATION, ARCHIVE, LEAVE, DELETE = (
    *("#act-add", "#act-invite", "#act-settings", "#act-moderation"),
    *("#act-archive", "#act-leave", "#act-delete"),
)
OFFERED = """(offers) => [...document.querySelectorAll(".details-actions button")]
  .filter((one) => one.checkVisibility()).map((one) => "#" + one.id).join() === offers"""


class Place:
    """A room that Ada owns and Bo is in, with the details open on both screens."""

    def __init__(self, ada: Window, bo: Window, room: str, name: str) -> None:
        self.ada, self.bo, self.id, self.name = ada, bo, room, name
        self.bo_id = str(bo.call("GET", "/users/me")["id"])

    def row(self, window: Window, name: str) -> Locator:
        """Give somebody's row in the list of members."""
        return window.page.locator("#member-list .member").filter(has=window.page.locator("bdi", has_text=name))

    def pick(self, entry: str, *, name: str = "Bo") -> None:
        """Have Ada open the menu at a member and choose something."""
        self.row(self.ada, name).locator("[data-act=menu]").click()
        self.ada.page.locator("#member-menu").get_by_role("menuitem", name=entry).click()

    def expect_offers(self, window: Window, *offers: str) -> None:
        """Wait until this, and nothing else, can be done with the room as somebody sees it."""
        window.page.wait_for_function(OFFERED, arg=",".join(offers))

    def does(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Have Ada do something in this room over the API."""
        return self.ada.call(method, f"/rooms/{self.id}{path}", body)


@pytest.fixture
def place(people: tuple[Window, Window], request: pytest.FixtureRequest) -> Place:
    """A room of the test's own."""
    ada, bo = people
    name = request.node.name.removeprefix("test_")[:60]
    room = str(ada.call("POST", "/rooms", {"kind": "group", "name": name, "members": ["bob"]})["id"])
    for window in (ada, bo):
        window.open_room(name)
        if window.page.locator("#details").is_hidden():
            window.page.click("#details-toggle")
        expect(window.page.locator("#member-list .member")).to_have_count(2)
    return Place(ada, bo, room, name)


def test_what_may_not_be_done_is_not_offered(place: Place) -> None:
    """A member sees no more than how to leave, a moderator what moderators may; nobody has a menu for who is above."""
    place.expect_offers(place.ada, ADD, INVITE, SETTINGS, MODERATION, ARCHIVE, LEAVE, DELETE)
    place.expect_offers(place.bo, LEAVE)
    expect(place.bo.page.locator("[data-act=menu]")).to_have_count(0)
    expect(place.row(place.ada, "Ada").locator("[data-act=menu]")).to_have_count(0)
    place.pick("Make a moderator")
    place.ada.expect_system_line("Ada made Bo a moderator")
    place.expect_offers(place.bo, ADD, INVITE, MODERATION, LEAVE)
    expect(place.bo.page.locator("[data-act=menu]")).to_have_count(0)
    place.bo.page.click(INVITE)
    expect(place.bo.page.locator("#invite-role-field")).to_be_hidden()
    place.bo.page.keyboard.press("Escape")
    place.does("PATCH", "", {"settings": {"archived": True}})
    place.expect_offers(place.ada, MODERATION, ARCHIVE, LEAVE, DELETE)
    place.ada.assert_quiet()
    place.bo.assert_quiet()


def test_somebody_is_muted_and_may_speak_again(place: Place) -> None:
    """With a length and a reason; the list of members and the moderation dialog know, and either takes it back."""
    page = place.ada.page
    place.pick("Mute…")
    expect(page.locator("#sanction-title")).to_have_text("Mute Bo?")
    page.select_option("#sanction-seconds", "3600")
    page.fill("#sanction-reason", "too loud")
    page.click("#sanction-yes")
    place.ada.expect_system_line("too loud")
    expect(place.row(place.ada, "Bo").locator(".tag")).to_have_text(["muted"])
    expect(place.bo.page.locator("#composer-note")).to_contain_text("You are muted in this room until")
    expect(place.row(place.bo, "Bo").locator(".tag")).to_have_count(0)
    page.click(MODERATION)
    expect(page.locator("#mutes-list .item")).to_contain_text(["too loud"])
    expect(page.locator("#bans-none")).to_be_visible()
    page.locator("#mutes-list").get_by_role("button", name="Let speak again").click()
    expect(page.locator("#mutes-none")).to_be_visible()
    page.locator("#moderation-dialog [data-close]").click()
    expect(place.bo.page.locator("#composer-box")).to_be_visible()
    expect(place.row(place.ada, "Bo").locator(".tag")).to_have_count(0)
    place.pick("Mute…")
    page.select_option("#sanction-seconds", label="Until somebody lets them speak")
    page.click("#sanction-yes")
    expect(place.bo.page.locator("#composer-note")).to_contain_text("You are muted in this room.")
    expect(place.row(place.ada, "Bo").locator(".tag")).to_have_text(["muted"])
    place.pick("Let speak again")
    expect(place.bo.page.locator("#composer-box")).to_be_visible()
    place.ada.assert_quiet()
    place.bo.assert_quiet()


def test_somebody_is_banned_and_the_ban_is_lifted(place: Place) -> None:
    """They are out, with the reason; no invite helps, until the ban is lifted in the dialog."""
    page = place.ada.page
    place.pick("Ban…")
    expect(page.locator("#sanction-length")).to_be_hidden()
    page.fill("#sanction-reason", "spam")
    page.click("#sanction-yes")
    place.ada.expect_system_line("Ada banned Bo: spam")
    expect(place.bo.room_row(place.name)).to_have_count(0)
    expect(page.locator("#member-list .member")).to_have_count(1)
    page.click(MODERATION)
    expect(page.locator("#bans-list .item")).to_contain_text(["spam"])
    page.locator("#bans-list").get_by_role("button", name="Lift the ban").click()
    expect(page.locator("#bans-none")).to_be_visible()
    page.keyboard.press("Escape")
    place.ada.expect_system_line("Ada unbanned Bo")
    place.does("PUT", f"/members/{place.bo_id}")
    expect(place.bo.room_row(place.name)).to_have_count(1)
    place.ada.assert_quiet()
    place.bo.assert_quiet()


def test_somebody_is_given_another_role_and_taken_out(place: Place) -> None:
    """Each role that Ada can give; taken out only after a question."""
    page = place.ada.page
    for entry, word in (("Make an admin", "an admin"), ("Make a guest", "a guest"), ("Make an owner", "an owner")):
        place.pick(entry)
        place.ada.expect_system_line(f"Ada made Bo {word}")
        expect(place.row(place.bo, "Bo").locator(".tag")).to_have_text([entry.split()[-1]])
    place.pick("Take out of the room")
    page.click("#confirm-dialog [data-close]")
    expect(page.locator("#member-list .member")).to_have_count(2)
    place.pick("Take out of the room")
    page.click("#confirm-yes")
    place.ada.expect_system_line("Ada removed Bo")
    expect(place.bo.room_row(place.name)).to_have_count(0)
    place.ada.assert_quiet()
    place.bo.assert_quiet()


def test_a_link_lets_somebody_in_until_it_is_revoked(
    place: Place, browser: Browser, page_server: ServerProcess
) -> None:
    """Made with a role, a time and a number; whoever opens it, signed in or not, is asked and then in."""
    page = place.ada.page
    page.click(INVITE)
    page.select_option("#invite-role", "moderator")
    page.select_option("#invite-days", "1")
    page.select_option("#invite-uses", "10")
    page.click("#invite-form button[type=submit]")
    link = page.locator("#invite-link")
    expect(link).to_have_value(re.compile(re.escape(page_server.url) + "/#/i/r_.+"))
    address = link.input_value()
    expect(page.locator("#invite-list .item")).to_contain_text(["For a moderator"])
    cid = Window(browser, address)
    cid.sign_up("cid", display_name="Cid")
    expect(cid.page.locator("#confirm-yes")).not_to_contain_class("danger")
    cid.page.click("#confirm-yes")
    expect(cid.page.locator("#room-name")).to_have_text(place.name)
    assert "#/i/" not in cid.page.url
    place.ada.expect_system_line("Cid came by an invite")
    expect(place.row(place.bo, "Cid").locator(".tag")).to_have_text(["moderator"])
    page.keyboard.press("Escape")
    page.click(INVITE)
    expect(link).to_have_value("")
    expect(page.locator("#invite-list .item")).to_contain_text(["used 1 of 10 times"])
    place.does("DELETE", f"/members/{cid.call('GET', '/users/me')['id']}")
    expect(cid.room_row(place.name)).to_have_count(0)
    page.locator("#invite-list").get_by_role("button", name="Revoke").click()
    expect(page.locator("#invite-open")).to_be_hidden()
    page.keyboard.press("Escape")
    cid.page.goto(address)
    cid.page.click("#confirm-yes")
    expect(cid.page.locator(".toast").last).to_have_text("That is not there any more, or not yours to see.")
    cid.close()
    place.ada.assert_quiet()


def test_how_a_room_is_run_is_set_on_one_sheet(place: Place) -> None:
    """Name, topic, who finds it, who writes, how often, how long and what newcomers see: one change, seen by all."""
    page = place.ada.page
    page.click(SETTINGS)
    for field, value in (("#settings-name", f"{place.name} 2"), ("#settings-topic", "Tea")):
        page.fill(field, value)
    for choice in ("visibility][value=public", "history][value=since_join"):
        page.check(f"#settings-form input[name={choice}]", force=True)
    page.check("#settings-read-only")
    page.select_option("#settings-pause", "30")
    page.select_option("#settings-days", "7")
    page.click("#settings-form button[type=submit]")
    expect(page.locator("#settings-dialog")).to_be_hidden()
    tags = ["Group", "Public", "Read-only", "Every 30 seconds", "Kept 7 days"]
    for window in (place.ada, place.bo):
        expect(window.page.locator("#room-name")).to_have_text(f"{place.name} 2")
        expect(window.page.locator("#details-kind .tag")).to_have_text(tags)
        expect(window.page.locator("#details-topic")).to_have_text("Tea")
    expect(place.bo.page.locator("#composer-note")).to_contain_text("read-only")
    room = place.does("GET", "")
    assert room["visibility"] == "public"
    assert room["settings"] == {
        "slow_mode_seconds": 30,
        "retention_days": 7,
        "history_visibility": "since_join",
        "read_only": True,
        "archived": False,
    }
    updates = [event for event in place.does("GET", "/events?limit=100")["items"] if event["type"] == "room.updated"]
    assert len(updates) == 1
    page.click(SETTINGS)
    expect(page.locator("#settings-days")).to_have_value("7")
    page.select_option("#settings-days", label="For good")
    page.uncheck("#settings-read-only")
    page.click("#settings-form button[type=submit]")
    expect(place.bo.page.locator("#details-kind .tag")).to_have_text(["Group", "Public", "Every 30 seconds"])
    page.click(SETTINGS)
    page.fill("#settings-name", " ")
    page.click("#settings-form button[type=submit]")
    expect(page.locator("#settings-form .field-error[data-for=name]")).to_have_text("A room needs a name.")
    page.keyboard.press("Escape")
    place.ada.assert_quiet()
    place.bo.assert_quiet()


def test_a_room_is_archived_and_used_again(place: Place) -> None:
    """After a question; while it is archived nobody writes and nothing is set, but people can still be put out."""
    page = place.ada.page
    page.click(ARCHIVE)
    page.click("#confirm-yes")
    for window in (place.ada, place.bo):
        expect(window.page.locator("#composer-note")).to_contain_text("archived")
        expect(window.page.locator("#details-kind .tag")).to_contain_text(["Group", "Private", "Archived"])
    expect(page.locator(SETTINGS)).to_be_hidden()
    place.row(place.ada, "Bo").locator("[data-act=menu]").click()
    entries = page.locator("#member-menu button")
    expect(entries).to_contain_text(["Make an owner", "Take out of the room", "Ban…"])
    expect(entries.filter(has_text="Mute")).to_have_count(0)
    page.keyboard.press("Escape")
    page.click(ARCHIVE)
    expect(place.bo.page.locator("#composer-box")).to_be_visible()
    expect(page.locator(SETTINGS)).to_be_visible()
    place.ada.assert_quiet()
    place.bo.assert_quiet()


def test_the_menu_at_a_member_is_walked_with_keys(place: Place) -> None:
    """Enter opens it, arrows walk it, Escape closes it and leads back."""
    button = place.row(place.ada, "Bo").locator("[data-act=menu]")
    button.focus()
    place.ada.page.keyboard.press("Enter")
    entries = place.ada.page.locator("#member-menu button")
    expect(entries.first).to_be_focused()
    place.ada.page.keyboard.press("ArrowUp")
    expect(entries.last).to_be_focused()
    place.ada.page.keyboard.press("ArrowDown")
    expect(entries.first).to_be_focused()
    place.ada.page.keyboard.press("Escape")
    expect(place.ada.page.locator("#member-menu")).to_be_hidden()
    expect(button).to_be_focused()
    place.ada.assert_quiet()
