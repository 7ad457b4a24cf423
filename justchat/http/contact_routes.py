"""Contacts: asking, accepting, listing, ending."""

from __future__ import annotations

from msgspec import Struct
from quart import Response

from justchat.accounts.appearance import user_view
from justchat.accounts.contacts import Contact, Contacts, ContactState
from justchat.http.answers import granted, json_answer, no_content, page_answer
from justchat.http.operation import Operation, OperationBlueprint, PageOf, blueprint_of
from justchat.http.room_access import RoomAccess, page_queries
from justchat.system import System
from justchat.wire.errors import ErrorCode
from justchat.wire.server_frames import UserView
from justchat.wire.times import rfc3339
from storage.records import UserRecord


class ContactView(Struct, frozen=True):
    """What somebody is to the caller, and since when: `asked` by the caller, `asks_you`, or both have `accepted`."""

    user: UserView
    state: ContactState
    since: str


def contacts_of(system: System) -> Contacts:
    """Make the contacts of a system."""
    storage = system.storage
    return Contacts(
        storage.directory,
        storage.relations,
        now_ms=system.wall_ms,
        blocks_changed=system.blocks.changed,
    )


class ContactRoutes:
    """`/users/me/contacts`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._contacts = contacts_of(system)
        self._access = RoomAccess(system)

    def blueprint(self) -> OperationBlueprint:
        """Build the routes."""
        path = "/users/me/contacts/<user>"
        operations = (
            Operation(
                "GET",
                "/users/me/contacts",
                self.many,
                "List one's contacts, and who has asked whom",
                answer=PageOf[ContactView],
                query=page_queries(self._system.config),
            ),
            Operation(
                "GET",
                path,
                self.one,
                "Look at what somebody is to oneself",
                answer=ContactView,
                refusals=(ErrorCode.NOT_FOUND,),
            ),
            Operation(
                "PUT",
                path,
                self.ask,
                "Ask somebody to be a contact, or accept what they asked",
                answer=ContactView,
                refusals=(
                    ErrorCode.NOT_FOUND,
                    ErrorCode.FORBIDDEN,
                    ErrorCode.CONFLICT,
                    ErrorCode.VALIDATION_FAILED,
                ),
            ),
            Operation(
                "DELETE",
                path,
                self.end,
                "End a contact, take a request back, or reject one",
                statuses=(204,),
            ),
        )
        return blueprint_of("contacts", operations, accounts=self._system.accounts)

    async def many(self, caller: UserRecord) -> Response:
        ask = self._access.read_page()
        page = await self._contacts.all(caller, cursor=ask.cursor, limit=ask.limit)
        return page_answer([_view(contact) for contact in page.items], next_cursor=page.next_cursor)

    async def one(self, caller: UserRecord, user: str) -> Response:
        return json_answer(_view(granted(await self._contacts.one(caller, user))))

    async def ask(self, caller: UserRecord, user: str) -> Response:
        return json_answer(_view(granted(await self._contacts.ask(caller, user))))

    async def end(self, caller: UserRecord, user: str) -> Response:
        await self._contacts.end(caller, user)
        return no_content()


def _view(contact: Contact) -> ContactView:
    return ContactView(user_view(contact.user), contact.state, rfc3339(contact.since))
