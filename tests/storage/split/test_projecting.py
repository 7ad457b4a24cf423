"""Projections that fail after the commit: nothing is refused for it, and nothing is lost by it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
from msgspec.structs import replace

from storage.errors import Conflict, OutcomeUnknown, StorageUnavailable, Unstorable
from storage.records import Append, DropMember, PutMember, PutMessage
from storage.split import SplitLimits
from tests.storage.mongo.house import entries_in
from tests.storage.samples import a_change, a_member, a_message, a_post, appended, joined, posts
from tests.storage.split.house import (
    House,
    assert_same,
    empty_databases,
    open_house,
    until_nothing_is_behind,
)

pytestmark = pytest.mark.real_clock

# What is slow is waited for: only what is told to fail is behind.
NEVER = SplitLimits(retry_seconds=1000.0, project_seconds=60.0)
DOWN = StorageUnavailable("down")
POINTS = (
    "after_texts",
    "after_trim",
    "after_messages",
    "before_members",
    "before_rooms",
    "before_mark",
    "before_projection_commit",
)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Open an empty store that tries again only when it is made to."""
    await empty_databases()
    async with open_house(limits=NEVER) as opened:
        yield opened
        opened.fault.clear()


def edited(room: str, number: int, seq: int) -> Append:
    """Make the append that changes the message of a post."""
    message = replace(a_message(a_post(room, number), doc=b"edited", deleted=True), applied_seq=seq)
    return appended(a_change(room, seq), changes=(PutMessage(message),))


def left(room: str, seq: int, user: str) -> Append:
    """Make the append by which a user leaves."""
    return appended(a_change(room, seq), changes=(DropMember(room, user),))


async def test_a_commit_passes_every_fault_point_in_order(house: House) -> None:
    """Or the tests that stop it there prove nothing."""
    await house.journal.append([joined("r_1", 1, "u_0001"), posts("r_2", 1, 2)])
    assert house.fault.passed == [
        "before_entries",
        "after_entries",
        "after_texts",
        "after_trim",
        "after_messages",
        "before_members",
        "before_rooms",
        "before_mark",
        "before_projection_commit",
        "after_projection",
    ]


@pytest.mark.parametrize("point", POINTS)
async def test_an_append_whose_projections_fail_has_succeeded(house: House, point: str) -> None:
    """Its entries are durable and readable; its room loads as soon as its rows can be written, and not before."""
    appends = [joined("r_1", 1, "u_0001"), posts("r_1", 2, 3), joined("r_2", 1, "u_0001")]
    house.fault.set(point, DOWN)
    await house.journal.append(appends)
    assert [entry.seq for entry in await house.journal.read("r_1", after=0, limit=9)] == [1, 2, 3]
    assert [sent.seq for sent in await house.journal.find_sent("r_1", [("u_0001", "c3")])] == [3]
    assert await house.row("r_1") == 0
    statistics = house.journal.statistics()
    assert (statistics.rooms_behind, statistics.failed, statistics.last_error) == (2, 1, "down")
    with pytest.raises(StorageUnavailable):
        await house.journal.load_room("r_1")
    house.fault.clear()
    assert await house.places("r_1") == (3, 3)
    assert await house.row("r_2") == 0
    await house.journal.load_room("r_2")
    await assert_same(house, appends)


async def test_what_is_behind_is_written_in_order(house: House) -> None:
    """Later appends of the room come behind the earlier ones, and none before."""
    appends = [joined("r_1", 1, "u_0001", "u_0002"), posts("r_1", 2, 3)]
    late = [left("r_1", 4, "u_0001"), edited("r_1", 2, 5), joined("r_1", 6, "u_0003"), left("r_1", 7, "u_0002")]
    for append in appends:
        await house.journal.append([append])
    house.fault.set("before_rooms", DOWN)
    await house.journal.append([late[0], posts("r_2", 1, 1)])
    house.fault.clear()
    await house.journal.load_room("r_2")  # nothing fails any more, and it is known
    for append in late[1:]:
        await house.journal.append([append])
    assert await house.row("r_1") == 3
    assert house.journal.statistics().rooms_behind == 1
    await assert_same(house, [*appends, *late, posts("r_2", 1, 1)])


