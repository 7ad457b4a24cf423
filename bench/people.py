"""Accounts with names of many alphabets, and the prefixes that somebody who looks for them would type."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from justchat.accounts.names import fold_name
from justchat.ids import new_id
from storage.records import UserRecord

_ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    "aeiouäöüßéèçñåøæ",
    "абвгдежзийклмнопрстуфхцчшщыьэюя",
    "αβγδεζηθικλμνξοπρστυφχψω",
    "あいうえおかきくけこさしすせそたちつてと",
    "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "김이박최정강조윤장임한오서신권황안송류홍",
)
_LONGEST_PREFIX = 4


def people(count: int, *, seed: int) -> Iterator[UserRecord]:
    """Make so many accounts, no two with the same folded name."""
    random = Random(seed)
    taken: set[str] = set()
    while len(taken) < count:
        alphabet = random.choice(_ALPHABETS)
        username = "".join(random.choices(alphabet, k=random.randint(3, 12)))
        name_key = fold_name(username)
        if name_key in taken:
            continue
        taken.add(name_key)
        yield UserRecord(new_id("u"), username, name_key, username, None, "x" * 60, "user", 1_790_000_000_000)


def prefixes(names: list[str], count: int, *, seed: int) -> list[str]:
    """Give so many prefixes of 1 to 4 characters of some of these folded names."""
    random = Random(seed)
    return [random.choice(names)[: number % _LONGEST_PREFIX + 1] for number in range(count)]
