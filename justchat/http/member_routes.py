"""Members: join, leave, list, add, remove, and their roles."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from quart import Blueprint, Response

from justchat.http.answers import (
    PageAsk,
    Refused,
    granted,
    has_body,
    json_answer,
    no_content,
    page_answer,
    read_body,
    read_page,
)
from justchat.http.auth_routes import user_view
from justchat.http.caller import for_caller
from justchat.ids import is_id
from justchat.rooms.commands import (
    NO_SUCH_MEMBER,
    AddMember,
    Command,
    JoinRoom,
    LeaveRoom,
    RemoveMember,
    SetRole,
)
from justchat.rooms.permissions import Kind, Role, Visibility, permissions_of
from justchat.system import System
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.server_frames import UserView
from storage.records import UserRecord

_NO_SUCH_USER = Refusal(ErrorCode.NOT_FOUND, "there is no such user")


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
    """One member, with what the role allows here."""

    user: UserView
    role: str
    joined_seq: int
    permissions: tuple[str, ...]


class MemberRoutes:
    """`/rooms/{r}/members`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._directory = system.storage.directory

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        routes = Blueprint("members", __name__)
        as_caller = for_caller(self._system.accounts)
        routes.put("/rooms/<room>/members/me")(as_caller(self.join))
        routes.delete("/rooms/<room>/members/me")(as_caller(self.leave))
        routes.get("/rooms/<room>/members")(as_caller(self.list_members))
        routes.get("/rooms/<room>/members/<user>")(as_caller(self.detail))
        routes.put("/rooms/<room>/members/<user>")(as_caller(self.add))
        routes.patch("/rooms/<room>/members/<user>")(as_caller(self.set_role))
        routes.delete("/rooms/<room>/members/<user>")(as_caller(self.remove))
        return routes

    async def post(self, room: str, command: Command) -> Response:
        granted(await self._system.rooms.room(room).post(command))
        return no_content()

    async def join(self, caller: UserRecord, room: str) -> Response:
        return await self.post(room, JoinRoom(caller.id))

    async def leave(self, caller: UserRecord, room: str) -> Response:
        return await self.post(room, LeaveRoom(caller.id))

    async def list_members(self, caller: UserRecord, room: str) -> Response:
        ask = self._page_ask()
        granted(await self._system.rooms.room(room).look(caller.id))
        page = await self._directory.members(room, cursor=ask.cursor, limit=ask.limit)
        users = {user.id: user for user in await self._directory.users(ids=[member.user for member in page.items])}
        items = [
            MemberItem(user_view(users[member.user]), member.role, member.joined_seq)
            for member in page.items
            if member.user in users
        ]
        return page_answer(items, next_cursor=page.next_cursor)

    async def detail(self, caller: UserRecord, room: str, user: str) -> Response:
        view = granted(await self._system.rooms.room(room).view(caller.id))
        target = caller.id if user == "me" else user
        member, account = await self._directory.member(room, target), await self._directory.user(target)
        if member is None or account is None:
            raise Refused(NO_SUCH_MEMBER)
        allowed = permissions_of(Role(member.role), kind=Kind(view.kind), visibility=Visibility(view.visibility))
        return json_answer(MemberDetail(user_view(account), member.role, member.joined_seq, tuple(sorted(allowed))))

    async def add(self, caller: UserRecord, room: str, user: str) -> Response:
        body = await read_body(_add_body) if await has_body() else AddBody()
        account = await self._directory.user(user) if is_id("u", user) else None
        if account is None or account.disabled:
            granted(await self._system.rooms.room(room).look(caller.id))
            raise Refused(_NO_SUCH_USER)
        return await self.post(room, AddMember(caller.id, user, body.role))

    async def set_role(self, caller: UserRecord, room: str, user: str) -> Response:
        body = await read_body(_role_body)
        return await self.post(room, SetRole(caller.id, user, body.role))

    async def remove(self, caller: UserRecord, room: str, user: str) -> Response:
        return await self.post(room, RemoveMember(caller.id, user))

    def _page_ask(self) -> PageAsk:
        config = self._system.config
        return read_page(default=config.history_page_default, most=config.history_page_max)
