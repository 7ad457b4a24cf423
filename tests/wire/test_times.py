"""Times on the wire: one fixed form, which sorts as time does and reads back to the millisecond."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.wire.times import rfc3339

# From the year 1000, where the form has four digits of year, to its last millisecond.
moments = st.integers(-30_610_224_000_000, 253_402_300_799_999)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (999, "1970-01-01T00:00:00.999Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (1_769_851_800_123, "2026-01-31T09:30:00.123Z"),
        (1_709_164_799_999, "2024-02-28T23:59:59.999Z"),
        (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_time_has_this_text(milliseconds: int, text: str) -> None:
    """UTC with a Z, and always three digits of milliseconds."""
    assert rfc3339(milliseconds) == text


@given(moments)
def test_a_time_reads_back_to_the_millisecond(milliseconds: int) -> None:
    """No rounding on the way there and back, and one form for all."""
    text = rfc3339(milliseconds)
    assert round(datetime.fromisoformat(text).timestamp() * 1000) == milliseconds
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)


@given(moments, moments)
def test_texts_sort_as_times_do(one: int, other: int) -> None:
    """A client may compare two times as text."""
    assert (rfc3339(one) < rfc3339(other)) == (one < other)
