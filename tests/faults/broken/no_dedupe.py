"""Broken on purpose: a repeated post is a new message, for neither the room nor the store remembers client_msg_ids."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from immutables import Map
from msgspec.structs import replace

from justchat.rooms.commands import Command
from justchat.rooms.draft import Draft
from justchat.rooms.room_actor import RoomActor
from tests.faults.broken.serving import serve


class NoDedupe(RoomActor):
    """Has no memory; what it stores carries the client_msg_id in the event only, where no index looks."""

    async def _draft(self, commands: Sequence[Command]) -> Draft:
        if self.state is not None:
            self.state = replace(self.state, sent=Map())
        return await super()._draft(commands)

    async def _append(self, draft: Draft) -> None:
        entries = tuple(replace(entry, sender=None, client_msg_id=None, digest=None) for entry in draft.entries)
        await super()._append(replace(draft, entries=entries))


if __name__ == "__main__":
    sys.exit(serve(NoDedupe))
