"""What a room reads to decide with is as of its last append, also while its projections wait for a database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from storage.errors import StorageUnavailable
from storage.records import Append, DropItem, DropItems, MessageRecord, PutItem, PutMessage, Trim
from tests.storage.mongo.house import another_client
from tests.storage.samples import a_change, a_message, a_post, an_item, appended, posts
from tests.storage.split.house import House, assert_same, empty_databases, open_house
from tests.storage.split.test_projecting import DOWN, NEVER

pytestmark = pytest.mark.real_clock

MESSAGES = [f"m_r_1_{seq:06d}" for seq in range(1, 5)]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Open an empty store that tries again only when it is made to."""
    await empty_databases()
    async with open_house(limits=NEVER) as opened:
        yield opened
        opened.fault.clear()


def edited(number: int, seq: int) -> MessageRecord:
    """Make the message of a post as of a later entry."""
    return replace(a_message(a_post("r_1", number), doc=f"as of {seq}".encode()), applied_seq=seq)


async def test_items_are_as_of_the_last_append(house: House) -> None:
    """Or they are not given at all; of all rooms together the timers may be older."""
    before, after, other = an_item("a", due_at=5), an_item("b", due_at=6), an_item("c", room="r_2", due_at=7)
    first = appended(a_change("r_1", 1), changes=(PutItem(before),))
    last = appended(a_change("r_1", 2), changes=(DropItem("r_1", "pin", "a"), PutItem(after)))
    await house.journal.append([first])
    house.fault.set("before_members", DOWN)
    await house.journal.append([last, appended(a_change("r_2", 1), changes=(PutItem(other),))])
    with pytest.raises(StorageUnavailable):
        await house.journal.items_by_key("r_1", [("pin", "a")])
    with pytest.raises(StorageUnavailable):
        await house.journal.due(room="r_1", before=9, limit=9)
    assert await house.journal.due(before=9, limit=9) == [before]
    house.fault.clear()
    assert await house.journal.items_by_key("r_1", [("pin", "a"), ("pin", "b")]) == [after]
    assert await house.journal.due(room="r_1", before=9, limit=9) == [after]
    assert await house.journal.due(before=9, limit=9) == [after]
    assert await house.journal.due(room="r_2", before=9, limit=9) == [other]
    assert house.journal.statistics().rooms_behind == 0


async def test_a_room_that_has_nothing_waiting_does_not_wait_for_others(house: House) -> None:
    """Nor fail with them."""
    item = an_item("a")
    await house.journal.append([appended(a_change("r_1", 1), changes=(PutItem(item),))])
    house.fault.set("after_messages", DOWN)
    await house.journal.append([posts("r_2", 1, 1)])
    passed = len(house.fault.passed)
    assert await house.journal.items_by_key("r_1", [("pin", "a")]) == [item]
    assert await house.journal.due(room="r_1", before=9, limit=9) == []
    assert len(house.fault.passed) == passed


@pytest.mark.parametrize("point", ["after_texts", "after_trim", "after_messages", "before_members"])
async def test_messages_are_as_of_the_last_append(house: House, point: str) -> None:
    """Those that wait are given from memory: a decision on an older version would contradict the journal."""
    await house.journal.append([posts("r_1", 1, 3)])
    await house.journal.append([posts("r_2", 1, 3)])
    other = a_message(a_post("r_2", 1))
    house.fault.set(point, DOWN)
    await house.journal.append([appended(a_change("r_1", 4), changes=(PutMessage(edited(2, 4)),))])
    await house.journal.append([appended(a_post("r_1", 5), changes=(Trim("r_1", 1), PutMessage(edited(3, 5))))])
    asked = [*MESSAGES, "m_r_1_000005", other.id, "m_unknown"]
    expected = {message.id: message for message in (edited(2, 4), edited(3, 5), a_message(a_post("r_1", 5)), other)}
    for _ in range(2):
        found = await house.journal.messages_by_id(asked)
        assert {message.id: message for message in found} == expected
        assert len(found) == len(expected)
        assert await house.journal.message(MESSAGES[0]) is None
        assert await house.journal.message(MESSAGES[1]) == edited(2, 4)
        house.fault.clear()
        await house.journal.load_room("r_1")
    assert house.journal.statistics().rooms_behind == 0


async def test_what_is_swept_and_trimmed_while_it_waits_is_written_right(house: House) -> None:
    """Puts before and after, merged into one write, end as one by one."""
    items = [an_item(f"m_{seq}/{name}", kind="reaction", seq=seq) for seq in (1, 2, 3) for name in "ab"]
    appends: list[Append] = [
        posts("r_1", 1, 3),
        appended(a_change("r_1", 4), changes=tuple(map(PutItem, items))),
        appended(a_change("r_1", 5), changes=(DropItems("r_1", "reaction", "m_3/"), PutItem(items[5]))),
        appended(
            a_change("r_1", 6), changes=(PutMessage(edited(1, 6)), PutItem(an_item("m_1/c", kind="reaction", seq=1)))
        ),
        appended(a_change("r_1", 7), changes=(Trim("r_1", 1), PutItem(an_item("1", kind="ban", held=True)))),
        appended(a_post("r_1", 8), changes=(Trim("r_1", 2),)),
        appended(a_change("r_1", 9), changes=(DropItems("r_1", "reaction", "m_3/"),)),
        appended(a_change("r_1", 10), changes=(PutItem(items[4]),)),
    ]
    for behind in range(len(appends)):
        await empty_databases()
        house.fault.clear()
        house.store.journal._projector._failing = False
        house.store.journal._entries._known.clear()
        for append in appends[:behind]:
            await house.journal.append([append])
        house.fault.set("after_texts", DOWN)
        for append in appends[behind:]:
            await house.journal.append([append])
        house.fault.clear()
        await assert_same(house, appends)
        await house.journal.load_room("r_1")


async def test_a_repair_trims_wholly(house: House) -> None:
    """What came back below a trimmed floor goes with a repair: texts, messages and items."""
    await house.journal.append([posts("r_1", 1, 5)])
    await house.journal.append([appended(a_change("r_1", 6), changes=(Trim("r_1", 4),))])
    body = a_post("r_1", 2).body
    async with another_client() as client:
        await client.write(lambda to: to.entries.update_one({"room": "r_1", "seq": 2}, {"$set": {"body": body}}))
    ghosts = (PutMessage(a_message(a_post("r_1", 3))), PutItem(an_item("m_3", seq=3)))
    await house.journal.project(appended(a_change("r_1", 6), changes=ghosts), repair=True)
    assert [message.seq for message in await house.journal.messages("r_1", limit=9)] == [3, 5]
    await house.journal.project(appended(a_change("r_1", 6), changes=(Trim("r_1", 4),)), repair=True)
    entries = await house.journal.read("r_1", after=0, limit=9)
    assert [entry.seq for entry in entries if entry.body] == [5, 6]
    assert [message.seq for message in await house.journal.messages("r_1", limit=9)] == [5]
    assert await house.journal.items_by_key("r_1", [("pin", "m_3")]) == []
