"""The proof of a copy: everything is read again from both sides, each for itself, and has to be the same."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing

from msgspec import Struct, field

from justchat.operate.account_rows import R, Rows, each_kind
from justchat.operate.digest import room_contents, rows_contents, users_contents
from justchat.operate.refusals import CopyDiffers
from justchat.operate.site import Site, each_room
from justchat.operate.stored import differing, each_item
from justchat.wire.deeds import SITE

_ADVICE = "the target is not a copy and will not be served: empty it and copy again"


class Totals(Struct):
    """What both sides hold."""

    users: int = 0
    rooms: int = 0
    entries: int = 0
    messages: int = 0
    members: int = 0
    items: int = 0
    of_accounts: dict[str, int] = field(default_factory=dict)
    """What belongs to accounts, by what it is called."""


async def verify(source: Site, target: Site, *, advance: Callable[[int], None]) -> Totals:
    """Compare accounts, what belongs to them, and rooms: every field of every record.

    `advance` is told of the entries read from either side. Raises CopyDiffers.
    """
    totals = Totals()
    users = await users_contents(source.directory)
    if users != await users_contents(target.directory):
        raise CopyDiffers(f"the accounts of source and target differ; {_ADVICE}")
    totals.users = users.count

    async def compare_rows(name: str, here: Rows[R], there: Rows[R]) -> None:
        found = await rows_contents(here)
        if found != await rows_contents(there):
            raise CopyDiffers(f"the {name} of source and target differ; {_ADVICE}")
        totals.of_accounts[name] = found.count

    await each_kind(source, target, compare_rows)
    async with aclosing(differing(each_item(source.directory, SITE), each_item(target.directory, SITE))) as deeds:
        async for _ in deeds:
            raise CopyDiffers(f"the log of administrators differs between source and target; {_ADVICE}")

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
