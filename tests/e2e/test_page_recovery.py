"""The chat page when the server dies, the line is cut or frames are lost: nothing is lost and nothing appears twice.

The line is cut in two ways: by killing the real server process, and by a proxy inside the browser that drops, repeats
or holds back WebSocket frames between the page and the real server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.e2e.page_line import Line, data_of, reload_through_line
from tests.support.browser import RECONNECT_MS, Window
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.thorough, pytest.mark.browser, pytest.mark.real_clock]


@pytest.fixture
def line(pair: tuple[Window, Window]) -> Iterator[Line]:
    """The line that Ada's page is on, whole again in the end."""
    line = reload_through_line(pair[0])
    yield line
    line.open, line.edit = True, lambda frame: [frame]


@pytest.fixture
def mortal(page_server: ServerProcess) -> Iterator[ServerProcess]:
    """The server, for a test that kills it: it runs again in the end."""
    yield page_server
    if page_server._process is None:
        page_server.start()


def here(window: Window) -> str:
    """Give the open room."""
    return str(window.page.evaluate("location.hash.split('/').pop()"))


def asked(line: Line, room: str) -> list[dict[str, object]]:
    """Give what the page said and asked, of this room or of none; not that it is there, nor how far it has read."""
    return [frame for frame in line.sent if frame.get("room", room) == room and frame["type"] not in {"ping", "read"}]


def asked_after(line: Line, room: str) -> list[object]:
    """Give the positions that the page asked to be replayed from."""
    return [data_of(frame)["after"] for frame in asked(line, room) if "after" in data_of(frame)]


def snapshots(line: Line, room: str) -> int:
    """Count how often the page asked for the room anew."""
    return sum(1 for frame in asked(line, room) if "history" in data_of(frame))


def test_a_message_written_while_cut_off_survives_a_reload(pair: tuple[Window, Window], line: Line) -> None:
    """Unsent messages are kept by the tab: reloaded and connected again, it sends them once."""
    ada, bo = pair
    line.cut()
    ada.expect_cut_off()
    ada.say("kept")
    expect(ada.waiting).to_have_count(1)
    ada.page.reload()
    ada.expect_cut_off()
    expect(ada.waiting).to_have_count(1)
    line.open = True
    ada.reconnect_now()
    ada.expect_messages("kept")
    bo.expect_messages("kept")
    assert ada.history() == ["kept"]


def test_a_lost_acknowledgement_is_asked_for_again_and_not_shown_twice(pair: tuple[Window, Window], line: Line) -> None:
    """The message was stored but neither its ack nor its event came back: the page sends it under the same id."""
    ada, bo = pair
    bo.say("first")
    ada.expect_messages("first")
    line.edit = lambda frame: [] if frame["type"] in {"ack", "message.created"} else [frame]
    ada.say("only once")
    bo.expect_messages("first", "only once")
    line.hang_up()
    line.edit = lambda frame: [frame]
    ada.reconnect_now()
    ada.expect_messages("first", "only once")
    sends = [data_of(frame)["client_msg_id"] for frame in line.sent if frame["type"] == "send"]
    assert len(sends) >= 2
    assert len(set(sends)) == 1
    assert ada.history() == ["first", "only once"]


def test_a_reconnect_resumes_every_room_from_its_last_event(pair: tuple[Window, Window], line: Line) -> None:
    """The hello after a cut names epoch and last seq of the room, and what was missed arrives without a snapshot."""
    ada, bo = pair
    bo.say("one")
    ada.expect_messages("one")
    line.cut()
    ada.expect_cut_off()
    bo.say("two")
    bo.expect_messages("one", "two")
    line.sent.clear()
    line.open = True
    ada.reconnect_now()
    ada.expect_messages("one", "two")
    hello = line.sent[0]
    room = here(ada)
    positions = data_of(hello)["resume"]
    assert isinstance(positions, dict)
    assert positions[room]["seq"] == 2  # room.created, then "one"
    assert [frame["type"] for frame in asked(line, room)] == ["hello"]


