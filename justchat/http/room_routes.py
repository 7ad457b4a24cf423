"""One room: create, look, change, archive, delete."""

from __future__ import annotations

from msgspec.structs import replace
from quart import Blueprint, Response

from justchat.accounts.membership import can_be_member
from justchat.accounts.names import fold_name
from justchat.http.answers import granted, no_content, read_body
from justchat.http.direct_routes import DirectRoutes
from justchat.http.entity_tags import read_if_match
from justchat.http.operation import Operation, blueprint_of
from justchat.http.room_access import CHANGE_REFUSALS, MIN_SEQ, SHOW_REFUSALS, RoomAccess
from justchat.http.room_forms import (
    CreateBody,
    UpdateBody,
    check_new,
    create_body,
    create_command,
    refuse_fields,
    update_body,
    update_command,
)
from justchat.http.room_views import RoomViews, wanted_head
from justchat.ids import is_id, new_id
from justchat.rooms.commands import DeleteRoom
from justchat.rooms.permissions import Kind
from justchat.system import System
from justchat.wire.errors import ErrorCode, FieldProblem
from justchat.wire.server_frames import RoomView
from storage.records import UserRecord


class RoomRoutes:
    """`POST /rooms` and `/rooms/{r}`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._access = RoomAccess(system)
        self._views = RoomViews(system)
        self._direct = DirectRoutes(system)

    def operations(self) -> tuple[Operation, ...]:
        """Give the routes."""
        return (
            Operation(
                "POST",
                "/rooms",
                self.create,
                "Create a room; a direct room that is there already is given",
                body=CreateBody,
                answer=RoomView,
                statuses=(201, 200),
            ),
            Operation(
                "GET",
                "/rooms/<room>",
                self.look,
                "Look at a room; `ETag` is its version",
                answer=RoomView,
                query=(MIN_SEQ,),
                refusals=SHOW_REFUSALS,
            ),
            Operation(
                "PATCH",
                "/rooms/<room>",
                self.update,
                "Change a room's name, topic, visibility or settings, or archive it; with `If-Match` only if nothing "
                "happened in it since it was read",
                body=UpdateBody,
                answer=RoomView,
                refusals=(*CHANGE_REFUSALS, ErrorCode.PRECONDITION_FAILED),
            ),
            Operation(
                "DELETE",
                "/rooms/<room>",
                self.delete,
                "Delete a room",
                statuses=(204,),
                refusals=CHANGE_REFUSALS,
            ),
        )

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        return blueprint_of("rooms", self.operations(), accounts=self._system.accounts)

    async def create(self, caller: UserRecord) -> Response:
        body = await read_body(create_body)
        check_new(body)
        members = await self._find_members(body.members)
        if body.kind is Kind.DIRECT:
            return await self._direct.share(caller, members[0], pointer="/members/0")
        room = self._system.rooms.room(new_id("r"))
        granted(await room.post(create_command(body, caller.id, epoch=new_id("e"), members=members)))
        view = granted(await room.view(caller.id))
        return await self._views.answer(caller, view, status=201, headers={"Location": f"/api/v1/rooms/{room.id}"})

    async def _find_members(self, named: tuple[str, ...]) -> tuple[str, ...]:
        """Resolve names and ids, or refuse with every unknown one."""
        ids = [name for name in named if is_id("u", name)]
        keys = [fold_name(name) for name in named if not is_id("u", name)]
        directory = self._system.storage.directory
        users = [
            *(await directory.users(ids=ids) if ids else ()),
            *(await directory.users(name_keys=keys) if keys else ()),
        ]
        living = [user for user in users if can_be_member(user)]
        known = {user.id for user in living} | {user.name_key for user in living}
        unknown = [
            FieldProblem(f"/members/{index}", "unknown_user", f"there is no user {name!r}")
            for index, name in enumerate(named)
            if name not in known and fold_name(name) not in known
        ]
        refuse_fields(unknown, detail="some members are unknown; nothing was created")
        return tuple(dict.fromkeys(user.id for user in living))

    async def look(self, caller: UserRecord, room: str) -> Response:
        return await self._views.answer(caller, await self._access.view(caller, room))

    async def update(self, caller: UserRecord, room: str) -> Response:
        command = update_command(await read_body(update_body), caller.id)
        handle = self._system.rooms.room(room)
        if read_if_match() is not None:
            command = replace(command, head_seq=wanted_head(granted(await handle.view(caller.id))))
        await self._access.post(room, command)
        return await self._views.answer(caller, granted(await handle.view(caller.id)))

    async def delete(self, caller: UserRecord, room: str) -> Response:
        await self._access.post(room, DeleteRoom(caller.id))
        return no_content()
