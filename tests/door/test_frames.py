"""Frames are built as RFC 6455 says, checked against an independent parser."""

from __future__ import annotations

import pytest
from websockets.frames import Close, Frame, Opcode
from websockets.streams import StreamReader

from justchat.door.frames import PING, close_frame, is_close, text_frame


def parse(data: bytes) -> Frame:
    """Parse one server frame and require that nothing is left over."""
    reader = StreamReader()
    reader.feed_data(data)
    parser = Frame.parse(reader.read_exact, mask=False)
    try:
        next(parser)
    except StopIteration as done:
        assert not reader.buffer
        frame: Frame = done.value
        return frame
    raise AssertionError("the frame is not complete")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_a_text_frame_carries_its_payload_at_every_length_encoding(size: int) -> None:
    """An independent parser reads back a whole final text frame."""
    frame = parse(text_frame(b"x" * size))
    assert (frame.opcode, frame.fin, frame.data) == (Opcode.TEXT, True, b"x" * size)
    assert not any((frame.rsv1, frame.rsv2, frame.rsv3))


@pytest.mark.parametrize("reason", ["", "bye", "ü" * 100, "x" * 200])
def test_a_close_frame_fits_a_control_frame_whatever_its_reason(reason: str) -> None:
    """Code and reason come back; a long reason is cut between characters."""
    frame = parse(close_frame(4003, reason))
    close = Close.parse(frame.data)
    assert frame.opcode == Opcode.CLOSE
    assert close.code == 4003
    assert reason.startswith(close.reason)
    assert len(frame.data) <= 125
    assert bool(close.reason) == bool(reason)


def test_the_ping_is_an_empty_ping() -> None:
    """The constant parses as a ping without payload."""
    assert parse(PING).opcode == Opcode.PING


def test_only_close_frames_are_close_frames() -> None:
    """The predicate tells a close frame from data, pings and handshake bytes."""
    assert is_close(close_frame(1000))
    assert not any(is_close(data) for data in (b"", PING, text_frame(b"x"), b"HTTP/1.1 101"))
