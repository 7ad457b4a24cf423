"""Rooms in lists: one's own, the public ones by name, and several by their ids.

Lists are made of rows and wake no room. What the caller is in a room is told from the row too, so a mute does not show;
a room that the caller is banned from is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from quart import Blueprint, Response

from justchat.http.answers import PageAsk, Refused, page_answer, read_text
from justchat.http.operation import Operation, PageOf, Query, blueprint_of
from justchat.http.own_rooms import OwnRoom, OwnRooms
from justchat.http.room_access import RoomAccess, page_queries
from justchat.http.room_views import RoomViews
from justchat.rooms.items import ItemKind
from justchat.rooms.permissions import Visibility
from justchat.system import System
from justchat.wire.errors import invalid
from justchat.wire.server_frames import RoomView
from storage.records import RoomRecord, UserRecord

_IDS_MAX: Final = 100
_ID_MAX_CHARACTERS: Final = 64


class RoomListRoutes:
    """`GET /rooms` and `/users/me/rooms`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._directory = system.storage.directory
        self._journal = system.storage.journal
        self._access = RoomAccess(system)
        self._views = RoomViews(system)
        self._own = OwnRooms(system)

    def operations(self) -> tuple[Operation, ...]:
        """Give the routes."""
        return (
            Operation(
                "GET",
                "/rooms",
                self.find,
                "List one's own rooms, public rooms by name, or rooms by id",
                answer=PageOf[RoomView],
                query=(
                    Query("public", Literal["true", "false"], "List public rooms, in the order of their names"),
                    Query("q", str, "What the names of public rooms begin with"),
                    Query("ids", str, f"Up to {_IDS_MAX} ids, with commas between; rooms one may not see are left out"),
                    *page_queries(self._system.config),
                ),
            ),
            Operation(
                "GET",
                "/users/me/rooms",
                self.mine,
                "List one's own rooms, the newest first, with what is unread and what was said last",
                answer=PageOf[OwnRoom],
                query=page_queries(self._system.config),
            ),
        )

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        return blueprint_of("room_lists", self.operations(), accounts=self._system.accounts)

    async def mine(self, caller: UserRecord) -> Response:
        ask = self._access.read_page()
        page = await self._directory.rooms_of(caller.id, cursor=ask.cursor, limit=ask.limit)
        items = await self._own.shown(caller, page.items)
        return page_answer(items, next_cursor=page.next_cursor)

    async def find(self, caller: UserRecord) -> Response:
        public, ids = read_text("public"), read_text("ids", longest=_IDS_MAX * (_ID_MAX_CHARACTERS + 1))
        # Looked at also where they change nothing: what is wrong is never passed over.
        ask, prefix = self._access.read_page(), (read_text("q") or "").casefold()
        if public not in {None, "true", "false"}:
            raise Refused(invalid("/public", "public is true or false"))
        if ids is not None and public == "true":
            raise Refused(invalid("/ids", "give either ids or public", code="ambiguous"))
        if ids is not None:
            return await self._by_ids(caller, ids)
        if public == "true":
            return await self._public(caller, ask, prefix)
        page = await self._directory.rooms_of(caller.id, cursor=ask.cursor, limit=ask.limit)
        return page_answer(await self._views.of_rows(caller, page.items), next_cursor=page.next_cursor)

    async def _by_ids(self, caller: UserRecord, ids: str) -> Response:
        wanted = list(dict.fromkeys(ids.split(",")))
        if len(wanted) > _IDS_MAX:
            raise Refused(invalid("/ids", f"at most {_IDS_MAX} ids at once", code="too_many"))
        found = {row.id: row for row in await self._directory.rooms(wanted)}
        rows = [found[room] for room in wanted if room in found]
        return page_answer(await self._seen(caller, rows), next_cursor=None)

    async def _public(self, caller: UserRecord, ask: PageAsk, prefix: str) -> Response:
        page = await self._directory.public_rooms(prefix, cursor=ask.cursor, limit=ask.limit)
        return page_answer(await self._seen(caller, page.items), next_cursor=page.next_cursor)

    async def _seen(self, caller: UserRecord, rows: Sequence[RoomRecord]) -> list[RoomView]:
        """Show those of the rooms that the caller may see; however many there are, it is as many looks at the store."""
        living = [row for row in rows if row.deleted_at is None]
        found = await self._directory.memberships(caller.id, [row.id for row in living])
        members = {member.room: member for member in found}
        public = [row.id for row in living if row.id not in members and row.visibility == Visibility.PUBLIC]
        banned = await self._journal.rooms_keeping(public, [(ItemKind.BAN.value, caller.id)]) if public else []
        seen = {*members, *public}.difference(banned)
        return await self._views.of_rows(caller, [(row, members.get(row.id)) for row in living if row.id in seen])
