"""Frames come out whole and in order, however the network cut the stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.frames import PING, TEXT, FrameBroken, FrameWalker, client_frame, server_frame
from tests.bench.chunks import cut

payloads = st.lists(st.one_of(st.binary(max_size=40), st.integers(120, 130).map(bytes), st.just(bytes(70_000))))
cuts = st.lists(st.integers(0, 200_000))


@given(payloads=payloads, cuts=cuts)
def test_any_cutting_of_a_stream_gives_the_same_frames(payloads: list[bytes], cuts: list[int]) -> None:
    """Payloads of every header form survive every split, and nothing is left over."""
    walker = FrameWalker()
    stream = b"".join(server_frame(payload) for payload in payloads)
    frames = [frame for chunk in cut(stream, cuts) for frame in walker.feed(chunk)]
    assert [frame.payload for frame in frames] == payloads
    assert b"".join(frame.raw for frame in frames) == stream
    assert walker.between_frames


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_header_that_comes_byte_by_byte_is_waited_for(size: int) -> None:
    """Each header form, cut at every place in it."""
    walker = FrameWalker()
    stream = server_frame(bytes(size))
    head, rest = stream[:10], stream[10:]
    frames = [frame for place in range(len(head)) for frame in walker.feed(head[place : place + 1])]
    frames += walker.feed(rest)
    assert [len(frame.payload) for frame in frames] == [size]
    assert walker.between_frames


def test_a_frame_that_is_not_complete_is_kept_for_later() -> None:
    """The last byte of a frame is what gives it."""
    walker = FrameWalker()
    stream = server_frame(b"x" * 300)
    assert walker.feed(stream[:-1]) == []
    assert not walker.between_frames
    assert [frame.payload for frame in walker.feed(stream[-1:])] == [b"x" * 300]


def test_the_opcode_of_a_frame_is_kept() -> None:
    """A ping is told from a text."""
    frames = FrameWalker().feed(server_frame(b"p", PING) + server_frame(b"t"))
    assert [(frame.opcode, frame.payload) for frame in frames] == [(PING, b"p"), (TEXT, b"t")]


@pytest.mark.parametrize("header", [b"\x81\x80", b"\x01\x01", b"\xc1\x01"], ids=["masked", "fragment", "reserved bit"])
def test_what_a_server_must_not_send_is_an_error(header: bytes) -> None:
    """Counting on such a stream would count nonsense."""
    with pytest.raises(FrameBroken):
        FrameWalker().feed(header + b"\0\0\0\0\0")


@given(payload=st.one_of(st.binary(max_size=200), st.just(bytes(66_000))))
def test_a_client_frame_carries_its_payload_unchanged_under_a_zero_mask(payload: bytes) -> None:
    """The mask bit is set, as the protocol demands, and the payload stands at the end as it is."""
    frame = client_frame(payload)
    assert frame[0] == 0x81
    assert frame[1] & 0x80
    assert frame.endswith(b"\0\0\0\0" + payload)
    unmasked = bytes((frame[0], frame[1] & 0x7F)) + frame[2:].replace(b"\0\0\0\0", b"", 1)
    if len(payload) < 126:
        assert FrameWalker().feed(unmasked)[0].payload == payload
