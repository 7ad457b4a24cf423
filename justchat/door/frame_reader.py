"""Splits what a client sends into complete text messages and what trio-websocket has to see.

Nearly every frame of a chat client is one complete, short text frame: it is unmasked and decoded here, without a
protocol object in between. Pings go to trio-websocket, and so does every message from the first fragmented, binary or
oversized one on (`handed_over`, one way, so that order is never in question). Pure: imports no Trio. Promises bounded
memory whatever arrives: at most one incomplete text frame is held, and fragments of one message are counted.
"""

from __future__ import annotations

from typing import NamedTuple

_TEXT, _CONTINUATION, _CLOSE, _PING, _PONG = 0x1, 0x0, 0x8, 0x9, 0xA
_OPCODES = frozenset((_CONTINUATION, _TEXT, 0x2, _CLOSE, _PING, _PONG))
_FIN, _RSV, _OPCODE, _CONTROL, _MASKED, _LENGTH = 0x80, 0x70, 0x0F, 0x08, 0x80, 0x7F
_MAX_CONTROL_BYTES = 125


class Violation(NamedTuple):
    """A breach of the protocol: the close code and reason it earns."""

    code: int
    reason: str


class _Header(NamedTuple):
    opcode: int
    final: bool
    payload_at: int
    end: int


class FrameReader:
    """Reads one client's frames, in order."""

    __slots__ = (
        "_buffer",
        "_discarding",
        "_dropping_payload",
        "_fragments",
        "_max_fragments",
        "_max_text_bytes",
        "_payload_left",
        "handed_over",
        "peer_closed",
        "texts",
        "violation",
    )

    def __init__(self, *, max_text_bytes: int, max_fragments: int) -> None:
        """Decode texts up to `max_text_bytes` here; allow a message at most `max_fragments` frames."""
        self.texts: list[str] = []
        self.handed_over = False
        self.peer_closed = False
        self.violation: Violation | None = None
        self._max_text_bytes = max_text_bytes
        self._max_fragments = max_fragments
        self._buffer = b""
        self._payload_left = 0
        self._dropping_payload = False
        self._fragments = 0
        self._discarding = False

    def discard(self) -> None:
        """From the next frame on drop everything but look out for the client's close frame."""
        self._discarding = True

    def read(self, data: bytes) -> bytes:
        """Take in received bytes: texts go to `texts`, the bytes trio-websocket must see are returned.

        After a violation or the client's close frame the rest is dropped.
        """
        data = self._buffer + data if self._buffer else data
        passed: list[bytes] = []
        at = 0
        while at < len(data) and self.violation is None and not self.peer_closed:
            end = self._step(data, at, passed)
            if end == at:
                break
            at = end
        else:
            at = len(data)
        self._buffer = data[at:]
        return b"".join(passed)

    def _step(self, data: bytes, at: int, passed: list[bytes]) -> int:
        """Handle one frame, or the part of its payload that is there; return where the next step begins."""
        if self._payload_left:
            end = min(at + self._payload_left, len(data))
            self._payload_left -= end - at
            if not self._dropping_payload:
                passed.append(data[at:end])
            return end
        header = self._header(data, at)
        if header is None:
            return at
        if header.opcode & _CONTROL:
            return self._control(data, at, header, passed)
        if header.opcode == _TEXT and header.final and self._is_mine(header):
            return self._text(data, at, header)
        return self._hand_over(data, at, header, passed)

    def _is_mine(self, header: _Header) -> bool:
        return not (self.handed_over or self._discarding) and header.end - header.payload_at <= self._max_text_bytes

    def _header(self, data: bytes, at: int) -> _Header | None:
        """Read a frame header; None while incomplete or when it is a violation."""
        if len(data) < at + 2:
            return None
        first, second = data[at], data[at + 1]
        opcode, length = first & _OPCODE, second & _LENGTH
        control = opcode & _CONTROL
        if first & _RSV or opcode not in _OPCODES or not second & _MASKED:
            self._breach(1002, "reserved bit, unknown opcode or unmasked frame")
            return None
        if control and (length > _MAX_CONTROL_BYTES or not first & _FIN):
            self._breach(1002, "control frame too long or fragmented")
            return None
        extra = 2 if length == 126 else 8 if length == 127 else 0
        payload_at = at + 2 + extra + 4
        if len(data) < payload_at:
            return None
        if extra:
            length = int.from_bytes(data[at + 2 : at + 2 + extra], "big")
            if length < (126 if extra == 2 else 65_536) or length >> 63:
                self._breach(1002, "payload length is not in its shortest form")
                return None
        return _Header(opcode, bool(first & _FIN), payload_at, payload_at + length)

    def _control(self, data: bytes, at: int, header: _Header, passed: list[bytes]) -> int:
        if len(data) < header.end:
            return at
        self.peer_closed = header.opcode == _CLOSE
        # A pong needs no answer: its arrival has been noticed. A ping is not answered after our own close frame.
        if not self._discarding and header.opcode != _PONG:
            passed.append(data[at : header.end])
        return header.end

    def _text(self, data: bytes, at: int, header: _Header) -> int:
        if len(data) < header.end:
            return at
        payload = _unmask(data[header.payload_at : header.end], data[header.payload_at - 4 : header.payload_at])
        try:
            self.texts.append(payload.decode())
        except UnicodeDecodeError:
            self._breach(1007, "text is not UTF-8")
        return header.end

    def _hand_over(self, data: bytes, at: int, header: _Header, passed: list[bytes]) -> int:
        self.handed_over = True
        self._fragments = self._fragments + 1 if header.opcode == _CONTINUATION else 1
        if self._fragments > self._max_fragments:
            # Empty fragments weigh nothing in any count of bytes, but each of them is remembered by the library.
            self._breach(1008, "too many fragments")
            return header.payload_at
        self._payload_left = header.end - header.payload_at
        self._dropping_payload = self._discarding
        if not self._discarding:
            passed.append(data[at : header.payload_at])
        return header.payload_at

    def _breach(self, code: int, reason: str) -> None:
        self.violation = Violation(code, reason)


def _unmask(payload: bytes, key: bytes) -> bytes:
    """XOR with the repeated key, as one big integer: linear, and without a loop in Python."""
    size = len(payload)
    mask = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(mask, "little")).to_bytes(size, "little")
