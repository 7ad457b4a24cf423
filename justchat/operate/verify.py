"""The proof of a copy: everything is read again from both sides, each for itself, and has to be the same."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from justchat.operate.digest import room_contents, users_contents
from justchat.operate.refusals import CopyDiffers
from justchat.operate.site import Site, each_room

_ADVICE = "the target is not a copy and will not be served: empty it and copy again"


class Totals(Struct):
    """What both sides hold."""

    users: int = 0
    rooms: int = 0
    entries: int = 0
    messages: int = 0
    members: int = 0
    items: int = 0


async def verify(source: Site, target: Site, *, advance: Callable[[int], None]) -> Totals:
    """Compare accounts and rooms, every field of every record. `advance` is told of the entries read from either side.

    Raises CopyDiffers.
    """
    totals = Totals()
    users = await users_contents(source.directory)
    if users != await users_contents(target.directory):
        raise CopyDiffers(f"the accounts of source and target differ; {_ADVICE}")
    totals.users = users.users

    async def compare(room: str) -> None:
        here = await room_contents(source, room, advance=advance)
        there = await room_contents(target, room, advance=advance)
        if here != there:
            raise CopyDiffers(f"room {room} differs between source and target; {_ADVICE}")
        totals.entries += here.entries
        totals.messages += here.messages
        totals.members += here.members
        totals.items += here.items

    async def count(_: str) -> None:
        return

    totals.rooms = await each_room(source.journal, compare)
    if await each_room(target.journal, count) != totals.rooms:
        raise CopyDiffers(f"the target has rooms that the source does not have; {_ADVICE}")
    return totals
