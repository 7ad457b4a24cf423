"""A registration as it was asked for, checked whole: the new account's names, or every problem at once. Pure.

The password is checked here and is not part of the result, so that no value that is passed around holds it.
"""

from __future__ import annotations

from msgspec import Struct

from justchat.accounts.names import (
    clean_display_name,
    clean_username,
    display_name_problems,
    email_problems,
    fold_email,
    fold_name,
    username_problems,
)
from justchat.accounts.password_rules import password_problems
from justchat.wire.errors import FieldProblem


class Registration(Struct, frozen=True):
    """Names that may be registered, in the form in which they are stored."""

    username: str
    name_key: str
    email: str | None
    display_name: str


def check_registration(
    *, username: str, password: str, email: str | None, display_name: str | None
) -> Registration | tuple[FieldProblem, ...]:
    """Check all fields together. Without a display name the username is shown."""
    name_key = fold_name(username)
    problems = username_problems(username) + password_problems(password, name_key=name_key)
    if email is not None:
        problems += email_problems(email)
    if display_name is not None:
        problems += display_name_problems(display_name)
    if problems:
        return tuple(problems)
    return Registration(
        username=clean_username(username),
        name_key=name_key,
        email=fold_email(email) if email is not None else None,
        display_name=clean_display_name(display_name) if display_name is not None else clean_username(username),
    )
