"""Rooms in answers: with whom a direct room is with, what is unread, and as one room, with the version that it has.

A room knows people by their ids, so that names are never older than the accounts; here they are put in, for a whole
list with one look. Somebody whose account is gone is shown by the id alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace
from quart import Response

from justchat.http.answers import json_answer
from justchat.http.entity_tags import NEVER, entity_tag, read_if_match
from justchat.http.room_access import RoomAccess
from justchat.rooms.queries import Access, view_of_record
from justchat.rooms.reading import Read, Reading, standing_of
from justchat.system import System
from justchat.wire.server_frames import RoomView
from storage.records import MemberRecord, RoomRecord, UserRecord


def version_of(view: RoomView) -> str:
    """Name the state that a room was seen in: whatever happens in it makes another one."""
    return f"{view.epoch}.{view.head_seq}"


class RoomViews:
    """Views of rooms, ready to be answered with."""

    def __init__(self, system: System) -> None:
        self._access = RoomAccess(system)
        self._rooms = system.rooms
        self._reading = Reading(system.rooms, system.storage.journal, system.storage.relations)

    async def of_rows(
        self, caller: UserRecord, rows: Iterable[tuple[RoomRecord, MemberRecord | None]]
    ) -> list[RoomView]:
        """Show rooms in a list, each with the caller's membership, if there is one."""
        listed = list(rows)
        own = [standing_of(room, member) for room, member in listed if member is not None]
        reads = await self._reading.of(caller.id, own) if own else {}
        return await self.named([_with_read(view_of_record(*row), reads.get(row[0].id)) for row in listed])

    async def named(self, views: Sequence[RoomView]) -> list[RoomView]:
        """Put in whom the direct rooms among these are with."""
        users = await self._access.users(view.peer.id for view in views if view.peer is not None)
        return [view if view.peer is None else replace(view, peer=users.get(view.peer.id, view.peer)) for view in views]

    async def answer(
        self, caller: UserRecord, view: RoomView, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        """Answer with one room."""
        # Who has just lost the right to look has read nothing.
        access = await self._rooms.room(view.id).look(caller.id)
        read = await self._reading.read(caller.id, view.id, access) if isinstance(access, Access) else None
        (named,) = await self.named([_with_read(view, read)])
        return json_answer(named, status=status, headers={**entity_tag(version_of(view)), **(headers or {})})


def _with_read(view: RoomView, read: Read | None) -> RoomView:
    return view if read is None else replace(view, me=replace(view.me, unread=read.unread, read_seq=read.seq))


def wanted_head(view: RoomView) -> int | None:
    """Give the seq at which the room is to be changed: None for wherever it stands, NEVER where the caller saw another.

    `view` is the room as it stands. Raises Refused for an `If-Match` that cannot be read.
    """
    wanted = read_if_match()
    if wanted is None:
        return None
    return view.head_seq if version_of(view) in wanted else NEVER
