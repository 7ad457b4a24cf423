"""What a site that checks, repairs or moves itself relies on."""

from __future__ import annotations

from msgspec.structs import replace

from storage.ports import Directory, Journal
from storage.records import Append, DropMember, DropMessage, PutItem, PutMember, PutMessage, PutRoom
from tests.storage.contract.backends import Stores
from tests.storage.samples import a_member, a_message, a_post, a_room, a_user, an_item, joined, posts


async def test_projecting_what_is_projected_changes_nothing(stores: Stores) -> None:
    """Guarantee: rows that are as new or newer stay. A room that wakes up may find that another was faster."""
    await stores.journal.append([joined("r_1", 1, "u_0001")])
    await stores.journal.append([posts("r_1", 2, 4)])
    late = replace(a_room("r_1", seq=2), topic="late")
    await stores.journal.project(Append("r_1", (a_post("r_1", 2),), (DropMember("r_1", "u_0001"), PutRoom(late))))
    snapshot = await stores.journal.load_room("r_1")
    assert snapshot is not None
    assert (snapshot.room, snapshot.members) == (a_room("r_1", seq=4), (a_member(),))
    assert await stores.directory.room("r_1") == a_room("r_1", seq=4)


async def test_a_repair_writes_whatever_is_there(stores: Stores) -> None:
    """Guarantee: all kinds of rows are put and dropped on request. `storage check --repair` mends with it."""
    entries = (a_post("r_1", 2), a_post("r_1", 3))
    await stores.journal.append([joined("r_1", 1, "u_0001", "u_0002"), posts("r_1", 2, 3)])
    mended = replace(a_message(entries[0]), doc=b"mended")
    room = replace(a_room("r_1", seq=3), topic="mended")
    changes = (
        DropMember("r_1", "u_0001"),
        PutMember(a_member(user="u_0002", role="owner")),
        PutMember(a_member(user="u_0003")),
        DropMessage("r_1", entries[1].message_id or ""),
        PutMessage(mended),
        PutRoom(room),
    )
    for _ in range(2):
        await stores.journal.project(Append("r_1", entries, changes), repair=True)
    snapshot = await stores.journal.load_room("r_1")
    assert snapshot is not None
    assert snapshot.room == room
    assert snapshot.members == (a_member(user="u_0002", role="owner"), a_member(user="u_0003"))
    assert [entry.seq for entry in await stores.journal.read("r_1", after=0, limit=9)] == [1, 2, 3]
    assert await stores.journal.messages("r_1", limit=9) == [mended]
    assert await stores.journal.message(entries[1].message_id or "") is None
    assert await stores.directory.member("r_1", "u_0001") is None


async def test_nothing_is_behind_after_orderly_work(journal: Journal) -> None:
    """Guarantee: what was acknowledged is projected, or known to be behind. A server asks before it serves."""
    await journal.append([joined("r_1", 1, "u_0001"), joined("r_2", 1, "u_0001")])
    assert set(await journal.behind()) <= {"r_1", "r_2"}
    for room in ("r_1", "r_2"):
        snapshot = await journal.load_room(room)
        assert snapshot is not None
        assert snapshot.room is not None
        assert snapshot.room.applied_seq == snapshot.head_seq == 1


async def test_rooms_are_listed_by_id(journal: Journal) -> None:
    """Guarantee: every room with entries, once, in pages. Checking and copying go from room to room."""
    assert await journal.rooms(limit=10) == []
    names = [f"r_{number}" for number in range(7)]
    await journal.append([posts(room, 1, 3) for room in reversed(names)])
    assert await journal.rooms(limit=3) == names[:3]
    assert await journal.rooms(after="r_2", limit=10) == names[3:]
    assert await journal.rooms(after="r_2x", limit=1) == ["r_3"]
    assert await journal.rooms(after="r_6", limit=10) == []
    assert await journal.rooms(limit=0) == []


async def test_facts_about_the_site_are_kept(directory: Directory) -> None:
    """Guarantee: a fact is what it was last set to, and can be forgotten. A copy under way is marked by one."""
    assert await directory.fact("copying") is None
    for value in ("from here", "from there", "from there", None, None, "ü ☃ 🙂"):
        await directory.set_fact("copying", value)
        assert await directory.fact("copying") == value
    assert await directory.fact("other") is None


async def test_accounts_are_listed_by_id(directory: Directory) -> None:
    """Guarantee: every account, once, in pages, disabled ones included. Copying goes through them."""
    accounts = [a_user(number, disabled=number == 3, name=f"n{9 - number}") for number in range(1, 8)]
    for account in reversed(accounts):
        await directory.create_user(account)
    assert await directory.all_users(limit=4) == accounts[:4]
    assert await directory.all_users(after=accounts[3].id, limit=10) == accounts[4:]
    assert await directory.all_users(after="u_9", limit=10) == []
    assert await directory.all_users(limit=0) == []


async def test_rooms_are_listed_by_their_rows(stores: Stores) -> None:
    """Guarantee: every room's row, once, in pages, also one that nobody sees any more. The check looks at them all."""
    rows = [a_room(f"r_{number}", visibility="private" if number % 2 else "public") for number in range(7)]
    rows[3] = replace(rows[3], deleted_at=5)
    await stores.journal.append([Append(row.id, (a_post(row.id, 1),), (PutRoom(row),)) for row in reversed(rows)])
    for row in rows:
        await stores.journal.load_room(row.id)
    assert await stores.directory.all_rooms(limit=3) == rows[:3]
    assert await stores.directory.all_rooms(after="r_2", limit=10) == rows[3:]
    assert await stores.directory.all_rooms(after="r_2x", limit=1) == rows[3:4]
    assert await stores.directory.all_rooms(after="r_6", limit=10) == []
    assert await stores.directory.all_rooms(limit=0) == []


async def test_all_items_of_a_room_are_listed(stores: Stores) -> None:
    """Guarantee: every item of the room, once, in pages, whatever its kind. The check and a copy look at them all."""
    names = [
        (kind, key)
        for kind in ("a", "a\u0301", "b", "\U0001f9cb")
        for key in ("", "a", "a/b", "b", "\uffff", "\U0001f9cb")
    ]
    items = [an_item(key, kind=kind, held=len(key) == 1, due_at=len(key) or None) for kind, key in names]
    changes = [PutItem(item) for item in reversed(items)]
    other = PutItem(an_item("other", room="r_2"))
    await stores.journal.append(
        [Append("r_1", (a_post("r_1", 1),), (*changes, PutRoom(a_room("r_1")))), posts("r_2", 1, 1)]
    )
    await stores.directory.keep([other])
    await stores.journal.load_room("r_1")
    assert await stores.directory.all_items("r_1", limit=100) == items
    for limit in (1, 5, 23, 24):
        found = await stores.directory.all_items("r_1", limit=limit)
        while page := await stores.directory.all_items("r_1", after=(found[-1].kind, found[-1].key), limit=limit):
            assert len(page) <= limit
            found += page
        assert found == items
    assert await stores.directory.all_items("r_1", after=("a", "zzz"), limit=1) == items[4:5]
    assert await stores.directory.all_items("r_1", limit=0) == []
    assert await stores.directory.all_items("r_2", limit=9) == [other.item]
    assert await stores.directory.all_items("r_none", limit=9) == []
