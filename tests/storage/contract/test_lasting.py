"""What survives when a store is closed and opened again."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from storage.account_records import ContactRecord
from storage.errors import Conflict
from storage.records import PutItem, RoomSnapshot, Trim
from tests.storage.contract.backends import LASTING, each, open_stores
from tests.storage.samples import (
    a_change,
    a_credential,
    a_member,
    a_message,
    a_post,
    a_room,
    a_session,
    a_user,
    an_avatar,
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


@pytest.mark.parametrize("kind", each(LASTING))
async def test_what_belongs_to_accounts_is_there_after_closing_and_opening(tmp_path: Path, kind: str) -> None:
    """Guarantee: who was signed in still is, who was signed out is not, and blocks and used codes hold."""
    changed = replace(a_user(1), rev=2, bio="about me", last_seen_at=9)
    contact = ContactRecord("u_0001", "u_0002", "u_0002", 5)
    async with open_stores(kind, tmp_path) as stores:
        await stores.directory.create_user(a_user(1))
        await stores.directory.change_user(changed)
        await stores.relations.seen({"u_0001": 9})
        for number in (1, 2):
            await stores.sessions.create_session(a_session(number), most=9)
        await stores.sessions.end_sessions("u_0001", only=["s_0001"])
        await stores.sessions.create_credential(a_credential(1, uses_left=1))
        await stores.sessions.use_credential("token", b"digest-1", now=5)
        await stores.relations.ask_contact("u_0002", "u_0001", at=5)
        await stores.relations.block("u_0003", "u_0001", at=6)
        await stores.relations.put_avatar(an_avatar(1))
    async with open_stores(kind, tmp_path) as stores:
        assert await stores.sessions.session("s_0001") is None
        assert await stores.sessions.session("s_0002") == (a_session(2), changed)
        assert not await stores.sessions.use_credential("token", b"digest-1", now=5)
        assert await stores.relations.contact("u_0001", "u_0002") == contact
        assert await stores.relations.blocked_by("u_0001", ["u_0002", "u_0003"]) == ["u_0003"]
        assert await stores.relations.avatar("u_0001") == an_avatar(1)
