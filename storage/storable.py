"""What every database can hold, decided in one place for those that would take more than others."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import astuple

from storage.errors import Unstorable
from storage.records import Append, Change, DropItem, DropItems, PutItem, PutMark, PutMember, PutMessage, PutRoom

MIN_INT, MAX_INT = -(2**63), 2**63 - 1


def check_append(append: Append) -> None:
    """Raise Unstorable if some database would refuse these values."""
    for entry in append.entries:
        check(entry)
        if entry.room != append.room:
            raise Unstorable(f"an entry of {entry.room} in an append of {append.room}")
    check_changes(append.changes)


def check_changes(changes: Iterable[Change]) -> None:
    """Raise Unstorable if some database would refuse these values."""
    for change in changes:
        match change:
            case PutRoom(room=room):
                check(room)
            case PutMember(member=member):
                check(member)
            case PutMessage(message=message):
                check(message)
            case PutItem(item=item):
                check(item)
            case PutMark(mark=mark):
                check(mark)
            case _:
                check(change)


def check_items(changes: Iterable[Change]) -> None:
    """Raise Unstorable as `check_changes`, for items alone: listings rely on keys without a NUL."""
    check_changes(change for change in changes if isinstance(change, PutItem | DropItem | DropItems))


def check(record: Struct) -> None:
    """Raise Unstorable for text that is not Unicode or holds a NUL, and for integers beyond 64 bits."""
    for value in astuple(record):
        if isinstance(value, str):
            check_text(value)
        elif isinstance(value, tuple):
            check_texts(value)
        elif isinstance(value, int) and not MIN_INT <= value <= MAX_INT:
            raise Unstorable(f"an integer in {type(record).__name__} is beyond 64 bits")


def check_texts(texts: Iterable[str]) -> None:
    """Raise Unstorable for texts that no database can hold."""
    for text in texts:
        check_text(text)


def check_text(text: str) -> None:
    """Raise Unstorable for text that is not Unicode or holds a NUL."""
    if "\0" in text:
        raise Unstorable("text holds a NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unstorable("text holds a lone surrogate") from None
