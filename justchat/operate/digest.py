"""Fingerprints of records, and of everything that a store holds of a room or of its accounts.

Two stores hold the same if and only if the fingerprints are the same: every field of every record counts. They are made
page by page, so their cost in memory is that of a page, and of one room's members.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b, sha256

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from justchat.operate.site import PAGE, each_page_of_users
from justchat.operate.stored import LOWEST, read_messages
from storage.ports import Directory, Journal
from storage.records import UserRecord

# Enough to tell two versions of one message apart.
_SHORT_BYTES = 16

_encoder = msgspec.msgpack.Encoder()


class RoomContents(Struct, frozen=True):
    """What a store holds of one room."""

    entries: int
    messages: int
    members: int
    digest: str


class UsersContents(Struct, frozen=True):
    """What a store holds of accounts."""

    users: int
    digest: str


def canonical(record: Struct) -> bytes:
    """Write a record so that two are written alike only if all their fields are the same."""
    return _encoder.encode((type(record).__name__, *astuple(record)))


def short_digest(record: Struct) -> bytes:
    """Fingerprint one record in 16 bytes."""
    return blake2b(canonical(record), digest_size=_SHORT_BYTES).digest()


async def room_contents(journal: Journal, room: str, *, advance: Callable[[int], None]) -> RoomContents:
    """Read everything of a room: row, members, entries and messages. `advance` is told of every page of entries."""
    total = sha256()
    snapshot = await journal.load_room(room)
    members = () if snapshot is None else tuple(sorted(snapshot.members, key=lambda member: member.user))
    if snapshot is not None and snapshot.room is not None:
        total.update(canonical(snapshot.room))
    for member in members:
        total.update(canonical(member))
    entries, head = 0, 0
    while page := await journal.read(room, after=head, limit=PAGE):
        for entry in page:
            total.update(canonical(entry))
        entries, head = entries + len(page), page[-1].seq
        advance(len(page))
    messages = 0
    after: int | None = LOWEST
    while after is not None:
        found, after = await read_messages(journal, room, after=after)
        for message in found:
            total.update(canonical(message))
        messages += len(found)
    return RoomContents(entries, messages, len(members), total.hexdigest())


async def users_contents(directory: Directory) -> UsersContents:
    """Read all accounts."""
    total = sha256()

    async def add(users: Sequence[UserRecord]) -> None:
        for user in users:
            total.update(canonical(user))

    return UsersContents(await each_page_of_users(directory, add), total.hexdigest())
