"""WebSocket frames as a cheap client needs them: made once, and walked in whatever chunks the kernel gives.

A client frame is masked with the key zero, which the protocol allows and which makes the mask free to apply: the same
bytes can be sent on every connection. A server frame is never fragmented or masked here; one that is, is an error.
"""

from __future__ import annotations

from struct import Struct as Layout
from typing import NamedTuple

TEXT = 0x1
CLOSE = 0x8
PING = 0x9
PONG = 0xA

_SHORT = Layout("!H")
_LONG = Layout("!Q")
_ZERO_KEY = b"\0\0\0\0"
_FINAL = 0x80
_MASKED = 0x80
_TWO_BYTES = 126
_EIGHT_BYTES = 127


class FrameBroken(Exception):
    """The server sent what this walker does not take for a frame: masked, fragmented or with reserved bits."""


class Frame(NamedTuple):
    """One frame of the server: `raw` is all of it, `payload` what it carries."""

    opcode: int
    raw: bytes
    header_size: int

    @property
    def payload(self) -> bytes:
        """What follows the header."""
        return self.raw[self.header_size :]


def _header(opcode: int, size: int, mask_bit: int) -> bytes:
    first = _FINAL | opcode
    if size < _TWO_BYTES:
        return bytes((first, mask_bit | size))
    if size < 1 << 16:
        return bytes((first, mask_bit | _TWO_BYTES)) + _SHORT.pack(size)
    return bytes((first, mask_bit | _EIGHT_BYTES)) + _LONG.pack(size)


def client_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Make the bytes of a frame from a client."""
    return _header(opcode, len(payload), _MASKED) + _ZERO_KEY + payload


def server_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Make the bytes of a frame from a server (for tests)."""
    return _header(opcode, len(payload), 0) + payload


class FrameWalker:
    """Cut a stream of server frames, fed in any chunks, into frames."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    @property
    def between_frames(self) -> bool:
        """Whether the last chunk ended where a frame ended."""
        return not self._rest

    def feed(self, chunk: bytes | memoryview) -> list[Frame]:
        """Give the frames that this chunk completes. Raises FrameBroken."""
        data = self._rest + chunk if self._rest else bytes(chunk)
        frames = []
        start, size = 0, len(data)
        while size - start >= 2:
            header_size, payload_size = _measure(data, start)
            end = start + header_size + payload_size
            if header_size == 0 or end > size:
                break
            frames.append(Frame(data[start] & 0x0F, data[start:end], header_size))
            start = end
        self._rest = data[start:]
        return frames


def _measure(data: bytes, start: int) -> tuple[int, int]:
    """Header and payload size of the frame at `start`; a header size of 0 means that the header is not complete."""
    first, length = data[start], data[start + 1]
    if first & 0xF0 != _FINAL or length & _MASKED:
        raise FrameBroken(f"unexpected frame header {first:#04x} {length:#04x}")
    if length < _TWO_BYTES:
        return 2, length
    layout = _SHORT if length == _TWO_BYTES else _LONG
    if len(data) - start < 2 + layout.size:
        return 0, 0
    return 2 + layout.size, layout.unpack_from(data, start + 2)[0]
