"""From records to rows and back. The columns of each table stand in the order of its record's fields."""

from __future__ import annotations

from msgspec.structs import replace

from storage.records import Entry, ItemRecord, MemberRecord, MessageRecord, RoomRecord, Sent, UserRecord

Value = str | int | bytes | None
Row = tuple[Value, ...]

ABOVE_ALL_TEXT = b""


def bound(text: str | None) -> str | bytes:
    """Return what to compare texts with that are to be below this one; all are below None."""
    return ABOVE_ALL_TEXT if text is None else text


def user_of(row: Row) -> UserRecord:
    """Make a user of a row of `users`."""
    record = UserRecord(*row)  # type: ignore[arg-type]
    return replace(record, disabled=bool(record.disabled), email_verified=bool(record.email_verified))


def room_of(row: Row) -> RoomRecord:
    """Make a room of a row of `rooms`."""
    return RoomRecord(*row)  # type: ignore[arg-type]


def member_of(row: Row) -> MemberRecord:
    """Make a membership of a row of `members`."""
    return MemberRecord(*row)  # type: ignore[arg-type]


def entry_of(row: Row) -> Entry:
    """Make an entry of a row of `entries`."""
    return Entry(*row)  # type: ignore[arg-type]


def message_of(row: Row) -> MessageRecord:
    """Make a message of a row of `messages`."""
    record = MessageRecord(*row)  # type: ignore[arg-type]
    return replace(record, deleted=bool(record.deleted))


def item_of(row: Row) -> ItemRecord:
    """Make an item of a row of `items`."""
    record = ItemRecord(*row)  # type: ignore[arg-type]
    return replace(record, held=bool(record.held))


def sent_of(row: Row) -> Sent:
    """Make what is remembered of a post of some columns of `entries`; those of a post are never NULL."""
    sender, client_msg_id, seq, msg_no, message_id, digest = row
    return Sent(sender, client_msg_id, seq, msg_no or 0, message_id or "", digest or b"")  # type: ignore[arg-type]
