"""What survives when a store is closed and opened again."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.errors import Conflict
from storage.records import PutItem, RoomSnapshot, Trim
from tests.storage.contract.backends import LASTING, each, open_stores
from tests.storage.samples import (
    a_change,
    a_member,
    a_message,
    a_post,
    a_room,
    a_user,
    an_item,
    appended,
    joined,
    posts,
)


@pytest.mark.parametrize("kind", each(LASTING))
async def test_everything_is_there_after_closing_and_opening(tmp_path: Path, kind: str) -> None:
    """Guarantee: what was acknowledged before a restart is there after it, and so are the rules."""
    async with open_stores(kind, tmp_path) as stores:
        await stores.directory.create_user(a_user(1))
        await stores.journal.append([joined("r_1", 1, "u_0001")])
        await stores.journal.append([posts("r_1", 2, 9)])
    async with open_stores(kind, tmp_path) as stores:
        assert await stores.directory.user("u_0001") == a_user(1)
        assert await stores.journal.load_room("r_1") == RoomSnapshot(a_room("r_1", seq=9), (a_member(),), 9)
        assert await stores.journal.read("r_1", after=1, limit=100) == [a_post("r_1", seq) for seq in range(2, 10)]
        with pytest.raises(Conflict):
            await stores.journal.append([appended(a_post("r_1", 9, client_msg_id="other", text="other"))])
        with pytest.raises(Conflict):
            await stores.directory.create_user(a_user(1))
        await stores.journal.append([posts("r_1", 10, 10)])


@pytest.mark.parametrize("kind", each(LASTING))
async def test_items_and_trims_are_there_after_closing_and_opening(tmp_path: Path, kind: str) -> None:
    """Guarantee: bans hold, timers ring and what was forgotten stays forgotten, also what followed from no entry."""
    ban, mute = an_item("u_1", kind="ban", held=True), an_item("u_2", kind="mute", held=True, due_at=9)
    report, floor = an_item("m/u", kind="report", due_at=5), an_item("", kind="retention", held=True)
    async with open_stores(kind, tmp_path) as stores:
        await stores.journal.append([posts("r_1", 1, 3)])
        await stores.directory.keep([PutItem(report)])
        await stores.journal.append([appended(a_change("r_1", 4), changes=tuple(map(PutItem, (ban, mute))))])
        await stores.journal.append([appended(a_change("r_1", 5), changes=(Trim("r_1", 2), PutItem(floor)))])
    async with open_stores(kind, tmp_path) as stores:
        assert await stores.journal.load_room("r_1") == RoomSnapshot(a_room("r_1", seq=5), (), 5, (ban, mute, floor))
        assert await stores.journal.due(before=9, limit=9) == [report, mute]
        assert [entry.body == b"" for entry in await stores.journal.read("r_1", after=0, limit=9)] == [
            *(True, True),
            *(False, False, False),
        ]
        assert await stores.journal.messages("r_1", limit=9) == [a_message(a_post("r_1", 3))]
