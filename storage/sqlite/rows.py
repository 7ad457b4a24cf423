"""From records to rows and back. The columns of each table stand in the order of its record's fields."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from storage.records import (
    Append,
    DropMember,
    Entry,
    MemberRecord,
    MessageRecord,
    PutMember,
    PutMessage,
    PutRoom,
    RoomRecord,
    Sent,
    UserRecord,
)

Value = str | int | bytes | None
Row = tuple[Value, ...]


class NetChanges:
    """What the changes of some appends amount to: the last one for each row counts.

    They are one transaction, so nobody can see the difference, and a room that is written a hundred times in one
    commit is written once.
    """

    __slots__ = ("members", "messages", "rooms")

    def __init__(self, appends: Sequence[Append]) -> None:
        self.rooms: dict[str, RoomRecord] = {}
        self.members: dict[tuple[str, str], MemberRecord | None] = {}  # None: dropped
        self.messages: dict[str, MessageRecord] = {}
        for append in appends:
            for change in append.changes:
                match change:
                    case PutRoom(room=room):
                        self.rooms[room.id] = room
                    case PutMember(member=member):
                        self.members[member.room, member.user] = member
                    case DropMember(room=room_id, user=user):
                        self.members[room_id, user] = None
                    case PutMessage(message=message):
                        self.messages[message.id] = message


def user_of(row: Row) -> UserRecord:
    """Make a user of a row of `users`."""
    record = UserRecord(*row)  # type: ignore[arg-type]
    return replace(record, disabled=bool(record.disabled))


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


def sent_of(row: Row) -> Sent:
    """Make what is remembered of a post of some columns of `entries`; those of a post are never NULL."""
    sender, client_msg_id, seq, msg_no, message_id, digest = row
    return Sent(sender, client_msg_id, seq, msg_no or 0, message_id or "", digest or b"")  # type: ignore[arg-type]
