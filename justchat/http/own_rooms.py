"""One's own rooms in a list: each with what was said last in it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from justchat.http.room_views import RoomViews
from justchat.system import System
from justchat.wire.events import Message
from justchat.wire.server_frames import RoomView
from storage.records import MemberRecord, RoomRecord, UserRecord


class OwnRoom(RoomView, frozen=True, kw_only=True):
    """A room of the caller's, with its newest message, null where they see none; reactions are without `me`."""

    last_message: Message | None


_message = msgspec.json.Decoder(Message)


class OwnRooms:
    """The rooms of a page, ready to be answered with."""

    def __init__(self, system: System) -> None:
        self._views = RoomViews(system)
        self._journal = system.storage.journal

    async def shown(self, caller: UserRecord, rows: Sequence[tuple[RoomRecord, MemberRecord]]) -> list[OwnRoom]:
        """Show the rooms that the caller is a member of, in their order."""
        if not rows:
            return []
        latest = await self._journal.latest_messages([(room.id, None) for room, _ in rows])
        newest = {message.room: message for message in latest}
        views = await self._views.of_rows(caller, rows)
        items = []
        for view, (room, member) in zip(views, rows, strict=True):
            found = newest.get(room.id)
            # What is trimmed is gone from the rows; what came before them is there for others.
            floor = member.joined_seq - 1 if view.settings.history_visibility == "since_join" else 0
            last = None if found is None or found.seq <= floor else _message.decode(found.doc)
            items.append(_own(view, last))
        return items


def _own(view: RoomView, last: Message | None) -> OwnRoom:
    fields = {name: getattr(view, name) for name in RoomView.__struct_fields__}
    return OwnRoom(**fields, last_message=last)
