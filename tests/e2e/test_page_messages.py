"""What happens to messages after they were sent, on two people's screens: edits, reactions, answers, pins, deletion.

The pages hear of it by events alone, and a reload, which begins from a snapshot, has to show the same.
"""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, expect

from tests.support.browser import Window

pytestmark = [pytest.mark.thorough, pytest.mark.browser, pytest.mark.real_clock]

# Emoji that any font has, so that what a failed test looks like can be read.
HEART = "❤️"


def row(window: Window, text: str) -> Locator:
    """Give the row of the message that reads like this."""
    body = window.page.locator(".body").get_by_text(text, exact=True)
    return window.page.locator("#timeline .row").filter(has=body)


def use(window: Window, text: str, tool: str) -> None:
    """Point at a message and press one of its tools."""
    row(window, text).locator(".bubble").hover()
    row(window, text).locator(f"[data-act={tool}]").click()


def test_a_message_is_edited_reacted_to_and_deleted_before_both_eyes(pair: tuple[Window, Window]) -> None:
    """Each step shows on both screens, in both lists of rooms, and again after a reload; a tombstone tells nothing."""
    ada, bo = pair
    ada.say("Meet at nine")
    bo.expect_messages("Meet at nine")
    use(ada, "Meet at nine", "edit")
    expect(ada.page.locator("#composer-text")).to_have_value("Meet at nine")
    ada.say("Meet at ten")
    use(bo, "Meet at ten", "add-reaction")
    bo.page.locator(f'#emoji-menu [data-emoji="{HEART}"]').click()
    for window in (ada, bo):
        for _ in ("live", "reloaded"):
            window.expect_messages("Meet at ten")
            expect(window.page.locator(".edited")).to_have_count(1)
            expect(window.page.locator(".reaction")).to_have_text([f"{HEART}1"])
            expect(window.room_row("a_message_is_edited")).to_contain_text("Meet at ten")
            window.page.reload()
    use(ada, "Meet at ten", "delete")
    ada.page.click("#confirm-yes")
    for window in (ada, bo):
        for _ in ("live", "reloaded"):
            window.expect_messages("Message deleted")
            expect(window.page.locator(".edited, .reaction, .row.gone .tools")).to_have_count(0)
            expect(window.page.locator("body")).not_to_contain_text("Meet at")
            window.page.reload()
        window.expect_messages("Message deleted")
        window.assert_quiet()


def test_reactions_are_toggled_and_counted(pair: tuple[Window, Window]) -> None:
    """A second person's press counts up, one's own again takes it back, and the last one takes the chip away."""
    ada, bo = pair
    ada.say("Cake?")
    bo.expect_messages("Cake?")
    use(bo, "Cake?", "add-reaction")
    bo.page.locator(f'#emoji-menu [data-emoji="{HEART}"]').click()
    chips = [window.page.locator(".reaction") for window in (ada, bo)]
    expect(chips[0]).to_have_attribute("aria-pressed", "false")
    expect(chips[1]).to_have_attribute("aria-pressed", "true")
    chips[0].click()
    for chip in chips:
        expect(chip).to_have_text(f"{HEART}2")
        expect(chip).to_have_attribute("aria-pressed", "true")
    expect(chips[0]).to_have_attribute("title", "Bo, you")
    chips[1].click()
    expect(chips[0]).to_have_text(f"{HEART}1")
    expect(chips[1]).to_have_attribute("aria-pressed", "false")
    chips[0].click()
    for window, chip in zip((ada, bo), chips, strict=True):
        expect(chip).to_have_count(0)
        window.assert_quiet()


def test_only_ones_own_messages_can_be_edited(pair: tuple[Window, Window]) -> None:
    """Not even the owner of the room puts words into somebody's mouth."""
    ada, bo = pair
    bo.say("mine")
    ada.expect_messages("mine")
    bo.expect_messages("mine")
    expect(row(ada, "mine").locator("[data-act=edit]")).to_have_count(0)
    expect(row(bo, "mine").locator("[data-act=edit]")).to_have_count(1)


def test_an_edit_can_be_begun_and_left_by_keys(pair: tuple[Window, Window]) -> None:
    """Arrow up takes one's last message into the empty box, Escape gives the box back, Enter saves."""
    ada, bo = pair
    box = ada.page.locator("#composer-text")
    bar = ada.page.locator("#composer-bar")
    ada.say("first")
    ada.expect_messages("first")
    bo.say("not ada's")
    ada.expect_messages("first", "not ada's")
    box.press("ArrowUp")
    expect(bar).to_be_visible()
    expect(bar).to_have_text("Editing your message")
    expect(box).to_have_value("first")
    box.press("Escape")
    expect(bar).to_be_hidden()
    expect(box).to_have_value("")
    box.press("ArrowUp")
    ada.say("corrected")
    bo.expect_messages("corrected", "not ada's")
    expect(bar).to_be_hidden()
    ada.say("second")
    bo.expect_messages("corrected", "not ada's", "second")
    ada.assert_quiet()


def test_a_draft_waits_while_a_message_is_edited(pair: tuple[Window, Window]) -> None:
    """What was being written comes back when the edit is done."""
    ada, bo = pair
    ada.say("teh end")
    ada.expect_messages("teh end")
    ada.page.fill("#composer-text", "half a thought")
    use(ada, "teh end", "edit")
    ada.say("the end")
    bo.expect_messages("the end")
    expect(ada.page.locator("#composer-text")).to_have_value("half a thought")


