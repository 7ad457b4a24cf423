"""Every version of a message: what it said first, and what each edit made of it.

Edits are kept with the message, the first text stands in the journal alone. Nothing is told of a message that was
deleted, whatever the journal still holds.
"""

from __future__ import annotations

from quart import Blueprint, Response

from justchat.http.answers import PageAsk, Refused, page_answer
from justchat.http.message_access import MessageAccess
from justchat.http.operation import Operation, PageOf, blueprint_of
from justchat.http.room_access import MIN_SEQ, RoomAccess, page_queries
from justchat.http.room_items import RoomItems
from justchat.rooms.commands import NO_SUCH_MESSAGE
from justchat.rooms.items import ItemKind, Revision, revision_key
from justchat.rooms.permissions import Permission
from justchat.system import System
from justchat.wire.errors import ErrorCode
from justchat.wire.events import MessageCreated, decode_event
from storage.listing import page_of
from storage.records import MessageRecord, Page, UserRecord


class RevisionRoutes:
    """`/messages/{m}/revisions`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._access = MessageAccess(system)
        self._rooms = RoomAccess(system)
        self._journal = system.storage.journal
        self._items = RoomItems(system)

    def operations(self) -> tuple[Operation, ...]:
        """Give the route."""
        return (
            Operation(
                "GET",
                "/messages/<message>/revisions",
                self.revisions,
                "Every version of a message, the present one last, for its author and for moderators",
                answer=PageOf[Revision],
                query=(*page_queries(self._system.config), MIN_SEQ),
                refusals=(ErrorCode.FORBIDDEN, ErrorCode.NOT_A_MEMBER),
            ),
        )

    def blueprint(self) -> Blueprint:
        """Build the route."""
        return blueprint_of("revisions", self.operations(), accounts=self._system.accounts)

    async def revisions(self, caller: UserRecord, message: str) -> Response:
        ask = self._rooms.read_page()
        seen = await self._access.see(caller, message)
        if seen.record.author != caller.id and (refusal := seen.access.missing(Permission.MESSAGES_DELETE_ANY)):
            raise Refused(refusal)
        page = await self._revisions(seen.record, ask)
        return page_answer(page.items, next_cursor=page.next_cursor)

    async def _revisions(self, record: MessageRecord, ask: PageAsk) -> Page[Revision]:
        if record.deleted:
            return Page(())
        first = revision_key(record.id, 1)
        begins = ask.cursor is None or ask.cursor < first
        edits = PageAsk(first if begins else ask.cursor, ask.limit)
        page = await self._items.page(ItemKind.REVISION, Revision, edits, room=record.room, prefix=f"{record.id}/")
        if not begins:
            return page
        found = [await self._first(record), *page.items]
        return page_of(found, ask.limit, lambda revision: revision_key(record.id, revision.rev))

    async def _first(self, record: MessageRecord) -> Revision:
        (entry,) = await self._journal.read(record.room, after=record.seq - 1, upto=record.seq, limit=1)
        event = decode_event(entry.body) if entry.body else None
        if not isinstance(event, MessageCreated):
            # Trimmed since it was looked at.
            raise Refused(NO_SUCH_MESSAGE)
        return Revision(event.message.rev, event.message.body, event.message.created_at)
