"""What belongs to accounts, kind by kind and in the order of its keys: how it is read, put and dropped in any store.

So that a copy and its proof go over sessions, credentials, contacts, blocks, pictures and read markers in one way.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from justchat.operate.site import PAGE, Site
from storage.account_records import AvatarRecord, BlockRecord, ContactRecord, CredentialRecord, SessionRecord
from storage.records import ReadMark

R = TypeVar("R", bound=Struct)

Key = tuple[str, str]
"""By what records of a kind are told apart and sorted; the second part is empty where one is enough."""

PICTURES_PAGE = 16
"""How many pictures are read or written at a time: each may be a hundred times as large as any other record."""


class Rows(Struct, Generic[R], frozen=True):
    """The records of one kind in one store. `put` and `drop` may be tried again."""

    page: int
    read: Callable[[Key, int], Awaitable[list[R]]]
    key: Callable[[R], Key]
    put: Callable[[Sequence[R]], Awaitable[None]]
    drop: Callable[[R], Awaitable[object]]


class Visit(Protocol):
    """Something that is done with the records of a kind in one store and in another."""

    async def __call__(self, name: str, here: Rows[R], there: Rows[R]) -> None:
        """Do it; `name` is what the records are called."""
        ...


async def each_record(rows: Rows[R]) -> AsyncGenerator[tuple[Key, R], None]:
    """Give all records of a kind by key. Close it if it is left early."""
    after = ("", "")
    while page := await rows.read(after, rows.page):
        for record in page:
            yield rows.key(record), record
        after = rows.key(page[-1])


async def each_kind(here: Site, there: Site, visit: Visit) -> None:
    """Visit all kinds, one after the other."""
    await visit("sessions", session_rows(here), session_rows(there))
    await visit("credentials", credential_rows(here), credential_rows(there))
    await visit("contacts", contact_rows(here), contact_rows(there))
    await visit("blocks", block_rows(here), block_rows(there))
    await visit("pictures", picture_rows(here), picture_rows(there))
    await visit("read markers", read_mark_rows(here), read_mark_rows(there))


def session_rows(site: Site) -> Rows[SessionRecord]:
    """Go over sessions."""
    return Rows(
        page=PAGE,
        read=lambda after, limit: site.sessions.all_sessions(after=after[0], limit=limit),
        key=lambda session: (session.id, ""),
        put=site.sessions.put_sessions,
        drop=lambda session: site.sessions.end_sessions(session.user, only=[session.id]),
    )


def credential_rows(site: Site) -> Rows[CredentialRecord]:
    """Go over credentials."""
    return Rows(
        page=PAGE,
        read=lambda after, limit: site.sessions.all_credentials(after=after[0], limit=limit),
        key=lambda credential: (credential.id, ""),
        put=site.sessions.put_credentials,
        drop=lambda found: site.sessions.drop_credentials(found.kind, found.user, only=found.id),
    )


def contact_rows(site: Site) -> Rows[ContactRecord]:
    """Go over contacts."""
    return Rows(
        page=PAGE,
        read=lambda after, limit: site.relations.all_contacts(after=after, limit=limit),
        key=lambda contact: (contact.low, contact.high),
        put=site.relations.put_contacts,
        drop=lambda contact: site.relations.drop_contact(contact.low, contact.high),
    )


def block_rows(site: Site) -> Rows[BlockRecord]:
    """Go over blocks."""
    return Rows(
        page=PAGE,
        read=lambda after, limit: site.relations.all_blocks(after=after, limit=limit),
        key=lambda block: (block.user, block.other),
        put=site.relations.put_blocks,
        drop=lambda block: site.relations.unblock(block.user, block.other),
    )


def read_mark_rows(site: Site) -> Rows[ReadMark]:
    """Go over read markers."""
    return Rows(
        page=PAGE,
        read=lambda after, limit: site.relations.all_read_marks(after=after, limit=limit),
        key=lambda mark: (mark.user, mark.room),
        put=site.relations.put_read_marks,
        drop=lambda mark: site.relations.drop_read_mark(mark.user, mark.room),
    )


def picture_rows(site: Site) -> Rows[AvatarRecord]:
    """Go over pictures."""

    async def put(avatars: Sequence[AvatarRecord]) -> None:
        for avatar in avatars:
            await site.relations.put_avatar(avatar)

    return Rows(
        page=PICTURES_PAGE,
        read=lambda after, limit: site.relations.all_avatars(after=after[0], limit=limit),
        key=lambda avatar: (avatar.user, ""),
        put=put,
        drop=lambda avatar: site.relations.drop_avatar(avatar.user),
    )
