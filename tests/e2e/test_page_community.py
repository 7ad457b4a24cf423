"""How a room is run, as its members see it: mutes, bans, slow mode, read-only and archived rooms, cleaning up.

Who moderates does it over the API; what is looked at is the page of the one whom it concerns.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.e2e.page_line import data_of, reload_through_line
from tests.support.browser import Window

pytestmark = [pytest.mark.thorough, pytest.mark.browser, pytest.mark.real_clock]


@pytest.fixture
def room(people: tuple[Window, Window], request: pytest.FixtureRequest) -> Room:
    """A room of the test's own: Ada owns it, Bo is in it and looks at it."""
    ada, bo = people
    name = request.node.name.removeprefix("test_")[:60]
    room = str(ada.call("POST", "/rooms", {"kind": "group", "name": name, "members": ["bob"]})["id"])
    bo.open_room(name)
    expect(bo.page.locator("#beginning")).to_be_visible()
    return Room(ada, bo, room, name)


class Room:
    """A room, the API as Ada has it, and Bo's window."""

    def __init__(self, ada: Window, bo: Window, room: str, name: str) -> None:
        self.ada, self.bo, self.id, self.name = ada, bo, room, name
        self.page = bo.page
        self.bo_id = str(bo.call("GET", "/users/me")["id"])
        self.note = bo.page.locator("#composer-note")
        self.toasts = bo.page.locator(".toast")
        self._posts = 0

    def expect_silenced(self, why: str) -> None:
        """Wait until this word, or one that begins like it, stands where Bo would write."""
        expect(self.note).to_be_visible()
        expect(self.note).to_contain_text(why)
        expect(self.page.locator("#composer-box")).to_be_hidden()

    def does(self, method: str, path: str, body: object = None) -> dict[str, object]:
        """Have Ada do something in this room."""
        return self.ada.call(method, f"/rooms/{self.id}{path}", body)

    def says(self, body: str, **fields: object) -> str:
        """Have Ada post a message; give its id."""
        self._posts += 1
        return str(self.does("POST", "/messages", {"client_msg_id": f"{self._posts}", "body": body, **fields})["id"])


def test_the_lobby_is_among_the_public_rooms(people: tuple[Window, Window]) -> None:
    """Whoever looks around finds it, joins it and talks in it, like in any other room."""
    ada, bo = people
    for window, name in ((bo, "Bo"), (ada, "Ada")):
        window.join_room("Lobby")
        window.expect_system_line("The room was opened")
        window.expect_system_line(f"{name} joined")
    ada.say("anybody here?")
    bo.expect_messages("anybody here?")
    bo.page.click("#details-toggle")
    expect(bo.page.locator("#member-list .member-name small")).to_have_text(["@ada", "@bob"])
    expect(bo.page.locator("#room-sub")).to_have_text("2 members")
    expect(bo.page.locator("#details-kind")).to_have_text("GroupPublic")
    bo.page.click("#details-close")
    bo.assert_quiet()


def test_a_muted_member_sees_why_the_box_is_gone_and_gets_it_back(room: Room) -> None:
    """The word stands where the box was; neither reacting nor editing is offered; unmuted, all is as before."""
    room.bo.say("hello")
    room.bo.expect_messages("hello")
    room.does("PUT", f"/mutes/{room.bo_id}", {"reason": "off topic"})
    room.expect_silenced("You are muted in this room.")
    expect(room.page.locator("[data-act=edit], [data-act=add-reaction]")).to_have_count(0)
    room.bo.expect_system_line("Ada muted Bo: off topic")
    line = reload_through_line(room.bo)
    room.expect_silenced("You are muted in this room.")
    # The list of rooms, read again with each connection, does not know of mutes.
    with room.page.expect_response("**/users/me/rooms*") as listed:
        line.hang_up()
        room.bo.reconnect_now()
    listed.value.finished()
    room.says("after the cut")
    room.bo.expect_messages("hello", "after the cut")
    room.expect_silenced("You are muted in this room.")
    room.does("DELETE", f"/mutes/{room.bo_id}")
    expect(room.note).to_be_hidden()
    room.bo.expect_system_line("Ada unmuted Bo")
    room.bo.say("thank you")
    room.bo.expect_messages("hello", "after the cut", "thank you")
    room.page.unroute_all()
    room.bo.assert_quiet()


