"""What is special about the store in RAM."""

from __future__ import annotations

import pytest
import trio
from msgspec.structs import replace
from trio.testing import MockClock, assert_checkpoints

from storage.errors import Unstorable
from storage.memory import MemoryDirectory, MemoryJournal, MemoryStore
from tests.storage.samples import a_post, a_user, appended, posts


async def test_every_method_is_a_checkpoint(autojump_clock: MockClock) -> None:
    """Code that works in RAM also lets others run where a database would; nothing waits, so the clock stands still."""
    store = MemoryStore()
    journal, directory = MemoryJournal(store), MemoryDirectory(store)
    calls = (
        lambda: journal.append([posts("r_1", 1, 1)]),
        lambda: journal.append([]),
        lambda: journal.load_room("r_1"),
        lambda: journal.load_room("r_none"),
        lambda: journal.read("r_1", after=0, limit=1),
        lambda: journal.read_back("r_1", limit=1),
        lambda: journal.find_sent("r_1", []),
        lambda: journal.message("m_none"),
        lambda: journal.messages_by_id([]),
        lambda: journal.messages("r_1", limit=1),
        lambda: journal.items_by_key("r_1", []),
        lambda: journal.due(before=0, limit=1),
        lambda: directory.probe(),
        lambda: directory.create_user(a_user(1)),
        lambda: directory.user("u_0001"),
        lambda: directory.user_by_login(email="none"),
        lambda: directory.users(),
        lambda: directory.search_users("", limit=1),
        lambda: directory.room("r_1"),
        lambda: directory.member("r_1", "u_0001"),
        lambda: directory.members("r_1", cursor=None, limit=1),
        lambda: directory.items("pin", room="r_1", cursor=None, limit=1),
        lambda: directory.keep([]),
        lambda: directory.rooms_of("u_0001", cursor=None, limit=1),
        lambda: directory.public_rooms("", cursor=None, limit=1),
    )
    for call in calls:
        with assert_checkpoints():
            await call()
    assert trio.current_time() == 0.0


async def test_a_nul_is_refused_as_the_strictest_database_would() -> None:
    """A test in RAM finds what would fail on another store."""
    store = MemoryStore()
    with pytest.raises(Unstorable, match="NUL"):
        await MemoryJournal(store).append([appended(replace(a_post("r_1", 1), type="a\0b"))])
    with pytest.raises(Unstorable, match="NUL"):
        await MemoryDirectory(store).create_user(replace(a_user(1), display_name="\0"))


async def test_what_was_read_does_not_change_later() -> None:
    """A page that was handed out is the caller's own."""
    journal = MemoryJournal(MemoryStore())
    await journal.append([posts("r_1", 1, 2)])
    page = await journal.read("r_1", after=0, limit=10)
    page.clear()
    assert len(await journal.read("r_1", after=0, limit=10)) == 2
