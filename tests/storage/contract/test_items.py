"""Items: what a room keeps besides its members and messages."""

from __future__ import annotations

import pytest
import trio
from msgspec.structs import replace

from storage.errors import Unstorable
from storage.ports import Directory, Journal
from storage.records import Change, DropItem, DropItems, ItemRecord, PutItem
from tests.storage.contract.backends import Stores
from tests.storage.contract.test_append import MAX_INT, MIN_INT, TEXTS, read_all
from tests.storage.samples import a_change, an_item, appended, posts


def changed(seq: int, *changes: Change, room: str = "r_1") -> list[Change]:
    """Make one append of one entry with these changes, as a call takes it."""
    return [appended(a_change(room, seq), changes=changes)]


async def keys(directory: Directory, kind: str = "pin", room: str = "r_1") -> list[str]:
    """Return the keys of a room's items of one kind."""
    page = await directory.items(kind, room=room, cursor=None, limit=100)
    return [item.key for item in page.items]


async def test_an_item_is_kept_as_it_was_put(stores: Stores) -> None:
    """Guarantee: every field survives, the doc byte for byte. Bans, reactions and timers are read back from it."""
    items = [
        *(an_item(text, doc=text.encode(), kind=f"k{text}") for text in TEXTS),
        *(an_item(str(n), due_at=n, seq=n, held=True) for n in (0, 1, -1, MIN_INT, MAX_INT, 2**53 + 1)),
        an_item("", doc=b""),
        an_item("x", doc=bytes(range(256)) * 400, held=True),
    ]
    await stores.journal.append(changed(1, *map(PutItem, items)))
    found = await stores.journal.items_by_key("r_1", [(item.kind, item.key) for item in items])
    assert sorted(found, key=lambda item: (item.kind, item.key)) == sorted(items, key=lambda i: (i.kind, i.key))


async def test_items_are_found_by_their_names(stores: Stores) -> None:
    """Guarantee: a set of names gives the set of their items, in this room. A command loads what it refers to so."""
    mine, other = an_item("a"), an_item("a", room="r_2")
    await stores.journal.append([*changed(1, PutItem(mine)), *changed(1, PutItem(other), room="r_2")])
    asked = [("pin", "a"), ("pin", "b"), ("ban", "a"), ("pin", "a"), ("a", "pin"), ("", "")]
    assert await stores.journal.items_by_key("r_1", asked) == [mine]
    assert await stores.journal.items_by_key("r_none", asked) == []
    assert await stores.journal.items_by_key("r_1", []) == []


async def test_putting_an_item_again_replaces_it(stores: Stores) -> None:
    """Guarantee: the last one counts, whole. An invite is put again at each use, a mute at each change of its end."""
    first = an_item("a", held=True, due_at=5, seq=1)
    last = replace(first, doc=b"[]", held=False, due_at=None, seq=0)
    for seq, item in ((1, first), (2, last), (3, first)):
        await stores.journal.append(changed(seq, PutItem(item)))
        assert await stores.journal.items_by_key("r_1", [("pin", "a")]) == [item]
        snapshot = await stores.journal.load_room("r_1")
        assert snapshot is not None
        assert snapshot.items == ((item,) if item.held else ())
        assert await stores.journal.due(before=9, limit=9) == ([] if item.due_at is None else [item])
    await stores.journal.append(changed(4, PutItem(last), DropItem("r_1", "pin", "a"), PutItem(last), PutItem(first)))
    assert await stores.journal.items_by_key("r_1", [("pin", "a")]) == [first]


async def test_a_dropped_item_is_gone_and_no_other(stores: Stores) -> None:
    """Guarantee: exactly the named one goes, and one that is not there is no error. Bans are lifted twice at times."""
    items = [an_item("a"), an_item("ab"), an_item("a", kind="ban"), an_item("a", room="r_2")]
    await stores.journal.append(
        [*changed(1, *map(PutItem, items[:3])), *changed(1, PutItem(items[3]), room="r_2")],
    )
    drop = DropItem("r_1", "pin", "a")
    for seq, changes in ((2, (drop,)), (3, (drop, drop, DropItem("r_1", "none", "a"))), (4, (PutItem(items[0]), drop))):
        await stores.journal.append(changed(seq, *changes))
        assert await keys(stores.directory) == ["ab"]
        assert await keys(stores.directory, "ban") == ["a"]
        assert await keys(stores.directory, room="r_2") == ["a"]


