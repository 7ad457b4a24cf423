"""Broken on purpose: a post is acked as soon as it is decided, and made durable afterwards."""

from __future__ import annotations

import sys

from actors import Envelope
from justchat.rooms.draft import Draft
from justchat.rooms.queries import RoomMessage
from justchat.rooms.room_actor import RoomActor
from tests.faults.broken.serving import hold_up, serve


class AckBeforeCommit(RoomActor):
    """Answers too early."""

    async def _serve_commands(self, envelopes: list[Envelope[RoomMessage]], began: float) -> None:
        self._asked = (envelopes, began)
        await super()._serve_commands(envelopes, began)

    async def _append(self, draft: Draft) -> None:
        envelopes, began = self._asked
        self._answer(envelopes, draft.answers, began=began, commit_seconds=0.0)
        await hold_up(draft)
        await super()._append(draft)


if __name__ == "__main__":
    sys.exit(serve(AckBeforeCommit))
