"""Broken on purpose: a resume begins one entry too early, as if `after` were the first seq that is wanted again."""

from __future__ import annotations

import sys

from msgspec.structs import replace

from justchat.rooms.queries import Attach, Attached, OutOfReach
from justchat.rooms.room_actor import RoomActor
from justchat.wire.errors import Refusal
from tests.faults.broken.serving import serve


class ResumeRepeatsOne(RoomActor):
    """Is off by one."""

    def _attach(self, attach: Attach) -> Attached | OutOfReach | Refusal:
        if attach.replay and attach.after:
            attach = replace(attach, after=attach.after - 1)
        return super()._attach(attach)


if __name__ == "__main__":
    sys.exit(serve(ResumeRepeatsOne))
