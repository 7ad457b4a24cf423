"""Passwords as text: which are accepted, and what bytes are hashed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.accounts.common_passwords import COMMON_PASSWORDS
from justchat.accounts.password_rules import PASSWORD_MAX_BYTES, password_bytes, password_problems


@pytest.mark.parametrize(
    ("password", "codes"),
    [
        ("correct horse", set()),
        ("pässwörtlich", set()),
        ("x" * 72, set()),
        ("😀" * 18, set()),
        ("       8", set()),
        ("short", {"too_short"}),
        ("", {"too_short"}),
        ("e\u0301" * 4, {"too_short"}),
        ("x" * 73, {"too_long"}),
        ("é" * 37, {"too_long"}),
        ("x" * 100_000, {"too_long"}),
        ("correct\x00horse", {"characters"}),
        ("correct\ud800horse", {"characters"}),
        ("password1", {"too_common"}),
        ("PassWord1", {"too_common"}),
        ("ann-of-old", {"too_common"}),
        ("Ann-of-Old", {"too_common"}),
        ("\x00", {"too_short", "characters"}),
    ],
)
def test_a_password_is_accepted_or_every_problem_is_named(password: str, codes: set[str]) -> None:
    """The limit counts bytes, because bcrypt does; nothing is ever cut."""
    problems = password_problems(password, name_key="ann-of-old")
    assert {problem.code for problem in problems} == codes
    assert all(problem.pointer == "/password" for problem in problems)
    assert all(password not in problem.detail for problem in problems if len(password) > 4)


def test_an_accent_typed_in_two_ways_is_the_same_password() -> None:
    """Systems disagree on how they send an accented letter; people do not see the difference."""
    assert password_bytes("pa\u0308sswort") == password_bytes("p\u00e4sswort")


def test_the_common_passwords_can_be_hit() -> None:
    """Entries shorter than the minimum or not folded would be dead weight."""
    assert len(COMMON_PASSWORDS) >= 250
    assert all(len(word) >= 8 and word == word.casefold() for word in COMMON_PASSWORDS)


@given(st.text(st.characters() | st.sampled_from("\ud800\x00éa\u0301"), max_size=100))
def test_any_text_has_at_most_72_bytes_or_none(password: str) -> None:
    """Whatever comes, bcrypt gets something it can take whole; and the problems say the same."""
    secret = password_bytes(password)
    codes = {problem.code for problem in password_problems(password, name_key="x")}
    assert (secret is None) == bool(codes & {"too_long", "characters"})
    if secret is not None:
        assert len(secret) <= PASSWORD_MAX_BYTES
        assert b"\x00" not in secret