def test_an_edit_over_a_newer_one_is_refused_and_not_lost(pair: tuple[Window, Window]) -> None:
    """The text was changed elsewhere meanwhile: the page says so, keeps what was written, and overwrites nothing."""
    ada, bo = pair
    ada.say("version one")
    bo.expect_messages("version one")
    use(ada, "version one", "edit")
    room = ada.page.evaluate("location.hash.split('/').pop()")
    message = ada.call("GET", f"/rooms/{room}/messages")["items"][0]["id"]  # type: ignore[index]
    ada.call("PATCH", f"/messages/{message}", {"body": "from my phone"})
    ada.expect_messages("from my phone")
    ada.say("from my desk")
    expect(ada.page.locator(".toast")).to_have_text("It was changed meanwhile. Have a look at it first.")
    expect(ada.page.locator("#composer-text")).to_have_value("from my desk")
    bo.expect_messages("from my phone")


def test_an_answer_quotes_what_it_answers_as_it_reads_now(pair: tuple[Window, Window]) -> None:
    """The quote follows an edit, and of a deleted message it tells nothing."""
    ada, bo = pair
    ada.say("Who brings the tent?")
    bo.expect_messages("Who brings the tent?")
    use(bo, "Who brings the tent?", "reply")
    expect(bo.page.locator("#composer-bar")).to_be_visible()
    expect(bo.page.locator("#composer-bar")).to_have_text("Replying to Ada")
    bo.say("I do")
    quotes = [window.page.locator(".quote") for window in (ada, bo)]
    for quoted in quotes:
        expect(quoted).to_have_text("AdaWho brings the tent?")
    use(ada, "Who brings the tent?", "edit")
    ada.say("Who brings the tents?")
    for quoted in quotes:
        expect(quoted).to_have_text("AdaWho brings the tents?")
    use(ada, "Who brings the tents?", "delete")
    ada.page.click("#confirm-yes")
    for window, quoted in zip((ada, bo), quotes, strict=True):
        expect(quoted).to_have_text("AdaMessage deleted")
        window.assert_quiet()


def test_pins_are_marked_and_listed_for_everybody(pair: tuple[Window, Window]) -> None:
    """The owner pins and unpins; a member only sees it. The list follows edits, and a deleted message leaves it."""
    ada, bo = pair
    ada.say("House rules")
    bo.expect_messages("House rules")
    bo.say("My rules")
    for window in (ada, bo):
        window.expect_messages("House rules", "My rules")
        window.page.click("#details-toggle")
    expect(bo.page.locator("[data-act=pin]")).to_have_count(0)
    use(ada, "House rules", "pin")
    use(ada, "My rules", "pin")
    for window in (ada, bo):
        expect(window.page.locator('.mark[title="Pinned"]')).to_have_count(2)
        expect(window.page.locator(".pin-text span")).to_have_text(["My rules", "House rules"])
        expect(window.page.locator("#timeline .system", has_text="Ada pinned a message")).to_have_count(2)
    expect(bo.page.locator(".pin [data-act=unpin]")).to_have_count(0)
    use(ada, "House rules", "edit")
    ada.say("House rules, revised")
    use(bo, "My rules", "delete")
    bo.page.click("#confirm-yes")
    for window in (ada, bo):
        expect(window.page.locator(".pin-text span")).to_have_text(["House rules, revised"])
    ada.page.locator(".pin [data-act=unpin]").click()
    for window in (ada, bo):
        expect(window.page.locator("#pins")).to_be_hidden()
        expect(window.page.locator('.mark[title="Pinned"]')).to_have_count(0)
        window.page.click("#details-close")
        window.assert_quiet()


def test_a_pin_far_back_is_brought_into_view_as_it_reads_now(pair: tuple[Window, Window]) -> None:
    """Pressing it in the list fetches the older pages; what happened later to messages in them is not lost on them."""
    ada, bo = pair
    room = ada.page.evaluate("location.hash.split('/').pop()")
    pinned, gone = ada.post(room, "p0", "p1")
    ada.call("PUT", f"/rooms/{room}/pins/{pinned}")
    ada.call("PATCH", f"/messages/{pinned}", {"body": "p0, edited once"})
    ada.call("PUT", f"/messages/{pinned}/reactions/{quote('🎉')}")
    ada.post(room, *(f"p{number}" for number in range(2, 70)))
    ada.call("DELETE", f"/messages/{pinned}/reactions/{quote('🎉')}")
    ada.call("PUT", f"/messages/{pinned}/reactions/{quote(HEART)}")
    ada.call("PATCH", f"/messages/{pinned}", {"body": "p0, edited"})
    ada.call("DELETE", f"/messages/{gone}")
    bo.page.reload()
    expect(bo.messages.last).to_have_text("p69")
    assert bo.messages.count() < 70
    bo.page.click("#details-toggle")
    bo.page.locator(".pin-text", has_text="p0, edited").click()
    expect(row(bo, "p0, edited")).to_be_in_viewport()
    expect(row(bo, "p0, edited").locator(".reaction")).to_have_text(f"{HEART}1")
    bo.page.click("#details-close")
    bo.expect_messages("p0, edited", "Message deleted", *(f"p{number}" for number in range(2, 70)))
    bo.assert_quiet()
