"""Pins: what a room's members have put up where everybody sees it."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from msgspec import Struct
from quart import Blueprint, Response

from justchat.http.answers import PageAsk, Refused, no_content, page_answer
from justchat.http.message_views import MessageView, shown
from justchat.http.operation import Operation, PageOf, blueprint_of
from justchat.http.room_access import MIN_SEQ, RoomAccess, page_queries
from justchat.http.room_items import RoomItems
from justchat.ids import is_id
from justchat.rooms.commands import NO_SUCH_MESSAGE, PinMessage, UnpinMessage
from justchat.rooms.items import ItemKind, Pin
from justchat.rooms.rules.message_rules import PINS_MAX
from justchat.system import System
from justchat.wire.errors import ErrorCode
from justchat.wire.times import rfc3339
from storage.listing import page_of
from storage.records import MessageRecord, UserRecord

T = TypeVar("T")

_REFUSALS: Final = (
    ErrorCode.NOT_FOUND,
    ErrorCode.FORBIDDEN,
    ErrorCode.NOT_A_MEMBER,
    ErrorCode.MUTED,
    ErrorCode.BANNED,
)


class PinView(Struct, Generic[T], frozen=True):
    """A pinned message, and who pinned it when."""

    message: T
    by: str
    at: str


class PinRoutes:
    """`/rooms/{r}/pins`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._access = RoomAccess(system)
        self._journal = system.storage.journal
        self._items = RoomItems(system)

    def operations(self) -> tuple[Operation, ...]:
        """Give the routes."""
        one = "/rooms/<room>/pins/<message>"
        return (
            Operation(
                "GET",
                "/rooms/<room>/pins",
                self.list_pins,
                "The pinned messages, the newest pin first",
                answer=PageOf[PinView[MessageView]],
                query=(*page_queries(self._system.config), MIN_SEQ),
            ),
            Operation(
                "PUT", one, self.pin, "Pin a message", statuses=(204,), refusals=(*_REFUSALS, ErrorCode.CONFLICT)
            ),
            Operation("DELETE", one, self.unpin, "Pin a message no longer", statuses=(204,), refusals=_REFUSALS),
        )

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        return blueprint_of("pins", self.operations(), accounts=self._system.accounts)

    async def list_pins(self, caller: UserRecord, room: str) -> Response:
        ask = self._access.read_page()
        access = await self._access.look(caller, room)
        # All of them: they are few, and kept under their messages and not in the order of the pins.
        every = PageAsk(None, PINS_MAX)
        found = (await self._items.page(ItemKind.PIN, Pin, every, room=room, floor=access.floor)).items
        pins = [pin for pin in found if ask.cursor is None or _place(pin) < ask.cursor]
        pins.sort(key=_place, reverse=True)
        page = page_of(pins[: ask.limit + 1], ask.limit, _place)
        records = {record.id: record for record in await self._messages([pin.message for pin in page.items])}
        present = [pin for pin in page.items if pin.message in records]
        messages = await shown(self._journal, caller.id, [records[pin.message] for pin in present])
        items = [PinView(message, pin.by, rfc3339(pin.at)) for message, pin in zip(messages, present, strict=True)]
        return page_answer(items, next_cursor=page.next_cursor)

    async def _messages(self, ids: list[str]) -> list[MessageRecord]:
        return await self._journal.messages_by_id(ids) if ids else []

    async def pin(self, caller: UserRecord, room: str, message: str) -> Response:
        await self._access.post(room, PinMessage(caller.id, _checked(message)))
        return no_content()

    async def unpin(self, caller: UserRecord, room: str, message: str) -> Response:
        await self._access.post(room, UnpinMessage(caller.id, _checked(message)))
        return no_content()


def _checked(message: str) -> str:
    """Give the message of an address, which may hold what no store takes for a text. Raises Refused."""
    if not is_id("m", message):
        raise Refused(NO_SUCH_MESSAGE)
    return message


def _place(pin: Pin) -> str:
    """Give the place of a pin in the order of the pins."""
    return f"{pin.at:015d}.{pin.message}"
