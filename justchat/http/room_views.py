"""Rooms in answers: with the name of whom a direct room is with, and as one room, with the version that it has.

A room knows people by their ids, so that names are never older than the accounts; here they are put in, for a whole
list with one look. Somebody whose account is gone is shown by the id alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace
from quart import Response

from justchat.http.answers import json_answer
from justchat.http.entity_tags import NEVER, entity_tag, read_if_match
from justchat.http.room_access import RoomAccess
from justchat.system import System
from justchat.wire.server_frames import RoomView


def version_of(view: RoomView) -> str:
    """Name the state that a room was seen in: whatever happens in it makes another one."""
    return f"{view.epoch}.{view.head_seq}"


class RoomViews:
    """Views of rooms, ready to be answered with."""

    def __init__(self, system: System) -> None:
        self._access = RoomAccess(system)

    async def named(self, views: Sequence[RoomView]) -> list[RoomView]:
        """Put in whom the direct rooms among these are with."""
        users = await self._access.users(view.peer.id for view in views if view.peer is not None)
        return [view if view.peer is None else replace(view, peer=users.get(view.peer.id, view.peer)) for view in views]

    async def answer(self, view: RoomView, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        """Answer with one room."""
        (named,) = await self.named([view])
        return json_answer(named, status=status, headers={**entity_tag(version_of(view)), **(headers or {})})


def wanted_head(view: RoomView) -> int | None:
    """Give the seq at which the room is to be changed: None for wherever it stands, NEVER where the caller saw another.

    `view` is the room as it stands. Raises Refused for an `If-Match` that cannot be read.
    """
    wanted = read_if_match()
    if wanted is None:
        return None
    return view.head_seq if version_of(view) in wanted else NEVER
