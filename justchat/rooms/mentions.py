"""Whom a text names: `@name` and `@all`. Whether they are members is for the room to say."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from msgspec import Struct

from justchat.accounts.names import USERNAME_MAX_CHARACTERS, USERNAME_MIN_CHARACTERS, fold_name
from storage.ports import Directory

MENTIONS_MAX: Final = 50
"""How many people one message may call, by its text and by name and id together."""

# Not within an address such as ann@example.org, and without the full stop that ends a sentence.
_NAME: Final = re.compile(r"(?<![\w@.])@(\w[\w.\-]{0,63})")
_EVERYBODY: Final = frozenset({"all", "everyone"})


class Mentions(Struct, frozen=True):
    """Folded names, in the order in which they are first named, and whether everybody is meant."""

    name_keys: tuple[str, ...] = ()
    everybody: bool = False


NOBODY: Final = Mentions()


def mentions_in(text: str) -> Mentions:
    """Find the names in a text, up to MENTIONS_MAX of them."""
    if "@" not in text:
        return NOBODY
    keys = dict.fromkeys(fold_name(found.rstrip("._-")) for found in _NAME.findall(text))
    everybody = not _EVERYBODY.isdisjoint(keys)
    fitting = (key for key in keys if USERNAME_MIN_CHARACTERS <= len(key) <= USERNAME_MAX_CHARACTERS)
    names = tuple(key for key in fitting if key not in _EVERYBODY)
    return Mentions(names[:MENTIONS_MAX], everybody)


def resolver(directory: Directory) -> Callable[[Sequence[str]], Awaitable[dict[str, str]]]:
    """Give what finds the ids of users by their folded names; unknown and disabled ones are left out."""

    async def resolve(name_keys: Sequence[str]) -> dict[str, str]:
        users = await directory.users(name_keys=name_keys)
        return {user.name_key: user.id for user in users if not user.disabled}

    return resolve
