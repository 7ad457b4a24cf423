"""The message guard, on a real server: an older version never replaces a newer one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import permutations

import pytest
from msgspec.structs import replace

from storage.mongo import Messages, MongoDatabase
from storage.records import MessageRecord
from tests.storage.mongo.house import CommandCount, another_client
from tests.storage.mongo.server import empty_database
from tests.storage.samples import a_message, a_post

pytestmark = pytest.mark.real_clock


@pytest.fixture
async def database() -> AsyncIterator[MongoDatabase]:
    """Open an empty database."""
    async with empty_database() as opened:
        yield opened


@pytest.fixture
async def messages(database: MongoDatabase) -> Messages:
    """Return the messages of an empty database."""
    return Messages(database)


def version(number: int, applied_seq: int, *, deleted: bool = False) -> MessageRecord:
    """Make the message of post `number` as an entry left it."""
    message = a_message(a_post("r_1", number), doc=f"as of {applied_seq}".encode(), deleted=deleted)
    return replace(message, applied_seq=applied_seq)


async def stored(messages: Messages) -> list[tuple[int, int]]:
    """Return what is there: of each message its place and its version."""
    found = await messages.page("r_1", before=None, after=None, upto=None, limit=100)
    assert all(message.doc == f"as of {message.applied_seq}".encode() for message in found)
    return [(message.seq, message.applied_seq) for message in found]


async def test_new_messages_are_one_command(database: MongoDatabase) -> None:
    """Most messages are never changed, and a commit of many is one write."""
    count = CommandCount()
    async with another_client(count) as counted:
        messages = Messages(counted)
        await messages.put([version(seq, seq) for seq in range(1, 50)], firsts={"r_1": 1})
        assert count.taken() == {"insert messages": 1}
        await messages.put([], firsts={})
        assert count.taken() == {}
        await messages.put([version(1, 51), version(2, 52), version(53, 53)], firsts={"r_1": 51})
        assert count.taken() == {"insert messages": 1, "update messages": 1}


async def test_every_order_of_the_same_writes_ends_alike(database: MongoDatabase, messages: Messages) -> None:
    """Late, early or again: the newest version of each message stays."""
    writes = (
        ([version(1, 1), version(2, 2)], 1),
        ([version(1, 3, deleted=True), version(3, 4)], 3),
        ([version(1, 5), version(2, 6)], 5),
    )
    for place, order in enumerate(permutations((0, 1, 2, 0))):
        await messages.mend({message.id: None for write, _ in writes for message in write})
        for number in order:
            write, first = writes[number]
            await messages.put(write, firsts={"r_1": first})
        assert await stored(messages) == [(1, 5), (2, 6), (3, 4)], (place, order)


async def test_a_new_message_that_is_there_in_an_older_version_is_replaced(messages: Messages) -> None:
    """What waited was merged: the creation and the change of a message come as one, after the creation was written."""
    await messages.put([version(1, 1)], firsts={"r_1": 1})
    await messages.put([version(1, 4), version(2, 2)], firsts={"r_1": 1})
    assert await stored(messages) == [(1, 4), (2, 2)]
    await messages.put([version(1, 3), version(2, 2)], firsts={"r_1": 1})
    assert await stored(messages) == [(1, 4), (2, 2)]


async def test_a_change_of_a_message_that_is_missing_makes_it(messages: Messages) -> None:
    """A row that was lost comes back with the next change of its message."""
    await messages.put([version(2, 2)], firsts={"r_1": 1})
    await messages.put([version(1, 9), version(2, 9)], firsts={"r_1": 9})
    assert await stored(messages) == [(1, 9), (2, 9)]


async def test_mending_writes_whatever_is_there(messages: Messages) -> None:
    """A repair knows better than the guard: an older version, a missing message and one that should not be."""
    await messages.put([version(1, 8), version(2, 8)], firsts={"r_1": 1})
    older, missing, extra = version(1, 3), version(3, 3), version(2, 8)
    for _ in range(2):
        await messages.mend({older.id: older, missing.id: missing, extra.id: None})
        assert await stored(messages) == [(1, 3), (3, 3)]
    await messages.mend({})
