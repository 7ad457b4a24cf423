"""The accounts that are searched for, and what is typed to find them."""

from __future__ import annotations

from bench.people import people, prefixes
from justchat.accounts.names import fold_name


def test_no_two_people_have_the_same_folded_name() -> None:
    """A store would refuse the second; the key is what the product would fold the name to."""
    found = list(people(2000, seed=1))
    assert len({user.name_key for user in found}) == len({user.id for user in found}) == 2000
    assert all(user.name_key == fold_name(user.username) for user in found)


def test_names_are_of_many_alphabets() -> None:
    """Neither ASCII only nor without it."""
    ascii_only = sum(user.name_key.isascii() for user in people(500, seed=1))
    assert 50 < ascii_only < 450


def test_prefixes_have_one_to_four_characters_and_find_somebody() -> None:
    """All lengths come equally often."""
    names = [user.name_key for user in people(200, seed=1)]
    found = prefixes(names, 40, seed=2)
    assert all(any(name.startswith(prefix) for name in names) for prefix in found)
    assert {len(prefix) for prefix in found} == {1, 2, 3, 4}
