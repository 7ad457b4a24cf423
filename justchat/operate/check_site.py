"""The check of all rooms of a site, and of rows that there is no journal to."""

from __future__ import annotations

from collections.abc import Callable

from justchat.operate.check import RoomCheck, Totals
from justchat.operate.difference import Difference, Report
from justchat.operate.refusals import CopyUnfinished, NoSuchRoom
from justchat.operate.site import PAGE, Site, each_room
from storage.facts import COPYING


async def check_site(site: Site, *, report: Report, repair: bool = False, room: str | None = None) -> Totals:
    """Check every room, or only one, and tell `report` of every difference; `repair` needs a site nobody else has open.

    Raises CopyUnfinished, NoSuchRoom, and what storage raises.
    """
    if await site.directory.fact(COPYING) is not None:
        raise CopyUnfinished("a copy into this site has not been finished: run `justchat copy` again first")
    totals = Totals()

    async def check(name: str) -> None:
        await RoomCheck(site, name, repair=repair, report=report, totals=totals).run()

    def report_orphan(name: str) -> None:
        """Report it and no more: nothing says what it should be, and no port deletes a room's row."""
        totals.differences += 1
        report(Difference(name, "row", "there is no journal to it"), False)

    if room is None:
        await each_room(site.journal, check)
        await _each_row(site, report_orphan)
    elif await _has_journal(site, room):
        await check(room)
    elif await site.directory.room(room) is not None:
        report_orphan(room)
    else:
        raise NoSuchRoom(f"there is no room {room!a}")
    return totals


async def _each_row(site: Site, report_orphan: Callable[[str], None]) -> None:
    """Look at every room's row, and report those without a journal."""
    after = ""
    while rows := await site.directory.all_rooms(after=after, limit=PAGE):
        for row in rows:
            if not await _has_journal(site, row.id):
                report_orphan(row.id)
        after = rows[-1].id


async def _has_journal(site: Site, room: str) -> bool:
    return bool(await site.journal.read(room, after=0, limit=1))
