"""Listing items: timers by their time, and items of a kind by their keys."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product

import pytest

from storage.ports import Directory
from storage.records import OVERALL, ItemRecord, Page, PutItem
from tests.storage.contract.backends import Stores
from tests.storage.contract.test_items import changed
from tests.storage.contract.test_rooms import MADE_UP, PREFIXED, SEARCHED, all_pages
from tests.storage.samples import an_item


async def put(stores: Stores, *items: ItemRecord, seq: int = 1) -> None:
    """Put items, all in one commit, each into its room."""
    rooms = dict.fromkeys(item.room for item in items)
    of_rooms = {room: [PutItem(item) for item in items if item.room == room] for room in rooms}
    await stores.journal.append([changed(seq, *puts, room=room)[0] for room, puts in of_rooms.items()])


def keys(items: Sequence[ItemRecord]) -> list[str]:
    """Return the keys of items."""
    return [item.key for item in items]


TIMERS: tuple[tuple[str | None, int, int, list[str]], ...] = (  # room, before, limit, expected
    (None, 100, 100, ["d", "b", "x", "a", "c", "y"]),
    (None, 100, 2, ["d", "b"]),
    (None, 40, 100, ["d", "b", "x", "a"]),
    (None, 39, 100, ["d", "b", "x"]),
    (None, 9, 100, []),
    (None, 2**63 - 1, 5, ["d", "b", "x", "a", "c"]),
    (None, -(2**63), 5, []),
    (None, 100, 0, []),
    (None, 100, -1, []),
    ("r_1", 100, 100, ["d", "b", "a", "c"]),
    ("r_1", 100, 3, ["d", "b", "a"]),
    ("r_1", 20, 100, ["d", "b"]),
    ("r_2", 100, 100, ["x", "y"]),
    ("r_2", 30, 1, ["x"]),
    ("r_none", 100, 100, []),
    ("r_1", 100, 0, []),
)


async def test_timers_come_the_earliest_first(stores: Stores) -> None:
    """Guarantee: exactly those that are due, in the order of their times, never more than the limit.

    A room sets its alarm by its first timer, and a server that starts wakes the rooms that slept through one.
    """
    times = (("a", "mute", 40), ("b", "expiry", 20), ("c", "mute", 50), ("d", "scheduled", 10))
    timers = [an_item(key, kind=kind, due_at=at) for key, kind, at in times]
    timers += [an_item("x", room="r_2", due_at=30), an_item("y", room="r_2", due_at=60)]
    never = [an_item(f"n{number}", kind="expiry") for number in range(5)]
    await put(stores, *timers, *never)
    for room, before, limit, expected in TIMERS:
        found = await stores.journal.due(room=room, before=before, limit=limit)
        assert keys(found) == expected, (room, before, limit)
        assert {item.room for item in found} <= {room or "r_1", room or "r_2"}


async def test_timers_of_one_time_are_all_found(stores: Stores) -> None:
    """Guarantee: what is due at once is due, in pages of any size as it is worked off. Nothing waits behind a tie."""
    timers = [an_item(f"k{number}", kind=kind, due_at=7) for number in range(5) for kind in ("mute", "expiry")]
    await put(stores, *timers)
    for limit in (1, 3, 10, 11):
        assert len(await stores.journal.due(before=7, limit=limit)) == min(limit, 10)
        assert len(await stores.journal.due(room="r_1", before=7, limit=limit)) == min(limit, 10)
    assert set(await stores.journal.due(before=7, limit=10)) == set(timers)


async def test_a_timer_that_is_put_again_goes_by_its_new_time(stores: Stores) -> None:
    """Guarantee: one item is one timer. A mute that is prolonged does not end at its first end, too."""
    await put(stores, an_item("a", due_at=10), an_item("b", due_at=20))
    await put(stores, an_item("a", due_at=30), seq=2)
    assert keys(await stores.journal.due(before=100, limit=9)) == ["b", "a"]
    await put(stores, an_item("b"), seq=3)
    assert keys(await stores.journal.due(before=100, limit=9)) == ["a"]


async def of_room(directory: Directory, prefix: str, limit: int, newest: bool, cursor: str | None) -> Page[ItemRecord]:
    """Ask for one page of the pins of r_1."""
    return await directory.items("pin", room="r_1", prefix=prefix, cursor=cursor, limit=limit, newest=newest)


async def overall(directory: Directory, prefix: str, limit: int, newest: bool, cursor: str | None) -> Page[ItemRecord]:
    """Ask for one page over all rooms."""
    return await directory.items(OVERALL, prefix=prefix, cursor=cursor, limit=limit, newest=newest)


async def test_items_of_a_room_are_listed_by_key(stores: Stores) -> None:
    """Guarantee: a prefix is literal text, keys are in the order of code points, and pages leave nothing out.

    The reactions to a message are listed by its id, a thread's replies by their number, from either end.
    """
    names = ("", *PREFIXED)
    others = [an_item("ab", kind="ban"), an_item("ab", kind="pinn"), an_item("ab", room="r_2")]
    await put(stores, *map(an_item, names), *others)
    for prefix, limit, newest in product(SEARCHED, (1, 3, 100), (False, True)):
        found = await all_pages(partial(of_room, stores.directory, prefix, limit, newest), limit=limit)
        expected = sorted((name for name in names if name.startswith(prefix)), reverse=newest)
        assert found == [an_item(name) for name in expected], (prefix, limit, newest)


async def test_items_are_listed_over_all_rooms(stores: Stores) -> None:
    """Guarantee: one order by key over all rooms. The audit log of a whole site is read so, the newest first."""
    items = [an_item(f"{t:03d}.r_{t % 3}", kind=OVERALL, room=f"r_{t % 3}", doc=b"%d" % t) for t in range(40)]
    await put(stores, *items, an_item("005.", kind="other"), an_item("", kind=OVERALL, room="r_4"))
    items.insert(0, an_item("", kind=OVERALL, room="r_4"))
    for prefix, limit, newest in product(("", "01", "03", "4"), (7, 100), (False, True)):
        found = await all_pages(partial(overall, stores.directory, prefix, limit, newest), limit=limit)
        expected = [item for item in items if item.key.startswith(prefix)]
        assert found == (expected[::-1] if newest else expected), (prefix, limit, newest)


async def test_only_one_kind_is_listed_over_all_rooms(directory: Directory) -> None:
    """Guarantee: a question that no index answers is refused, and does not read everything."""
    with pytest.raises(ValueError, match="one room at a time"):
        await directory.items("reaction", cursor=None, limit=10)


async def test_a_made_up_cursor_of_items_is_a_place_like_any_other(stores: Stores) -> None:
    """Guarantee: a page begins behind its cursor, be it a key or not. Cursors come back from clients."""
    names = ("", "a", "b/1", "b/2", "r_2", "x")
    await put(stores, *map(an_item, names), *(an_item(name, kind=OVERALL) for name in names))
    for cursor, newest, prefix in product((*MADE_UP, "b", "b/", "b/1", "b/1x", "c"), (False, True), ("", "b/", "r")):
        expected = [name for name in names if name.startswith(prefix) and (name < cursor if newest else name > cursor)]
        for ask in (of_room, overall):
            page = await ask(stores.directory, prefix, 10, newest, cursor)
            assert keys(page.items) == sorted(expected, reverse=newest), (cursor, newest, prefix)


async def test_a_page_of_no_items(stores: Stores) -> None:
    """Guarantee: where there is nothing, a listing is one empty page and no limit is exceeded."""
    await put(stores, an_item("a"), an_item("a", kind=OVERALL))
    for limit, ask in product((0, -1), (of_room, overall)):
        assert (await ask(stores.directory, "", limit, False, None)).items == ()
    assert await stores.directory.items("pin", room="r_none", cursor=None, limit=10) == Page(())
    assert await stores.directory.items("none", room="r_1", cursor=None, limit=10) == Page(())
