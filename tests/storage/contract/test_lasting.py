"""What survives when a store is closed and opened again."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.errors import Conflict
from storage.records import RoomSnapshot
from tests.storage.contract.backends import LASTING, each, open_stores
from tests.storage.samples import a_member, a_post, a_room, a_user, appended, joined, posts


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
