"""Members: join, leave, list, add, remove, and their roles."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType
from quart import Blueprint, Response

from justchat.accounts.appearance import is_present
from justchat.accounts.membership import can_be_member
from justchat.http.answers import Refused, granted, has_body, json_answer, no_content, page_answer, read_body
from justchat.http.operation import Operation, PageOf, blueprint_of
from justchat.http.room_access import (
    CHANGE_REFUSALS,
    GUEST_MEMBER,
    MIN_SEQ,
    SHOW_REFUSALS,
    RoomAccess,
    page_queries,
)
from justchat.http.room_items import RoomItems
from justchat.ids import is_id
from justchat.rooms.commands import (
    NO_SUCH_MEMBER,
    AddMember,
    JoinRoom,
    LeaveRoom,
    RemoveMember,
    SetRole,
)
from justchat.rooms.items import ItemKind, Mute
from justchat.rooms.permissions import Permission, Role
from justchat.system import System
from justchat.wire.errors import NO_SUCH_USER, ErrorCode
from justchat.wire.server_frames import UserView
from justchat.wire.times import rfc3339
from storage.records import UserRecord

_LAST_OWNER_REFUSALS: Final = (*CHANGE_REFUSALS, ErrorCode.LAST_OWNER)


class AddBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The role that a new member gets."""

    role: Role = Role.MEMBER


class RoleBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The role to give. It must be named: nobody is to lose theirs by a body that says nothing."""

    role: Role


_add_body = msgspec.json.Decoder(AddBody)
_role_body = msgspec.json.Decoder(RoleBody)


class MemberItem(Struct, frozen=True):
    """One member in a list."""

    user: UserView
    role: str
    joined_seq: int


class MemberDetail(Struct, frozen=True):
    """One member, with what the role allows here.

    Whether they are muted is told to themselves and to those who may mute; `muted_until` null is without an end.
    """

    user: UserView
    role: str
    joined_seq: int
    permissions: tuple[str, ...]
    muted: bool | UnsetType = UNSET
    muted_until: str | UnsetType | None = UNSET


class MemberRoutes:
    """`/rooms/{r}/members`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._directory = system.storage.directory
        self._access = RoomAccess(system)
        self._items = RoomItems(system)

    def operations(self) -> tuple[Operation, ...]:
        """Give the routes."""
        own, others = "/rooms/<room>/members/me", "/rooms/<room>/members/<user>"
        return (
            Operation("PUT", own, self.join, "Join a public room", statuses=(204,), refusals=CHANGE_REFUSALS),
            Operation("DELETE", own, self.leave, "Leave a room", statuses=(204,), refusals=_LAST_OWNER_REFUSALS),
            Operation(
                "GET",
                "/rooms/<room>/members",
                self.list_members,
                "List a room's members",
                answer=PageOf[MemberItem],
                query=(*page_queries(self._system.config), MIN_SEQ),
                refusals=SHOW_REFUSALS,
            ),
            Operation(
                "GET",
                others,
                self.detail,
                "Look at one member; `me` is oneself",
                answer=MemberDetail,
                query=(MIN_SEQ,),
                refusals=SHOW_REFUSALS,
            ),
            Operation(
                "PUT",
                others,
                self.add,
                "Add a member",
                body=AddBody,
                body_is_optional=True,
                statuses=(204,),
                refusals=CHANGE_REFUSALS,
            ),
            Operation(
                "PATCH",
                others,
                self.set_role,
                "Give a member another role",
                body=RoleBody,
                statuses=(204,),
                refusals=_LAST_OWNER_REFUSALS,
            ),
            Operation("DELETE", others, self.remove, "Remove a member", statuses=(204,), refusals=_LAST_OWNER_REFUSALS),
        )

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        return blueprint_of("members", self.operations(), accounts=self._system.accounts)

    async def join(self, caller: UserRecord, room: str) -> Response:
        await self._access.post(room, JoinRoom(caller.id))
        return no_content()

    async def leave(self, caller: UserRecord, room: str) -> Response:
        await self._access.post(room, LeaveRoom(caller.id))
        return no_content()

    async def list_members(self, caller: UserRecord, room: str) -> Response:
        ask = self._access.read_page()
        await self._access.look(caller, room)
        page = await self._directory.members(room, cursor=ask.cursor, limit=ask.limit)
        users = await self._access.users(member.user for member in page.items)
        items = [
            MemberItem(users[member.user], member.role, member.joined_seq)
            for member in page.items
            if member.user in users
        ]
        return page_answer(items, next_cursor=page.next_cursor)

    async def detail(self, caller: UserRecord, room: str, user: str) -> Response:
        own = await self._access.look(caller, room)
        target = caller.id if user == "me" else user
        member = await self._directory.member(room, target)
        account = (await self._access.users([target])).get(target)
        if member is None or account is None:
            raise Refused(NO_SUCH_MEMBER)
        # As the room itself sees it: mutes count, and a change of the last moment.
        access = granted(await self._system.rooms.room(room).look(target))
        detail = MemberDetail(account, member.role, member.joined_seq, tuple(sorted(access.permissions)))
        if target == caller.id or Permission.MEMBERS_MUTE in own.permissions:
            mute = await self._items.one(room, ItemKind.MUTE, target, Mute)
            until = None if mute is None or mute.until is None else rfc3339(mute.until)
            detail = msgspec.structs.replace(detail, muted=mute is not None, muted_until=until)
        return json_answer(detail)

    async def add(self, caller: UserRecord, room: str, user: str) -> Response:
        body = await read_body(_add_body) if await has_body() else AddBody()
        account = await self._directory.user(user) if is_id("u", user) else None
        if not can_be_member(account):
            await self._access.look(caller, room)
            raise Refused(GUEST_MEMBER if is_present(account) else NO_SUCH_USER)
        await self._access.post(room, AddMember(caller.id, user, body.role))
        return no_content()

    async def set_role(self, caller: UserRecord, room: str, user: str) -> Response:
        body = await read_body(_role_body)
        await self._access.post(room, SetRole(caller.id, caller.id if user == "me" else user, body.role))
        return no_content()

    async def remove(self, caller: UserRecord, room: str, user: str) -> Response:
        await self._access.post(room, RemoveMember(caller.id, user))
        return no_content()
