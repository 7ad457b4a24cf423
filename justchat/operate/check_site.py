"""The check of all rooms of a site, and of rows that there is no journal to."""

from __future__ import annotations

from collections.abc import Sequence

from justchat.operate.check import RoomCheck, Totals
from justchat.operate.difference import Difference, Report
from justchat.operate.refusals import CopyUnfinished, NoSuchRoom
from justchat.operate.site import PAGE, Site, each_page_of_users, each_room
from storage.facts import COPYING
from storage.records import RoomRecord, UserRecord

# Rooms that are known to have a journal, so that one with a thousand members is asked about once; more are asked again.
_KNOWN_ROOMS = 65_536


async def check_site(site: Site, *, report: Report, repair: bool = False, room: str | None = None) -> Totals:
    """Check every room, or only one, and tell `report` of every difference; `repair` needs a site nobody else has open.

    Raises CopyUnfinished, NoSuchRoom, and what storage raises.
    """
    if await site.directory.fact(COPYING) is not None:
        raise CopyUnfinished("a copy into this site has not been finished: run `justchat copy` again first")
    totals = Totals()

    async def check(name: str) -> None:
        await RoomCheck(site.journal, name, repair=repair, report=report, totals=totals).run()

    orphans = _Orphans(site, report=report, totals=totals)
    if room is None:
        await each_room(site.journal, check)
        await orphans.find()
    elif await site.journal.read(room, after=0, limit=1):
        await check(room)
    elif await site.directory.room(room) is not None:
        await orphans.look_at(room)
    else:
        raise NoSuchRoom(f"there is no room {room!a}")
    return totals


class _Orphans:
    """Finds rows of rooms without a journal. A directory lists only what somebody can see: public rooms, and members'.

    They cannot be repaired: nothing says what they should be, and no port deletes a room's row.
    """

    __slots__ = ("_known", "_report", "_site", "_totals")

    def __init__(self, site: Site, *, report: Report, totals: Totals) -> None:
        self._site = site
        self._report = report
        self._totals = totals
        self._known: set[str] = set()

    async def find(self) -> None:
        """Look at every room that is listed anywhere."""
        cursor: str | None = None
        while True:
            page = await self._site.directory.public_rooms("", cursor=cursor, limit=PAGE)
            await self._look_at(page.items)
            cursor = page.next_cursor
            if cursor is None:
                break
        await each_page_of_users(self._site.directory, self._look_at_rooms_of)

    async def look_at(self, room: str) -> None:
        """Report a room whose row has no journal, unless it was looked at before."""
        if room in self._known:
            return
        if len(self._known) >= _KNOWN_ROOMS:
            self._known.clear()
        self._known.add(room)
        if not await self._site.journal.read(room, after=0, limit=1):
            self._totals.differences += 1
            self._report(Difference(room, "row", "there is no journal to it"), False)

    async def _look_at(self, rooms: Sequence[RoomRecord]) -> None:
        for room in rooms:
            await self.look_at(room.id)

    async def _look_at_rooms_of(self, users: Sequence[UserRecord]) -> None:
        for user in users:
            cursor: str | None = None
            while True:
                page = await self._site.directory.rooms_of(user.id, cursor=cursor, limit=PAGE)
                await self._look_at([room for room, _ in page.items])
                cursor = page.next_cursor
                if cursor is None:
                    break
