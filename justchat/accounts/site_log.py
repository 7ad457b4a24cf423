"""What administrators do to the site as a whole, kept in the audit log beside what moderators do in rooms.

It is kept like an entry of a room's log, under no room. It is written before the deed: a deed without a record does not
happen, and a record may tell of a deed that the store then did not take.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from justchat.ids import new_id
from justchat.wire.deeds import SITE, Deed, encode_deed
from storage.ports import Directory
from storage.records import OVERALL, ItemRecord, PutItem

CONSOLE: Final = "console"
"""The actor of what is done by the command `justchat admin`."""


class SiteLog:
    """Writes deeds. Raises what the directory raises."""

    def __init__(self, directory: Directory, *, now_ms: Callable[[], int]) -> None:
        self._directory = directory
        self._now_ms = now_ms

    async def write(self, actor: str, deed: Deed) -> None:
        """Write that somebody does something now."""
        now = self._now_ms()
        # By time like those of rooms, whose keys go on with the room's id: no two are alike.
        key = f"{now:015d}.{new_id('x')}"
        await self._directory.keep([PutItem(ItemRecord(SITE, OVERALL, key, encode_deed(deed, ts=now, actor=actor)))])
