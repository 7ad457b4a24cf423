"""A difference between a journal and what is made of it: what it is about, and the change that would mend it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import fields

from storage.records import Change


class Difference(Struct, frozen=True):
    """One finding. `mend` is None for damage to the journal itself, which nothing can be made from."""

    room: str
    what: str
    problem: str
    mend: Change | None = None

    def __str__(self) -> str:
        return f"{self.room}: {self.what}: {self.problem}"


Report = Callable[[Difference, bool], None]
"""Told of every difference, and of whether it was repaired."""


def wrong_fields(expected: Struct, found: Struct) -> str:
    """Name the fields in which two records of one type differ, and never what they hold."""
    names = [f.name for f in fields(expected) if getattr(expected, f.name) != getattr(found, f.name)]
    return f"wrong in {', '.join(names)}"
