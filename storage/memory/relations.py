"""Contacts, blocks, pictures and read markers in RAM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import trio
from msgspec.structs import replace

from storage.account_records import AvatarRecord, BlockRecord, ContactRecord, pair_of
from storage.errors import Conflict
from storage.listing import page_of
from storage.memory.store import MemoryStore
from storage.records import Page, ReadMark
from storage.storable import check, check_text, check_texts


class MemoryRelations:
    """The `Relations` port over a `MemoryStore`."""

    __slots__ = ("_store",)

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def ask_contact(self, user: str, other: str, *, at: int, most: int | None = None) -> ContactRecord:
        """Ask somebody to be a contact, or accept what they asked. Raises Conflict `full` or `awaited`."""
        low, high = pair_of(user, other)
        asked = ContactRecord(low, high, user, at)
        check(asked)
        await trio.lowlevel.checkpoint()
        there = self._store.contacts.get(low, {}).get(high)
        if there is not None and there.asked_by != other:
            return there
        if most is not None:
            self._check_room(user, other if there is None else None, most)
        contact = asked if there is None else replace(asked, asked_by=None)
        self._put_contact(contact)
        return contact

    async def contact(self, user: str, other: str) -> ContactRecord | None:
        """Return what two people are to each other."""
        await trio.lowlevel.checkpoint()
        return self._store.contacts.get(user, {}).get(other)

    async def drop_contact(self, user: str, other: str) -> bool:
        """Be contacts no longer, take a request back or reject one."""
        await trio.lowlevel.checkpoint()
        check_texts((user, other))
        return self._drop_contact(user, other)

    async def contacts_of(self, user: str, *, cursor: str | None, limit: int) -> Page[ContactRecord]:
        """Return a user's contacts and requests, by the other's id."""
        await trio.lowlevel.checkpoint()
        contacts = self._store.contacts.get(user, {})
        others = sorted(other for other in contacts if cursor is None or other > cursor)[: max(limit, 0) + 1]
        page = page_of(others, limit, str)
        return Page(tuple(contacts[other] for other in page.items), page.next_cursor)

    async def all_contacts(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[ContactRecord]:
        """Return the first `limit` contacts and requests by `low` and `high`, above these."""
        await trio.lowlevel.checkpoint()
        pairs = ((low, high) for low, contacts in self._store.contacts.items() for high in contacts if low < high)
        found = sorted(pair for pair in pairs if pair > after)[: max(limit, 0)]
        return [self._store.contacts[low][high] for low, high in found]

    async def put_contacts(self, contacts: Sequence[ContactRecord]) -> None:
        """Store contacts just as they are."""
        await trio.lowlevel.checkpoint()
        for contact in contacts:
            check(contact)
        for contact in contacts:
            self._put_contact(contact)

    async def block(self, user: str, other: str, *, at: int, most: int | None = None) -> bool:
        """Have `user` block `other`; they are contacts no longer. Raises Conflict `full`."""
        await trio.lowlevel.checkpoint()
        check(BlockRecord(user, other, at))
        blocks = self._store.blocks.setdefault(user, {})
        if most is not None and other not in blocks and len(blocks) >= most:
            raise Conflict("full")
        self._drop_contact(user, other)
        if other in blocks:
            return False
        blocks[other] = at
        return True

    async def unblock(self, user: str, other: str) -> bool:
        """Lift a block."""
        await trio.lowlevel.checkpoint()
        check_texts((user, other))
        return self._store.blocks.get(user, {}).pop(other, None) is not None

    async def blocks_of(self, user: str, *, cursor: str | None, limit: int) -> Page[tuple[str, int]]:
        """Return whom a user blocks and since when, by id."""
        await trio.lowlevel.checkpoint()
        blocks = self._store.blocks.get(user, {})
        found = sorted(block for block in blocks.items() if cursor is None or block[0] > cursor)
        return page_of(found[: max(limit, 0) + 1], limit, lambda block: block[0])

    async def blocked_by(self, user: str, others: Sequence[str]) -> list[str]:
        """Return which of these block the user."""
        await trio.lowlevel.checkpoint()
        return [other for other in dict.fromkeys(others) if user in self._store.blocks.get(other, {})]

    async def all_blocks(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[BlockRecord]:
        """Return the first `limit` blocks by `user` and `other`, above these."""
        await trio.lowlevel.checkpoint()
        pairs = ((user, other) for user, blocks in self._store.blocks.items() for other in blocks)
        found = sorted(pair for pair in pairs if pair > after)[: max(limit, 0)]
        return [BlockRecord(user, other, self._store.blocks[user][other]) for user, other in found]

    async def put_blocks(self, blocks: Sequence[BlockRecord]) -> None:
        """Store blocks just as they are."""
        await trio.lowlevel.checkpoint()
        for block in blocks:
            check(block)
        for block in blocks:
            self._store.blocks.setdefault(block.user, {})[block.other] = block.at

    async def put_avatar(self, avatar: AvatarRecord) -> None:
        """Store a user's picture in place of the one before."""
        await trio.lowlevel.checkpoint()
        check(avatar)
        self._store.avatars[avatar.user] = avatar

    async def avatar(self, user: str) -> AvatarRecord | None:
        """Return a user's picture."""
        await trio.lowlevel.checkpoint()
        return self._store.avatars.get(user)

    async def drop_avatar(self, user: str) -> None:
        """Delete a user's picture."""
        await trio.lowlevel.checkpoint()
        check_text(user)
        self._store.avatars.pop(user, None)

    async def all_avatars(self, *, after: str = "", limit: int) -> list[AvatarRecord]:
        """Return the first `limit` pictures by user, above `after`."""
        await trio.lowlevel.checkpoint()
        found = sorted(user for user in self._store.avatars if user > after)[: max(limit, 0)]
        return [self._store.avatars[user] for user in found]

    async def drop_relations(self, user: str) -> None:
        """Delete all contacts and blocks of a user, in both directions, their picture and their read markers."""
        await trio.lowlevel.checkpoint()
        check_text(user)
        for other in list(self._store.contacts.get(user, {})):
            self._drop_contact(user, other)
        self._store.blocks.pop(user, None)
        for blocks in self._store.blocks.values():
            blocks.pop(user, None)
        self._store.avatars.pop(user, None)
        self._store.read_marks.pop(user, None)

    async def mark_read(self, mark: ReadMark) -> bool:
        """Move a read marker forward; False where it is as far already."""
        await trio.lowlevel.checkpoint()
        check(mark)
        return self._store.move_mark(mark)

    async def read_marks(self, user: str, rooms: Sequence[str]) -> list[ReadMark]:
        """Return how far a user has read these rooms."""
        await trio.lowlevel.checkpoint()
        marks = self._store.read_marks.get(user, {})
        return [marks[room] for room in dict.fromkeys(rooms) if room in marks]

    async def all_read_marks(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[ReadMark]:
        """Return the first `limit` read markers by user and room, above these."""
        await trio.lowlevel.checkpoint()
        pairs = ((user, room) for user, marks in self._store.read_marks.items() for room in marks)
        found = sorted(pair for pair in pairs if pair > after)[: max(limit, 0)]
        return [self._store.read_marks[user][room] for user, room in found]

    async def put_read_marks(self, marks: Sequence[ReadMark]) -> None:
        """Store read markers just as they are."""
        await trio.lowlevel.checkpoint()
        for mark in marks:
            check(mark)
        for mark in marks:
            self._store.read_marks.setdefault(mark.user, {})[mark.room] = mark

    async def drop_read_mark(self, user: str, room: str) -> None:
        """Delete a read marker."""
        await trio.lowlevel.checkpoint()
        check_texts((user, room))
        self._store.read_marks.get(user, {}).pop(room, None)

    async def seen(self, users: Mapping[str, int]) -> None:
        """Remember when these users were last there; times only move forward."""
        await trio.lowlevel.checkpoint()
        check_texts(users)
        for user, at in users.items():
            there = self._store.users.get(user)
            if there is not None and (there.last_seen_at is None or there.last_seen_at < at):
                self._store.put_user(replace(there, last_seen_at=at))

    def _check_room(self, user: str, asked: str | None, most: int) -> None:
        """Raise Conflict where the user, or who is asked, has as many already."""
        made = [contact for contact in self._store.contacts.get(user, {}).values() if contact.asked_by in {None, user}]
        if len(made) >= most:
            raise Conflict("full")
        waiting = self._store.contacts.get(asked, {}).values() if asked is not None else ()
        if sum(contact.asked_by not in {None, asked} for contact in waiting) >= most:
            raise Conflict("awaited")

    def _put_contact(self, contact: ContactRecord) -> None:
        self._store.contacts.setdefault(contact.low, {})[contact.high] = contact
        self._store.contacts.setdefault(contact.high, {})[contact.low] = contact

    def _drop_contact(self, user: str, other: str) -> bool:
        self._store.contacts.get(other, {}).pop(user, None)
        return self._store.contacts.get(user, {}).pop(other, None) is not None
