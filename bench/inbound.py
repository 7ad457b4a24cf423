"""What the bench reads of a server's frames: only the fields it measures or checks, in one decode.

The full types are the product's; the bench knows the protocol as an outsider does, so that it can also talk to the
comparator and notices when the product's wire format changes.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct


class InboundData(Struct, frozen=True):
    """The `data` of a frame, as far as the bench looks at it."""

    body: str = ""
    code: str = ""
    detail: str = ""
    epoch: str = ""
    seq: int = 0
    head_seq: int = 0
    queued_ms: float = 0.0
    commit_ms: float = 0.0


class Inbound(Struct, frozen=True):
    """One frame of a server."""

    type: str
    id: str | None = None
    room: str = ""
    seq: int = 0
    data: InboundData = InboundData()

    @property
    def is_event(self) -> bool:
        """Whether this is a durable event, which has a seq of the room's order."""
        return "." in self.type


class InboundHead(Struct, frozen=True):
    """Type and seq only: what counting needs."""

    type: str
    seq: int = 0


decode_inbound: Final = msgspec.json.Decoder(Inbound).decode
decode_head: Final = msgspec.json.Decoder(InboundHead).decode
