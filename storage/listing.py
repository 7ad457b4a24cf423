"""How listings are cut: prefixes as ranges, and cursors that say where a page ended.

Names are compared by code point, which is also the byte order of UTF-8, so every backend sorts alike. A cursor is the
position of the last item of its page. Any string is a valid position, so a cursor that a client made up finds a wrong
page and never fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from storage.account_records import ContactRecord
from storage.records import OVERALL, ItemRecord, Page, RoomRecord

T = TypeVar("T")

MAX_CODE_POINT = 0x10FFFF
SURROGATES = range(0xD800, 0xE000)


def prefix_end(prefix: str) -> str | None:
    """Return the least text above every text that starts with `prefix`; None if there is none."""
    for last in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[last]) + 1
        if code > MAX_CODE_POINT:
            continue  # like a carry: the place before it has to grow
        if code in SURROGATES:
            code = SURROGATES.stop
        return prefix[:last] + chr(code)
    return None


def key_range(prefix: str, cursor: str | None, *, newest: bool = False) -> tuple[str, str | None]:
    """Return the range of keys that begin with `prefix` and come after `cursor`: from the first text, below the second.

    None is above every text. No key holds a NUL, so there is none between a key and the same with U+0001 behind it.
    """
    low, end = prefix, prefix_end(prefix)
    if cursor is None:
        return low, end
    if newest:
        return low, cursor if end is None else min(cursor, end)
    return max(low, f"{cursor}\x01"), end


def check_listed(kind: str, room: str | None) -> None:
    """Raise ValueError for a listing over all rooms that no index is kept for."""
    if room is None and kind != OVERALL:
        raise ValueError(f"items of kind {kind} are listed for one room at a time")


def name_position(room: RoomRecord) -> str:
    """Return the cursor of a room in a listing by name: its id breaks ties, and holds no slash."""
    return f"{room.name_key}/{room.id}"


def item_position(item: ItemRecord) -> str:
    """Return the cursor of an item in a listing by key."""
    return item.key


def parse_name_position(cursor: str) -> tuple[str, str]:
    """Return the (name_key, id) after which the next page starts."""
    name_key, _, room = cursor.rpartition("/")
    return name_key, room


def page_of(found: Sequence[T], limit: int, position: Callable[[T], str]) -> Page[T]:
    """Cut one page from what was found, which is one item more than `limit` if there is a next page."""
    items = tuple(found[: max(limit, 0)])
    more = len(found) > limit and items
    return Page(items, position(items[-1]) if more else None)


def contacts_page(user: str, found: Sequence[ContactRecord], limit: int) -> Page[ContactRecord]:
    """Cut one page, by the other's id, from what was found on the two sides of a user: `limit` and one more of each."""

    def other_of(contact: ContactRecord) -> str:
        return contact.high if contact.low == user else contact.low

    return page_of(sorted(found, key=other_of), limit, other_of)
