"""Inserting entries without a transaction, on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from storage.errors import Unstorable
from storage.mongo import Entries, MongoDatabase
from storage.mongo.client import Collections
from storage.records import Append
from tests.storage.mongo.house import CommandCount, another_client, entries_in
from tests.storage.mongo.server import empty_database
from tests.storage.samples import a_change, a_post, appended, posts

pytestmark = pytest.mark.real_clock


@pytest.fixture
async def database() -> AsyncIterator[MongoDatabase]:
    """Open an empty database."""
    async with empty_database() as opened:
        yield opened


@pytest.fixture
async def entries(database: MongoDatabase) -> Entries:
    """Return entries that know nothing yet."""
    return Entries(database)


async def heads(entries: Entries, *rooms: str) -> list[int]:
    """Return how many entries each room has; fails if a room has a hole."""
    found = []
    for room in rooms:
        seqs = [entry.seq for entry in await entries.read(room, after=0, upto=None, limit=10_000)]
        assert seqs == list(range(1, len(seqs) + 1))
        found.append(len(seqs))
    return found


def others(room: str, seq: int) -> Append:
    """Make an entry of another writer in this place."""
    return appended(replace(a_change(room, seq), ts=5))


async def test_an_append_is_one_command(database: MongoDatabase) -> None:
    """Nothing is asked before entries are inserted that follow our own; a strange room's last entry is asked for."""
    count = CommandCount()
    await Entries(database).insert([posts("r_2", 1, 3)], commit=1)
    async with another_client(count) as counted:
        entries = Entries(counted)
        await entries.insert([posts("r_1", 1, 1)], commit=1)
        assert count.taken() == {"insert entries": 1}
        await entries.insert([posts("r_1", 2, 3), posts("r_0", 1, 1)], commit=2)
        assert count.taken() == {"insert entries": 1}
        await entries.insert([posts("r_2", 4, 4)], commit=3)
        assert count.taken() == {"find entries": 1, "insert entries": 1}


async def test_a_duplicate_in_the_middle_ends_its_rooms_share_only(entries: Entries) -> None:
    """Of many rooms in one ordered insert, one has a writer too many: the others are written whole."""
    await entries.insert([posts("r_2", 1, 1), others("r_2", 2)], commit=1)
    done = await entries.insert([posts("r_1", 1, 3), posts("r_2", 2, 3), posts("r_3", 1, 3)], commit=2)
    assert done.conflict is not None
    assert (done.conflict.kind, done.conflict.room, done.conflict.written) == ("seq", "r_2", 0)
    assert [append.room for append in done.whole] == ["r_1", "r_3"]
    assert await heads(entries, "r_1", "r_2", "r_3") == [3, 2, 3]
    assert await entries.read("r_2", after=1, upto=None, limit=9) == list(others("r_2", 2).entries)


async def test_duplicates_in_several_rooms_are_all_found(entries: Entries) -> None:
    """The first conflict is told, and every room has exactly its first entries."""
    await entries.insert([others("r_1", 1), posts("r_2", 1, 1), others("r_4", 1)], commit=1)
    repeated = appended(a_post("r_2", 2), a_post("r_2", 3, client_msg_id="c1"), a_post("r_2", 4))
    done = await entries.insert([posts("r_0", 1, 2), posts("r_1", 1, 2), repeated, posts("r_4", 1, 1)], commit=2)
    assert done.conflict is not None
    assert (done.conflict.kind, done.conflict.room) == ("seq", "r_1")
    assert done.torn == {"r_2": 2}
    assert await heads(entries, "r_0", "r_1", "r_2", "r_4") == [2, 1, 2, 1]


async def test_a_large_call_keeps_its_order(entries: Entries) -> None:
    """More entries than one command takes: what follows a conflict in the first command is not in the second."""
    await entries.insert([posts("r_1", 1, 30), others("r_1", 31)], commit=1)
    done = await entries.insert([posts("r_0", 1, 90), posts("r_1", 31, 260), posts("r_2", 1, 120)], commit=2)
    assert done.conflict is not None
    assert done.conflict.written == 0
    assert await heads(entries, "r_0", "r_1", "r_2") == [90, 31, 120]


async def test_the_whole_of_an_earlier_attempt_is_recognised(database: MongoDatabase) -> None:
    """Its end was unknown, it was written, and another process tries it again: it counts, once."""
    appends = [posts("r_1", 1, 3), posts("r_2", 1, 2)]
    await Entries(database).insert(appends, commit=1)
    entries = Entries(database)
    done = await entries.insert(appends, commit=2)
    assert (done.whole, done.torn, done.conflict) == (tuple(appends), {}, None)
    assert await heads(entries, "r_1", "r_2") == [3, 2]


@pytest.mark.parametrize("there", range(6))
async def test_a_part_of_an_earlier_attempt_is_recognised(database: MongoDatabase, there: int) -> None:
    """It was cut off after any number of entries: the rest is written, and nothing twice."""
    appends = [posts("r_1", 1, 2), appended(a_change("r_2", 1), a_post("r_2", 2)), posts("r_1", 3, 3)]
    first = [entry for append in appends for entry in append.entries][:there]
    for entry in first:
        await Entries(database).insert([appended(entry)], commit=1)
    entries = Entries(database)
    done = await entries.insert(appends, commit=2)
    assert (done.whole, done.torn, done.conflict) == (tuple(appends), {}, None)
    assert await heads(entries, "r_1", "r_2") == [3, 2]


