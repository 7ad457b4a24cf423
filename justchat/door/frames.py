"""WebSocket frames as a server sends them (RFC 6455, section 5.2): whole, unmasked, no extension bits.

Pure: imports no Trio. A frame built here is the same for every receiver, so a fan-out encodes once and sends many
times.
"""

from __future__ import annotations

CLOSE_OPCODE = 0x8
PING = b"\x89\x00"
"""A ping without payload. Any bytes from the client count as life, so nobody needs to match the pong."""

_MAX_REASON_BYTES = 123


def text_frame(payload: bytes) -> bytes:
    """Wrap UTF-8 text in one frame."""
    size = len(payload)
    if size < 126:
        return b"\x81%c%b" % (size, payload)
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """Build a close frame; a reason over 123 bytes is cut between characters."""
    text = reason.encode("utf-8", "replace")[:_MAX_REASON_BYTES].decode("utf-8", "ignore").encode()
    return b"\x88%c" % (2 + len(text)) + code.to_bytes(2, "big") + text


def is_close(frame: bytes) -> bool:
    """Whether these bytes begin with a close frame."""
    return frame[:1] == b"\x88"