SWEPT = ("", "%", "m", "m_1", "m_1/", "m_1/a", "m_1/ä", "m_10/a", "m_1\U0010ffff", "m%1/a", "\U0010ffff", "\U0010ffffa")


async def test_a_sweep_takes_what_begins_with_its_prefix(stores: Stores) -> None:
    """Guarantee: a prefix is literal text. With a message go its own reactions and nobody else's."""
    elsewhere = (("ban", "r_1"), ("pinn", "r_1"), ("pin", "r_2"))
    puts = [PutItem(an_item(key)) for key in SWEPT]
    others = [PutItem(an_item("m_1/a", kind=kind)) for kind in ("ban", "pinn")]
    await stores.journal.append(changed(1, PutItem(an_item("m_1/a", room="r_2")), room="r_2"))
    for place, prefix in enumerate(("m_1/", "m_1", "%", "\U0010ffff", "none", "")):
        await stores.journal.append(changed(2 * place + 1, *puts, *others))
        await stores.journal.append(changed(2 * place + 2, DropItems("r_1", "pin", prefix)))
        assert await keys(stores.directory) == sorted(key for key in SWEPT if not key.startswith(prefix)), prefix
        for kind, room in elsewhere:
            assert await keys(stores.directory, kind, room) == ["m_1/a"]


async def test_changes_of_one_commit_count_in_their_order(stores: Stores) -> None:
    """Guarantee: what is put after a sweep stays, what is put before it goes, be they in one append or in two.

    A message may be reacted to, deleted and its reactions swept within one commit of its room.
    """
    await stores.journal.append(changed(1, PutItem(an_item("a1")), PutItem(an_item("b1"))))
    sweep, drop = DropItems("r_1", "pin", "a"), DropItem("r_1", "pin", "b1")
    await stores.journal.append(changed(2, sweep, PutItem(an_item("a2")), drop, PutItem(an_item("b2"))))
    assert await keys(stores.directory) == ["a2", "b2"]
    await stores.journal.append(changed(3, PutItem(an_item("a3")), PutItem(an_item("b1")), sweep, drop))
    assert await keys(stores.directory) == ["b2"]
    await stores.journal.append(
        [*changed(4, PutItem(an_item("a4"))), *changed(5, sweep), *changed(6, PutItem(an_item("a6")))]
    )
    assert await keys(stores.directory) == ["a6", "b2"]
    await stores.journal.append([*changed(7, sweep, PutItem(an_item("a7"))), *changed(8, DropItem("r_1", "pin", "a7"))])
    assert await keys(stores.directory) == ["b2"]


async def test_a_room_wakes_up_with_the_items_it_holds(stores: Stores) -> None:
    """Guarantee: all held items and no other, by kind and key. Whether somebody is banned is decided from these."""
    names = [
        ("pin", "b"),
        ("ban", "\ue000"),
        ("ban", "\U0010ffff"),
        ("ban", "a"),
        ("pi", "n"),
        ("pin", ""),
        ("ban", "B"),
    ]
    held = [an_item(key, kind=kind, held=True) for kind, key in names]
    loose = [an_item(f"m_{number}/a", kind="reaction", seq=1) for number in range(50)]
    await stores.journal.append(
        [
            *changed(1, *map(PutItem, [*held, *loose])),
            *changed(1, PutItem(an_item("x", room="r_2", held=True)), room="r_2"),
        ]
    )
    snapshot = await stores.journal.load_room("r_1")
    assert snapshot is not None
    assert [(item.kind, item.key) for item in snapshot.items] == sorted(names)
    assert set(snapshot.items) == set(held)


async def test_a_reader_during_writes_sees_items_and_head_of_one_moment(journal: Journal) -> None:
    """Guarantee: a snapshot is consistent, its items included. A ban that is half there would let somebody in."""
    done = trio.Event()

    async def write() -> None:
        for seq in range(1, 21):
            await journal.append(changed(seq, PutItem(an_item(f"{seq:04d}", held=True))))
        done.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        while not done.is_set():
            snapshot = await journal.load_room("r_1")
            assert snapshot is None or len(snapshot.items) == snapshot.head_seq


