"""Whom a text names: what is a name and what only looks like one, and who is meant by it."""

from __future__ import annotations

import pytest

from justchat.rooms.mentions import MENTIONS_MAX, NOBODY, Mentions, mentions_in, resolver
from storage.memory import MemoryDirectory, MemoryStore
from storage.records import UserRecord

TEXTS: list[tuple[str, tuple[str, ...], bool]] = [
    ("", (), False),
    ("no name at all", (), False),
    ("@anna", ("anna",), False),
    ("hello @anna, and @Ben!", ("anna", "ben"), False),
    ("@anna @ANNA @anna", ("anna",), False),
    ("(@anna) [@ben] '@carl'", ("anna", "ben", "carl"), False),
    ("that was @anna.", ("anna",), False),
    ("@anna... @ben- @carl_", ("anna", "ben", "carl"), False),
    ("@anna.b @ben-c @carl_d", ("anna.b", "ben-c", "carl_d"), False),
    ("@Größe @STRASSE", ("grösse", "strasse"), False),
    ("anna@example.org and x.@anna and @@anna", (), False),
    ("@ anna", (), False),
    ("@an", (), False),
    ("@" + "a" * 33, (), False),
    ("@all of you", (), True),
    ("@everyone and @anna", ("anna",), True),
    ("@Everyone!", (), True),
    ("@allan", ("allan",), False),
    ("\n@anna\n", ("anna",), False),
]


@pytest.mark.parametrize(("text", "names", "everybody"), TEXTS)
def test_a_text_names_these(text: str, names: tuple[str, ...], everybody: bool) -> None:
    """Names come folded, each once, in the order of the text."""
    assert mentions_in(text) == Mentions(names, everybody)


def test_a_text_without_names_names_nobody() -> None:
    """And costs nothing."""
    assert mentions_in("a plain text") is NOBODY


def test_a_text_names_a_bounded_number_of_people() -> None:
    """The first ones; everybody is still called by a word at its end."""
    text = " ".join(f"@user{number}" for number in range(MENTIONS_MAX + 10)) + " @all"
    assert mentions_in(text) == Mentions(tuple(f"user{number}" for number in range(MENTIONS_MAX)), True)


def user(name: str, *, disabled: bool = False) -> UserRecord:
    return UserRecord(f"u_{name}", name.upper(), name, name, None, "", "user", 0, disabled)


async def test_names_are_resolved_to_those_who_can_come(autojump_clock: object) -> None:
    """Names that nobody has, and those of disabled accounts, call nobody."""
    store = MemoryStore()
    for each in (user("anna"), user("ben", disabled=True)):
        store.put_user(each)
    resolve = resolver(MemoryDirectory(store))
    assert await resolve(["anna", "ben", "carl"]) == {"anna": "u_anna"}
