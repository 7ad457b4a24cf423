"""Why a departure cannot go on at this moment."""

from __future__ import annotations

from typing import Final

from justchat.wire.errors import ErrorCode, Refusal

# Refusals that any other room would give as well.
_EVERYWHERE: Final = frozenset({ErrorCode.DRAINING, ErrorCode.STORAGE_UNAVAILABLE, ErrorCode.ROOM_OVERLOADED})


class NotNow(Exception):
    """Something did not answer, or not as it should; what was done stays done, and the rest may be tried again.

    `everywhere` says that there is no use in asking other rooms.
    """

    def __init__(self, room: str, refusal: Refusal) -> None:
        super().__init__(f"{room}: {refusal.code.value}: {refusal.detail}")
        self.everywhere = refusal.code in _EVERYWHERE
