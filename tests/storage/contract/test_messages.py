"""Messages as they read now."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from storage.ports import Journal
from storage.records import MessageRecord, PutMessage
from tests.storage.samples import a_change, a_message, a_post, appended, posts

MAX_INT = 2**63 - 1


def seqs(messages: list[MessageRecord]) -> list[int]:
    """Return the creation seqs of messages."""
    return [message.seq for message in messages]


async def fill(journal: Journal) -> None:
    """Write messages with the odd seqs up to 19 into r_1, and others around it."""
    for seq in range(1, 20, 2):
        await journal.append([appended(a_post("r_1", seq), a_change("r_1", seq + 1)), posts("r_2", seq, seq + 1)])


PAGES: tuple[tuple[int | None, int | None, int | None, int, list[int]], ...] = (  # before, after, upto, limit, expected
    (None, None, None, 3, [15, 17, 19]),
    (None, None, None, 100, [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]),
    (None, None, 8, 3, [3, 5, 7]),
    (None, None, 9, 3, [5, 7, 9]),
    (9, None, None, 3, [3, 5, 7]),
    (10, None, None, 3, [5, 7, 9]),
    (10, None, 6, 3, [1, 3, 5]),
    (4, None, 16, 3, [1, 3]),
    (1, None, None, 3, []),
    (-(2**63), None, None, 3, []),
    (MAX_INT, None, MAX_INT, 2, [17, 19]),
    (None, 9, None, 3, [11, 13, 15]),
    (None, 10, None, 3, [11, 13, 15]),
    (None, 10, 13, 3, [11, 13]),
    (None, 10, 12, 3, [11]),
    (None, 10, 10, 3, []),
    (None, 12, 4, 3, []),
    (None, 19, None, 3, []),
    (None, MAX_INT, None, 3, []),
    (None, -7, None, 1, [1]),
    (None, None, 0, 3, []),
    (None, None, None, 0, []),
    (None, 0, None, -1, []),
)


async def test_history_pages(journal: Journal) -> None:
    """Guarantee: pages by creation seq, ascending, that neither overlap nor leave anything out.

    A client scrolls back with `before`, forward with `after`, and a member that left sees nothing above `upto`.
    """
    await fill(journal)
    for before, after, upto, limit, expected in PAGES:
        found = await journal.messages("r_1", before=before, after=after, upto=upto, limit=limit)
        assert seqs(found) == expected, (before, after, upto, limit)
        assert {message.room for message in found} <= {"r_1"}


async def test_paging_both_ways_at_once_is_a_mistake(journal: Journal) -> None:
    """Guarantee: an ambiguous question is refused, not guessed at."""
    with pytest.raises(ValueError, match="not both"):
        await journal.messages("r_1", before=5, after=1, limit=10)


async def test_scrolling_through_meets_every_message_once(journal: Journal) -> None:
    """Guarantee: the last seq of a page is where the next one starts, in both directions."""
    await fill(journal)
    forward: list[int] = []
    while page := await journal.messages("r_1", after=forward[-1] if forward else 0, limit=4):
        forward += seqs(page)
    backward: list[int] = []
    while page := await journal.messages("r_1", before=backward[0] if backward else None, limit=4):
        backward = seqs(page) + backward
    assert forward == backward == list(range(1, 20, 2))


async def test_an_edit_keeps_a_message_in_its_place(journal: Journal) -> None:
    """Guarantee: history shows the current text at the place of the first. Readers of old pages rely on it."""
    await journal.append([posts("r_1", 1, 3)])
    edited = replace(a_message(a_post("r_1", 2), doc=b'{"body":"edited"}'), applied_seq=4)
    await journal.append([appended(a_change("r_1", 4), changes=(PutMessage(edited),))])
    assert seqs(await journal.messages("r_1", limit=10)) == [1, 2, 3]
    assert (await journal.messages("r_1", limit=10))[1] == edited
    assert await journal.message(edited.id) == edited


async def test_tombstones_are_found(journal: Journal) -> None:
    """Guarantee: a deleted message stays as a row. History shows that something was there, without a hole."""
    tombstone = replace(a_message(a_post("r_1", 1), deleted=True, doc=b"{}"), applied_seq=3)
    await journal.append([posts("r_1", 1, 2)])
    await journal.append([appended(a_change("r_1", 3), changes=(PutMessage(tombstone),))])
    assert await journal.message(tombstone.id) == tombstone
    assert await journal.messages_by_id([tombstone.id]) == [tombstone]
    assert await journal.messages("r_1", limit=10) == [tombstone, a_message(a_post("r_1", 2))]


async def test_messages_by_id_come_once_each_and_unknown_ones_not_at_all(journal: Journal) -> None:
    """Guarantee: a set of ids gives the set of their messages. Threads and pins resolve their references so."""
    await journal.append([posts("r_1", 1, 3), posts("r_2", 1, 1)])
    ids = ["m_r_1_000003", "m_none", "m_r_2_000001", "m_r_1_000003", ""]
    found = await journal.messages_by_id(ids)
    assert sorted(message.id for message in found) == ["m_r_1_000003", "m_r_2_000001"]
    assert await journal.messages_by_id([]) == []
    assert await journal.message("m_none") is None
