"""Messages and events: post, read, delete; and a room's journal by seq."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct
from quart import Blueprint, Response

from justchat.http.answers import Refused, granted, no_content, raw_answer, read_body, read_number
from justchat.http.caller import for_caller
from justchat.rooms.commands import NO_SUCH_MESSAGE, NO_SUCH_ROOM, DeleteMessage
from justchat.rooms.posts import post
from justchat.system import System
from justchat.wire.errors import invalid
from justchat.wire.frames import ClientMsgId, Id
from storage.records import MessageRecord, UserRecord

_SEQ_MAX = 2**53 - 1


class PostBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A post. `client_msg_id` makes its repeat harmless."""

    client_msg_id: ClientMsgId
    body: str
    reply_to: Id | None = None


_post_body = msgspec.json.Decoder(PostBody)


class Range(Struct, frozen=True):
    """Which part of a history is asked for; at most one of the positions is set."""

    before: int | None
    after: int | None
    around: int | None
    limit: int


def _joined(items: Sequence[bytes]) -> bytes:
    """Make a JSON array of items that are JSON already."""
    return b"[" + b",".join(items) + b"]"


class MessageRoutes:
    """`/rooms/{r}/messages`, `/messages/{m}` and `/rooms/{r}/events`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._journal = system.storage.journal

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        routes = Blueprint("messages", __name__)
        as_caller = for_caller(self._system.accounts)
        routes.post("/rooms/<room>/messages")(as_caller(self.create))
        routes.get("/rooms/<room>/messages")(as_caller(self.history))
        routes.get("/rooms/<room>/events")(as_caller(self.events))
        routes.get("/messages/<message>")(as_caller(self.one))
        routes.delete("/messages/<message>")(as_caller(self.delete))
        return routes

    def _read_range(self) -> Range:
        config = self._system.config
        before, after, around = (read_number(name, low=0, high=_SEQ_MAX) for name in ("before", "after", "around"))
        if sum(value is not None for value in (before, after, around)) > 1:
            raise Refused(invalid("", "give at most one of before, after and around", code="ambiguous"))
        limit = read_number("limit", low=1, high=config.history_page_max) or config.history_page_default
        return Range(before, after, around, limit)

    async def create(self, caller: UserRecord, room: str) -> Response:
        body = await read_body(_post_body)
        command = post(
            caller.id,
            client_msg_id=body.client_msg_id,
            body=body.body,
            reply_to=body.reply_to,
            max_characters=self._system.config.body_max_characters,
        )
        answer = granted(await self._system.rooms.room(room).post(granted(command)))
        record = await self._journal.message(answer.message_id or "")
        if record is None:
            raise Refused(NO_SUCH_MESSAGE)
        if answer.duplicate:
            return raw_answer(record.doc, headers={"Idempotent-Replayed": "true"})
        return raw_answer(record.doc, status=201, headers={"Location": f"/api/v1/messages/{record.id}"})

    async def _find(self, caller: UserRecord, message: str) -> MessageRecord:
        record = await self._journal.message(message)
        access = NO_SUCH_ROOM if record is None else await self._system.rooms.room(record.room).look(caller.id)
        if record is None or access is NO_SUCH_ROOM:
            raise Refused(NO_SUCH_MESSAGE)
        granted(access)
        return record

    async def one(self, caller: UserRecord, message: str) -> Response:
        return raw_answer((await self._find(caller, message)).doc)

    async def delete(self, caller: UserRecord, message: str) -> Response:
        record = await self._find(caller, message)
        granted(await self._system.rooms.room(record.room).post(DeleteMessage(caller.id, message)))
        return no_content()

    async def history(self, caller: UserRecord, room: str) -> Response:
        span = self._read_range()
        access = granted(await self._system.rooms.room(room).look(caller.id))
        records = await self._messages(room, span, head=access.head)
        return raw_answer(b'{"items":' + _joined([record.doc for record in records]) + b',"next_cursor":null}')

    async def _messages(self, room: str, span: Range, *, head: int) -> list[MessageRecord]:
        if span.around is None:
            return await self._journal.messages(room, before=span.before, after=span.after, upto=head, limit=span.limit)
        older = await self._journal.messages(room, before=span.around, upto=head, limit=span.limit // 2)
        newer = await self._journal.messages(
            room, after=max(span.around - 1, 0), upto=head, limit=span.limit - span.limit // 2
        )
        return [*older, *newer]

    async def events(self, caller: UserRecord, room: str) -> Response:
        span = self._read_range()
        if span.around is not None:
            raise Refused(invalid("/around", "events are read before or after a seq", code="unknown"))
        access = granted(await self._system.rooms.room(room).look(caller.id))
        if span.before is not None:
            before = min(span.before, access.head + 1)
            entries = await self._journal.read_back(room, before=before, limit=span.limit)
            more = bool(entries) and entries[0].seq > 1
        else:
            entries = await self._journal.read(room, after=span.after or 0, upto=access.head, limit=span.limit)
            more = bool(entries) and entries[-1].seq < access.head
        tail = f',"head_seq":{access.head},"epoch":"{access.epoch}","more":{"true" if more else "false"}}}'
        return raw_answer(b'{"items":' + _joined([entry.body for entry in entries]) + tail.encode())
