"""Rewriting: what an entry says is replaced in its place, and everything else about it stays."""

from __future__ import annotations

from random import Random

import pytest
from msgspec.structs import replace

from storage.memory import MemoryJournal, MemoryStore
from storage.records import Entry, PutItem, Sent, Trim
from tests.storage.contract.backends import LASTING, Stores, each, open_stores, ram_folder
from tests.storage.contract.test_items import changed
from tests.storage.samples import a_change, a_post, an_item, appended, posts


def emptied(entry: Entry) -> Entry:
    """Give an entry with less to say."""
    return replace(entry, body=b"{}", digest=None if entry.digest is None else b"")


async def test_body_and_digest_are_replaced_and_nothing_else(stores: Stores) -> None:
    """Guarantee: an entry keeps its place and all that is found by it; others, of other rooms too, are untouched."""
    entries = [a_post("r_1", 1), a_change("r_1", 2), a_post("r_1", 3)]
    await stores.journal.append([appended(*entries), posts("r_2", 1, 3)])
    messages = await stores.journal.messages("r_1", limit=9)
    meddled = replace(emptied(entries[0]), ts=1, type="other", actor="u_other", message_id="m_other", msg_no=9)
    await stores.journal.rewrite([meddled, emptied(entries[1])])
    expected = [emptied(entries[0]), emptied(entries[1]), entries[2]]
    assert await stores.journal.read("r_1", after=0, limit=9) == expected
    assert await stores.journal.read_back("r_1", limit=9) == expected
    assert await stores.journal.read("r_2", after=0, limit=9) == [a_post("r_2", seq) for seq in range(1, 4)]
    assert await stores.journal.messages("r_1", limit=9) == messages
    await stores.journal.append([appended(a_post("r_1", 4))])


async def test_a_post_is_known_by_its_new_digest(stores: Stores) -> None:
    """Guarantee: its repeat is still recognised, and cannot be told from another one any more."""
    post = a_post("r_1", 1)
    await stores.journal.append([appended(post)])
    await stores.journal.rewrite([emptied(post)])
    key = (post.sender or "", post.client_msg_id or "")
    found = await stores.journal.find_sent("r_1", [key])
    assert found == [Sent(*key, 1, post.msg_no or 0, post.message_id or "", b"")]


async def test_doing_it_again_or_where_nothing_is_changes_nothing(stores: Stores) -> None:
    """Guarantee: whoever does not know whether it was done does it again."""
    post = a_post("r_1", 1)
    await stores.journal.append([appended(post)])
    for _ in range(2):
        await stores.journal.rewrite([emptied(post), emptied(a_post("r_1", 2)), emptied(a_post("r_none", 1))])
    await stores.journal.rewrite([])
    assert await stores.journal.read("r_1", after=0, limit=9) == [emptied(post)]
    assert await stores.journal.read("r_none", after=0, limit=9) == []
    assert await stores.journal.rooms(limit=9) == ["r_1"]


async def test_what_was_trimmed_stays_empty(stores: Stores) -> None:
    """Guarantee: below an entry whose text is gone none has any, whoever comes late; the next trim takes the rest."""
    entries = [a_post("r_1", seq) for seq in range(1, 5)]
    await stores.journal.append([appended(*entries)])
    await stores.journal.append([appended(a_change("r_1", 5), changes=(Trim("r_1", 2),))])
    await stores.journal.rewrite([emptied(entry) for entry in entries])
    found = await stores.journal.read("r_1", after=0, upto=4, limit=9)
    assert [entry.body for entry in found] == [b"", b"", b"{}", b"{}"]
    assert [entry.digest for entry in found] == [entries[0].digest, entries[1].digest, b"", b""]
    await stores.journal.append([appended(a_change("r_1", 6), changes=(Trim("r_1", 4),))])
    found = await stores.journal.read("r_1", after=0, upto=4, limit=9)
    assert [entry.body for entry in found] == [b""] * 4


