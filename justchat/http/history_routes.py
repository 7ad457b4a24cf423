"""A room's past: its messages as they read now, and its journal as it was written, both by seq.

Nobody is shown what lies at or below their floor: what is trimmed, and in some rooms what was there before they came.
A page of the journal says where that is, and why it does not begin where it was asked to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct
from quart import Blueprint, Response

from justchat.http.answers import Refused, json_answer, page_answer, read_number
from justchat.http.message_views import MessageView, shown
from justchat.http.operation import Operation, PageOf, Query, blueprint_of
from justchat.http.room_access import MIN_SEQ, RoomAccess, page_queries
from justchat.rooms.queries import Access
from justchat.system import System
from justchat.wire.errors import invalid
from justchat.wire.events import EventFrame
from storage.records import Entry, MessageRecord, UserRecord

T = TypeVar("T")

_SEQ_MAX: Final = 2**53 - 1
_Seq = Annotated[int, Meta(ge=0, le=_SEQ_MAX)]
_BEFORE: Final = Query("before", _Seq, "The newest below this seq")
_AFTER: Final = Query("after", _Seq, "The oldest above this seq")
_AROUND: Final = Query("around", _Seq, "Those next to this seq, on both sides")


class Range(Struct, frozen=True):
    """Which part of a history is asked for; at most one of the positions is set."""

    before: int | None
    after: int | None
    around: int | None
    limit: int


class EventsPage(Struct, Generic[T], frozen=True, omit_defaults=True):
    """A part of the journal, ascending. `more` says whether there is more in the asked direction.

    The caller sees what lies above `floor_seq`. `reset` says why a page begins there instead of above `after`.
    """

    items: tuple[T, ...]
    head_seq: int
    epoch: str
    more: bool
    floor_seq: int
    reset: str | None = None


class HistoryRoutes:
    """`/rooms/{r}/messages` and `/rooms/{r}/events`, as they are read."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._access = RoomAccess(system)
        self._journal = system.storage.journal

    def operations(self) -> tuple[Operation, ...]:
        """List the routes."""
        _, limit = page_queries(self._system.config)
        return (
            Operation(
                "GET",
                "/rooms/<room>/messages",
                self.messages,
                "A part of a room's messages, as they read now, by seq",
                answer=PageOf[MessageView],
                query=(_BEFORE, _AFTER, _AROUND, limit, MIN_SEQ),
            ),
            Operation(
                "GET",
                "/rooms/<room>/events",
                self.events,
                "A part of a room's journal, byte for byte, by seq",
                answer=EventsPage[EventFrame],
                query=(_BEFORE, _AFTER, limit, MIN_SEQ),
            ),
        )

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        return blueprint_of("history", self.operations(), accounts=self._system.accounts)

    def _read_range(self) -> Range:
        config = self._system.config
        before, after, around = (read_number(name, low=0, high=_SEQ_MAX) for name in ("before", "after", "around"))
        if sum(value is not None for value in (before, after, around)) > 1:
            raise Refused(invalid("", "give at most one of before, after and around", code="ambiguous"))
        limit = read_number("limit", low=1, high=config.history_page_max) or config.history_page_default
        return Range(before, after, around, limit)

    async def messages(self, caller: UserRecord, room: str) -> Response:
        span = self._read_range()
        access = await self._access.look(caller, room)
        records = await self._messages(room, span, access)
        seen = [record for record in records if record.seq > access.floor]
        return page_answer(await shown(self._journal, caller.id, seen), next_cursor=None)

    async def _messages(self, room: str, span: Range, access: Access) -> list[MessageRecord]:
        head, floor = access.head, access.floor
        if span.around is None:
            after = None if span.after is None else max(span.after, floor)
            return await self._journal.messages(room, before=span.before, after=after, upto=head, limit=span.limit)
        older = await self._journal.messages(room, before=span.around, upto=head, limit=span.limit // 2)
        newer = await self._journal.messages(
            room, after=max(span.around - 1, floor), upto=head, limit=span.limit - span.limit // 2
        )
        return [*older, *newer]

    async def events(self, caller: UserRecord, room: str) -> Response:
        span = self._read_range()
        if span.around is not None:
            raise Refused(invalid("/around", "events are read before or after a seq", code="unknown"))
        access = await self._access.look(caller, room)
        if span.before is not None:
            before = min(span.before, access.head + 1)
            entries = await self._journal.read_back(room, before=before, limit=span.limit)
        else:
            after = max(span.after or 0, access.floor)
            entries = await self._journal.read(room, after=after, upto=access.head, limit=span.limit)
        return json_answer(_events_page(entries, span, access))


def _events_page(entries: Sequence[Entry], span: Range, access: Access) -> EventsPage[msgspec.Raw]:
    # What was trimmed since the room was asked is empty by now, and so is everything that could be said of it.
    trimmed = max([access.trimmed, *(entry.seq for entry in entries if not entry.body)])
    floor = max(access.floor, trimmed)
    seen = [entry for entry in entries if entry.seq > floor]
    if span.before is not None:
        more = bool(seen) and seen[0].seq > floor + 1
    else:
        more = bool(entries) and entries[-1].seq < access.head
    reset = None
    if span.after is not None and span.after < floor:
        reset = "retention" if span.after < trimmed else "history_visibility"
    items = tuple(msgspec.Raw(entry.body) for entry in seen)
    return EventsPage(items, access.head, access.epoch, more, floor, reset)
