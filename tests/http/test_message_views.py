"""Messages as callers see them: stored bytes where nobody has reacted, else one look-up for a whole page."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from justchat.http.message_views import MessageView, ReactionView, shown
from justchat.rooms.items import reaction_item
from justchat.wire.events import Message, ReactionAdded, ReactionCount, encode_message
from storage.memory import MemoryJournal, MemoryStore
from storage.records import ItemRecord, MessageRecord, PutItem

ODD = 'he said "reactions":[{"emoji":"a","count":1}], and \\"reactions\\":['


class CountingJournal(MemoryJournal):
    """The memory journal; it notes how many items each call asks for."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.asked: list[int] = []

    async def items_by_key(self, room: str, keys: Sequence[tuple[str, str]]) -> list[ItemRecord]:
        self.asked.append(len(keys))
        return await super().items_by_key(room, keys)


def message(number: int, *reactions: tuple[str, int], body: str = "b") -> Message:
    counts = tuple(ReactionCount(emoji, count) for emoji, count in reactions)
    return Message(f"m_{number}", "r_1", number, number, 1, "u_1", body, "then", reactions=counts, client_msg_id=ODD)


def record(message: Message, *, space: bytes = b"") -> MessageRecord:
    doc = encode_message(message) + space
    return MessageRecord(message.id, "r_1", message.seq, message.msg_no, "u_1", False, doc, message.seq)


def journal(*reactions: tuple[Message, str, str]) -> CountingJournal:
    store = MemoryStore()
    added = [ReactionAdded(one.id, one.seq, user, emoji) for one, user, emoji in reactions]
    store.project([PutItem(reaction_item("r_1", one, at=0)) for one in added])
    return CountingJournal(store)


def test_a_view_is_a_message_and_nothing_else() -> None:
    """The same fields in the same order: what is shown of a message is what is stored, but for `me`."""
    assert MessageView.__struct_fields__ == Message.__struct_fields__
    assert ReactionView.__struct_fields__ == (*ReactionCount.__struct_fields__, "me")


async def test_messages_without_reactions_are_shown_byte_for_byte() -> None:
    """Whatever they say, even about reactions; and nothing is looked up for them."""
    records = [record(message(number, body=ODD), space=b" ") for number in range(3)]
    counting = journal()
    assert [bytes(view) for view in await shown(counting, "u_2", records)] == [one.doc for one in records]
    assert await shown(counting, "u_2", []) == []
    assert counting.asked == []


async def test_a_page_is_looked_up_at_once() -> None:
    """One's own are marked, others' are not, and those without stay as they are, in the order of the page."""
    messages = [message(1, ("a", 2), ("b", 1)), message(2, body=ODD), message(3, ("a", 1)), message(4)]
    counting = journal((messages[0], "u_2", "a"), (messages[0], "u_3", "a"), (messages[0], "u_3", "b"))
    records = [record(one) for one in messages]
    views = await shown(counting, "u_2", records)
    assert counting.asked == [3]
    decoded = [msgspec.json.decode(view, type=MessageView) for view in views]
    assert [one.id for one in decoded] == ["m_1", "m_2", "m_3", "m_4"]
    assert decoded[0].reactions == (ReactionView("a", 2, True), ReactionView("b", 1, False))
    assert decoded[2].reactions == (ReactionView("a", 1, False),)
    assert [bytes(views[1]), bytes(views[3])] == [records[1].doc, records[3].doc]


@pytest.mark.parametrize(("emoji", "asked"), [(5, [500]), (6, [500, 100]), (20, [500, 500, 500, 500])])
async def test_no_store_is_asked_for_too_many_items_at_once(emoji: int, asked: list[int]) -> None:
    """The largest page with as many emoji as a message may have is looked up in parts."""
    messages = [message(number, *((f"e{one}", 1) for one in range(emoji))) for number in range(100)]
    counting = journal(*((one, "u_2", f"e{emoji - 1}") for one in messages))
    views = await shown(counting, "u_2", [record(one) for one in messages])
    assert counting.asked == asked
    for view in views:
        reactions = msgspec.json.decode(view, type=MessageView).reactions
        assert [reaction.me for reaction in reactions] == [False] * (emoji - 1) + [True]
