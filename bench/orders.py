"""What the bench tells its client processes and what they answer: one JSON object per line, each way.

Times that are compared between processes are readings of the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from bench.connection import Greeting


class Open(Struct, frozen=True, tag="open"):
    """Open receivers: one per greeting. Answered by `Opened`."""

    port: int
    greetings: list[Greeting]


class OpenSenders(Struct, frozen=True, tag="open_senders"):
    """Open connections that send and do not subscribe. Answered by `Opened`."""

    port: int
    greetings: list[Greeting]


class Collect(Struct, frozen=True, tag="collect"):
    """Receive until every receiver has `messages` more events, nothing comes any more, or `seconds` are over.

    Answered by `Collected`.
    """

    messages: int
    seconds: float


class Generate(Struct, frozen=True, tag="generate"):
    """Send `messages` at `rate` per second. Answered by `Generated` when all came back, or `seconds` are over."""

    room: str
    messages: int
    rate: float
    body_bytes: int
    seconds: float


class End(Struct, frozen=True, tag="end"):
    """Close everything and exit."""


class Opened(Struct, frozen=True, tag="opened"):
    """All are open; their room's last event is `seq`."""

    count: int
    seq: int


class Collected(Struct, frozen=True, tag="collected"):
    """What all receivers of the process got, together. `least` and `most`: events of one receiver, holes included."""

    receivers: int
    least: int
    most: int
    events: int
    gaps: int
    repeats: int
    lagging: int
    others: int
    closed: int
    received_bytes: int
    finished_at: float
    cpu_seconds: float
    wall_seconds: float


class Generated(Struct, frozen=True, tag="generated"):
    """What was sent, and what the decoding receivers and the acks say about it."""

    sent: int
    acked: int
    refused: int
    refusal: str
    receivers: int
    least: int
    most: int
    gaps: int
    repeats: int
    lagging: int
    closed: int
    delivery_p50_ms: float
    delivery_p99_ms: float
    ack_p50_ms: float
    ack_p99_ms: float
    late_p99_ms: float
    started_at: float
    cpu_seconds: float
    wall_seconds: float


class Failed(Struct, frozen=True, tag="failed"):
    """The process could not do what it was told and exits."""

    reason: str


Order = Open | OpenSenders | Collect | Generate | End
Answer = Opened | Collected | Generated | Failed

encode_line: Final = msgspec.json.Encoder().encode
decode_order: Final = msgspec.json.Decoder(Order).decode
decode_answer: Final = msgspec.json.Decoder(Answer).decode
