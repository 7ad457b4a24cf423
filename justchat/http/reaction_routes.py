"""Reactions to messages: one's own are put and taken back, everybody's are listed.

A cursor here holds an emoji, which a query string need not be able to hold: so cursors are quoted as addresses are.
"""

from __future__ import annotations

from itertools import groupby
from typing import Annotated, Final
from urllib.parse import quote, unquote

from msgspec import Meta, Struct
from quart import Blueprint, Response, request

from justchat.http.answers import PageAsk, Refused, no_content, page_answer
from justchat.http.message_access import MessageAccess
from justchat.http.operation import Operation, PageOf, Query, blueprint_of
from justchat.http.room_access import MIN_SEQ, RoomAccess, page_queries
from justchat.http.room_items import RoomItems
from justchat.rooms.commands import React, Unreact
from justchat.rooms.items import ItemKind, Reaction
from justchat.system import System
from justchat.wire.emoji import EMOJI_MAX_CHARACTERS, emoji_problem
from justchat.wire.errors import ErrorCode, invalid
from justchat.wire.events import decode_message
from justchat.wire.server_frames import UserView
from storage.records import UserRecord

_REFUSALS: Final = (
    ErrorCode.NOT_FOUND,
    ErrorCode.FORBIDDEN,
    ErrorCode.NOT_A_MEMBER,
    ErrorCode.MUTED,
    ErrorCode.BANNED,
    ErrorCode.CONFLICT,
    ErrorCode.VALIDATION_FAILED,
)


class ReactionItem(Struct, frozen=True):
    """Who reacted with one emoji. `count` is of all pages; those of one emoji may go on on the next."""

    emoji: str
    count: int
    users: tuple[UserView, ...]


class ReactionRoutes:
    """`/messages/{m}/reactions`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._access = MessageAccess(system)
        self._rooms = RoomAccess(system)
        self._items = RoomItems(system)

    def operations(self) -> tuple[Operation, ...]:
        """Give the routes."""
        one = "/messages/<message>/reactions/<emoji>"
        emoji = Annotated[str, Meta(min_length=1, max_length=EMOJI_MAX_CHARACTERS)]
        paging = page_queries(self._system.config)
        return (
            Operation("PUT", one, self.add, "React to a message", statuses=(204,), refusals=_REFUSALS),
            Operation("DELETE", one, self.remove, "Take a reaction back", statuses=(204,), refusals=_REFUSALS),
            Operation(
                "GET",
                "/messages/<message>/reactions",
                self.list_reactions,
                "Who reacted to a message, emoji by emoji",
                answer=PageOf[ReactionItem],
                query=(
                    Query("emoji", emoji, "Only those with this emoji"),
                    *paging,
                    MIN_SEQ,
                ),
            ),
        )

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        return blueprint_of("reactions", self.operations(), accounts=self._system.accounts)

    async def add(self, caller: UserRecord, message: str, emoji: str) -> Response:
        await self._access.post(message, React(caller.id, message, _checked(emoji)))
        return no_content()

    async def remove(self, caller: UserRecord, message: str, emoji: str) -> Response:
        await self._access.post(message, Unreact(caller.id, message, _checked(emoji)))
        return no_content()

    async def list_reactions(self, caller: UserRecord, message: str) -> Response:
        ask, emoji = self._rooms.read_page(), request.args.get("emoji")
        record = (await self._access.see(caller, message)).record
        start = f"{record.id}/"
        prefix = start if emoji is None else f"{start}{_checked(emoji)}/"
        within = PageAsk(None if ask.cursor is None else start + _read_cursor(ask.cursor), ask.limit)
        page = await self._items.page(ItemKind.REACTION, Reaction, within, room=record.room, prefix=prefix)
        reactions = page.items
        counts = {reaction.emoji: reaction.count for reaction in decode_message(record.doc).reactions}
        users = await self._rooms.users(reaction.user for reaction in reactions)
        items = [
            ReactionItem(emoji, counts.get(emoji, 0), tuple(users[one.user] for one in of_it if one.user in users))
            for emoji, of_it in groupby(reactions, key=lambda reaction: reaction.emoji)
        ]
        cursor = None if page.next_cursor is None else quote(page.next_cursor.removeprefix(start))
        return page_answer(items, next_cursor=cursor)


def _checked(emoji: str) -> str:
    """Give the emoji of an address or a query. Raises Refused."""
    refusal = emoji_problem(emoji, pointer="/emoji")
    if refusal:
        raise Refused(refusal)
    return emoji


def _read_cursor(cursor: str) -> str:
    """Undo what a cursor was quoted with: any text is a position, if it is text. Raises Refused."""
    position = unquote(cursor)
    if "\0" in position:
        raise Refused(invalid("/cursor", "this is no cursor"))
    return position
