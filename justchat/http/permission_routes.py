"""What each role may do in a room: by default, where the room deviates from that, and what comes of both."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct
from quart import Blueprint, Response

from justchat.http.answers import Refused, json_answer, read_body
from justchat.http.operation import Operation, blueprint_of
from justchat.http.room_access import CHANGE_REFUSALS, MIN_SEQ, SHOW_REFUSALS, RoomAccess
from justchat.http.room_forms import refuse_fields
from justchat.rooms.commands import NO_SUCH_ROOM, SetPermissions
from justchat.rooms.permissions import Circumstances, Kind, Permission, Role, Visibility, permissions_of
from justchat.rooms.state import circumstances_of, stored_settings
from justchat.system import System
from justchat.wire.errors import FieldProblem
from justchat.wire.events import Overrides
from storage.records import RoomRecord, UserRecord

_Changes = dict[Role, dict[str, bool | None]]

_ROLES: Final = frozenset(role.value for role in Role)
_PERMISSIONS: Final = frozenset(permission.value for permission in Permission)
_changes_body: Final = msgspec.json.Decoder(dict[str, object])


class PermissionsView(Struct, frozen=True):
    """A room's permissions by role.

    `effective` is what members with the role may do now: it counts that the room is read-only or archived, and leaves
    out who is muted.
    """

    defaults: dict[str, tuple[str, ...]]
    overrides: Overrides
    effective: dict[str, tuple[str, ...]]


class PermissionRoutes:
    """`/rooms/{r}/permissions`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._access = RoomAccess(system)

    def operations(self) -> tuple[Operation, ...]:
        """Give the routes."""
        path = "/rooms/<room>/permissions"
        return (
            Operation(
                "GET",
                path,
                self.show,
                "Look at what each role may do in a room",
                answer=PermissionsView,
                query=(MIN_SEQ,),
                refusals=SHOW_REFUSALS,
            ),
            Operation(
                "PATCH",
                path,
                self.change,
                "Grant (true), deny (false) or leave to the default (null) permissions of roles below one's own",
                body=dict[Role, dict[Permission, bool | None]],
                answer=PermissionsView,
                refusals=CHANGE_REFUSALS,
            ),
        )

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        return blueprint_of("permissions", self.operations(), accounts=self._system.accounts)

    async def show(self, caller: UserRecord, room: str) -> Response:
        await self._access.look(caller, room)
        return await self._answer(room)

    async def change(self, caller: UserRecord, room: str) -> Response:
        changes = read_changes(await read_body(_changes_body))
        await self._access.post(room, SetPermissions(caller.id, changes))
        return await self._answer(room)

    async def _answer(self, room: str) -> Response:
        row = await self._system.storage.directory.room(room)
        if row is None:
            raise Refused(NO_SUCH_ROOM)
        return json_answer(permissions_view(row))


def read_changes(body: dict[str, object]) -> _Changes:
    """Read which permissions of which roles are to change. Raises Refused with everything that is wrong."""
    problems: list[FieldProblem] = []
    changes: _Changes = {}
    for role, wanted in body.items():
        if role not in _ROLES:
            problems.append(FieldProblem(_pointer(role), "unknown_role", f"there is no role {role!r}"))
        elif not isinstance(wanted, dict):
            problems.append(FieldProblem(_pointer(role), "invalid", "give an object of permissions"))
        else:
            changes[Role(role)] = wanted
            problems += [problem for name in wanted for problem in _problems(role, name, wanted[name])]
    refuse_fields(problems, detail="the permissions cannot be changed like this")
    return changes


def _problems(role: str, name: str, wanted: object) -> list[FieldProblem]:
    if name not in _PERMISSIONS:
        return [FieldProblem(_pointer(role, name), "unknown_permission", f"there is no permission {name!r}")]
    if wanted is None or isinstance(wanted, bool):
        return []
    return [FieldProblem(_pointer(role, name), "invalid", "give true, false or null")]


def _pointer(*steps: str) -> str:
    """Point at a key that somebody else chose (RFC 6901)."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def permissions_view(row: RoomRecord) -> PermissionsView:
    """Show a room's permissions as its row has them."""
    kind, visibility = Kind(row.kind), Visibility(row.visibility)
    settings, overrides = stored_settings(row)
    return PermissionsView(
        _by_role(Circumstances(kind, visibility)),
        overrides,
        _by_role(circumstances_of(kind, visibility, settings, overrides)),
    )


def _by_role(room: Circumstances) -> dict[str, tuple[str, ...]]:
    return {role.value: tuple(sorted(permissions_of(role, room))) for role in Role}
