"""What the changes of some appends amount to, row by row: what a database has to write."""

from __future__ import annotations

from collections.abc import Sequence

from storage.records import (
    Append,
    Change,
    DropItem,
    DropItems,
    DropMember,
    DropMessage,
    ItemRecord,
    MemberRecord,
    MessageRecord,
    PutItem,
    PutMark,
    PutMember,
    PutMessage,
    PutRoom,
    ReadMark,
    RoomRecord,
    Trim,
)


def furthest(one: ReadMark, other: ReadMark) -> ReadMark:
    """Merge two read markers of one user in one room."""
    return ReadMark(one.user, one.room, max(one.seq, other.seq), max(one.msg_no, other.msg_no))


class NetChanges:
    """What the changes of some appends amount to: the last one for each row counts.

    They are one transaction, so nobody can see the difference, and a room that is written a hundred times in one
    commit is written once. `swept` and `trimmed` come first: what is put after them is among the others.
    """

    __slots__ = ("_keys", "items", "marks", "members", "messages", "rooms", "swept", "trimmed")

    def __init__(self, appends: Sequence[Append]) -> None:
        self.rooms: dict[str, RoomRecord] = {}
        self.members: dict[tuple[str, str], MemberRecord | None] = {}  # None: dropped
        self.messages: dict[str, MessageRecord | None] = {}  # None: dropped
        self.items: dict[tuple[str, str, str], ItemRecord | None] = {}  # None: dropped
        self.marks: dict[tuple[str, str], ReadMark] = {}  # (user, room) -> the furthest
        self.swept: dict[DropItems, None] = {}
        self.trimmed: dict[str, int] = {}  # room -> upto
        self._keys: dict[tuple[str, str], dict[str, None]] = {}  # (room, kind) -> the keys among `items`
        for append in appends:
            for change in append.changes:
                self._take(change)

    def _take(self, change: Change) -> None:
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
            case PutItem(item=item):
                self._set_item(item.room, item.kind, item.key, item)
            case DropItem(room=room_id, kind=kind, key=key):
                self._set_item(room_id, kind, key, None)
            case PutMark(mark=mark):
                there = self.marks.get((mark.user, mark.room), mark)
                self.marks[mark.user, mark.room] = furthest(there, mark)
            case DropItems():
                self._sweep(change)
            case Trim(room=room_id, upto=upto):
                self._trim(room_id, upto)

    def _set_item(self, room: str, kind: str, key: str, item: ItemRecord | None) -> None:
        self.items[room, kind, key] = item
        self._keys.setdefault((room, kind), {})[key] = None

    def _sweep(self, swept: DropItems) -> None:
        self.swept[swept] = None
        keys = self._keys.get((swept.room, swept.kind), {})
        for key in [key for key in keys if key.startswith(swept.prefix)]:
            del keys[key], self.items[swept.room, swept.kind, key]

    def _trim(self, room: str, upto: int) -> None:
        self.trimmed[room] = max(upto, self.trimmed.get(room, 0))
        for message in [m for m in self.messages.values() if m is not None and m.room == room and m.seq <= upto]:
            self.messages[message.id] = None
        for item in [i for i in self.items.values() if i is not None and i.room == room and 0 < i.seq <= upto]:
            self.items[item.room, item.kind, item.key] = None  # dropped: a row of another seq may be there
