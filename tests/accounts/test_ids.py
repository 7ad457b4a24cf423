"""Identifiers: their exact shape, and that they sort by birth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.ids import is_id, new_id

HEX = "01a1fdb2f15672849aae512f789e0948"


def test_ids_sort_by_birth_and_never_repeat() -> None:
    """Within a process the order is strict, however fast they are made."""
    made = [new_id("m") for _ in range(10_000)]
    assert made == sorted(set(made))
    assert all(is_id("m", one) for one in made)


@pytest.mark.parametrize("prefix", ["", "u_", "U", "u1", "é", "u "])
def test_a_prefix_that_would_make_ids_ambiguous_is_refused(prefix: str) -> None:
    """A caller that passes the underscore itself learns it at once."""
    with pytest.raises(ValueError, match="prefix"):
        new_id(prefix)


@pytest.mark.parametrize(
    ("text", "shaped"),
    [
        (f"u_{HEX}", True),
        (f"r_{HEX}", False),
        (f"u{HEX}", False),
        (f"u_{HEX.upper()}", False),
        (f"u_{HEX}\n", False),
        (f"u_{HEX}0", False),
        (f"u_{HEX[:-1]}", False),
        (f" u_{HEX}", False),
        (f"u_{HEX[:12]}4{HEX[13:]}", False),
        (f"u_{HEX[:16]}c{HEX[17:]}", False),
        (f"u_{HEX[:-1]}٣", False),
        ("u_", False),
        ("", False),
    ],
)
def test_the_shape_is_checked_exactly(text: str, shaped: bool) -> None:
    """Version and variant included; nothing before, nothing after."""
    assert is_id("u", text) is shaped


@given(st.text())
def test_text_that_is_no_id_never_crashes_the_check(text: str) -> None:
    """Ids arrive from strangers."""
    assert not is_id("u", text)
