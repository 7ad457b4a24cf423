"""The copy of a whole site from any store into any other one: accounts and what they have, then the rooms, the proof.

While it is under way the target carries the fact `copying`, which names the source: nobody serves such a store, and the
same copy may be begun again after it was cut off anywhere. The fact goes only when everything was read again from both
sides and is the same. Both stores must be held alone. In memory it has a page at a time, and one room's members.
"""

from __future__ import annotations

from justchat.operate.copy_accounts import copy_accounts
from justchat.operate.copy_items import copy_items
from justchat.operate.copy_room import RoomCopy
from justchat.operate.progress import Progress
from justchat.operate.refusals import CopyRefused
from justchat.operate.site import Site, each_room
from justchat.operate.survey import Survey
from justchat.operate.verify import Totals, verify
from justchat.wire.deeds import SITE
from storage.facts import COPYING


async def copy_site(source: Site, target: Site, *, name: str, survey: Survey, progress: Progress) -> Totals:
    """Copy everything and prove it; `name` is the source's, `survey` has just been made of it.

    Raises CopyRefused, CopyDiffers, and what storage raises.
    """
    await _claim(target, name)

    async def copy_room(room: str) -> None:
        await RoomCopy(source, target, room, advance=progress.advance).run()

    await copy_accounts(source, target)
    # What administrators did to the site is kept like the items of a room.
    await copy_items(source.directory, target.directory, SITE)
    progress.begin("copying", survey.entries)
    await each_room(source.journal, copy_room)
    progress.begin("verifying", 2 * survey.entries)
    totals = await verify(source, target, advance=progress.advance)
    await target.directory.set_fact(COPYING, None)
    return totals


async def _claim(target: Site, name: str) -> None:
    """Mark the target. Raises CopyRefused if it holds anything that is not from this very source."""
    copying = await target.directory.fact(COPYING)
    if copying == name:
        return
    if copying is not None:
        raise CopyRefused(f"the target is half a copy of {copying}: finish that one, or empty the target")
    users = await target.directory.all_users(limit=1)
    rooms = await target.journal.rooms(limit=1)
    rows = await target.directory.all_rooms(limit=1)
    if users or rooms or rows:
        raise CopyRefused("the target is not empty")
    await target.directory.set_fact(COPYING, name)
