"""Rules for usernames, e-mail addresses and display names, and how they are folded for comparison. Pure.

A username is kept in Unicode's compatibility composition (NFKC); its `name_key` is that, case-folded and with plain
letters in place of those that look like them, and is what has to be unique. So two names that look the same cannot both
exist, whether by case, width, invisible characters, or letters of another alphabet.
"""

from __future__ import annotations

import re
from unicodedata import category, name, normalize

from justchat.accounts.lookalikes import plain
from justchat.wire.errors import FieldProblem

USERNAME_MIN_CHARACTERS = 3
USERNAME_MAX_CHARACTERS = 32
DISPLAY_NAME_MAX_CHARACTERS = 64
EMAIL_MAX_CHARACTERS = 254

_PUNCTUATION = "._-"
# Normalising long runs of combining marks takes quadratic time, so length is capped before it and checked after it.
_RAW_MAX_CHARACTERS = 256
# Words that address many people in a mention; as a username they would be a trap.
_RESERVED = frozenset({"all", "everyone", "here"})
# Letters, marks and a symbol that are drawn as nothing.
_INVISIBLE = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0}.union(
        range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0)
    )
)
# What goes with letters of any alphabet, by the first word of its name in Unicode, and writing that is mixed every day.
_COMMON = frozenset({"DIGIT", "COMBINING", "MODIFIER"})
_ALPHABETS = {"IDEOGRAPHIC": "CJK", "EXTENDED": "ARABIC"}
_MIXED = (
    frozenset({"CJK", "HIRAGANA", "KATAKANA", "LATIN"}),
    frozenset({"CJK", "BOPOMOFO", "LATIN"}),
    frozenset({"CJK", "HANGUL", "LATIN"}),
)
_LOCAL_PART = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])")
# Emoji are joined by these; every other format character (direction overrides above all) is refused.
_JOINERS = frozenset("\u200c\u200d")


def clean_username(raw: str) -> str:
    """The form of a username that is stored and shown; not checked."""
    return normalize("NFKC", raw[:_RAW_MAX_CHARACTERS])


def fold_name(raw: str) -> str:
    """The `name_key` of a name: two names are the same if their keys are. Any text has one that can be stored."""
    return _storable(normalize("NFKC", plain(normalize("NFD", clean_username(raw).casefold()))))


def fold_email(raw: str) -> str:
    """The form of an e-mail address that is stored and compared. Any text has one that can be stored."""
    return _storable(raw[:_RAW_MAX_CHARACTERS].lower())


def username_problems(raw: str) -> list[FieldProblem]:
    """Everything that is wrong with a username; empty when nothing is."""
    username = clean_username(raw)
    found = []
    if not USERNAME_MIN_CHARACTERS <= len(username) <= USERNAME_MAX_CHARACTERS or len(raw) > _RAW_MAX_CHARACTERS:
        found.append(_username("length", f"{USERNAME_MIN_CHARACTERS} to {USERNAME_MAX_CHARACTERS} characters"))
    if not all(_may_be_in_username(character) for character in username):
        found.append(_username("characters", "only letters, digits, dot, underscore and hyphen"))
    elif username and (_is_edge(username[0]) or username[-1] in _PUNCTUATION):
        found.append(_username("edges", "begins with a letter or digit and ends without punctuation"))
    if not _is_of_one_alphabet(username):
        found.append(_username("mixed_alphabets", "letters of one alphabet only"))
    if fold_name(raw) in _RESERVED:
        found.append(_username("reserved", "this word has a meaning of its own in messages"))
    return found


def email_problems(raw: str) -> list[FieldProblem]:
    """What is wrong with an e-mail address; domains outside ASCII are given in their `xn--` form."""
    local, at, domain = fold_email(raw).rpartition("@")
    shaped = raw.isascii() and at and len(raw) <= EMAIL_MAX_CHARACTERS and len(local) <= 64
    if shaped and _LOCAL_PART.fullmatch(local) and _DOMAIN.fullmatch(domain):
        return []
    return [FieldProblem("/email", "invalid", "not an e-mail address such as ann@example.org")]


def clean_display_name(raw: str) -> str:
    """The form of a display name that is stored and shown; not checked."""
    return normalize("NFC", raw[:_RAW_MAX_CHARACTERS]).strip()


def display_name_problems(raw: str) -> list[FieldProblem]:
    """Everything that is wrong with a display name."""
    display_name = clean_display_name(raw)
    found = []
    if not 1 <= len(display_name) <= DISPLAY_NAME_MAX_CHARACTERS or len(raw) > _RAW_MAX_CHARACTERS:
        found.append(FieldProblem("/display_name", "length", f"1 to {DISPLAY_NAME_MAX_CHARACTERS} characters"))
    if not all(_may_be_shown(character) for character in display_name) or not _is_visible(display_name):
        found.append(FieldProblem("/display_name", "characters", "no control or invisible characters"))
    return found


def _storable(text: str) -> str:
    """Put U+FFFD, which no account has in its name or address, in place of what no database takes."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").replace("\x00", "\ufffd")


def _username(code: str, detail: str) -> FieldProblem:
    return FieldProblem("/username", code, detail)


def _may_be_in_username(character: str) -> bool:
    if character in _PUNCTUATION:
        return True
    kind = category(character)
    return (kind[0] == "L" or kind in {"Nd", "Mn", "Mc"}) and ord(character) not in _INVISIBLE


def _is_edge(character: str) -> bool:
    """Whether a username may not begin with this: punctuation, or a mark that has no letter to stand on."""
    return character in _PUNCTUATION or category(character)[0] == "M"


def _is_of_one_alphabet(username: str) -> bool:
    written = (each for each in username if each not in _PUNCTUATION and _may_be_in_username(each))
    words = {re.split("[ -]", name(character, ""), maxsplit=1)[0] for character in written}
    alphabets = {_ALPHABETS.get(word, word) for word in words if word not in _COMMON}
    return len(alphabets) < 2 or any(alphabets <= mixed for mixed in _MIXED)


def _is_visible(text: str) -> bool:
    """Whether there is anything to see in it, or nothing at all."""
    return not text or any(category(each)[0] in "LNPS" and ord(each) not in _INVISIBLE for each in text)


def _may_be_shown(character: str) -> bool:
    kind = category(character)
    return character in _JOINERS or (kind[0] != "C" and kind not in {"Zl", "Zp"})
