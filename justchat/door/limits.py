"""What one connection may cost: seconds, bytes and queue lengths, as one frozen value."""

from __future__ import annotations

from msgspec import Struct


class DoorLimits(Struct, frozen=True, kw_only=True):
    """Bounds of the front door; the defaults suit a public server."""

    head_seconds: float = 5.0
    """From accept (or from the first byte of a later head) to a complete request head; also for a WebSocket's 101."""
    head_bytes: int = 16_384
    keep_alive_seconds: float = 5.0
    body_read_seconds: float = 15.0
    """Grace for a request body, on top of what `body_bytes_per_second` allows for the bytes that did arrive."""
    body_bytes_per_second: int = 1_024
    send_seconds: float = 10.0
    """For each 64 KiB of a response: a client that reads nothing for so long is cut."""
    linger_seconds: float = 1.0
    """How long a last answer waits for its reader before the socket goes."""
    close_seconds: float = 2.0
    """For a whole WebSocket close: what is queued, the close frame and the client's answer."""
    message_bytes: int = 16_384
    message_fragments: int = 256
    outbox_items: int = 512
    outbox_bytes: int = 1_048_576
    max_connections: int = 8_000
    lifespan_seconds: float = 10.0
    """For the start-up and for the shutdown of the ASGI app."""
