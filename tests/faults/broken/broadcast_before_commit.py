"""Broken on purpose: everybody sees a message before it is durable."""

from __future__ import annotations

import sys

from justchat.rooms.draft import Draft
from justchat.rooms.room_actor import RoomActor
from tests.faults.broken.serving import hold_up, serve


class BroadcastBeforeCommit(RoomActor):
    """Fans out too early."""

    async def _append(self, draft: Draft) -> None:
        await super()._fan_out(draft)
        await hold_up(draft)
        await super()._append(draft)

    async def _fan_out(self, draft: Draft) -> None:
        """Do nothing: it is done."""


if __name__ == "__main__":
    sys.exit(serve(BroadcastBeforeCommit))
