"""The messages and items that a store holds of a room, one after the other, none left out and read in pages.

A sound room has one message for a seq. Where several share one, a plain page could end between them and the next one
begin above; here a page never ends within a seq.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import groupby
from typing import Final, TypeVar

from justchat.operate.site import PAGE
from storage.ports import Directory, Journal
from storage.records import ItemRecord, MessageRecord

LOWEST: Final = -(2**63)
"""Below every seq that can be stored, so that messages at impossible places are seen too."""


ItemName = tuple[str, str]
"""The kind of an item, and its key."""

K = TypeVar("K", int, ItemName)
V = TypeVar("V")


async def read_messages(journal: Journal, room: str, *, after: int) -> tuple[list[MessageRecord], int | None]:
    """Return the next messages by seq and id, and after which seq the next page begins: None on the last one."""
    limit = PAGE
    while True:
        found = await journal.messages(room, after=after, limit=limit)
        if len(found) < limit:
            return _in_order(found), None
        whole = [message for message in found if message.seq != found[-1].seq]
        if whole:
            return _in_order(whole), whole[-1].seq
        limit *= 2  # a whole page of one seq


async def messages_at(journal: Journal, room: str, seq: int) -> list[MessageRecord]:
    """Return all messages that a store says were created at this seq."""
    limit = PAGE
    while len(found := await journal.messages(room, after=seq - 1, upto=seq, limit=limit)) == limit:
        limit *= 2
    return _in_order(found)


async def each_message(journal: Journal, room: str) -> AsyncGenerator[tuple[int, list[MessageRecord]], None]:
    """Give all messages by seq, with those that share one together. Close it if it is left early."""
    after: int | None = LOWEST
    while after is not None:
        found, after = await read_messages(journal, room, after=after)
        for seq, group in groupby(found, key=lambda message: message.seq):
            yield seq, list(group)


async def each_item(directory: Directory, room: str) -> AsyncGenerator[tuple[ItemName, ItemRecord], None]:
    """Give all items by kind and key. Close it if it is left early."""
    after = ("", "")
    while page := await directory.all_items(room, after=after, limit=PAGE):
        for item in page:
            yield (item.kind, item.key), item
        after = page[-1].kind, page[-1].key


async def differing(
    one: AsyncGenerator[tuple[K, V], None], other: AsyncGenerator[tuple[K, V], None]
) -> AsyncGenerator[tuple[K, V | None, V | None], None]:
    """Give the places at which two ascending rows differ, with what is there in each: None for nothing.

    It closes both. Close it if it is left early.
    """
    async with aclosing(one), aclosing(other):
        here, there = await anext(one, None), await anext(other, None)
        while here is not None or there is not None:
            if here is not None and (there is None or here[0] < there[0]):
                yield here[0], here[1], None
                here = await anext(one, None)
            elif there is not None and (here is None or there[0] < here[0]):
                yield there[0], None, there[1]
                there = await anext(other, None)
            elif here is not None and there is not None:
                if here[1] != there[1]:
                    yield here[0], here[1], there[1]
                here, there = await anext(one, None), await anext(other, None)


def _in_order(messages: list[MessageRecord]) -> list[MessageRecord]:
    return sorted(messages, key=lambda message: (message.seq, message.id))
