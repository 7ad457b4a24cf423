"""What the changes of some appends amount to, row by row: what a database has to write."""

from __future__ import annotations

from collections.abc import Sequence

from storage.records import (
    Append,
    DropMember,
    DropMessage,
    MemberRecord,
    MessageRecord,
    PutMember,
    PutMessage,
    PutRoom,
    RoomRecord,
)


class NetChanges:
    """What the changes of some appends amount to: the last one for each row counts.

    They are one transaction, so nobody can see the difference, and a room that is written a hundred times in one
    commit is written once.
    """

    __slots__ = ("members", "messages", "rooms")

    def __init__(self, appends: Sequence[Append]) -> None:
        self.rooms: dict[str, RoomRecord] = {}
        self.members: dict[tuple[str, str], MemberRecord | None] = {}  # None: dropped
        self.messages: dict[str, MessageRecord | None] = {}  # None: dropped
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
                    case DropMessage(message=message_id):
                        self.messages[message_id] = None