async def test_what_others_wrote_is_a_majoritys_before_it_counts(database: MongoDatabase) -> None:
    """An entry that is recognised was perhaps never acknowledged: a later write is waited for, which vouches for it."""
    await Entries(database).insert([posts("r_1", 1, 1)], commit=7)
    await Entries(database).insert([posts("r_1", 1, 1)], commit=8)

    async def barrier(of: Collections) -> object:
        return (await of.layout.find_one({"_id": "barrier"}) or {}).get("commit")

    assert await database.read(barrier) == 8


async def test_an_entry_that_only_looks_alike_is_a_conflict(entries: Entries) -> None:
    """Every field is compared: two writers that are in the same place at once both lose nothing."""
    entry = a_post("r_1", 1)
    await entries.insert([appended(entry)], commit=1)
    changes = ({"ts": 1}, {"body": b"x"}, {"actor": "u_9"}, {"digest": b"x"}, {"message_id": "m"}, {"msg_no": 9})
    for changed in changes:
        done = await entries.insert([appended(replace(entry, **changed))], commit=2)
        assert done.conflict is not None
        assert done.conflict.kind == "seq"


async def test_a_hole_is_refused_before_anything_is_written(database: MongoDatabase) -> None:
    """Also by a process that has never heard of the room, and for all rooms of the call."""
    await Entries(database).insert([posts("r_1", 1, 2), posts("r_2", 1, 2)], commit=1)
    done = await Entries(database).insert([posts("r_2", 3, 3), posts("r_1", 4, 4), posts("r_9", 2, 2)], commit=2)
    assert done.conflict is not None
    assert (done.conflict.kind, done.conflict.room, done.conflict.written) == ("seq", "r_1", 0)
    assert done.whole == ()
    assert await heads(Entries(database), "r_1", "r_2", "r_9") == [2, 2, 0]
    done = await Entries(database).insert([posts("r_2", 3, 3), posts("r_1", 3, 3)], commit=3)
    assert done.conflict is None


async def test_the_innocent_of_a_conflict_cost_nothing_when_tried_again(database: MongoDatabase) -> None:
    """The journal actor tries them again at once: nothing of it reaches the server."""
    count = CommandCount()
    async with another_client(count) as counted:
        entries = Entries(counted)
        await entries.insert([others("r_1", 1)], commit=1)
        innocent = [posts(f"r_{number}", 1, 3) for number in range(2, 30)]
        done = await entries.insert([posts("r_1", 1, 1), *innocent], commit=2)
        assert done.conflict is not None
        count.taken()
        done = await entries.insert(innocent, commit=3)
        assert (done.whole, done.conflict) == (tuple(innocent), None)
        assert count.taken() == {}
    assert await heads(Entries(database), *(append.room for append in innocent)) == [3] * len(innocent)


async def test_a_repeat_is_found_whoever_wrote_the_first(database: MongoDatabase) -> None:
    """Uniqueness is the server's: another process cannot know."""
    await Entries(database).insert([posts("r_1", 1, 2)], commit=1)
    async with another_client() as other:
        done = await Entries(other).insert([appended(a_post("r_1", 3, client_msg_id="c1"))], commit=2)
    assert done.conflict is not None
    assert (done.conflict.kind, done.conflict.room) == ("client_msg_id", "r_1")
    assert await entries_in(database) == ["r_1/0000000000000001", "r_1/0000000000000002"]


@pytest.mark.parametrize("length", [0, 1, 2, 3, 7, 8, 40])
async def test_the_head_is_found_from_anywhere_below(database: MongoDatabase, length: int) -> None:
    """A room's row may be any number of entries behind, and a process need not know the room."""
    if length:
        await Entries(database).insert([posts("r_1", 1, length)], commit=1)
    for above in {0, length // 2, max(length - 1, 0), length}:
        assert await Entries(database).head("r_1", above=above) == length


async def test_a_head_below_the_rooms_row_is_found_too(database: MongoDatabase) -> None:
    """One database was restored from an older copy than the other: that must be seen, not covered."""
    await Entries(database).insert([posts("r_1", 1, 5)], commit=1)
    assert await Entries(database).head("r_1", above=9) == 5
    assert await Entries(database).head("r_none", above=9) == 0


async def test_what_was_committed_lately_is_found_by_room(entries: Entries) -> None:
    """A process that starts asks what the one before it did last."""
    for commit, append in enumerate([posts("r_1", 1, 3), posts("r_2", 1, 1), posts("r_1", 4, 5)], start=10):
        await entries.insert([append], commit=commit)
    assert await entries.heads_since(9) == {"r_1": 5, "r_2": 1}
    assert await entries.heads_since(10) == {"r_1": 5, "r_2": 1}
    assert await entries.heads_since(11) == {"r_1": 5}
    assert await entries.heads_since(12) == {}


async def test_a_value_that_cannot_be_stored_leaves_nothing(entries: Entries) -> None:
    """The document is refused before it is sent, with all that are sent with it."""
    with pytest.raises(Unstorable):
        await entries.insert([posts("r_1", 1, 1), appended(replace(a_post("r_2", 1), msg_no=2**63))], commit=1)
    assert await heads(entries, "r_1", "r_2") == [0, 0]


async def test_known_rooms_are_bounded(entries: Entries, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that runs for a year has seen more rooms than it can keep; those it forgot it looks up."""
    monkeypatch.setattr("storage.mongo.entries.KNOWN_ROOMS", 3)
    for number in range(6):
        await entries.insert([posts(f"r_{number}", 1, 1)], commit=number)
    assert sorted(entries._known) == ["r_3", "r_4", "r_5"]
    assert (await entries.insert([posts("r_0", 2, 2)], commit=9)).conflict is None
    assert await heads(entries, "r_0") == [2]
