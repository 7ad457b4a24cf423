"""Posts that wait for their time. They are their author's alone until then: nobody else can list or cancel them."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct
from quart import Blueprint, Response

from justchat.http.answers import Refused, granted, json_answer, no_content, page_answer, read_body
from justchat.http.moments import Moment, read_moment
from justchat.http.operation import Operation, PageOf, blueprint_of
from justchat.http.room_access import MIN_SEQ, RoomAccess, page_queries
from justchat.http.room_items import RoomItems
from justchat.ids import is_id, new_id
from justchat.rooms.items import ItemKind, Scheduled, scheduled_key
from justchat.rooms.kept_commands import ScheduleMessage, Unschedule
from justchat.rooms.posts import Content, post
from justchat.rooms.rules.kept_rules import scheduled_of
from justchat.system import System
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.frames import Id
from justchat.wire.times import rfc3339
from storage.records import UserRecord

_NONE: Final = Refusal(ErrorCode.NOT_FOUND, "you have no such scheduled post here")


class ScheduleBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A post, and when it is to be posted: in the future, and within a year. `expires_in` is seconds from then."""

    body: str
    send_at: Moment
    reply_to: Id | None = None
    thread_root: Id | None = None
    mentions: tuple[Id, ...] = ()
    expires_in: int | None = None


class ScheduledView(Struct, frozen=True, omit_defaults=True):
    """A post that waits. `failed` is the code of the refusal that it met when its time had come."""

    id: str
    room: str
    body: str
    send_at: str
    created_at: str
    reply_to: str | None = None
    thread_root: str | None = None
    mentions: tuple[str, ...] = ()
    expires_in: int | None = None
    failed: str | None = None


_schedule_body: Final = msgspec.json.Decoder(ScheduleBody)


class ScheduledRoutes:
    """`/rooms/{r}/scheduled`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._access = RoomAccess(system)
        self._items = RoomItems(system)

    def operations(self) -> tuple[Operation, ...]:
        """Give the routes."""
        every, one = "/rooms/<room>/scheduled", "/rooms/<room>/scheduled/<scheduled>"
        return (
            Operation(
                "POST",
                every,
                self.schedule,
                "Post a message later",
                body=ScheduleBody,
                answer=ScheduledView,
                statuses=(201,),
                refusals=(
                    ErrorCode.NOT_FOUND,
                    ErrorCode.FORBIDDEN,
                    ErrorCode.NOT_A_MEMBER,
                    ErrorCode.MUTED,
                    ErrorCode.BANNED,
                    ErrorCode.CONFLICT,
                    ErrorCode.VALIDATION_FAILED,
                ),
            ),
            Operation(
                "GET",
                every,
                self.list_scheduled,
                "One's own posts that wait, and those that could not be posted, oldest first",
                answer=PageOf[ScheduledView],
                query=(*page_queries(self._system.config), MIN_SEQ),
            ),
            Operation(
                "GET",
                one,
                self.one,
                "A post of one's own that waits",
                answer=ScheduledView,
                query=(MIN_SEQ,),
            ),
            Operation(
                "DELETE",
                one,
                self.unschedule,
                "Do not post it",
                statuses=(204,),
                refusals=(ErrorCode.NOT_FOUND, ErrorCode.NOT_A_MEMBER, ErrorCode.BANNED),
            ),
        )

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        return blueprint_of("scheduled", self.operations(), accounts=self._system.accounts)

    async def schedule(self, caller: UserRecord, room: str) -> Response:
        body = await read_body(_schedule_body)
        now, scheduled = self._system.wall_ms(), new_id("s")
        content = Content(body.reply_to, body.thread_root, body.mentions, body.expires_in)
        # What could not be posted now cannot be posted later either.
        most = self._system.config.body_max_characters
        granted(post(caller.id, client_msg_id=scheduled, body=body.body, content=content, max_characters=most))
        command = ScheduleMessage(
            caller.id,
            scheduled,
            due_at=read_moment(body.send_at, "/send_at", now=now),
            body=body.body,
            reply_to=body.reply_to,
            thread_root=body.thread_root,
            mentions=body.mentions,
            expires_in=body.expires_in,
        )
        await self._access.post(room, command)
        kept = await self._items.one(room, ItemKind.SCHEDULED, scheduled_key(caller.id, scheduled), Scheduled)
        # What was due at once is posted by now.
        view = _view(room, kept or scheduled_of(command, created_at=now))
        return json_answer(view, status=201, headers={"Location": f"/api/v1/rooms/{room}/scheduled/{command.id}"})

    async def list_scheduled(self, caller: UserRecord, room: str) -> Response:
        own = scheduled_key(caller.id, "")
        page = await self._items.asked(caller, room, ItemKind.SCHEDULED, Scheduled, prefix=own)
        return page_answer([_view(room, scheduled) for scheduled in page.items], next_cursor=page.next_cursor)

    async def one(self, caller: UserRecord, room: str, scheduled: str) -> Response:
        await self._access.look(caller, room)
        if not is_id("s", scheduled):
            raise Refused(_NONE)
        found = await self._items.one(room, ItemKind.SCHEDULED, scheduled_key(caller.id, scheduled), Scheduled)
        if found is None:
            raise Refused(_NONE)
        return json_answer(_view(room, found))

    async def unschedule(self, caller: UserRecord, room: str, scheduled: str) -> Response:
        if not is_id("s", scheduled):
            raise Refused(_NONE)
        await self._access.post(room, Unschedule(caller.id, scheduled))
        return no_content()


def _view(room: str, scheduled: Scheduled) -> ScheduledView:
    return ScheduledView(
        id=scheduled.id,
        room=room,
        body=scheduled.body,
        send_at=rfc3339(scheduled.send_at),
        created_at=rfc3339(scheduled.created_at),
        reply_to=scheduled.reply_to,
        thread_root=scheduled.thread_root,
        mentions=scheduled.mentions,
        expires_in=scheduled.expires_in,
        failed=scheduled.failed,
    )
