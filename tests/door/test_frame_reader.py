"""The frame reader: texts come out whole and in order however bytes are cut; the rest reaches the library unchanged."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.door.frame_reader import FrameReader

MASK = b"\x11\x22\x33\x44"


def client_frame(opcode: int, payload: bytes = b"", *, final: bool = True, first: int = 0, mask: bool = True) -> bytes:
    """Build a client's frame; `first` is or-ed into the first byte."""
    size = len(payload)
    if size < 126:
        length, extra = size, b""
    elif size < 65_536:
        length, extra = 126, size.to_bytes(2, "big")
    else:
        length, extra = 127, size.to_bytes(8, "big")
    head = bytes((opcode | (0x80 if final else 0) | first, length | (0x80 if mask else 0))) + extra
    if not mask:
        return head + payload
    return head + MASK + bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))


def new_reader() -> FrameReader:
    """Make a reader with small bounds."""
    return FrameReader(max_text_bytes=200, max_fragments=5)


def in_pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut data at these places."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]


@given(st.lists(st.text(max_size=60), max_size=8), st.lists(st.integers(0, 2_000), max_size=12))
def test_texts_come_out_in_order_however_the_bytes_are_cut(texts: list[str], cuts: list[int]) -> None:
    """Any fragmentation of the byte stream gives the same texts, and nothing for the library."""
    texts = [text for text in texts if len(text.encode()) <= 200]
    reader = new_reader()
    passed = b"".join(
        reader.read(piece) for piece in in_pieces(b"".join(client_frame(1, text.encode()) for text in texts), cuts)
    )
    assert reader.texts == texts
    assert passed == b""
    assert not reader.handed_over


@given(st.lists(st.integers(0, 2_000), max_size=12))
def test_from_the_first_fragment_on_every_message_is_the_librarys(cuts: list[int]) -> None:
    """A text, then a fragmented message with a ping inside, then a text: the last one is no longer taken here."""
    ours = client_frame(1, b"ours") + client_frame(0xA, b"pong is dropped")
    theirs = (
        client_frame(1, b"a" * 150, final=False)
        + client_frame(9, b"ping")
        + client_frame(0, b"b")
        + client_frame(1, b"later")
    )
    reader = new_reader()
    passed = b"".join(reader.read(piece) for piece in in_pieces(ours + theirs, cuts))
    assert reader.texts == ["ours"]
    assert reader.handed_over
    assert passed == theirs


@pytest.mark.parametrize(
    "frame", [client_frame(1, b"x" * 201), client_frame(2, b"binary"), client_frame(1, b"x" * 70_000)]
)
def test_binary_and_oversized_messages_are_the_librarys(frame: bytes) -> None:
    """They pass through unchanged and unbuffered."""
    reader = new_reader()
    assert reader.read(frame[:20]) == frame[:20]
    assert reader.read(frame[20:]) == frame[20:]
    assert reader.handed_over


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (client_frame(1, b"\xff\xfe"), 1007),
        (client_frame(1, b"x", first=0x40), 1002),
        (client_frame(3, b"x"), 1002),
        (client_frame(0xB, b"x"), 1002),
        (client_frame(1, b"x", mask=False), 1002),
        (client_frame(9, b"x", final=False), 1002),
        (client_frame(9, b"x" * 126), 1002),
        (b"\x81\xfe\x00\x05" + MASK + b"xxxxx", 1002),
        (b"\x81\xff" + (2**63).to_bytes(8, "big") + MASK, 1002),
    ],
)
def test_a_breach_of_the_protocol_is_named_and_ends_reading(frame: bytes, code: int) -> None:
    """The close code is right, and nothing behind the breach is taken or passed."""
    reader = new_reader()
    assert reader.read(client_frame(1, b"before") + frame + client_frame(1, b"after")) == b""
    assert reader.violation is not None
    assert reader.violation.code == code
    assert reader.texts == ["before"]
    assert reader.read(client_frame(9)) == b""


def test_fragments_that_weigh_nothing_are_counted() -> None:
    """A message of endless empty fragments is a violation, not a leak."""
    reader = new_reader()
    reader.read(client_frame(1, b"", final=False))
    for _ in range(4):
        reader.read(client_frame(0, b"", final=False))
        assert reader.violation is None
    reader.read(client_frame(0, b"", final=False))
    assert reader.violation is not None


def test_the_clients_close_frame_passes_and_nothing_follows() -> None:
    """The library answers the close; frames behind it are dropped."""
    reader = new_reader()
    close = client_frame(8, b"\x03\xe8")
    assert reader.read(client_frame(1, b"last") + close + client_frame(1, b"x")) == close
    assert reader.peer_closed
    assert reader.texts == ["last"]


def test_when_discarding_only_the_clients_close_frame_is_seen() -> None:
    """A message in the middle is finished for the library, later ones and pings are dropped."""
    reader = new_reader()
    begun = client_frame(2, b"0123456789")
    assert reader.read(begun[:9]) == begun[:9]
    reader.discard()
    assert reader.read(begun[9:] + client_frame(9, b"ping") + client_frame(2, b"x" * 300)) == begun[9:]
    assert reader.read(client_frame(1, b"text")) == b""
    before = reader.peer_closed
    assert reader.read(client_frame(8)) == b""
    assert (before, reader.peer_closed, reader.texts) == (False, True, [])


@given(st.binary(max_size=400), st.lists(st.integers(0, 2_000), max_size=6))
def test_no_bytes_whatever_raise_or_are_held_without_bound(data: bytes, cuts: list[int]) -> None:
    """Arbitrary input: no exception, and the library sees a subsequence of the input at most."""
    reader = new_reader()
    passed = b"".join(reader.read(piece) for piece in in_pieces(data, cuts))
    assert len(passed) <= len(data)
