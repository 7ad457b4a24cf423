"""The messages that the load is made of are what the server expects, and carry their time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.frames import client_frame
from bench.generator import STAMP_CHARACTERS, send_frame, stamped_body
from justchat.wire.frames import Send, decode_frame


@given(stamp=st.integers(0, 10**18), size=st.integers(STAMP_CHARACTERS, 400))
def test_a_body_has_the_asked_size_and_gives_its_time_back(stamp: int, size: int) -> None:
    """The receiver reads the first characters as nanoseconds."""
    body = stamped_body(stamp, size)
    assert len(body) == size
    assert int(body[:STAMP_CHARACTERS]) == stamp


def test_a_post_is_a_frame_that_the_server_decodes() -> None:
    """Made by hand for speed, checked against the product's own types."""
    frame = send_frame(b"r_1", 7, 3, b"hello")
    payload = frame[frame.index(b"{") :]
    assert frame == client_frame(payload)
    sent = decode_frame(payload.decode())
    assert isinstance(sent, Send)
    assert (sent.room, sent.id, sent.data.client_msg_id, sent.data.body) == ("r_1", "7", "3-7", "hello")