async def test_items_of_many_rooms_share_a_commit(stores: Stores) -> None:
    """Guarantee: group commit mixes rooms with items and rooms without, and each gets its own."""
    await stores.journal.append(
        [posts("r_0", 1, 2), *(changed(1, PutItem(an_item("a", room=f"r_{n}")), room=f"r_{n}")[0] for n in (3, 1, 2))]
    )
    for number, expected in ((0, []), (1, ["a"]), (2, ["a"]), (3, ["a"])):
        assert await keys(stores.directory, room=f"r_{number}") == expected


async def test_what_is_kept_without_an_entry_is_kept(stores: Stores) -> None:
    """Guarantee: `keep` puts and drops in order, and the journal does not move. Reports and schedules rely on it."""
    await stores.journal.append([posts("r_1", 1, 2)])
    for key in ("a", "b", "b"):
        await stores.directory.keep([PutItem(an_item(key, kind="report", due_at=1, seq=1))])
    await stores.directory.keep([PutItem(an_item("c")), DropItem("r_1", "pin", "c"), PutItem(an_item("d"))])
    await stores.directory.keep([DropItem("r_1", "report", "a"), DropItem("r_1", "report", "none")])
    await stores.directory.keep([])
    assert (await keys(stores.directory, "report"), await keys(stores.directory)) == (["b"], ["d"])
    assert [item.key for item in await stores.journal.due(before=1, limit=9)] == ["b"]
    assert await read_all(stores.journal, "r_1") == [1, 2]
    await stores.journal.append(changed(3, DropItem("r_1", "report", "b")))
    assert await keys(stores.directory, "report") == []


POISON: tuple[Change, ...] = (
    PutItem(an_item("a\0")),
    PutItem(an_item("\ud800")),
    PutItem(an_item("a", kind="\0")),
    PutItem(an_item("a", due_at=MAX_INT + 1)),
    PutItem(an_item("a", seq=MIN_INT - 1)),
    DropItem("r_1", "pin", "a\0"),
    DropItem("r_1", "\udfff", "a"),
    DropItems("r_1", "pin", "\0"),
    DropItems("r_1", "pin", "a\ud800"),
)


async def test_an_item_that_no_store_can_hold_is_refused(stores: Stores) -> None:
    """Guarantee: poison that slipped past the edge fails its own call, whole, and the store lives on.

    Keys hold what people type, such as an emoji; and listings rely on keys without a NUL.
    """
    await stores.journal.append(changed(1, PutItem(an_item("a"))))
    for poison in POISON:
        with pytest.raises(Unstorable):
            await stores.journal.append(changed(2, PutItem(an_item("b")), poison))
        if not isinstance(poison, DropItems):
            with pytest.raises(Unstorable):
                await stores.directory.keep([PutItem(an_item("b")), poison])
        assert await read_all(stores.journal, "r_1") == [1]
        assert await keys(stores.directory) == ["a"]
    await stores.journal.append(changed(2, PutItem(an_item("b"))))
    assert await keys(stores.directory) == ["a", "b"]


async def test_projecting_items_late_or_again(stores: Stores) -> None:
    """Guarantee: a row as new or newer protects its items; a repair writes them whatever is there."""
    await stores.journal.append(changed(1, PutItem(an_item("a", held=True))))
    await stores.journal.append(changed(2, PutItem(an_item("b", held=True))))
    (late,) = changed(2, DropItems("r_1", "pin", ""), PutItem(an_item("c", held=True)))
    (older,) = changed(1, DropItem("r_1", "pin", "a"))
    for append in (late, older):
        await stores.journal.project(append)
        assert await held(stores.journal) == ["a", "b"]
    for _ in range(2):
        await stores.journal.project(late, repair=True)
        assert await held(stores.journal) == ["c"]


async def held(journal: Journal) -> list[str]:
    """Return the keys of the items that the room holds."""
    snapshot = await journal.load_room("r_1")
    assert snapshot is not None
    items: tuple[ItemRecord, ...] = snapshot.items
    return [item.key for item in items]
