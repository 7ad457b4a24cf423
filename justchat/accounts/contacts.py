"""Contacts and blocks: what people are to each other.

Somebody asks, and the other, by asking too, accepts. Who blocks somebody is no longer in contact with them, and is not
asked by them again. The other side learns of a block only by being refused.

All of it is bounded, for every row is looked at when the account goes. Whoever asks or accepts spends places of their
own; how many may wait for one person's answer is bounded apart from that, so that strangers cannot take these places.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct

from justchat.accounts.appearance import is_present, is_shown
from justchat.ids import is_id
from justchat.wire.errors import NO_SUCH_USER, ErrorCode, FieldProblem, Refusal, invalid
from storage.account_ports import Relations
from storage.account_records import ContactRecord
from storage.errors import Conflict
from storage.ports import Directory
from storage.records import Page, UserRecord

CONTACTS_MAX: Final = 1000
"""How many somebody may have asked or be in contact with, and how many may wait for their answer."""

BLOCKS_MAX: Final = 10_000
"""How many somebody may block: more than anybody does by hand."""

_NO_CONTACT = Refusal(ErrorCode.NOT_FOUND, "neither of you has asked the other")
_BLOCKED = Refusal(ErrorCode.FORBIDDEN, "this person does not want to hear from you")
_BLOCKING = Refusal(ErrorCode.CONFLICT, "you block this person; lift the block first")


def _full(code: str, detail: str) -> Refusal:
    return Refusal(ErrorCode.CONFLICT, detail, (FieldProblem("/user", code, detail),))


_TOO_MANY_CONTACTS = _full(
    "too_many", f"you may ask and be in contact with {CONTACTS_MAX} people; end one of these first"
)
_AWAITED = _full("awaited", f"{CONTACTS_MAX} people wait for this person's answer already")
_TOO_MANY_BLOCKS = _full("too_many", f"you may block {BLOCKS_MAX} people; lift another block first")


ContactState = Literal["asked", "asks_you", "accepted"]
"""Whether a user has asked somebody, is asked by them, or both have."""


class Contact(Struct, frozen=True):
    """What somebody is to a user, and since when."""

    user: UserRecord
    state: ContactState
    since: int


class Block(Struct, frozen=True):
    """Somebody whom a user blocks, and since when."""

    user: UserRecord
    since: int


class Contacts:
    """Changes and lists contacts and blocks; `blocks_changed` is told (user, other) of every block made or lifted."""

    def __init__(
        self,
        directory: Directory,
        relations: Relations,
        *,
        now_ms: Callable[[], int],
        blocks_changed: Callable[[str, str], None],
    ) -> None:
        self._directory = directory
        self._relations = relations
        self._now_ms = now_ms
        self._blocks_changed = blocks_changed

    async def ask(self, user: UserRecord, other: str) -> Contact | Refusal:
        """Ask somebody to be a contact, or accept what they asked. Nothing changes where that is so already."""
        found = await self._other(user, other)
        if isinstance(found, Refusal):
            return found
        refusal = await self._blocked(user.id, other)
        if refusal:
            return refusal
        try:
            record = await self._relations.ask_contact(user.id, other, at=self._now_ms(), most=CONTACTS_MAX)
        except Conflict as conflict:
            return _TOO_MANY_CONTACTS if conflict.kind == "full" else _AWAITED
        # Looked at again: a block that came in between has already ended what there was before, and this came after.
        refusal = await self._blocked(user.id, other)
        if refusal:
            await self._relations.drop_contact(user.id, other)
            return refusal
        return _contact(user.id, found, record)

    async def one(self, user: UserRecord, other: str) -> Contact | Refusal:
        """Give what somebody is to a user."""
        found = await self._other(user, other)
        record = None if isinstance(found, Refusal) else await self._relations.contact(user.id, other)
        if isinstance(found, Refusal) or record is None:
            return _NO_CONTACT
        return _contact(user.id, found, record)

    async def end(self, user: UserRecord, other: str) -> None:
        """Be contacts no longer, take a request back or reject one."""
        if is_id("u", other):
            await self._relations.drop_contact(user.id, other)

    async def all(self, user: UserRecord, *, cursor: str | None, limit: int) -> Page[Contact]:
        """List a user's contacts and requests, by the others' ids."""
        page = await self._relations.contacts_of(user.id, cursor=cursor, limit=limit)
        others = [record.high if record.low == user.id else record.low for record in page.items]
        people = await self._shown(others)
        found = (
            _contact(user.id, people[other], record)
            for other, record in zip(others, page.items, strict=True)
            if other in people
        )
        return Page(tuple(found), page.next_cursor)

    async def block(self, user: UserRecord, other: str) -> Refusal | None:
        """Block somebody; what there was between the two ends."""
        found = await self._other(user, other)
        if isinstance(found, Refusal):
            return found
        try:
            await self._relations.block(user.id, other, at=self._now_ms(), most=BLOCKS_MAX)
        except Conflict:
            return _TOO_MANY_BLOCKS
        finally:
            # Also where the outcome is unknown: whoever remembers blocks has to look again.
            self._blocks_changed(user.id, other)
        return None

    async def unblock(self, user: UserRecord, other: str) -> None:
        """Lift a block."""
        if not is_id("u", other):
            return
        try:
            await self._relations.unblock(user.id, other)
        finally:
            self._blocks_changed(user.id, other)

    async def blocks(self, user: UserRecord, *, cursor: str | None, limit: int) -> Page[Block]:
        """List whom a user blocks, by id."""
        page = await self._relations.blocks_of(user.id, cursor=cursor, limit=limit)
        people = await self._shown([other for other, _ in page.items])
        return Page(
            tuple(Block(people[other], since) for other, since in page.items if other in people), page.next_cursor
        )

    async def _other(self, user: UserRecord, other: str) -> UserRecord | Refusal:
        if other == user.id:
            return invalid("/user", "this is about somebody else", code="yourself")
        found = await self._directory.user(other) if is_id("u", other) else None
        return found if found is not None and is_present(found) else NO_SUCH_USER

    async def _blocked(self, user: str, other: str) -> Refusal | None:
        if await self._relations.blocked_by(user, [other]):
            return _BLOCKED
        return _BLOCKING if await self._relations.blocked_by(other, [user]) else None

    async def _shown(self, ids: list[str]) -> dict[str, UserRecord]:
        users = await self._directory.users(ids=ids) if ids else []
        return {user.id: user for user in users if is_shown(user)}


def _contact(user: str, other: UserRecord, record: ContactRecord) -> Contact:
    state: ContactState = "accepted" if record.asked_by is None else "asked" if record.asked_by == user else "asks_you"
    return Contact(other, state, record.at)