async def test_each_row_is_in_one_database(house: House) -> None:
    """What MongoDB keeps is not kept in PostgreSQL as well, where nobody would look at it nor delete it."""
    await house.journal.append([joined("r_1", 1, "u_0001"), posts("r_1", 2, 3)])
    for table, rows in (("entries", 0), ("messages", 0), ("rooms", 1), ("members", 1)):
        ((count,),) = await house.store.pool.fetch(f"SELECT count(*) FROM {table}")
        assert count == rows, table


async def test_other_rooms_are_projected_at_once_again_when_one_has_been(house: House) -> None:
    """While the databases fail nobody waits for them; the first success ends that."""
    house.fault.set("before_members", DOWN)
    await house.journal.append([posts("r_1", 1, 1)])
    passed = len(house.fault.passed)
    await house.journal.append([posts("r_2", 1, 1)])
    assert house.fault.passed[passed:] == ["before_entries", "after_entries"]
    house.fault.clear()
    await house.journal.load_room("r_1")
    await house.journal.append([posts("r_3", 1, 1)])
    assert (await house.row("r_1"), await house.row("r_2"), await house.row("r_3")) == (1, 0, 1)
    await house.journal.load_room("r_2")


async def test_what_is_behind_is_tried_again_by_itself() -> None:
    """Nobody has to ask for the room."""
    await empty_databases()
    appends = [posts(f"r_{number}", 1, 2) for number in range(7)]
    async with open_house(limits=SplitLimits(retry_seconds=0.02, rows_at_once=4, project_seconds=60.0)) as house:
        for point in ("after_messages", "before_projection_commit"):
            house.fault.set(point, DOWN)
            for append in appends:
                await house.journal.append([append])
            await trio.sleep(0.1)
            assert house.journal.statistics().rooms_behind == len(appends)
            assert house.journal.statistics().behind_seconds >= 0.1
            house.fault.clear()
            await until_nothing_is_behind(house)
            for append in appends:
                assert await house.row(append.room) == append.entries[-1].seq
            appends = [posts(append.room, 3, 4) for append in appends]
        assert await house.journal.behind() == []


async def test_what_is_behind_is_written_on_closing() -> None:
    """An orderly stop leaves nothing for the next process to find."""
    await empty_databases()
    async with open_house(limits=NEVER) as house:
        house.fault.set("before_members", DOWN)
        await house.journal.append([posts("r_1", 1, 2)])
        house.fault.clear()
    async with open_house() as house:
        assert await house.row("r_1") == 2
        assert await house.journal.behind() == []


async def test_too_much_behind_refuses_before_anything_is_written() -> None:
    """Memory is bounded, and a refused append leaves nothing to doubt."""
    await empty_databases()
    async with open_house(limits=SplitLimits(retry_seconds=1000.0, rows_behind=5, project_seconds=60.0)) as house:
        house.fault.set("before_members", DOWN)
        await house.journal.append([posts("r_1", 1, 3)])
        await house.journal.append([posts("r_2", 1, 3)])
        there = await entries_in(house.store.mongo)
        for room, seq in (("r_1", 4), ("r_2", 4), ("r_3", 1)):
            with pytest.raises(StorageUnavailable, match="8 rows wait to be projected: down") as caught:
                await house.journal.append([posts(room, seq, seq)])
            assert not isinstance(caught.value, OutcomeUnknown)
        assert await entries_in(house.store.mongo) == there
        house.fault.clear()
        await house.journal.load_room("r_1")
        await house.journal.append([posts("r_3", 1, 1)])
        await assert_same(house, [posts("r_1", 1, 3), posts("r_2", 1, 3), posts("r_3", 1, 1)])


