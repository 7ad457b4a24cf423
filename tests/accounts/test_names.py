"""Names: which usernames, addresses and display names may be registered, and when two are the same."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justchat.accounts import lookalikes
from justchat.accounts.names import (
    clean_display_name,
    clean_username,
    display_name_problems,
    email_problems,
    fold_email,
    fold_name,
    username_problems,
)


@pytest.mark.parametrize(
    ("raw", "codes"),
    [
        ("ann", set()),
        ("Ann.B-c_9", set()),
        ("a" * 32, set()),
        ("Jürgen", set()),
        ("Алиса", set()),
        ("小明同学", set()),
        ("हिन्दी", set()),
        ("Ａｎｎ", set()),
        ("", {"length"}),
        ("ab", {"length"}),
        ("a" * 33, {"length"}),
        ("a" * 100_000, {"length"}),
        ("a b", {"characters"}),
        ("ann ", {"characters"}),
        ("ann\n", {"characters"}),
        ("ann\x00", {"characters"}),
        ("ann\u200b", {"characters"}),
        ("ann\u202e", {"characters"}),
        ("ann\ud800", {"characters"}),
        ("ann\ufe0f", {"characters"}),
        ("\u3164\u3164\u3164", {"characters"}),
        ("ann@home", {"characters"}),
        ("ann😀", {"characters"}),
        ("a/b", {"characters"}),
        (".ann", {"edges"}),
        ("ann.", {"edges"}),
        ("_ann", {"edges"}),
        ("ann-", {"edges"}),
        ("\u0301ann", {"edges"}),
        ("\u0430nn", {"mixed_alphabets"}),
        ("αnn", {"mixed_alphabets"}),
        ("gօօgle", {"mixed_alphabets"}),
        ("ᎪᏢpple", {"mixed_alphabets"}),
        ("ann०", {"mixed_alphabets"}),
        ("anิn", {"mixed_alphabets"}),
        ("аαа", {"mixed_alphabets"}),
        ("אاب", {"mixed_alphabets"}),
        ("田中ゆきラーメンJr", set()),
        ("김철수kim", set()),
        ("ゆき김철수", {"mixed_alphabets"}),
        ("علي٢", set()),
        ("аӏӏ", {"reserved"}),
        ("ñoño", set()),
        ("Everyone", {"reserved"}),
        ("ａｌｌ", {"reserved"}),
        (".", {"length", "edges"}),
        ("\x00", {"length", "characters"}),
    ],
)
def test_a_username_is_accepted_or_every_problem_is_named(raw: str, codes: set[str]) -> None:
    """One row per kind of name."""
    problems = username_problems(raw)
    assert {problem.code for problem in problems} == codes
    assert all(problem.pointer == "/username" and problem.detail for problem in problems)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Ann", "ann"), ("Ａｎｎ", "ann"), ("Jürgen", "Ju\u0308rgen"), ("STRASSE", "straße"), ("ΣΑΣ", "σας")],
)
def test_names_that_differ_only_in_writing_are_the_same(one: str, other: str) -> None:
    """Case, width and composition do not make another user."""
    assert fold_name(one) == fold_name(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("сосо", "coco"),
        ("НОРЕ", "hope"),
        ("раураӏ", "paypal"),
        ("ёжо", "ëжо"),
        ("ΑΝΝΑ", "avva"),
        ("Ζοκο", "zoko"),
        ("ᎪᏢᏢᏞᎬ", "apple"),
        ("ꓮꓟꓮ", "ama"),
        ("սսս", "uuu"),
        ("ɡooɡle", "google"),
        ("ᴀɴɴ", "ann"),
        ("ısıs", "isis"),
        ("i̇sis", "isis"),
        ("İSIS", "isis"),
        ("İ\u0307SIS", "isis"),
        ("エロ工口", "エロエロ"),
    ],
)
def test_names_that_look_the_same_are_the_same(one: str, other: str) -> None:
    """Small letters or large ones of another alphabet, rare ones of the same, and a dot that is drawn once."""
    assert fold_name(one) == fold_name(other)


def test_a_letter_gives_way_to_one_other() -> None:
    """No letter looks like two, nothing that stands for others is replaced itself, and each may be in a name."""
    letters = [letter for alike in lookalikes._ALIKE.values() for letter in alike.replace(" ", "").casefold()]
    assert len(letters) == len(set(letters)) > 150
    assert not set(letters) & set(lookalikes._ALIKE)
    assert not [letter for letter in letters if letter.isascii() or normalize("NFKC", letter) != letter]
    assert not username_problems("".join(sorted(lookalikes._ALIKE)[:3]) + "abc")


def test_different_names_stay_different() -> None:
    """Folding does not merge what reads differently, and leaves plain letters and digits as they are."""
    assert len({fold_name(raw) for raw in ["ann", "anna", "a.nn", "a_nn", "Jurgen", "Jürgen"]}) == 6
    assert len({fold_name(raw) for raw in ["rn", "m", "l1", "ll", "11", "o0", "oo", "vv", "w", "жук", "жак"]}) == 11
    plain = "abcdefghijklmnopqrstuvwxyz0123456789._-"
    assert fold_name(plain) == plain


LETTERS = st.characters(categories=("Lu", "Ll", "Lt", "Lo", "Lm", "Nd", "Mn", "Mc"))


@given(st.text(LETTERS | st.sampled_from("._-aA1"), min_size=1, max_size=40))
def test_folding_again_changes_nothing_and_case_does_not_matter(raw: str) -> None:
    """A key is its own key, so it may be compared, stored and folded again at will."""
    key = fold_name(raw)
    assert fold_name(key) == key
    assert fold_name(clean_username(raw)) == key
    if not username_problems(raw):
        assert "characters" not in {problem.code for problem in username_problems(key)}


@given(st.text(st.characters() | st.sampled_from("\ud800\udfff\x00")))
def test_any_text_has_keys_that_can_be_stored(raw: str) -> None:
    """A login with garbage is looked up like any other; the store never chokes on it."""
    for key in (fold_name(raw), fold_email(raw)):
        key.encode()
        assert "\x00" not in key
        assert len(key) < 10_000
    username_problems(raw)
    email_problems(raw)
    display_name_problems(raw)


@pytest.mark.parametrize(
    ("raw", "good"),
    [
        ("ann@example.org", True),
        ("Ann.B+chat@Example.ORG", True),
        ("a@b-c.xn--p1ai", True),
        (f"{'a' * 64}@example.org", True),
        ("", False),
        ("ann", False),
        ("@example.org", False),
        ("ann@", False),
        ("ann@localhost", False),
        ("ann@example.o", False),
        ("ann@-example.org", False),
        ("ann@example..org", False),
        ("ann@example.org.", False),
        ("ann..b@example.org", False),
        (".ann@example.org", False),
        ("a b@example.org", False),
        ("a@b@example.org", False),
        ("ann@example.org\n", False),
        ("ann\x00@example.org", False),
        ("Ann <ann@example.org>", False),
        ("änn@example.org", False),
        ("ann@exämple.org", False),
        ("\u212a@example.org", False),
        (f"{'a' * 65}@example.org", False),
        (f"ann@{'a.' * 130}org", False),
        (f"ann@{'a' * 64}.org", False),
    ],
)
def test_an_address_is_accepted_or_refused(raw: str, good: bool) -> None:
    """The plain shape that mail servers take; what is unusual is refused rather than guessed at."""
    problems = email_problems(raw)
    assert (not problems) is good
    assert all(problem.pointer == "/email" for problem in problems)


def test_addresses_that_differ_only_in_case_are_the_same() -> None:
    """Nobody gets a second account by shouting."""
    assert fold_email("Ann@Example.ORG") == fold_email("ann@example.org")


@pytest.mark.parametrize(
    ("raw", "codes"),
    [
        ("Ann B.", set()),
        ("  Ann  ", set()),
        ("👩‍🚀 Ann", set()),
        ("a" * 64, set()),
        ("", {"length"}),
        ("   ", {"length"}),
        ("a" * 65, {"length"}),
        ("Ann\u202egro.live", {"characters"}),
        ("Ann\nB", {"characters"}),
        ("\u3164", {"characters"}),
        ("\u2800 \u2800", {"characters"}),
        ("\u200d", {"characters"}),
        ("a\u3164b", set()),
        ("❤\ufe0f", set()),
        ("Ann\x00", {"characters"}),
        ("Ann\ud800", {"characters"}),
    ],
)
def test_a_display_name_may_be_nearly_anything_that_is_drawn(raw: str, codes: set[str]) -> None:
    """Emoji and spaces are fine, what turns the line around or hides is not."""
    problems = display_name_problems(raw)
    assert {problem.code for problem in problems} == codes
    assert all(problem.pointer == "/display_name" for problem in problems)
    if not codes:
        assert clean_display_name(raw) == clean_display_name(raw).strip()
