"""Reports: what somebody tells the moderators of a room about a message, for the moderators' eyes only."""

from __future__ import annotations

from typing import Annotated, Final, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct
from quart import Blueprint, Response

from justchat.http.answers import Refused, no_content, page_answer, read_body
from justchat.http.message_access import MessageAccess
from justchat.http.message_views import MessageView, shown
from justchat.http.operation import Operation, PageOf, blueprint_of
from justchat.http.room_access import MIN_SEQ, RoomAccess, page_queries
from justchat.http.room_items import RoomItems
from justchat.ids import is_id
from justchat.rooms.items import ItemKind, Report
from justchat.rooms.kept_commands import DismissReport, ReportMessage
from justchat.rooms.permissions import Permission
from justchat.system import System
from justchat.wire.errors import ErrorCode, Refusal, invalid
from justchat.wire.server_frames import UserView
from justchat.wire.times import rfc3339
from storage.records import UserRecord

T = TypeVar("T")

REASON_MAX_CHARACTERS: Final = 1000
_NO_SUCH_REPORT: Final = Refusal(ErrorCode.NOT_FOUND, "there is no such report")


class ReportBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Why moderators should look at the message."""

    reason: Annotated[str, Meta(min_length=1, max_length=REASON_MAX_CHARACTERS)]


class ReportView(Struct, Generic[T], frozen=True):
    """A report: the message as it reads now, and who says what about it."""

    message: T
    user: UserView
    reason: str
    at: str


_report_body: Final = msgspec.json.Decoder(ReportBody)


class ReportRoutes:
    """`/messages/{m}/reports` and `/rooms/{r}/reports`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._rooms = RoomAccess(system)
        self._access = MessageAccess(system)
        self._journal = system.storage.journal
        self._items = RoomItems(system)

    def operations(self) -> tuple[Operation, ...]:
        """Give the routes."""
        refusals = (ErrorCode.NOT_FOUND, ErrorCode.FORBIDDEN, ErrorCode.NOT_A_MEMBER, ErrorCode.BANNED)
        return (
            Operation(
                "POST",
                "/messages/<message>/reports",
                self.report,
                "Report a message to the room's moderators",
                body=ReportBody,
                statuses=(204,),
                refusals=(*refusals, ErrorCode.CONFLICT, ErrorCode.VALIDATION_FAILED),
            ),
            Operation(
                "GET",
                "/rooms/<room>/reports",
                self.list_reports,
                "The reports that are open, for moderators",
                answer=PageOf[ReportView[MessageView]],
                query=(*page_queries(self._system.config), MIN_SEQ),
                refusals=refusals,
            ),
            Operation(
                "DELETE",
                "/rooms/<room>/reports/<message>/<user>",
                self.dismiss,
                "Dismiss a user's report of a message",
                statuses=(204,),
                refusals=refusals,
            ),
        )

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        return blueprint_of("reports", self.operations(), accounts=self._system.accounts)

    async def report(self, caller: UserRecord, message: str) -> Response:
        reason = (await read_body(_report_body)).reason.strip()
        if not reason:
            raise Refused(invalid("/reason", "a report needs a reason", code="blank"))
        await self._access.post(message, ReportMessage(caller.id, message, reason))
        return no_content()

    async def list_reports(self, caller: UserRecord, room: str) -> Response:
        page = await self._items.asked(caller, room, ItemKind.REPORT, Report, needs=Permission.MESSAGES_DELETE_ANY)
        reports = page.items
        users = await self._rooms.users(report.user for report in reports)
        ids = list(dict.fromkeys(report.message for report in reports))
        records = await self._journal.messages_by_id(ids) if ids else []
        views = await shown(self._journal, caller.id, records)
        messages = {record.id: view for record, view in zip(records, views, strict=True)}
        items = [
            ReportView(messages[report.message], users[report.user], report.reason, rfc3339(report.at))
            for report in reports
            if report.message in messages and report.user in users
        ]
        return page_answer(items, next_cursor=page.next_cursor)

    async def dismiss(self, caller: UserRecord, room: str, message: str, user: str) -> Response:
        if not (is_id("m", message) and is_id("u", user)):
            raise Refused(_NO_SUCH_REPORT)
        await self._rooms.post(room, DismissReport(caller.id, message, user))
        return no_content()
