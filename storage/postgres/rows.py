"""From records to rows and back. The columns of each table stand in the order of its record's fields."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import astuple

from storage.postgres.connection import Row
from storage.records import Entry, ItemRecord, MemberRecord, MessageRecord, RoomRecord, RoomSnapshot, Sent, UserRecord

R = TypeVar("R", bound=Struct)

# What LOAD_ROOM gives as arrays: each column but the room.
MEMBER_ARRAYS, ITEM_ARRAYS = len(MemberRecord.__struct_fields__) - 1, len(ItemRecord.__struct_fields__) - 1


def columns_of(kind: type[Struct], records: Iterable[Struct]) -> list[list[object]]:
    """Turn records of one kind into one list for each column, as many as there are fields, also of no records."""
    columns = [list(column) for column in zip(*map(astuple, records), strict=True)]
    return columns or [[] for _ in kind.__struct_fields__]


def record_of(kind: type[R], row: Row) -> R:
    """Make a record of a row of its table."""
    return kind(*row)


def user_of(row: Row) -> UserRecord:
    """Make a user of a row of `users`."""
    return record_of(UserRecord, row)


def room_of(row: Row) -> RoomRecord:
    """Make a room of a row of `rooms`."""
    return record_of(RoomRecord, row)


def member_of(row: Row) -> MemberRecord:
    """Make a membership of a row of `members`."""
    return record_of(MemberRecord, row)


def entry_of(row: Row) -> Entry:
    """Make an entry of a row of `entries`."""
    return record_of(Entry, row)


def message_of(row: Row) -> MessageRecord:
    """Make a message of a row of `messages`."""
    return record_of(MessageRecord, row)


def item_of(row: Row) -> ItemRecord:
    """Make an item of a row of `items`."""
    return record_of(ItemRecord, row)


def sent_of(row: Row) -> Sent:
    """Make what is remembered of a post of some columns of `entries`; those of a post are never NULL."""
    sender, client_msg_id, seq, msg_no, message_id, digest = row
    return Sent(sender, client_msg_id, seq, msg_no or 0, message_id or "", digest or b"")  # type: ignore[arg-type]


def snapshot_of(room: str, row: Row) -> RoomSnapshot | None:
    """Make a snapshot of the one row of `LOAD_ROOM`; None of a room that never was."""
    head, record = row[0], row[1 + MEMBER_ARRAYS + ITEM_ARRAYS :]
    if head is None and record[0] is None:
        return None
    members = _rows_of(room, row[1 : 1 + MEMBER_ARRAYS])
    items = _rows_of(room, row[1 + MEMBER_ARRAYS : 1 + MEMBER_ARRAYS + ITEM_ARRAYS])
    return RoomSnapshot(
        room=None if record[0] is None else room_of(record),
        members=tuple(map(member_of, members)),
        head_seq=head or 0,  # type: ignore[arg-type]
        items=tuple(map(item_of, items)),
    )


def _rows_of(room: str, columns: Row) -> Sequence[Row]:
    """Make rows of the columns after the room, in the order of their keys; a column of no rows is None."""
    return sorted(zip(repeat(room), *(column or () for column in columns)))
