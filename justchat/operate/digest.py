"""Fingerprints of records, and of everything that a store holds of a room or of its accounts.

Two stores hold the same if and only if the fingerprints are the same: every field of every record counts. They are made
page by page, so their cost in memory is that of a page, and of one room's members.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from hashlib import sha256

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from justchat.operate.account_rows import R, Rows, each_record
from justchat.operate.site import PAGE, Site, each_page_of_users
from justchat.operate.stored import each_item, each_message
from storage.ports import Directory
from storage.records import UserRecord

_encoder = msgspec.msgpack.Encoder()


class RoomContents(Struct, frozen=True):
    """What a store holds of one room."""

    entries: int
    messages: int
    members: int
    items: int
    digest: str


class Contents(Struct, frozen=True):
    """What a store holds of accounts, or of one kind of what belongs to them."""

    count: int
    digest: str


def canonical(record: Struct) -> bytes:
    """Write a record so that two are written alike only if all their fields are the same."""
    return _encoder.encode((type(record).__name__, *astuple(record)))


async def room_contents(site: Site, room: str, *, advance: Callable[[int], None]) -> RoomContents:
    """Read everything of a room. `advance` is told of every page of entries."""
    total = sha256()
    snapshot = await site.journal.load_room(room)
    members = () if snapshot is None else tuple(sorted(snapshot.members, key=lambda member: member.user))
    if snapshot is not None and snapshot.room is not None:
        total.update(canonical(snapshot.room))
    for member in members:
        total.update(canonical(member))
    entries, head = 0, 0
    while page := await site.journal.read(room, after=head, limit=PAGE):
        for entry in page:
            total.update(canonical(entry))
        entries, head = entries + len(page), page[-1].seq
        advance(len(page))
    messages = items = 0
    async with aclosing(each_message(site.journal, room)) as found:
        async for _, group in found:
            for message in group:
                total.update(canonical(message))
            messages += len(group)
    async with aclosing(each_item(site.directory, room)) as kept:
        async for _, item in kept:
            total.update(canonical(item))
            items += 1
    return RoomContents(entries, messages, len(members), items, total.hexdigest())


async def users_contents(directory: Directory) -> Contents:
    """Read all accounts."""
    total = sha256()

    async def add(users: Sequence[UserRecord]) -> None:
        for user in users:
            total.update(canonical(user))

    return Contents(await each_page_of_users(directory, add), total.hexdigest())


async def rows_contents(rows: Rows[R]) -> Contents:
    """Read all records of a kind that belong to accounts."""
    total, count = sha256(), 0
    async with aclosing(each_record(rows)) as records:
        async for _, record in records:
            total.update(canonical(record))
            count += 1
    return Contents(count, total.hexdigest())
