"""Registrations as a whole: all problems at once, and the names as they are stored."""

from __future__ import annotations

from justchat.accounts.registration import Registration, check_registration


def test_every_problem_of_every_field_is_reported_at_once() -> None:
    """One round trip is enough to learn what to change."""
    problems = check_registration(username=" ", password="short", email="nowhere", display_name="\n")
    assert isinstance(problems, tuple)
    assert [(problem.pointer, problem.code) for problem in problems] == [
        ("/username", "length"),
        ("/username", "characters"),
        ("/password", "too_short"),
        ("/email", "invalid"),
        ("/display_name", "length"),
    ]


def test_a_good_registration_comes_back_in_its_stored_form() -> None:
    """Normalised name, folded keys, trimmed display name, and no password in it."""
    checked = check_registration(
        username="Ａnn", password="correct horse", email="Ann@Example.org", display_name=" Ann B. "
    )
    assert checked == Registration(username="Ann", name_key="ann", email="ann@example.org", display_name="Ann B.")
    assert "correct" not in repr(checked)


def test_without_a_display_name_the_username_is_shown() -> None:
    """E-mail and display name are optional."""
    checked = check_registration(username="Ann", password="correct horse", email=None, display_name=None)
    assert checked == Registration(username="Ann", name_key="ann", email=None, display_name="Ann")
