"""Read markers: how far one has read a room."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct
from quart import Blueprint, Response

from justchat.http.answers import granted, no_content, read_body
from justchat.http.operation import Operation, blueprint_of
from justchat.rooms.reading import Reading
from justchat.system import System
from justchat.wire.errors import ErrorCode
from justchat.wire.frames import Seq
from storage.records import UserRecord


class ReadBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Up to which seq everything has been read; beyond the room's head it is the head."""

    seq: Seq


_read_body: Final = msgspec.json.Decoder(ReadBody)


class ReadRoutes:
    """`/rooms/{r}/read`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._reading = Reading(system.rooms, system.storage.journal, system.storage.relations)

    def operations(self) -> tuple[Operation, ...]:
        """Give the routes."""
        return (
            Operation(
                "PUT",
                "/rooms/<room>/read",
                self.mark,
                "Say how far one has read a room; it only moves forward, and a repeat is harmless",
                body=ReadBody,
                statuses=(204,),
                refusals=(ErrorCode.NOT_FOUND, ErrorCode.NOT_A_MEMBER, ErrorCode.VALIDATION_FAILED),
            ),
        )

    def blueprint(self) -> Blueprint:
        """Build the routes."""
        return blueprint_of("read", self.operations(), accounts=self._system.accounts)

    async def mark(self, caller: UserRecord, room: str) -> Response:
        body = await read_body(_read_body)
        granted(await self._reading.mark(room, caller.id, upto=body.seq))
        return no_content()
