"""The page, in a browser: the rooms one is in, the liveliest first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import Window, running_browser
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.thorough, pytest.mark.browser, pytest.mark.real_clock]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


def test_the_rooms_are_listed_with_the_liveliest_first(browser: Browser, server: ServerProcess) -> None:
    """As they were made, then as somebody speaks in them; and so they are after a reload."""
    ada, bo = Window(browser, server.url), Window(browser, server.url)
    bo.sign_up("pagebo")
    ada.sign_up("pageada")
    rooms = {}
    for name in ("Attic", "Kitchen", "Garden"):
        body = {"kind": "group", "name": name, "members": ["pagebo"]}
        rooms[name] = ada.call("POST", "/rooms", body)["id"]
    names = ada.page.locator("#room-list .room-row-name bdi")
    expect(names).to_have_text(["Garden", "Kitchen", "Attic"])
    for number, (name, order) in enumerate(
        (("Attic", ["Attic", "Garden", "Kitchen"]), ("Kitchen", ["Kitchen", "Attic", "Garden"]))
    ):
        message = {"client_msg_id": f"{number}", "body": f"somebody is in the {name}"}
        bo.call("POST", f"/rooms/{rooms[name]}/messages", message)
        expect(names).to_have_text(order)
        expect(ada.room_row(name)).to_contain_text(f"somebody is in the {name}")
    ada.page.reload()
    ada.expect_connected()
    expect(names).to_have_text(["Kitchen", "Attic", "Garden"])
    ada.assert_quiet()
    ada.close()
    bo.close()
