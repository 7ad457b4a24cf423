"""The copy of a room's items, of all kinds: also of those that no entry accounts for.

The target is made to hold exactly what the source holds, by comparing the two. So it does not matter where a former
copy stopped, nor what has become of the source since.
"""

from __future__ import annotations

from contextlib import aclosing

from justchat.operate.refusals import CopyRefused
from justchat.operate.site import PAGE
from justchat.operate.stored import differing, each_item
from storage.errors import Unstorable
from storage.ports import Directory
from storage.records import DropItem, PutItem


async def copy_items(source: Directory, target: Directory, room: str) -> None:
    """Make the target's items of a room those of the source. Raises CopyRefused, and what storage raises."""
    changes: list[PutItem | DropItem] = []
    async with aclosing(differing(each_item(source, room), each_item(target, room))) as found:
        async for (kind, key), item, _ in found:
            changes.append(DropItem(room, kind, key) if item is None else PutItem(item))
            if len(changes) == PAGE:
                await _keep(target, room, changes)
                changes = []
    if changes:
        await _keep(target, room, changes)


async def _keep(target: Directory, room: str, changes: list[PutItem | DropItem]) -> None:
    try:
        await target.keep(changes)
    except Unstorable as error:
        raise CopyRefused(f"the target cannot hold what is in room {room}: {error}") from error