async def test_a_row_that_cannot_be_stored_harms_its_own_room_only(house: House) -> None:
    """It is refused before the commit where that can be known; where not, the others' rows are written all the same."""
    with pytest.raises(Unstorable):
        await house.journal.append([posts("r_1", 1, 1), appended(replace(a_post("r_2", 1), type="a\0b"))])
    assert await entries_in(house.store.mongo) == []
    house.fault.set("before_members", DOWN)
    poison = PutMember(replace(a_member("r_2"), joined_seq="one"))
    await house.journal.append(
        [posts("r_1", 1, 1), appended(a_change("r_2", 1), changes=(poison,)), posts("r_3", 1, 1)]
    )
    house.fault.clear()
    await house.journal.load_room("r_1")
    await house.store.journal._projector.flush(["r_2", "r_3"])
    assert (await house.row("r_1"), await house.row("r_2"), await house.row("r_3")) == (1, 0, 1)
    assert house.journal.statistics().rooms_held == 1
    assert await house.places("r_2") == (1, 0)


async def test_an_append_that_is_tried_again_is_projected_once(house: House) -> None:
    """Its caller did not learn of its end; meanwhile the room has gone on."""
    first, second = joined("r_1", 1, "u_0001"), left("r_1", 2, "u_0001")
    house.fault.set("after_entries", OutcomeUnknown("the answer was lost"))
    with pytest.raises(OutcomeUnknown):
        await house.journal.append([first])
    house.fault.clear()
    assert house.journal.statistics().rooms_held == 1
    assert await house.places("r_1") == (1, 0)
    await house.journal.append([first])
    assert house.journal.statistics().rooms_held == 0
    await house.journal.append([second])
    await house.journal.append([first])
    await assert_same(house, [first, second])


async def test_a_room_whose_projections_are_further_behind_says_so(house: House) -> None:
    """Another process left it: the append is durable, and its room has to load, which finds what is missing."""
    appends = [joined("r_1", 1, "u_0001"), posts("r_1", 2, 3)]
    house.fault.set("after_entries", OutcomeUnknown("the answer was lost"))
    with pytest.raises(OutcomeUnknown):
        await house.journal.append([appends[0]])
    house.fault.clear()
    with pytest.raises(Conflict) as caught:
        await house.journal.append([posts("r_2", 1, 1), appends[1]])
    assert (caught.value.kind, caught.value.room, caught.value.written) == ("seq", "r_1", 2)
    assert await house.places("r_1") == (3, 0)
    with pytest.raises(StorageUnavailable, match="not projected up to 1"):
        await house.journal.project(appends[1])
    await house.catch_up(appends)
    await house.journal.append([posts("r_2", 1, 1)])
    assert house.journal.statistics().rooms_held == 0
    await assert_same(house, [*appends, posts("r_2", 1, 1)])


async def test_the_mark_waits_for_what_is_not_projected(house: House) -> None:
    """It tells the next process from where on to look: it may be too low, and never too high."""
    await house.journal.append([posts("r_1", 1, 1)])
    before = house.journal.statistics().mark
    assert await house.store.journal._projections.mark() == before
    house.fault.set("before_members", DOWN)
    await house.journal.append([posts("r_2", 1, 1)])
    house.fault.clear()
    house.store.journal._projector._failing = False
    await house.journal.append([posts("r_3", 1, 1)])
    assert before <= await house.store.journal._projections.mark() == house.journal.statistics().mark
    commits = await house.store.journal._entries.heads_since(house.journal.statistics().mark)
    assert "r_2" in commits
    await house.journal.load_room("r_2")
    assert await house.store.journal._projections.mark() == house.journal.statistics().mark > before


async def test_a_caller_that_leaves_in_mid_append_leaves_no_half(house: House) -> None:
    """Entries that were inserted are projected, whoever waits for it; who loads the room sees both or neither."""
    for number in range(12):
        room = f"r_{number:02d}"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(house.journal.append, [joined(room, 1, "u_0001"), posts(room, 2, 3)])
            for _ in range(number):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        head, applied = await house.places(room)
        assert head == applied
        assert head in (0, 3)
    assert house.journal.statistics().rooms_held == 0
