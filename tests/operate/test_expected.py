"""The temporary file amounts to the same as a store in RAM that is given the same changes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, closing

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from justchat.operate.expected import ExpectedRows
from justchat.operate.stored import differing
from justchat.rooms.items import KEPT, ItemKind
from storage.memory.store import MemoryStore
from storage.records import Change, DropItem, DropItems, DropMessage, ItemRecord, PutItem, PutMessage, PutRoom, Trim
from tests.storage.samples import a_message, a_post, a_room

KINDS = (ItemKind.REACTION, ItemKind.REVISION, ItemKind.SCHEDULED)
KEYS = ("", "m_1", "m_1/", "m_1/a", "m_1/☕", "m_10", "m_2/a", "\U0010ffff", "\U0010ffff\U0010ffffa")
MANY = 1203


@st.composite
def a_row_change(draw: st.DrawFn) -> Change:
    """Draw a change of a message or of items."""
    seq, kind, key = draw(st.integers(1, 6)), draw(st.sampled_from(KINDS)).value, draw(st.sampled_from(KEYS))
    doc = draw(st.sampled_from((b"{}", b"[]")))
    item = ItemRecord(
        "r_1", kind, key, doc, draw(st.booleans()), draw(st.sampled_from((None, 7))), draw(st.integers(0, 6))
    )
    post = a_post("r_1", seq)
    return draw(
        st.sampled_from(
            (
                PutMessage(replace(a_message(post), doc=doc)),
                DropMessage("r_1", post.message_id or ""),
                PutItem(item),
                DropItem("r_1", kind, key),
                DropItems("r_1", kind, key),
                Trim("r_1", seq),
                PutRoom(a_room("r_1", seq=seq)),
            )
        )
    )


@given(batches=st.lists(st.lists(a_row_change(), max_size=6), max_size=4))
def test_the_same_changes_leave_the_same_rows(batches: list[list[Change]]) -> None:
    """In their order, and without the kinds that nobody can know of."""
    store = MemoryStore()
    with closing(ExpectedRows()) as expected:
        for batch in batches:
            expected.apply(batch)
            store.project(batch)
        messages = sorted(store.messages.values(), key=lambda message: message.seq)
        assert list(expected.each_message()) == messages
        assert expected.count_messages() == len(messages)
        for message in messages:
            assert expected.messages_by_id([message.id, "m_unknown"]) == [message]
            assert expected.message_at(message.seq) == message
        assert expected.message_at(99) is None
        items = store.items.get("r_1", {})
        known = {name: item for name, item in items.items() if item.kind not in KEPT}
        assert list(expected.each_item()) == [item for _, item in sorted(known.items())]
        for kind in KINDS:
            for key in KEYS:
                assert expected.item((kind.value, key)) == known.get((kind.value, key))
        assert expected.count_items() == len(known)


def test_more_than_a_page_is_given_in_order() -> None:
    """Also when rows come and go in the meantime."""
    with closing(ExpectedRows()) as expected:
        items = [ItemRecord("r_1", ItemKind.REPLY.value, f"{number:06d}", b"{}", seq=1) for number in range(MANY)]
        posts = [a_message(a_post("r_1", seq)) for seq in range(1, MANY)]
        expected.apply([*map(PutItem, items), *map(PutMessage, posts)])
        assert list(expected.each_item()) == items
        found = []
        for message in expected.each_message():
            found.append(message)
            if message.seq == 700:
                expected.apply([Trim("r_1", 900), PutMessage(a_message(a_post("r_1", MANY)))])
        seqs = [message.seq for message in found]
        assert seqs == sorted(set(seqs))
        assert set(range(1, 701)) | set(range(1001, MANY + 1)) <= set(seqs)


rows = st.dictionaries(st.integers(0, 8), st.sampled_from("abc"))


@given(one=rows, other=rows, enough=st.integers(1, 20))
async def test_two_rows_of_things_are_compared_by_place(
    one: dict[int, str], other: dict[int, str], enough: int
) -> None:
    """Each difference once, in order; and whoever has enough leaves nothing open."""
    opened = 0

    async def each(things: dict[int, str]) -> AsyncGenerator[tuple[int, str], None]:
        nonlocal opened
        opened += 1
        try:
            for place in sorted(things):
                yield place, things[place]
        finally:
            opened -= 1

    places = sorted({*one, *other})
    expected = [(place, one.get(place), other.get(place)) for place in places if one.get(place) != other.get(place)]
    found = []
    async with aclosing(differing(each(one), each(other))) as differences:
        async for difference in differences:
            found.append(difference)
            if len(found) == enough:
                break
    assert found == expected[:enough]
    assert opened == 0
