"""Invites: ways into a room for whoever knows the code.

A code is told once, to who made the invite; lists and events have its id. Whatever is wrong with a code, the answer is
that there is no such invite, so that codes tell nothing about rooms.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from quart import Blueprint, Response

from justchat.http.answers import Refused, granted, has_body, json_answer, no_content, page_answer, read_body
from justchat.http.moments import Moment, read_moment
from justchat.http.operation import Operation, PageOf, blueprint_of
from justchat.http.room_access import CHANGE_REFUSALS, GUARDED_REFUSALS, MIN_SEQ, RoomAccess, page_queries
from justchat.http.room_items import RoomItems
from justchat.http.room_views import RoomViews
from justchat.rooms.commands import CreateInvite, JoinRoom, RevokeInvite
from justchat.rooms.invites import invite_id, is_invite_id, new_code, room_of
from justchat.rooms.items import Invite, ItemKind
from justchat.rooms.permissions import Permission, Role
from justchat.system import System
from justchat.wire.errors import ErrorCode, Refusal, invalid
from justchat.wire.server_frames import RoomView
from justchat.wire.times import rfc3339
from storage.records import UserRecord

# In the words of the room, so that what is no code at all tells no more than a wrong one.
_NO_SUCH_INVITE: Final = Refusal(ErrorCode.NOT_FOUND, "there is no such invite, or it lets nobody in any more")
_YEAR_SECONDS: Final = 31_536_000


class InviteBody(Struct, frozen=True, forbid_unknown_fields=True):
    """How far an invite reaches: which role it gives, until when and how often it is good. `expires_in` is seconds."""

    role: Role = Role.MEMBER
    expires_in: Annotated[int, Meta(ge=1, le=10 * _YEAR_SECONDS)] | None = None
    expires_at: Moment | None = None
    max_uses: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None


_invite_body = msgspec.json.Decoder(InviteBody)


class InviteView(Struct, frozen=True):
    """An invite as lists show it; `created_by` is a user's id."""

    id: str
    role: str
    created_by: str
    created_at: str
    expires_at: str | None
    max_uses: int | None
    uses: int


class NewInvite(Struct, frozen=True):
    """An invite as its creator sees it, once: with the code, and where to send it."""

    id: str
    code: str
    url: str
    role: str
    expires_at: str | None
    max_uses: int | None
    uses: int = 0


class InviteRoutes:
    """`/rooms/{r}/invites` and `/invites/{code}/accept`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._access = RoomAccess(system)
        self._items = RoomItems(system)
        self._views = RoomViews(system)

    def operations(self) -> tuple[Operation, ...]:
        """Give the routes."""
        return (
            Operation(
                "POST",
                "/rooms/<room>/invites",
                self.create,
                "Invite by link; the code is told this once",
                body=InviteBody,
                body_is_optional=True,
                answer=NewInvite,
                statuses=(201,),
                refusals=CHANGE_REFUSALS,
            ),
            Operation(
                "GET",
                "/rooms/<room>/invites",
                self.many,
                "List a room's invites",
                answer=PageOf[InviteView],
                query=(*page_queries(self._system.config), MIN_SEQ),
                refusals=GUARDED_REFUSALS,
            ),
            Operation(
                "GET",
                "/rooms/<room>/invites/<code>",
                self.one,
                "Look at an invite, by its id or its code",
                answer=InviteView,
                query=(MIN_SEQ,),
                refusals=GUARDED_REFUSALS,
            ),
            Operation(
                "DELETE",
                "/rooms/<room>/invites/<code>",
                self.revoke,
                "Revoke an invite, by its id or its code",
                statuses=(204,),
                refusals=CHANGE_REFUSALS,
            ),
            Operation(
                "POST",
                "/invites/<code>/accept",
                self.accept,
                "Become a member by an invite",
                answer=RoomView,
                refusals=(ErrorCode.NOT_FOUND, ErrorCode.BANNED, ErrorCode.CONFLICT),
            ),
        )

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        return blueprint_of("invites", self.operations(), accounts=self._system.accounts)

    async def create(self, caller: UserRecord, room: str) -> Response:
        body = await read_body(_invite_body) if await has_body() else InviteBody()
        code, ends = new_code(room), self._end(body)
        await self._access.post(room, CreateInvite(caller.id, invite_id(code), body.role, ends, body.max_uses))
        name, until = invite_id(code), None if ends is None else rfc3339(ends)
        view = NewInvite(name, code, f"/api/v1/invites/{code}/accept", body.role, until, body.max_uses)
        location = f"/api/v1/rooms/{room}/invites/{name}"
        return json_answer(view, status=201, headers={"Location": location, "Cache-Control": "no-store"})

    def _end(self, body: InviteBody) -> int | None:
        now = self._system.wall_ms()
        if body.expires_in is not None and body.expires_at is not None:
            raise Refused(invalid("/expires_at", "give either expires_in or expires_at", code="ambiguous"))
        if body.expires_in is not None:
            return now + body.expires_in * 1000
        return None if body.expires_at is None else read_moment(body.expires_at, "/expires_at", now=now)

    async def many(self, caller: UserRecord, room: str) -> Response:
        page = await self._items.asked(caller, room, ItemKind.INVITE, Invite, needs=Permission.MEMBERS_INVITE)
        return page_answer([_view(invite) for invite in page.items], next_cursor=page.next_cursor)

    async def one(self, caller: UserRecord, room: str, code: str) -> Response:
        await self._access.look(caller, room, needs=Permission.MEMBERS_INVITE)
        name = _id_of(code)
        invite = await self._items.one(room, ItemKind.INVITE, name, Invite) if is_invite_id(name) else None
        if invite is None:
            raise Refused(_NO_SUCH_INVITE)
        return json_answer(_view(invite))

    async def revoke(self, caller: UserRecord, room: str, code: str) -> Response:
        await self._access.post(room, RevokeInvite(caller.id, _id_of(code)))
        return no_content()

    async def accept(self, caller: UserRecord, code: str) -> Response:
        name = room_of(code)
        if name is None:
            raise Refused(_NO_SUCH_INVITE)
        room = self._system.rooms.room(name)
        granted(await room.post(JoinRoom(caller.id, invite_id(code))))
        return await self._views.answer(caller, granted(await room.view(caller.id)))


def _id_of(code: str) -> str:
    """Give the id of an invite that is named by its code or by its id."""
    return code if room_of(code) is None else invite_id(code)


def _view(invite: Invite) -> InviteView:
    return InviteView(
        id=invite.id,
        role=invite.role,
        created_by=invite.by,
        created_at=rfc3339(invite.at),
        expires_at=None if invite.expires_at is None else rfc3339(invite.expires_at),
        max_uses=invite.max_uses,
        uses=invite.uses,
    )
