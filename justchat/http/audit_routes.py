"""The audit log: what moderators and owners did, newest first, as the events themselves.

A room's log is for those with `audit.view` there, the log of all rooms, and of deeds, for the server's admins.
"""

from __future__ import annotations

import msgspec
from quart import Blueprint, Response

from justchat.http.answers import page_answer
from justchat.http.operation import Caller, Operation, PageOf, blueprint_of
from justchat.http.room_access import GUARDED_REFUSALS, MIN_SEQ, RoomAccess, page_queries
from justchat.http.room_items import RoomItems
from justchat.rooms.items import ItemKind
from justchat.rooms.permissions import Permission
from justchat.system import System
from justchat.wire.deeds import AuditFrame
from justchat.wire.events import EventFrame
from storage.records import UserRecord


class AuditRoutes:
    """`/rooms/{r}/audit-log` and `/admin/audit-log`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._access = RoomAccess(system)
        self._items = RoomItems(system)

    def operations(self) -> tuple[Operation, ...]:
        """Give the routes."""
        return (
            Operation(
                "GET",
                "/rooms/<room>/audit-log",
                self.of_room,
                "Read what moderators did in a room, newest first",
                answer=PageOf[EventFrame],
                query=(*page_queries(self._system.config), MIN_SEQ),
                refusals=GUARDED_REFUSALS,
            ),
            Operation(
                "GET",
                "/admin/audit-log",
                self.of_all,
                "Read what administrators did, and moderators in all rooms, newest first",
                Caller.ADMIN,
                answer=PageOf[AuditFrame],
                query=page_queries(self._system.config),
            ),
        )

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        return blueprint_of("audit", self.operations(), accounts=self._system.accounts)

    async def of_room(self, caller: UserRecord, room: str) -> Response:
        page = await self._items.asked(
            caller, room, ItemKind.AUDIT, msgspec.Raw, needs=Permission.AUDIT_VIEW, newest=True
        )
        return page_answer(page.items, next_cursor=page.next_cursor)

    async def of_all(self, _caller: UserRecord) -> Response:
        ask = self._access.read_page()
        page = await self._items.page(ItemKind.AUDIT, msgspec.Raw, ask, room=None, newest=True)
        return page_answer(page.items, next_cursor=page.next_cursor)
