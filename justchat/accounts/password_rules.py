"""Rules for passwords, and the bytes of a password that are hashed. Pure.

bcrypt reads 72 bytes and no more. A longer password is refused, never cut: two passwords that begin alike must not
open the same account.
"""

from __future__ import annotations

from unicodedata import normalize

from justchat.accounts.common_passwords import COMMON_PASSWORDS
from justchat.accounts.names import fold_name
from justchat.wire.errors import FieldProblem

PASSWORD_MIN_CHARACTERS = 8
PASSWORD_MAX_BYTES = 72

# Composition shortens text, but never to a third as many bytes as it had characters: what is longer than this cannot
# fit. Normalising is quadratic in the worst case, so longer text is not even looked at.
_RAW_MAX_CHARACTERS = 3 * PASSWORD_MAX_BYTES


def password_bytes(password: str) -> bytes | None:
    """The bytes to hash; None for text that no account can have as its password.

    Composed (NFC) first: the same keys pressed on another system may send an accent as a character of its own.
    """
    if len(password) > _RAW_MAX_CHARACTERS or not _is_clean(password):
        return None
    encoded = normalize("NFC", password).encode()
    return encoded if len(encoded) <= PASSWORD_MAX_BYTES else None


def password_problems(password: str, *, name_key: str) -> list[FieldProblem]:
    """Everything that is wrong with a new password for the account of this folded name."""
    composed = normalize("NFC", password[:_RAW_MAX_CHARACTERS])
    found = []
    if len(composed) < PASSWORD_MIN_CHARACTERS:
        found.append(_problem("too_short", f"at least {PASSWORD_MIN_CHARACTERS} characters"))
    if not _is_clean(password):
        found.append(_problem("characters", "text without NUL"))
    elif password_bytes(password) is None:
        found.append(_problem("too_long", f"at most {PASSWORD_MAX_BYTES} bytes"))
    if composed.casefold() in COMMON_PASSWORDS or fold_name(composed) == name_key:
        found.append(_problem("too_common", "neither the username nor one of the passwords that everybody tries first"))
    return found


def _is_clean(password: str) -> bool:
    """Whether it is text at all: no lone surrogates, and no NUL, which some implementations of bcrypt stop at."""
    return not any(character == "\x00" or "\ud800" <= character <= "\udfff" for character in password)


def _problem(code: str, detail: str) -> FieldProblem:
    return FieldProblem("/password", code, detail)