def test_a_mute_with_an_end_names_it_and_ends_by_itself(room: Room) -> None:
    """Nobody has to do anything: the line says so, and the box is back."""
    line = reload_through_line(room.bo)
    held: list[dict[str, object]] = []

    def hold_the_end(frame: dict[str, object]) -> list[dict[str, object]]:
        if frame["type"] != "member.unmuted":
            return [frame]
        held.append(frame)
        return []

    line.edit = hold_the_end
    until = datetime.now(UTC) + timedelta(seconds=3)
    room.does("PUT", f"/mutes/{room.bo_id}", {"until": until.isoformat()})
    room.expect_silenced("You are muted in this room until ")
    room.bo.expect_system_line("Ada muted Bo until ")
    line.edit = lambda frame: [frame]
    for frame in held:
        line.inject(frame)
    room.bo.expect_system_line("Bo may speak again")
    expect(room.note).to_be_hidden()
    room.bo.assert_quiet()


def test_a_refusal_that_the_page_did_not_expect_is_said_and_learnt_from(room: Room) -> None:
    """The mute's event was lost: the message fails with the reason, which is said aloud, and then the box goes."""
    line = reload_through_line(room.bo)
    line.edit = lambda frame: [] if frame["type"] == "member.muted" else [frame]
    until = datetime.now(UTC) + timedelta(hours=1)
    room.does("PUT", f"/mutes/{room.bo_id}", {"until": until.isoformat()})
    room.bo.say("may I?")
    expect(room.toasts).to_contain_text("You are muted in this room until ")
    expect(room.page.locator(".row.failed .bubble-note")).to_contain_text("You are muted in this room until ")
    room.expect_silenced("You are muted in this room until ")
    room.page.locator(".row.failed [data-act=discard]").click()
    line.hang_up()
    room.page.unroute_all()
    room.page.reload()
    room.expect_silenced("You are muted in this room until ")


def test_slow_mode_names_the_wait_and_sends_when_it_is_over(room: Room) -> None:
    """The second message waits, the page says how long, and it goes out by itself."""
    line = reload_through_line(room.bo)
    waits: list[object] = []

    def shorten(frame: dict[str, object]) -> list[dict[str, object]]:
        if data_of(frame).get("code") != "slow_mode":
            return [frame]
        waits.append(data_of(frame)["retry_after"])
        return [{**frame, "data": {**data_of(frame), "retry_after": 2}}]

    line.edit = shorten
    room.does("PATCH", "", {"settings": {"slow_mode_seconds": 3600}})
    room.bo.expect_system_line("Ada turned slow mode on (a message every 60 minutes)")
    room.bo.say("one")
    room.bo.say("two")
    expect(room.toasts).to_have_text("This room is in slow mode: your message goes out in 2 seconds.")
    expect(room.bo.waiting).to_have_count(1)
    # However often it comes too early until then, that is said once.
    room.does("PATCH", "", {"settings": {"slow_mode_seconds": 0}})
    room.bo.expect_messages("one", "two")
    line.edit = lambda frame: [frame]
    assert 3000 < float(str(waits[0])) <= 3600
    room.bo.assert_quiet()


def test_an_archived_room_can_be_read_and_nothing_more(room: Room) -> None:
    """A clear word stands in the place of the box; taken into use again, the box is back."""
    room.says("kept")
    room.bo.expect_messages("kept")
    room.does("PATCH", "", {"settings": {"archived": True}})
    room.expect_silenced("This room is archived")
    room.bo.expect_system_line("Ada archived the room")
    room.page.locator(".row .bubble").hover()
    expect(room.page.locator(".row .tools button")).to_have_count(0)
    room.page.reload()
    room.bo.expect_messages("kept")
    room.expect_silenced("This room is archived")
    room.does("PATCH", "", {"settings": {"archived": False}})
    room.bo.expect_system_line("Ada took the room into use again")
    expect(room.note).to_be_hidden()
    room.bo.say("and on we go")
    room.bo.expect_messages("kept", "and on we go")
    room.bo.assert_quiet()


