"""Direct rooms: the one room that two people share, made when it is first asked for.

Its id is made of the two, so however many ask for it at once, by whichever of the two and by whichever route, there is
one room, and one of them is told that it is new.
"""

from __future__ import annotations

from quart import Blueprint, Response

from justchat.accounts.appearance import is_present
from justchat.accounts.membership import can_be_member
from justchat.http.answers import Refused, granted
from justchat.http.operation import Operation, blueprint_of
from justchat.http.room_access import GUEST_MEMBER
from justchat.http.room_views import RoomViews
from justchat.ids import is_id, new_id
from justchat.rooms.commands import CreateRoom
from justchat.rooms.direct import direct_room_id
from justchat.rooms.permissions import Kind, Visibility
from justchat.system import System
from justchat.wire.errors import NO_SUCH_USER, ErrorCode, invalid
from justchat.wire.server_frames import RoomView
from storage.records import UserRecord


class DirectRoutes:
    """`/users/me/direct/{u}`, and the same for `POST /rooms`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._views = RoomViews(system)

    def operations(self) -> tuple[Operation, ...]:
        """Give the routes."""
        return (
            Operation(
                "PUT",
                "/users/me/direct/<user>",
                self.open,
                "Get the direct room with a user, made if need be",
                answer=RoomView,
                statuses=(201, 200),
                refusals=(
                    ErrorCode.NOT_FOUND,
                    ErrorCode.VALIDATION_FAILED,
                    ErrorCode.FORBIDDEN,
                    ErrorCode.CONFLICT,
                ),
            ),
        )

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        return blueprint_of("direct", self.operations(), accounts=self._system.accounts)

    async def open(self, caller: UserRecord, user: str) -> Response:
        other = await self._system.storage.directory.user(user) if is_id("u", user) else None
        if not can_be_member(other):
            raise Refused(GUEST_MEMBER if is_present(other) else NO_SUCH_USER)
        return await self.share(caller, other.id, pointer="/user")

    async def share(self, caller: UserRecord, other: str, *, pointer: str) -> Response:
        """Answer with the room that the caller shares with another user, made if need be. Raises Refused."""
        if other == caller.id:
            raise Refused(invalid(pointer, "a direct room is with somebody else", code="yourself"))
        room = self._system.rooms.room(direct_room_id(caller.id, other))
        command = CreateRoom(caller.id, Kind.DIRECT, Visibility.PRIVATE, "", "", new_id("e"), (other,))
        made = granted(await room.post(command)).changed
        view = granted(await room.view(caller.id))
        if not made:
            return await self._views.answer(caller, view)
        return await self._views.answer(caller, view, status=201, headers={"Location": f"/api/v1/rooms/{room.id}"})
