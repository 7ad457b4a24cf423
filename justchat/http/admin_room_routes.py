"""Administration of rooms: list them all, take one over, delete one.

An administrator of the server does not look into rooms from here: whoever needs to becomes an owner first, by an event
that everybody in the room sees.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct
from quart import Response

from justchat.accounts.appearance import is_present
from justchat.accounts.membership import can_be_member
from justchat.accounts.site_log import SiteLog
from justchat.http.answers import Refused, has_body, no_content, page_answer, read_body
from justchat.http.operation import Caller, Operation, OperationBlueprint, PageOf, blueprint_of
from justchat.http.room_access import GUEST_MEMBER, RoomAccess, page_queries
from justchat.ids import is_id
from justchat.rooms.commands import NO_SUCH_ROOM, DeleteRoom
from justchat.rooms.system_commands import TakeOver
from justchat.system import System
from justchat.wire.deeds import RoomDeletedByAdmin, RoomTakenOver
from justchat.wire.errors import NO_SUCH_USER, ErrorCode
from justchat.wire.events import SYSTEM
from justchat.wire.times import rfc3339
from storage.records import RoomRecord, UserRecord

# Lift the ban, come in or rise: there are never more steps, unless somebody in the room works against it.
_STEPS_MAX: Final = 8


class TakeoverBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Who becomes an owner of the room; without a `user` the administrator."""

    user: str | None = None


class RoomRow(Struct, frozen=True):
    """A room as administrators see it from outside; `created_by` is a user's id, or `system`."""

    id: str
    kind: str
    visibility: str
    name: str
    topic: str
    created_by: str
    created_at: str
    head_seq: int
    messages: int
    deleted_at: str | None


_takeover_body = msgspec.json.Decoder(TakeoverBody)


class AdminRoomRoutes:
    """`/admin/rooms`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._directory = system.storage.directory
        self._access = RoomAccess(system)
        self._log = SiteLog(self._directory, now_ms=system.wall_ms)

    def blueprint(self) -> OperationBlueprint:
        """Build the routes."""
        admin = Caller.ADMIN
        operations = (
            Operation(
                "GET",
                "/admin/rooms",
                self.many,
                "List all rooms, deleted ones included",
                admin,
                answer=PageOf[RoomRow],
                query=page_queries(self._system.config),
            ),
            Operation(
                "POST",
                "/admin/rooms/<room>/takeover",
                self.take_over,
                "Make oneself or somebody else an owner of a room",
                admin,
                body=TakeoverBody,
                body_is_optional=True,
                statuses=(204,),
                refusals=(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT),
            ),
            Operation(
                "DELETE",
                "/admin/rooms/<room>",
                self.delete,
                "Delete a room",
                admin,
                statuses=(204,),
                refusals=(ErrorCode.NOT_FOUND,),
            ),
        )
        return blueprint_of("admin_rooms", operations, accounts=self._system.accounts)

    async def many(self, _admin: UserRecord) -> Response:
        ask = self._access.read_page()
        rooms = await self._directory.all_rooms(after=ask.cursor or "", limit=ask.limit + 1)
        shown = rooms[: ask.limit]
        next_cursor = shown[-1].id if len(rooms) > ask.limit else None
        return page_answer([_row(room) for room in shown], next_cursor=next_cursor)

    async def take_over(self, admin: UserRecord, room: str) -> Response:
        body = await read_body(_takeover_body) if await has_body() else TakeoverBody()
        owner = admin.id if body.user is None else body.user
        found = await self._directory.user(owner) if is_id("u", owner) else None
        if not can_be_member(found):
            raise Refused(GUEST_MEMBER if is_present(found) else NO_SUCH_USER)
        await self._make_sure_of(room)
        await self._log.write(admin.id, RoomTakenOver(room, owner))
        for _ in range(_STEPS_MAX):
            if not (await self._access.post(room, TakeOver(SYSTEM, owner, admin.id))).changed:
                break
        return no_content()

    async def delete(self, admin: UserRecord, room: str) -> Response:
        await self._make_sure_of(room)
        await self._log.write(admin.id, RoomDeletedByAdmin(room))
        await self._access.post(room, DeleteRoom(SYSTEM))
        return no_content()

    async def _make_sure_of(self, room: str) -> None:
        """Refuse what is no room before anything is said about it in the log. Raises Refused."""
        found = await self._directory.room(room) if room.startswith("r_") and room.isprintable() else None
        if found is None:
            raise Refused(NO_SUCH_ROOM)


def _row(room: RoomRecord) -> RoomRow:
    return RoomRow(
        id=room.id,
        kind=room.kind,
        visibility=room.visibility,
        name=room.name,
        topic=room.topic,
        created_by=room.created_by,
        created_at=rfc3339(room.created_at),
        head_seq=room.applied_seq,
        messages=room.last_msg_no,
        deleted_at=None if room.deleted_at is None else rfc3339(room.deleted_at),
    )