def test_the_owner_archives_from_the_page(people: tuple[Window, Window]) -> None:
    """The same button takes the room into use again."""
    ada, _ = people
    ada.have_room("Old plans")
    ada.page.click("#details-toggle")
    ada.page.click("#act-archive")
    ada.page.click("#confirm-yes")
    expect(ada.page.locator("#composer-note")).to_be_visible()
    expect(ada.page.locator("#composer-note")).to_contain_text("This room is archived")
    expect(ada.page.locator("#details-kind")).to_contain_text("Archived")
    ada.page.click("#act-archive")
    expect(ada.page.locator("#composer-note")).to_be_hidden()
    ada.page.click("#details-close")
    ada.assert_quiet()


def test_in_a_read_only_room_only_moderators_write(room: Room) -> None:
    """A member sees why not; made a moderator, they write."""
    room.does("PATCH", "", {"settings": {"read_only": True}, "topic": "Announcements"})
    room.expect_silenced("This room is read-only: only moderators write here.")
    room.bo.expect_system_line("Ada set the topic to Announcements and made the room read-only")
    room.does("PATCH", f"/members/{room.bo_id}", {"role": "moderator"})
    expect(room.note).to_be_hidden()
    room.bo.expect_system_line("Ada made Bo a moderator")
    room.bo.say("now I may")
    room.bo.expect_messages("now I may")
    room.bo.assert_quiet()


def test_somebody_banned_is_told_and_no_longer_sees_the_room(room: Room) -> None:
    """With the reason, in a word that does not vanish with the room."""
    room.does("PUT", f"/bans/{room.bo_id}", {"reason": "spam"})
    expect(room.toasts).to_have_text(f"You were banned from “{room.name}”: spam")
    expect(room.bo.room_row(room.name)).to_have_count(0)
    expect(room.page.locator("#welcome")).to_be_visible()
    room.bo.assert_quiet()


def test_messages_that_are_cleared_away_or_expire_become_tombstones(room: Room) -> None:
    """Several at once, and one by itself when its time is over."""
    spam = [room.says(f"spam {number}") for number in range(3)]
    room.says("fine")
    room.bo.expect_messages("spam 0", "spam 1", "spam 2", "fine")
    room.does("POST", "/messages/bulk-delete", {"messages": spam})
    tombstones = ["Message deleted"] * 3
    room.bo.expect_messages(*tombstones, "fine")
    room.bo.expect_system_line("Ada deleted 3 messages")
    room.says("gone in a second", expires_in=1)
    room.bo.expect_messages(*tombstones, "fine", "Message expired")
    room.page.reload()
    room.bo.expect_messages(*tombstones, "fine", "Message expired")
    expect(room.page.locator("body")).not_to_contain_text("spam")
    room.bo.assert_quiet()


def test_history_that_is_kept_no_longer_leaves_the_screen(room: Room) -> None:
    """What was trimmed is not shown on: the rows go, and the page says why there is nothing above."""
    line = reload_through_line(room.bo)
    for text in ("old", "older than you think", "new"):
        room.says(text)
    room.bo.expect_messages("old", "older than you think", "new")
    head = int(str(room.does("GET", "")["head_seq"]))
    trimmed = {"type": "history.trimmed", "room": room.id, "seq": head + 1, "actor": "system"}
    line.inject({**trimmed, "ts": "2026-01-31T09:30:00.000Z", "data": {"upto_seq": head - 1}})
    room.bo.expect_messages("new")
    room.bo.expect_system_line("What was said earlier is kept no longer")
    expect(room.page.locator("#beginning-text")).to_be_visible()
    expect(room.page.locator("#beginning-text")).to_have_text("What was said earlier is kept no longer.")
    room.page.unroute_all()
    room.page.reload()
    room.bo.assert_quiet()
