"""The rows of one room, as any store keeps them: what projections amount to once they are applied."""

from __future__ import annotations

from collections.abc import Iterable

from immutables import Map
from msgspec.structs import replace

from justchat.rooms.commands import Command, messages_referred
from justchat.rooms.state import RoomState
from justchat.wire.events import decode_message
from storage.records import (
    Change,
    DropMember,
    MemberRecord,
    MessageRecord,
    PutMember,
    PutMessage,
    PutRoom,
    RoomRecord,
    RoomSnapshot,
)


class Rows:
    """One room's row, its members' by user, and its messages' by id."""

    def __init__(self) -> None:
        self.room: RoomRecord | None = None
        self.members: dict[str, MemberRecord] = {}
        self.messages: dict[str, MessageRecord] = {}

    def apply(self, changes: Iterable[Change]) -> None:
        """Make the changes, in their order."""
        for change in changes:
            match change:
                case PutRoom(room=room):
                    self.room = room
                case PutMember(member=member):
                    self.members[member.user] = member
                case DropMember(user=user):
                    self.members.pop(user, None)
                case PutMessage(message=message):
                    self.messages[message.id] = message

    def copy(self) -> Rows:
        """Keep how they are now."""
        rows = Rows()
        rows.room, rows.members, rows.messages = self.room, dict(self.members), dict(self.messages)
        return rows

    def snapshot(self) -> RoomSnapshot:
        """Give what a room loads when it wakes."""
        assert self.room is not None
        return RoomSnapshot(self.room, tuple(self.members.values()), self.room.applied_seq)

    def with_messages(self, state: RoomState | None, commands: Iterable[Command]) -> RoomState | None:
        """Put the messages that the commands refer to at hand, as a room does before it decides a batch."""
        if state is None:
            return None
        named = {message for command in commands for message in messages_referred(command)}
        return replace(
            state, loaded=Map({name: decode_message(self.messages[name].doc) for name in named & self.messages.keys()})
        )
