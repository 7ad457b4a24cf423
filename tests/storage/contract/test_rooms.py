"""What may be asked about rooms without waking them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from itertools import product
from typing import TypeVar

from msgspec.structs import replace

from storage.ports import Directory, Journal
from storage.records import Append, MemberRecord, Page, PutMember, PutRoom, RoomRecord
from tests.storage.contract.backends import Stores
from tests.storage.samples import a_change, a_member, a_room, joined, posts

T = TypeVar("T")


def created(room: RoomRecord, *members: str) -> Append:
    """Make the append that creates a room as given, with these members."""
    puts = tuple(PutMember(a_member(room.id, user)) for user in members)
    return Append(room.id, (a_change(room.id, 1),), (*puts, PutRoom(room)))


async def all_pages(ask: Callable[[str | None], Awaitable[Page[T]]], *, limit: int) -> list[T]:
    """Follow the cursors to the end, checking that every page but the last is full."""
    found: list[T] = []
    cursor: str | None = None
    while True:
        page = await ask(cursor)
        found += page.items
        if page.next_cursor is None:
            assert len(page.items) <= limit
            return found
        assert len(page.items) == limit
        cursor = page.next_cursor


async def search(directory: Directory, prefix: str, limit: int, cursor: str | None) -> Page[RoomRecord]:
    """Ask for one page of the public rooms."""
    return await directory.public_rooms(prefix, cursor=cursor, limit=limit)


async def test_a_room_is_found_by_id_even_when_deleted(stores: Stores) -> None:
    """Guarantee: a tombstone answers by id, so that its journal stays explainable, and listings leave it out."""
    room = replace(a_room("r_1"), deleted_at=1_700_000_000_001)
    await stores.journal.append([created(room, "u_0001")])
    assert await stores.directory.room("r_1") == room
    assert (await stores.directory.public_rooms("", cursor=None, limit=10)).items == ()
    assert (await stores.directory.rooms_of("u_0001", cursor=None, limit=10)).items == ()
    assert await stores.directory.room("r_none") is None
    snapshot = await stores.journal.load_room("r_1")
    assert snapshot is not None
    assert snapshot.room == room


async def test_one_membership(stores: Stores) -> None:
    """Guarantee: a membership is found by room and user. Every request for a room is authorised by it."""
    await stores.journal.append([joined("r_1", 1, "u_0001"), joined("r_2", 1, "u_0002")])
    assert await stores.directory.member("r_1", "u_0001") == a_member("r_1", "u_0001")
    assert await stores.directory.member("r_1", "u_0002") is None
    assert await stores.directory.member("r_none", "u_0001") is None


async def test_rooms_are_found_in_bulk(stores: Stores) -> None:
    """Guarantee: a set of ids gives the set of their rows, tombstones too. A list of rooms is one look."""
    gone = replace(a_room("r_3"), deleted_at=1)
    await stores.journal.append([created(a_room("r_1")), created(a_room("r_2")), created(gone)])
    found = await stores.directory.rooms(["r_3", "r_none", "r_1", "r_3", "", "R_2"])
    assert sorted(found, key=lambda room: room.id) == [a_room("r_1"), gone]
    assert await stores.directory.rooms([]) == []


async def test_memberships_of_a_user_are_found_in_bulk(stores: Stores) -> None:
    """Guarantee: of these rooms those that the user is in, and nobody else's. Lists show by it who may see what."""
    await stores.journal.append(
        [joined("r_1", 1, "u_0001", "u_0002"), joined("r_2", 1, "u_0001"), joined("r_3", 1, "u_0002")]
    )
    asked = ["r_3", "r_1", "r_none", "r_1", "r_2"]
    found = await stores.directory.memberships("u_0001", asked)
    assert sorted(member.room for member in found) == ["r_1", "r_2"]
    assert a_member("r_1", "u_0001") in found
    assert await stores.directory.memberships("u_0002", ["r_1"]) == [a_member("r_1", "u_0002")]
    assert await stores.directory.memberships("u_none", asked) == []
    assert await stores.directory.memberships("u_0001", []) == []


async def test_members_page_by_user_id(stores: Stores) -> None:
    """Guarantee: following the cursors meets every member once, by the age of the account."""
    users = [f"u_{number:04d}" for number in (5, 1, 7, 3, 2, 6, 4)]
    await stores.journal.append([joined("r_1", 1, *users), joined("r_2", 1, "u_0008")])

    for limit in (1, 2, 3, 6, 7, 8, 100):

        async def ask(cursor: str | None, limit: int = limit) -> Page[MemberRecord]:
            return await stores.directory.members("r_1", cursor=cursor, limit=limit)

        assert [member.user for member in await all_pages(ask, limit=limit)] == sorted(users)


