"""Broken on purpose: a resume begins one entry too late, as if `after` were the first seq that is wanted."""

from __future__ import annotations

import sys

from msgspec.structs import replace

from justchat.rooms.queries import Attach, Attached, OutOfReach
from justchat.rooms.room_actor import RoomActor
from justchat.wire.errors import Refusal
from tests.faults.broken.serving import serve


class ResumeSkipsOne(RoomActor):
    """Is off by one."""

    def _attach(self, attach: Attach) -> Attached | OutOfReach | Refusal:
        head = 0 if self.state is None else self.state.head_seq
        if attach.replay and attach.after is not None and attach.after < head:
            attach = replace(attach, after=attach.after + 1)
        return super()._attach(attach)


if __name__ == "__main__":
    sys.exit(serve(ResumeSkipsOne))
