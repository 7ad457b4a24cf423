"""The `Relations` port behind the directory's gate: the same deadline and bounds, for it is the same database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storage.account_ports import Relations
from storage.account_records import AvatarRecord, BlockRecord, ContactRecord
from storage.gate import Gate
from storage.records import Page, ReadMark


class GatedRelations:
    """Passes every call through a gate. Writes raise OutcomeUnknown at the deadline, once begun."""

    __slots__ = ("_backend", "_gate")

    def __init__(self, backend: Relations, gate: Gate) -> None:
        self._backend = backend
        self._gate = gate

    async def ask_contact(self, user: str, other: str, *, at: int, most: int | None = None) -> ContactRecord:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.ask_contact(user, other, at=at, most=most), writes=True)

    async def contact(self, user: str, other: str) -> ContactRecord | None:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.contact(user, other))

    async def drop_contact(self, user: str, other: str) -> bool:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.drop_contact(user, other), writes=True)

    async def contacts_of(self, user: str, *, cursor: str | None, limit: int) -> Page[ContactRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.contacts_of(user, cursor=cursor, limit=limit))

    async def all_contacts(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[ContactRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.all_contacts(after=after, limit=limit))

    async def put_contacts(self, contacts: Sequence[ContactRecord]) -> None:
        """Pass through."""
        await self._gate.call(lambda: self._backend.put_contacts(contacts), writes=True)

    async def block(self, user: str, other: str, *, at: int, most: int | None = None) -> bool:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.block(user, other, at=at, most=most), writes=True)

    async def unblock(self, user: str, other: str) -> bool:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.unblock(user, other), writes=True)

    async def blocks_of(self, user: str, *, cursor: str | None, limit: int) -> Page[tuple[str, int]]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.blocks_of(user, cursor=cursor, limit=limit))

    async def blocked_by(self, user: str, others: Sequence[str]) -> list[str]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.blocked_by(user, others))

    async def all_blocks(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[BlockRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.all_blocks(after=after, limit=limit))

    async def put_blocks(self, blocks: Sequence[BlockRecord]) -> None:
        """Pass through."""
        await self._gate.call(lambda: self._backend.put_blocks(blocks), writes=True)

    async def put_avatar(self, avatar: AvatarRecord) -> None:
        """Pass through."""
        await self._gate.call(lambda: self._backend.put_avatar(avatar), writes=True)

    async def avatar(self, user: str) -> AvatarRecord | None:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.avatar(user))

    async def drop_avatar(self, user: str) -> None:
        """Pass through."""
        await self._gate.call(lambda: self._backend.drop_avatar(user), writes=True)

    async def all_avatars(self, *, after: str = "", limit: int) -> list[AvatarRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.all_avatars(after=after, limit=limit))

    async def drop_relations(self, user: str) -> None:
        """Pass through."""
        await self._gate.call(lambda: self._backend.drop_relations(user), writes=True)

    async def mark_read(self, mark: ReadMark) -> bool:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.mark_read(mark), writes=True)

    async def read_marks(self, user: str, rooms: Sequence[str]) -> list[ReadMark]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.read_marks(user, rooms))

    async def all_read_marks(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[ReadMark]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.all_read_marks(after=after, limit=limit))

    async def put_read_marks(self, marks: Sequence[ReadMark]) -> None:
        """Pass through."""
        await self._gate.call(lambda: self._backend.put_read_marks(marks), writes=True)

    async def drop_read_mark(self, user: str, room: str) -> None:
        """Pass through."""
        await self._gate.call(lambda: self._backend.drop_read_mark(user, room), writes=True)

    async def seen(self, users: Mapping[str, int]) -> None:
        """Pass through."""
        await self._gate.call(lambda: self._backend.seen(users), writes=True)
