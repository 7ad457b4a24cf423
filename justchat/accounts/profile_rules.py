"""What people may say about themselves, and what a change of it makes of an account. Pure."""

from __future__ import annotations

from unicodedata import category, normalize

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from justchat.accounts.names import (
    clean_display_name,
    clean_username,
    display_name_problems,
    email_problems,
    fold_email,
    fold_name,
    username_problems,
)
from justchat.wire.errors import ErrorCode, FieldProblem, Refusal
from storage.records import UserRecord

BIO_MAX_CHARACTERS = 500
# Composing long runs of combining marks takes quadratic time: as with names, the length is looked at first.
_RAW_MAX_CHARACTERS = 2000
_JOINERS = frozenset("\u200c\u200d")


class ProfileChange(Struct, frozen=True):
    """A merge patch: what is not given stays, None takes away. Without a display name the username is shown."""

    username: str | UnsetType = UNSET
    display_name: str | UnsetType | None = UNSET
    bio: str | UnsetType | None = UNSET
    email: str | UnsetType | None = UNSET


def changes_email(user: UserRecord, change: ProfileChange) -> bool:
    """Tell whether the change gives the account another address, or none."""
    if isinstance(change.email, UnsetType):
        return False
    return user.email != (None if change.email is None else fold_email(change.email))


def profile_problems(change: ProfileChange) -> list[FieldProblem]:
    """Everything that is wrong with the fields that are given."""
    problems: list[FieldProblem] = []
    if not isinstance(change.username, UnsetType):
        problems += username_problems(change.username)
    if isinstance(change.display_name, str):
        problems += display_name_problems(change.display_name)
    if isinstance(change.bio, str):
        problems += _bio_problems(change.bio)
    if isinstance(change.email, str):
        problems += email_problems(change.email)
    return problems


def changed_profile(user: UserRecord, change: ProfileChange) -> UserRecord | Refusal:
    """Give the account with the change made, which has to have been checked."""
    if user.disabled:
        return Refusal(ErrorCode.FORBIDDEN, "this account is disabled")
    username = user.username if isinstance(change.username, UnsetType) else clean_username(change.username)
    email = user.email
    if not isinstance(change.email, UnsetType):
        email = None if change.email is None else fold_email(change.email)
    return replace(
        user,
        username=username,
        name_key=fold_name(username),
        display_name=_display_name(user, change, username),
        bio=user.bio if isinstance(change.bio, UnsetType) else _clean_bio(change.bio or ""),
        email=email,
        email_verified=user.email_verified and email == user.email,
    )


def _display_name(user: UserRecord, change: ProfileChange, username: str) -> str:
    if isinstance(change.display_name, UnsetType):
        # Who has never chosen one is shown by their username, whichever that is.
        return username if user.display_name == user.username else user.display_name
    return username if change.display_name is None else clean_display_name(change.display_name)


def _clean_bio(raw: str) -> str:
    return normalize("NFC", raw.replace("\r\n", "\n")).strip()


def _bio_problems(raw: str) -> list[FieldProblem]:
    found = []
    if len(raw) > _RAW_MAX_CHARACTERS or len(_clean_bio(raw)) > BIO_MAX_CHARACTERS:
        return [FieldProblem("/bio", "length", f"at most {BIO_MAX_CHARACTERS} characters")]
    if not all(_may_be_shown(character) for character in _clean_bio(raw)):
        found.append(FieldProblem("/bio", "characters", "no control or invisible characters but line breaks"))
    return found


def _may_be_shown(character: str) -> bool:
    return character == "\n" or character in _JOINERS or category(character)[0] != "C"
