"""What rooms keep besides their messages, as routes read it: page by page within a kind, or one by its key.

What hangs on a message that somebody may not look back to is not there for them either.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from justchat.http.answers import PageAsk
from justchat.http.room_access import RoomAccess
from justchat.rooms.items import ItemKind
from justchat.rooms.permissions import Permission
from justchat.system import System
from storage.records import Page, UserRecord

T = TypeVar("T")


class RoomItems:
    """Items, decoded into the type that their kind has; `msgspec.Raw` leaves them as they are stored."""

    def __init__(self, system: System) -> None:
        self._access = RoomAccess(system)
        self._journal = system.storage.journal
        self._directory = system.storage.directory

    async def asked(
        self,
        caller: UserRecord,
        room: str,
        kind: ItemKind,
        form: type[T],
        *,
        needs: Permission | None = None,
        prefix: str = "",
        newest: bool = False,
    ) -> Page[T]:
        """Give the page that the request asks for, as of `min_seq`, to whoever may see it. Raises Refused."""
        ask = self._access.read_page()
        access = await self._access.look(caller, room, needs=needs)
        return await self.page(kind, form, ask, room=room, prefix=prefix, floor=access.floor, newest=newest)

    async def page(
        self,
        kind: ItemKind,
        form: type[T],
        ask: PageAsk,
        *,
        room: str | None,
        prefix: str = "",
        floor: int = 0,
        newest: bool = False,
    ) -> Page[T]:
        """Give one page of what a room (None: all of them) keeps, without what hangs on messages up to `floor`."""
        page = await self._directory.items(
            kind.value, room=room, prefix=prefix, cursor=ask.cursor, limit=ask.limit, newest=newest
        )
        found = (msgspec.json.decode(item.doc, type=form) for item in page.items if item.seq == 0 or item.seq > floor)
        return Page(tuple(found), page.next_cursor)

    async def one(self, room: str, kind: ItemKind, key: str, form: type[T]) -> T | None:
        """Give the item under a key, if there is one."""
        found = await self._journal.items_by_key(room, [(kind.value, key)])
        return msgspec.json.decode(found[0].doc, type=form) if found else None
