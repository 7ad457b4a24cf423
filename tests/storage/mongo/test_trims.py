"""Trimming on a real server: everything at or below the floor and nothing above, in steps that may end anywhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
from msgspec.structs import replace

from storage.errors import StorageUnavailable
from storage.mongo import Entries, Messages, MongoDatabase, Trims
from storage.mongo.client import Collections
from storage.records import Entry
from tests.storage.mongo.house import CommandCount, another_client
from tests.storage.mongo.server import empty_database
from tests.storage.samples import a_change, a_message, a_post, appended

pytestmark = [pytest.mark.thorough, pytest.mark.real_clock]

ENTRIES = 23
KINDS = ("post", "edit", "change")


@pytest.fixture
async def database() -> AsyncIterator[MongoDatabase]:
    """Open an empty database."""
    async with empty_database() as opened:
        yield opened


def entry(room: str, seq: int) -> Entry:
    """Make posts, edits and entries that hold no text, in turns."""
    match KINDS[seq % 3]:
        case "post":
            return a_post(room, seq)
        case "edit":
            return replace(a_change(room, seq), type="message.updated")
        case _:
            return a_change(room, seq)


async def fill(database: MongoDatabase) -> None:
    """Make two rooms."""
    for room in ("r_1", "r_2"):
        entries = [entry(room, seq) for seq in range(1, ENTRIES + 1)]
        await Entries(database).insert([appended(*entries)], commit=1)
        posts = [a_message(one) for one in entries if one.message_id is not None]
        await Messages(database).put(posts, firsts={room: 1})


async def texts(database: MongoDatabase, room: str = "r_1") -> list[int]:
    """Return the seqs of entries that have their bodies, after a look at what must not change."""
    found = await Entries(database).read(room, after=0, upto=None, limit=100)
    for one in found:
        whole = entry(room, one.seq)
        assert one == (whole if one.body else replace(whole, body=b""))
    return [one.seq for one in found if one.body]


async def messages(database: MongoDatabase, room: str = "r_1") -> list[int]:
    """Return the seqs of messages."""
    return [one.seq for one in await Messages(database).page(room, before=None, after=None, upto=None, limit=100)]


def left(upto: int) -> list[int]:
    """Return the seqs of entries that have their bodies when history is trimmed."""
    return [seq for seq in range(1, ENTRIES + 1) if seq > upto or KINDS[seq % 3] == "change"]


ALL_POSTS = [seq for seq in range(1, ENTRIES + 1) if KINDS[seq % 3] == "post"]


@pytest.mark.parametrize("step", [1, 4, 1000])
async def test_what_is_at_or_below_the_floor_goes_and_nothing_else(database: MongoDatabase, step: int) -> None:
    """Floor after floor, each of them twice, and a lower one that comes late; the other room keeps everything."""
    await fill(database)
    trims, floor = Trims(database, step=step), 0
    for upto in (0, 1, 7, 7, 8, 5, 19, ENTRIES, ENTRIES + 5):
        await trims.forget_texts("r_1", upto)
        await trims.forget_messages("r_1", upto)
        floor = max(floor, upto)
        assert await texts(database) == left(floor)
        assert await messages(database) == [seq for seq in ALL_POSTS if seq > floor]
    assert await texts(database, "r_2") == list(range(1, ENTRIES + 1))
    assert await messages(database, "r_2") == ALL_POSTS
    await trims.forget_texts("r_unknown", 7)
    await trims.forget_messages("r_unknown", 7)


async def test_what_is_trimmed_already_is_not_gone_through_again(database: MongoDatabase) -> None:
    """A later floor costs what lies between the two, and a repeated one next to nothing."""
    await fill(database)
    count = CommandCount()
    async with another_client(count) as counted:
        trims = Trims(counted, step=2)
        await trims.forget_texts("r_1", 18)
        assert count.taken()["update entries"] == 9
        await trims.forget_texts("r_1", 18)
        assert count.taken() == {"find entries": 1}
        await trims.forget_texts("r_1", 21)
        taken = count.taken()
        assert taken["update entries"] <= 3
        assert taken["find entries"] <= 6
        await trims.forget_messages("r_1", 18)
        count.taken()
        await trims.forget_messages("r_1", 18)
        assert count.taken() == {"find messages": 1}


@pytest.mark.parametrize("commands", range(1, 9))
async def test_a_trim_that_is_cut_off_anywhere_is_gone_on_with(
    database: MongoDatabase, monkeypatch: pytest.MonkeyPatch, commands: int
) -> None:
    """No text is left below one that is gone, at any moment: so whoever goes on finds where."""
    await fill(database)
    trims, calls, write = Trims(database, step=3), 0, database.write

    async def cut(work: Callable[[Collections], Awaitable[object]]) -> object:
        nonlocal calls
        calls += 1
        if calls > commands:
            raise StorageUnavailable("cut")
        return await write(work)

    monkeypatch.setattr(database, "write", cut)
    with suppress(StorageUnavailable):
        await trims.forget_texts("r_1", 20)
        await trims.forget_messages("r_1", 20)
    assert calls == commands + 1
    monkeypatch.undo()
    there = [seq for seq in await texts(database) if KINDS[seq % 3] != "change"]
    assert there == [seq for seq in range(there[0], ENTRIES + 1) if KINDS[seq % 3] != "change"]
    for _ in range(2):
        await trims.forget_texts("r_1", 20)
        await trims.forget_messages("r_1", 20)
        assert await texts(database) == left(20)
        assert await messages(database) == [seq for seq in ALL_POSTS if seq > 20]


async def test_a_repair_looks_below_what_is_empty(database: MongoDatabase) -> None:
    """A text that came back in the middle, which only damage does, goes too."""
    await fill(database)
    trims = Trims(database, step=2)
    await trims.forget_texts("r_1", 20)
    whole = entry("r_1", 4)
    await database.write(lambda to: to.entries.update_one({"room": "r_1", "seq": 4}, {"$set": {"body": whole.body}}))
    assert (await texts(database))[:2] == [2, 4]
    await trims.forget_texts("r_1", 20)
    await trims.forget_texts("r_1", 20, wholly=True)
    assert await texts(database) == left(20)
