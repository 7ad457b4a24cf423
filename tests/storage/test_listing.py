"""Prefixes as ranges, and cursors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.listing import key_range, name_position, page_of, parse_name_position, prefix_end
from tests.storage.samples import a_room

ANY = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXT = st.text(ANY | st.sampled_from("ab\x01\ud7ff\ue000\U0010ffff"), max_size=4)


@given(prefix=TEXT, text=TEXT)
def test_a_prefix_is_a_range(prefix: str, text: str) -> None:
    """A text starts with a prefix exactly when it lies in the prefix's range, by code point and by UTF-8 byte alike."""
    end = prefix_end(prefix)
    for candidate in (text, prefix + text):
        inside = candidate >= prefix and (end is None or candidate < end)
        assert inside == candidate.startswith(prefix)
        as_bytes = candidate.encode() >= prefix.encode() and (end is None or candidate.encode() < end.encode())
        assert as_bytes == inside


@pytest.mark.parametrize(
    ("prefix", "end"),
    [("", None), ("a", "b"), ("az", "a{"), ("a\U0010ffff", "b"), ("\U0010ffff", None), ("\ud7ff", "\ue000")],
)
def test_the_end_of_a_prefix(prefix: str, end: str | None) -> None:
    """The last place that can grow grows; surrogates, which no text may hold, are stepped over."""
    assert prefix_end(prefix) == end


@given(prefix=TEXT, cursor=st.none() | TEXT, text=TEXT, newest=st.booleans())
def test_the_rest_of_a_listing_is_a_range(prefix: str, cursor: str | None, text: str, newest: bool) -> None:
    """From the first bound up to below the second is what has the prefix and comes after the cursor."""
    low, end = key_range(prefix, cursor, newest=newest)
    for candidate in (text, prefix + text, (cursor or "") + text):
        is_after = cursor is None or (candidate < cursor if newest else candidate > cursor)
        inside = low <= candidate and (end is None or candidate < end)
        assert inside == (candidate.startswith(prefix) and is_after)


@given(name=TEXT)
def test_a_cursor_by_name_comes_back(name: str) -> None:
    """Also when the name looks like a cursor itself."""
    room = a_room("r_1", name=name)
    assert parse_name_position(name_position(room)) == (name, "r_1")


@given(cursor=st.text())
def test_any_text_is_a_cursor(cursor: str) -> None:
    """A cursor that a client made up is some place, never an error."""
    name, room = parse_name_position(cursor)
    assert "/" not in room
    assert cursor in (f"{name}/{room}", room)


def test_a_page_says_where_the_next_one_starts() -> None:
    """There is a next page exactly when one more than the limit was found."""
    assert page_of([1, 2, 3], 2, str).next_cursor == "2"
    assert page_of([1, 2, 3], 2, str).items == (1, 2)
    assert page_of([1, 2], 2, str).next_cursor is None
    assert page_of([], 2, str).next_cursor is None