def test_what_was_changed_while_the_page_was_offline_shows_when_it_is_back(
    pair: tuple[Window, Window], line: Line
) -> None:
    """An edit, a reaction, a pin and a deletion are replayed, not fetched anew; what cannot be sent offline is said."""
    ada, bo = pair
    for text in ("keep me", "change me", "delete me"):
        bo.say(text)
    ada.expect_messages("keep me", "change me", "delete me")
    line.cut()
    ada.expect_cut_off()
    room = here(bo)
    found = bo.call("GET", f"/rooms/{room}/messages")["items"]
    assert isinstance(found, list)
    keep, change, delete = (message["id"] for message in found)
    bo.call("PATCH", f"/messages/{change}", {"body": "changed"})
    bo.call("PUT", f"/messages/{change}/reactions/{quote('❤')}")
    bo.call("PUT", f"/messages/{keep}/reactions/{quote('❤')}")
    bo.call("DELETE", f"/messages/{keep}/reactions/{quote('❤')}")
    bo.call("DELETE", f"/messages/{delete}")
    bo.expect_messages("keep me", "changed", "Message deleted")
    ada.expect_messages("keep me", "change me", "delete me")
    ada.page.locator(".row").nth(0).locator(".bubble").hover()
    ada.page.locator(".row").nth(0).locator("[data-act=pin]").click()
    expect(ada.page.locator(".toast")).to_have_text("The server cannot be reached.")
    line.sent.clear()
    line.open = True
    ada.reconnect_now()
    ada.expect_messages("keep me", "changed", "Message deleted")
    expect(ada.page.locator(".edited")).to_have_count(1)
    expect(ada.page.locator(".reaction")).to_have_text(["❤1"])
    assert [frame["type"] for frame in asked(line, room)] == ["hello"]
    ada.page.locator(".row").nth(0).locator(".bubble").hover()
    ada.page.locator(".row").nth(0).locator("[data-act=pin]").click()
    expect(bo.page.locator('.mark[title="Pinned"]')).to_have_count(1)


def test_a_lost_event_is_noticed_and_fetched(pair: tuple[Window, Window], line: Line) -> None:
    """One event never arrives; the next one shows the jump, and the page asks for what came after its last."""
    ada, bo = pair
    bo.say("one")
    ada.expect_messages("one")
    lost: list[object] = []

    def lose_two(frame: dict[str, object]) -> list[dict[str, object]]:
        if frame["type"] == "message.created" and "two" in json.dumps(frame["data"]) and not lost:
            lost.append(frame["seq"])
            return []
        return [frame]

    line.edit = lose_two
    bo.say("two")
    bo.expect_messages("one", "two")
    bo.say("three")
    ada.expect_messages("one", "two", "three")
    assert lost
    last = int(str(lost[0])) - 1
    assert asked_after(line, here(ada)) == [last]
    ada.assert_quiet()


def test_an_event_that_comes_twice_is_shown_once(pair: tuple[Window, Window], line: Line) -> None:
    """Every event is repeated on the line; the page drops each repeat and does not take it for a jump either."""
    ada, bo = pair
    line.edit = lambda frame: [frame, frame] if frame["type"] == "message.created" else [frame]
    for text in ("one", "two"):
        bo.say(text)
    ada.expect_messages("one", "two")
    ada.say("three")
    ada.expect_messages("one", "two", "three")
    assert asked_after(line, here(ada)) == []
    ada.assert_quiet()


def test_a_reset_makes_the_page_fetch_the_room_anew(pair: tuple[Window, Window], line: Line) -> None:
    """After `reset` the page trusts nothing it had, asks for a snapshot and shows what the journal says."""
    ada, bo = pair
    bo.say("one")
    ada.expect_messages("one")
    before = snapshots(line, here(ada))

    def reset_instead(frame: dict[str, object]) -> list[dict[str, object]]:
        if frame["type"] != "message.created":
            return [frame]
        line.edit = lambda frame: [frame]
        data = {"reason": "restored", "epoch": "another", "head_seq": frame["seq"]}
        return [{"type": "reset", "room": frame["room"], "data": data}]

    line.edit = reset_instead
    bo.say("two")
    ada.expect_messages("one", "two")
    assert snapshots(line, here(ada)) == before + 1
    ada.assert_quiet()


# From here on the server is killed, of which the pages complain.


def test_a_killed_server_costs_nothing(pair: tuple[Window, Window], mortal: ServerProcess) -> None:
    """What was in flight at the kill and what was written without a server is there once, in order, for both."""
    ada, bo = pair
    ada.say("before")
    bo.expect_messages("before")
    ada.say("in flight")
    mortal.kill()
    ada.expect_cut_off()
    bo.expect_cut_off()
    ada.say("typed in the dark")
    ada.say("and one more")
    expect(ada.waiting.last.locator(".body")).to_have_text("and one more")
    mortal.start()
    for window in (ada, bo):
        window.reconnect_now()
        window.expect_messages("before", "in flight", "typed in the dark", "and one more")
    bo.say("welcome back")
    everything = ("before", "in flight", "typed in the dark", "and one more", "welcome back")
    for window in (ada, bo):
        window.expect_messages(*everything)
        window.page.reload()
        window.expect_messages(*everything)
        assert window.history() == list(everything)
        assert window.dialogs == window.foreign == []


def test_the_page_comes_back_by_itself_again_and_again(pair: tuple[Window, Window], mortal: ServerProcess) -> None:
    """Two kills, each right after a message; nobody presses anything, and both pages agree with the journal."""
    ada, bo = pair
    said: list[str] = []
    for number in range(2):
        said.append(f"round {number}")
        ada.say(said[-1])
        mortal.kill()
        mortal.start()
        bo.expect_messages(*said, within_ms=RECONNECT_MS)
    ada.expect_messages(*said)
    assert ada.history() == said