async def test_rooms_of_a_user_page_newest_first(stores: Stores) -> None:
    """Guarantee: following the cursors meets every living room of the user once, newest first, with its membership."""
    for number in (4, 1, 6, 2, 5, 3):
        room = a_room(f"r_{number}", name=f"room {number}", visibility="private")
        if number == 3:
            room = replace(room, deleted_at=1)
        await stores.journal.append([created(room, "u_0002", "u_0001")])
    await stores.journal.append([joined("r_7", 1, "u_0002")])

    for limit in (1, 2, 3, 5, 6, 100):

        async def ask(cursor: str | None, limit: int = limit) -> Page[tuple[RoomRecord, MemberRecord]]:
            return await stores.directory.rooms_of("u_0001", cursor=cursor, limit=limit)

        pairs = await all_pages(ask, limit=limit)
        assert [room.id for room, _ in pairs] == ["r_6", "r_5", "r_4", "r_2", "r_1"]
        assert [member for _, member in pairs] == [a_member(room.id, "u_0001") for room, _ in pairs]
        assert pairs[0][0] == a_room("r_6", name="room 6", visibility="private")


async def test_public_rooms_page_by_name_and_id(stores: Stores) -> None:
    """Guarantee: following the cursors meets every living public room once, by name, and by id among namesakes."""
    names = {
        "r_1": "b",
        "r_2": "a",
        "r_3": "b",
        "r_4": "c/d",
        "r_5": "ab",
        "r_6": "c",
        "r_7": "b",
        "r_8": "é",
        "r_9": "z",
    }
    await stores.journal.append([created(a_room(room, name=name)) for room, name in names.items()])
    await stores.journal.append([created(a_room("r_x", name="b", visibility="private"))])
    await stores.journal.append([created(replace(a_room("r_y", name="b"), deleted_at=1))])

    for limit in (1, 2, 3, 4, 9, 100):
        rooms = await all_pages(partial(search, stores.directory, "", limit), limit=limit)
        assert [room.id for room in rooms] == sorted(names, key=lambda room: (names[room], room))


PREFIXED = (
    "a",
    "ab",
    "ab%",
    "ab_",
    "abc",
    "a\U0010ffff",
    "a\U0010ffffb",
    "b",
    "ä",
    "äb",
    "\ud7ff",
    "\ue000",
    "\U0010ffff",
    "*",
    "[a]",
)


SEARCHED = ("", *PREFIXED, "%", "_", "a%", "?", "A", "abcd", "\U0010ffff\U0010ffff")


async def test_public_rooms_are_found_by_prefix(stores: Stores) -> None:
    """Guarantee: a prefix is literal text compared by code point: no wildcard, no folding, no locale.

    What people type into a search box arrives here, folded above; a wildcard would list what was not asked for.
    """
    rooms = [a_room(f"r_{number:02d}", name=name) for number, name in enumerate(PREFIXED)]
    await stores.journal.append([created(room) for room in rooms])

    for prefix, limit in product(SEARCHED, (3, 100)):
        ask = partial(search, stores.directory, prefix, limit)
        found = [room.name_key for room in await all_pages(ask, limit=limit)]
        assert found == sorted(name for name in PREFIXED if name.startswith(prefix)), prefix


MADE_UP = ("", "x", "/", "//", "r_2", "a/", "/r_2", "%", "\U0010ffff/", "0", "null", "{}")


async def test_a_made_up_cursor_is_a_place_like_any_other(stores: Stores) -> None:
    """Guarantee: no text makes a listing fail. Cursors come back from clients, who may send what they like."""
    await stores.journal.append([joined(f"r_{number}", 1, "u_0001", "u_0002") for number in range(3)])
    for cursor in MADE_UP:
        for page in (
            await stores.directory.members("r_1", cursor=cursor, limit=10),
            await stores.directory.rooms_of("u_0001", cursor=cursor, limit=10),
            await stores.directory.public_rooms("", cursor=cursor, limit=10),
        ):
            assert page.next_cursor is None, cursor
            assert len(page.items) <= 3


async def test_a_room_that_is_renamed_moves_in_the_listing(stores: Stores) -> None:
    """Guarantee: listings show rooms as they are now, by name and by visibility."""
    await stores.journal.append([created(a_room("r_1", name="a")), created(a_room("r_2", name="b"))])
    await stores.journal.append([Append("r_1", (a_change("r_1", 2),), (PutRoom(a_room("r_1", seq=2, name="c")),))])
    names = [room.name_key for room in (await stores.directory.public_rooms("", cursor=None, limit=10)).items]
    assert names == ["b", "c"]
    hidden = PutRoom(a_room("r_1", seq=3, name="c", visibility="private"))
    await stores.journal.append([Append("r_1", (a_change("r_1", 3),), (hidden,))])
    assert [room.id for room in (await stores.directory.public_rooms("", cursor=None, limit=10)).items] == ["r_2"]


async def test_a_page_of_nothing(directory: Directory, journal: Journal) -> None:
    """Guarantee: where there is nothing, a listing is one empty page and no limit is exceeded."""
    await journal.append([joined("r_1", 1, "u_0001"), posts("r_2", 1, 1)])
    for limit in (0, -1):
        assert (await directory.members("r_1", cursor=None, limit=limit)).items == ()
        assert (await directory.rooms_of("u_0001", cursor=None, limit=limit)).items == ()
        assert (await directory.public_rooms("", cursor=None, limit=limit)).items == ()
    assert await directory.members("r_none", cursor=None, limit=10) == Page(())
    assert await directory.rooms_of("u_none", cursor=None, limit=10) == Page(())
    assert await directory.public_rooms("none", cursor=None, limit=10) == Page(())
