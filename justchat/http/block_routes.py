"""Blocks: whom one does not want to hear from."""

from __future__ import annotations

from msgspec import Struct
from quart import Response

from justchat.accounts.appearance import user_view
from justchat.http.answers import Refused, no_content, page_answer
from justchat.http.contact_routes import contacts_of
from justchat.http.operation import Operation, OperationBlueprint, PageOf, blueprint_of
from justchat.http.room_access import RoomAccess, page_queries
from justchat.system import System
from justchat.wire.errors import ErrorCode
from justchat.wire.server_frames import UserView
from justchat.wire.times import rfc3339
from storage.records import UserRecord


class BlockView(Struct, frozen=True):
    """Somebody whom the caller blocks, and since when."""

    user: UserView
    since: str


class BlockRoutes:
    """`/users/me/blocks`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._contacts = contacts_of(system)
        self._access = RoomAccess(system)

    def blueprint(self) -> OperationBlueprint:
        """Build the routes."""
        path = "/users/me/blocks/<user>"
        operations = (
            Operation(
                "GET",
                "/users/me/blocks",
                self.many,
                "List whom one blocks",
                answer=PageOf[BlockView],
                query=page_queries(self._system.config),
            ),
            Operation(
                "PUT",
                path,
                self.block,
                "Block somebody: no direct messages, no mentions, no contact",
                statuses=(204,),
                refusals=(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT, ErrorCode.VALIDATION_FAILED),
            ),
            Operation("DELETE", path, self.unblock, "Lift a block", statuses=(204,)),
        )
        return blueprint_of("blocks", operations, accounts=self._system.accounts)

    async def many(self, caller: UserRecord) -> Response:
        ask = self._access.read_page()
        page = await self._contacts.blocks(caller, cursor=ask.cursor, limit=ask.limit)
        items = [BlockView(user_view(block.user), rfc3339(block.since)) for block in page.items]
        return page_answer(items, next_cursor=page.next_cursor)

    async def block(self, caller: UserRecord, user: str) -> Response:
        refusal = await self._contacts.block(caller, user)
        if refusal:
            raise Refused(refusal)
        return no_content()

    async def unblock(self, caller: UserRecord, user: str) -> Response:
        await self._contacts.unblock(caller, user)
        return no_content()
