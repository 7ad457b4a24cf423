"""Bans and mutes: who is kept out of a room, and who may not speak in it."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from quart import Blueprint, Response

from justchat.http.answers import Refused, has_body, json_answer, no_content, page_answer, read_body
from justchat.http.moments import Moment, read_moment
from justchat.http.operation import Operation, PageOf, blueprint_of
from justchat.http.room_access import CHANGE_REFUSALS, GUARDED_REFUSALS, MIN_SEQ, RoomAccess, page_queries
from justchat.http.room_items import RoomItems
from justchat.ids import is_id
from justchat.rooms.commands import BanMember, MuteMember, UnbanMember, UnmuteMember
from justchat.rooms.items import Ban, ItemKind, Mute
from justchat.rooms.permissions import Permission
from justchat.system import System
from justchat.wire.errors import NO_SUCH_USER, ErrorCode, Refusal
from justchat.wire.server_frames import UserView
from justchat.wire.times import rfc3339
from storage.records import UserRecord

_NOT_BANNED: Final = Refusal(ErrorCode.NOT_FOUND, "this user is not banned")

Reason = Annotated[str, Meta(max_length=500)]


class BanBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Why somebody is banned; members see it in the event."""

    reason: Reason = ""


class MuteBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Until when somebody is muted, null being without an end, and why."""

    until: Moment | None = None
    reason: Reason = ""


_ban_body = msgspec.json.Decoder(BanBody)
_mute_body = msgspec.json.Decoder(MuteBody)


class BanView(Struct, frozen=True):
    """A ban; `by` is the id of who banned."""

    user: UserView
    by: str
    at: str
    reason: str


class MuteView(Struct, frozen=True):
    """A mute, without an end where `until` is null; `by` is the id of who muted."""

    user: UserView
    by: str
    at: str
    until: str | None
    reason: str


class ModerationRoutes:
    """`/rooms/{r}/bans` and `/rooms/{r}/mutes`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._directory = system.storage.directory
        self._access = RoomAccess(system)
        self._items = RoomItems(system)

    def operations(self) -> tuple[Operation, ...]:
        """Give the routes."""
        return (*self._ban_operations(), *self._mute_operations())

    def _ban_operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                "GET",
                "/rooms/<room>/bans",
                self.bans,
                "List who is banned from a room",
                answer=PageOf[BanView],
                query=(*page_queries(self._system.config), MIN_SEQ),
                refusals=GUARDED_REFUSALS,
            ),
            Operation(
                "GET",
                "/rooms/<room>/bans/<user>",
                self.ban_of,
                "Look at one user's ban",
                answer=BanView,
                query=(MIN_SEQ,),
                refusals=GUARDED_REFUSALS,
            ),
            Operation(
                "PUT",
                "/rooms/<room>/bans/<user>",
                self.ban,
                "Ban a user, member or not",
                body=BanBody,
                body_is_optional=True,
                statuses=(204,),
                refusals=(*CHANGE_REFUSALS, ErrorCode.LAST_OWNER),
            ),
            Operation(
                "DELETE",
                "/rooms/<room>/bans/<user>",
                self.unban,
                "Lift a ban",
                statuses=(204,),
                refusals=CHANGE_REFUSALS,
            ),
        )

    def _mute_operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                "GET",
                "/rooms/<room>/mutes",
                self.mutes,
                "List who is muted in a room",
                answer=PageOf[MuteView],
                query=(*page_queries(self._system.config), MIN_SEQ),
                refusals=GUARDED_REFUSALS,
            ),
            Operation(
                "PUT",
                "/rooms/<room>/mutes/<user>",
                self.mute,
                "Mute a member",
                body=MuteBody,
                body_is_optional=True,
                statuses=(204,),
                refusals=CHANGE_REFUSALS,
            ),
            Operation(
                "DELETE",
                "/rooms/<room>/mutes/<user>",
                self.unmute,
                "Give a member their voice back",
                statuses=(204,),
                refusals=CHANGE_REFUSALS,
            ),
        )

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        return blueprint_of("moderation", self.operations(), accounts=self._system.accounts)

    async def bans(self, caller: UserRecord, room: str) -> Response:
        page = await self._items.asked(caller, room, ItemKind.BAN, Ban, needs=Permission.MEMBERS_BAN)
        users = await self._access.users(ban.user for ban in page.items)
        items = [_ban_view(ban, users) for ban in page.items]
        return page_answer(items, next_cursor=page.next_cursor)

    async def ban_of(self, caller: UserRecord, room: str, user: str) -> Response:
        await self._access.look(caller, room, needs=Permission.MEMBERS_BAN)
        ban = await self._items.one(room, ItemKind.BAN, user, Ban) if is_id("u", user) else None
        if ban is None:
            raise Refused(_NOT_BANNED)
        return json_answer(_ban_view(ban, await self._access.users([ban.user])))

    async def ban(self, caller: UserRecord, room: str, user: str) -> Response:
        body = await read_body(_ban_body) if await has_body() else BanBody()
        # Not only members are banned, so that it is a user has to be made sure of here.
        if not is_id("u", user) or await self._directory.user(user) is None:
            await self._access.look(caller, room)
            raise Refused(NO_SUCH_USER)
        await self._access.post(room, BanMember(caller.id, user, body.reason))
        return no_content()

    async def unban(self, caller: UserRecord, room: str, user: str) -> Response:
        await self._access.post(room, UnbanMember(caller.id, user))
        return no_content()

    async def mutes(self, caller: UserRecord, room: str) -> Response:
        page = await self._items.asked(caller, room, ItemKind.MUTE, Mute, needs=Permission.MEMBERS_MUTE)
        users = await self._access.users(mute.user for mute in page.items)
        items = [_mute_view(mute, users) for mute in page.items]
        return page_answer(items, next_cursor=page.next_cursor)

    async def mute(self, caller: UserRecord, room: str, user: str) -> Response:
        body = await read_body(_mute_body) if await has_body() else MuteBody()
        now = self._system.wall_ms()
        until = None if body.until is None else read_moment(body.until, "/until", now=now)
        await self._access.post(room, MuteMember(caller.id, user, until, body.reason))
        return no_content()

    async def unmute(self, caller: UserRecord, room: str, user: str) -> Response:
        await self._access.post(room, UnmuteMember(caller.id, user))
        return no_content()


def _ban_view(ban: Ban, users: dict[str, UserView]) -> BanView:
    return BanView(_user(ban.user, users), ban.by, rfc3339(ban.at), ban.reason)


def _mute_view(mute: Mute, users: dict[str, UserView]) -> MuteView:
    until = None if mute.until is None else rfc3339(mute.until)
    return MuteView(_user(mute.user, users), mute.by, rfc3339(mute.at), until, mute.reason)


def _user(user: str, users: dict[str, UserView]) -> UserView:
    """Show somebody whose account is gone by their id alone: a ban that is not listed could not be lifted."""
    return users.get(user) or UserView(user, "", "")
