"""The life of a message: posted, read, edited, deleted, replied to."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from quart import Blueprint, Response

from justchat.http.answers import Refused, granted, json_answer, no_content, page_answer, read_body
from justchat.http.entity_tags import NEVER, entity_tag, read_if_match
from justchat.http.message_access import MessageAccess
from justchat.http.message_views import MessageView, shown
from justchat.http.operation import Operation, PageOf, blueprint_of
from justchat.http.room_access import MIN_SEQ, RoomAccess, page_queries
from justchat.http.room_items import RoomItems
from justchat.rooms.commands import NO_SUCH_MESSAGE, Accepted, BulkDelete, DeleteMessage
from justchat.rooms.items import ItemKind, Reply
from justchat.rooms.posts import Content, edit, post
from justchat.system import System
from justchat.wire.errors import ErrorCode
from justchat.wire.events import decode_message
from justchat.wire.frames import ClientMsgId, Id, Rev
from justchat.wire.times import rfc3339
from storage.records import MessageRecord, UserRecord

BULK_MAX: Final = 100

# What any command about a message may meet.
_MESSAGE: Final = (ErrorCode.NOT_FOUND, ErrorCode.FORBIDDEN, ErrorCode.NOT_A_MEMBER)
_SPEAKING: Final = (ErrorCode.MUTED, ErrorCode.BANNED)


class PostBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A post. `client_msg_id` makes its repeat harmless; `expires_in` is seconds."""

    client_msg_id: ClientMsgId
    body: str
    reply_to: Id | None = None
    thread_root: Id | None = None
    mentions: tuple[Id, ...] = ()
    expires_in: int | None = None


class EditBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A message's new text. `rev`, if given, must be that of the text that the editor saw."""

    body: str
    rev: Rev | None = None


class BulkDeleteBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The messages that go."""

    messages: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=BULK_MAX)]


_REPLAYED: Final = {"Idempotent-Replayed": "true"}
_post_body: Final = msgspec.json.Decoder(PostBody)
_edit_body: Final = msgspec.json.Decoder(EditBody)
_bulk_delete_body: Final = msgspec.json.Decoder(BulkDeleteBody)


class MessageRoutes:
    """`/messages/{m}`, and what adds messages to a room and takes them away."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._access = MessageAccess(system)
        self._rooms = RoomAccess(system)
        self._journal = system.storage.journal
        self._items = RoomItems(system)

    def operations(self) -> tuple[Operation, ...]:
        """List the routes."""
        return (*self._room_operations(), *self._message_operations(), *self._listings())

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        return blueprint_of("messages", self.operations(), accounts=self._system.accounts)

    def _room_operations(self) -> tuple[Operation, ...]:
        refusals = (*_MESSAGE, *_SPEAKING, ErrorCode.VALIDATION_FAILED)
        return (
            Operation(
                "POST",
                "/rooms/<room>/messages",
                self.create,
                "Post a message; a repeat of the same `client_msg_id` is answered with the first one",
                body=PostBody,
                answer=MessageView,
                statuses=(201, 200),
                refusals=(*refusals, ErrorCode.SLOW_MODE, ErrorCode.IDEMPOTENCY_MISMATCH),
            ),
            Operation(
                "POST",
                "/rooms/<room>/messages/bulk-delete",
                self.bulk_delete,
                "Turn several messages into tombstones at once: all of them, or none",
                body=BulkDeleteBody,
                statuses=(204,),
                refusals=refusals,
            ),
        )

    def _message_operations(self) -> tuple[Operation, ...]:
        path = "/messages/<message>"
        return (
            Operation(
                "GET",
                path,
                self.one,
                "A message as it reads now; `ETag` is its version",
                answer=MessageView,
                query=(MIN_SEQ,),
            ),
            Operation(
                "PATCH",
                path,
                self.edit,
                "Change one's own message, with `If-Match` or `rev` only if it still is the version that was read",
                body=EditBody,
                answer=MessageView,
                refusals=(
                    *_MESSAGE,
                    *_SPEAKING,
                    ErrorCode.CONFLICT,
                    ErrorCode.PRECONDITION_FAILED,
                    ErrorCode.VALIDATION_FAILED,
                ),
            ),
            Operation(
                "DELETE",
                path,
                self.delete,
                "Turn a message into a tombstone; a repeat is harmless",
                statuses=(204,),
                refusals=_MESSAGE,
            ),
        )

    def _listings(self) -> tuple[Operation, ...]:
        return (
            Operation(
                "GET",
                "/messages/<message>/replies",
                self.replies,
                "The thread that begins with a message, oldest first",
                answer=PageOf[MessageView],
                query=(*page_queries(self._system.config), MIN_SEQ),
            ),
        )

    async def create(self, caller: UserRecord, room: str) -> Response:
        body = await read_body(_post_body)
        command = post(
            caller.id,
            client_msg_id=body.client_msg_id,
            body=body.body,
            content=Content(body.reply_to, body.thread_root, body.mentions, body.expires_in),
            max_characters=self._system.config.body_max_characters,
        )
        answer = granted(await self._system.rooms.room(room).post(granted(command)))
        record = await self._journal.message(answer.message_id or "")
        if record is None:
            return await self._trimmed(caller, room, body.client_msg_id, answer)
        if answer.duplicate:
            return await self._shown(caller, record, headers=_REPLAYED)
        return await self._shown(caller, record, status=201, headers={"Location": f"/api/v1/messages/{record.id}"})

    async def _trimmed(self, caller: UserRecord, room: str, client_msg_id: str, answer: Accepted) -> Response:
        """Answer the repeat of a post that is kept no longer with what its entry still says: there was one."""
        entries = await self._journal.read(room, after=answer.seq - 1, upto=answer.seq, limit=1)
        if not (answer.duplicate and entries):
            raise Refused(NO_SUCH_MESSAGE)
        view = MessageView(
            id=answer.message_id or "",
            room=room,
            seq=answer.seq,
            msg_no=answer.msg_no or 0,
            rev=1,
            author=caller.id,
            body="",
            created_at=rfc3339(entries[0].ts),
            client_msg_id=client_msg_id,
            deleted=True,
        )
        return json_answer(view, headers=_REPLAYED)

    async def one(self, caller: UserRecord, message: str) -> Response:
        return await self._shown(caller, (await self._access.see(caller, message)).record)

    async def edit(self, caller: UserRecord, message: str) -> Response:
        body = await read_body(_edit_body)
        record = (await self._access.see(caller, message)).record
        command = edit(
            caller.id,
            message,
            body=body.body,
            rev=_wanted_rev(decode_message(record.doc).rev, named=body.rev),
            max_characters=self._system.config.body_max_characters,
        )
        await self._access.post(message, granted(command))
        return await self._shown(caller, (await self._access.see(caller, message)).record)

    async def delete(self, caller: UserRecord, message: str) -> Response:
        await self._access.post(message, DeleteMessage(caller.id, message))
        return no_content()

    async def bulk_delete(self, caller: UserRecord, room: str) -> Response:
        body = await read_body(_bulk_delete_body)
        await self._rooms.post(room, BulkDelete(caller.id, body.messages))
        return no_content()

    async def replies(self, caller: UserRecord, message: str) -> Response:
        ask = self._rooms.read_page()
        root = (await self._access.see(caller, message)).record
        page = await self._items.page(ItemKind.REPLY, Reply, ask, room=root.room, prefix=f"{root.id}/")
        ids = [reply.message for reply in page.items]
        records = {record.id: record for record in await self._journal.messages_by_id(ids)} if ids else {}
        found = [records[reply] for reply in ids if reply in records]
        return page_answer(await shown(self._journal, caller.id, found), next_cursor=page.next_cursor)

    async def _shown(
        self, caller: UserRecord, record: MessageRecord, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        (view,) = await shown(self._journal, caller.id, [record])
        tag = entity_tag(decode_message(record.doc).rev)
        return json_answer(view, status=status, headers={**tag, **(headers or {})})


def _wanted_rev(present: int, *, named: int | None) -> int | None:
    """Give the version to change: None for any, NEVER if what the caller wants cannot be.

    `present` is the version as it stands, `named` one that the body names: then it has to be that one. Raises Refused.
    """
    tags = read_if_match()
    wanted = present if named is None else named
    if tags is None:
        return named
    return wanted if str(wanted) in tags else NEVER
