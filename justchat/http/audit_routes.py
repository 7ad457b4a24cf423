"""The audit log: what moderators and owners did, newest first, as the events themselves.

A room's log is for those with `audit.view` there, the log of all rooms for the server's admins.
"""

from __future__ import annotations

from typing import Final

import msgspec
from quart import Blueprint, Response

from justchat.http.answers import Refused, raw_answer
from justchat.http.operation import Operation, PageOf, blueprint_of
from justchat.http.room_access import GUARDED_REFUSALS, MIN_SEQ, PAGE, RoomAccess
from justchat.rooms.items import ItemKind
from justchat.rooms.permissions import Permission
from justchat.system import System
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.events import EventFrame
from storage.records import UserRecord

SERVER_ADMIN: Final = "admin"
_NOT_ADMIN: Final = Refusal(ErrorCode.FORBIDDEN, "this is for the server's admins")


class AuditRoutes:
    """`/rooms/{r}/audit-log` and `/admin/audit-log`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._access = RoomAccess(system)

    def operations(self) -> tuple[Operation, ...]:
        """Give the routes."""
        return (
            Operation(
                "GET",
                "/rooms/<room>/audit-log",
                self.of_room,
                "Read what moderators did in a room, newest first",
                answer=PageOf[EventFrame],
                query=(*PAGE, MIN_SEQ),
                refusals=GUARDED_REFUSALS,
            ),
            Operation(
                "GET",
                "/admin/audit-log",
                self.of_all,
                "Read what moderators did in all rooms, newest first",
                answer=PageOf[EventFrame],
                query=PAGE,
                refusals=(ErrorCode.FORBIDDEN,),
            ),
        )

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        return blueprint_of("audit", self.operations(), accounts=self._system.accounts)

    async def of_room(self, caller: UserRecord, room: str) -> Response:
        await self._access.look(caller, room, needs=Permission.AUDIT_VIEW)
        return await self._page(room)

    async def of_all(self, caller: UserRecord) -> Response:
        if caller.role != SERVER_ADMIN:
            raise Refused(_NOT_ADMIN)
        return await self._page(None)

    async def _page(self, room: str | None) -> Response:
        ask = self._access.read_page()
        directory = self._system.storage.directory
        page = await directory.items(ItemKind.AUDIT.value, room=room, cursor=ask.cursor, limit=ask.limit, newest=True)
        items, cursor = b",".join(item.doc for item in page.items), msgspec.json.encode(page.next_cursor)
        return raw_answer(b'{"items":[' + items + b'],"next_cursor":' + cursor + b"}")