@pytest.mark.parametrize("kind", each(LASTING))
async def test_what_was_rewritten_is_so_after_the_store_was_closed(kind: str) -> None:
    """Guarantee: it is durable when it returns."""
    post = a_post("r_1", 1)
    with ram_folder() as folder:
        async with open_stores(kind, folder) as stores:
            await stores.journal.append([appended(post)])
            await stores.journal.rewrite([emptied(post)])
        async with open_stores(kind, folder) as stores:
            assert await stores.journal.read("r_1", after=0, limit=9) == [emptied(post)]


async def test_rooms_are_found_by_who_wrote_in_them(stores: Stores) -> None:
    """Guarantee: posts count, trimmed ones too, and other entries do not; only rooms that are asked for are named."""
    by_me = replace(a_post("r_1", 1), sender="u_me", actor="u_me")
    change_by_me = replace(a_change("r_2", 1), actor="u_me")
    later = replace(a_post("r_3", 2), sender="u_me", actor="u_me", client_msg_id="a")
    again = replace(a_post("r_3", 3), sender="u_me", actor="u_me", client_msg_id="b")
    trimmed = replace(a_post("r_4", 1), sender="u_me", actor="u_me")
    await stores.journal.append([appended(by_me), appended(change_by_me), appended(a_change("r_3", 1), later, again)])
    await stores.journal.append([appended(trimmed), posts("r_5", 1, 2)])
    await stores.journal.append([appended(a_change("r_4", 2), changes=(Trim("r_4", 1),))])
    asked = ["r_1", "r_2", "r_3", "r_4", "r_5", "r_none", "r_1"]
    assert sorted(await stores.journal.written_in(asked, "u_me")) == ["r_1", "r_3", "r_4"]
    assert await stores.journal.written_in(["r_2", "r_5"], "u_me") == []
    assert await stores.journal.written_in(asked, "u_nobody") == []
    assert await stores.journal.written_in([], "u_me") == []


async def test_rooms_are_found_by_what_they_keep(stores: Stores) -> None:
    """Guarantee: an item of a kind whose key begins so is enough; each room is named once."""
    items = {
        "r_1": [an_item("u_me/s_1", kind="scheduled"), an_item("u_me/s_2", kind="scheduled")],
        "r_2": [an_item("u_other/s_1", room="r_2", kind="scheduled"), an_item("u_me", room="r_2", kind="pin")],
        "r_3": [an_item("u_me", room="r_3", kind="ban"), an_item("i_1", room="r_3", kind="invite")],
    }
    for room, kept in items.items():
        await stores.journal.append([*changed(1, *map(PutItem, kept), room=room)])
    asked = ["r_1", "r_2", "r_3", "r_none"]

    async def keeping(*wanted: tuple[str, str]) -> list[str]:
        return sorted(await stores.journal.rooms_keeping(asked, wanted))

    assert await keeping(("scheduled", "u_me/")) == ["r_1"]
    assert await keeping(("scheduled", "u_me/"), ("ban", "u_me")) == ["r_1", "r_3"]
    assert await keeping(("scheduled", "")) == ["r_1", "r_2"]
    assert await keeping(("scheduled", ""), ("invite", ""), ("ban", "u_me")) == ["r_1", "r_2", "r_3"]
    assert await keeping(("ban", "u_m"), ("pin", "u_mf")) == ["r_3"]
    assert await keeping() == []
    assert await stores.journal.rooms_keeping([], [("scheduled", "")]) == []
    assert await stores.journal.rooms_keeping(["r_2"], [("ban", "")]) == []


async def test_rewriting_is_what_it_is_in_ram(stores: Stores) -> None:
    """Guarantee: entries, rewritten and trimmed in any order, are the same in every store."""
    random = Random(7)
    reference = MemoryJournal(MemoryStore())
    head = 0
    for _ in range(12):
        entries = [a_post("r_1", head + 1), a_change("r_1", head + 2)]
        head += 2
        trims = (Trim("r_1", random.randint(0, head)),) if random.random() < 0.3 else ()
        chosen = [emptied(a_post("r_1", random.randint(1, head))) for _ in range(3)]
        for journal in (reference, stores.journal):
            await journal.append([appended(*entries, changes=trims)])
            await journal.rewrite(chosen)
    assert await stores.journal.read("r_1", after=0, limit=99) == await reference.read("r_1", after=0, limit=99)
