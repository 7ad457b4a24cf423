"""How far people have read rooms, and how many messages are left: arithmetic on numbers, never a counter.

A read marker is (seq, msg_no) of one user in one room and only moves forward. Whoever joins has read what there was by
then, whoever posts what is above the post: the one is worked out, the other stands in the room's row, which each post
writes anyway, until others have posted so much later that it becomes a marker. `unread` is how many messages were
numbered since, deleted ones included. Markers are written past the room's actor: many people read what one has written,
and nobody's post is to wait for them. What is trimmed is nobody's to read any more and counts as read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from justchat.rooms.commands import NOT_A_MEMBER
from justchat.rooms.queries import Access
from justchat.rooms.room import Rooms
from justchat.rooms.state import last_post, stored_recent, stored_trimmed
from justchat.wire.errors import Refusal
from storage.account_ports import Relations
from storage.ports import Journal
from storage.records import MemberRecord, ReadMark, RoomRecord

_AT_ONCE: Final = 100


class Standing(Struct, frozen=True):
    """What must be known of a member's room to say what is unread: where they came in, how many messages there are.

    `wrote` are seq and msg_no of their last post, if the room still says so. History is trimmed up to `trimmed`.
    """

    room: str
    joined_seq: int
    last_msg_no: int
    wrote: tuple[int, int] = (0, 0)
    trimmed: int = 0


class Read(Struct, frozen=True):
    """How far somebody has read a room, and how many messages were numbered since that are not trimmed."""

    seq: int
    unread: int


class Marked(Struct, frozen=True):
    """Where a read marker was wanted, and whether it moved."""

    seq: int
    changed: bool


class Reading:
    """Reads and moves read markers. Raises what storage raises."""

    __slots__ = ("_journal", "_relations", "_rooms")

    def __init__(self, rooms: Rooms, journal: Journal, relations: Relations) -> None:
        self._rooms = rooms
        self._journal = journal
        self._relations = relations

    async def mark(self, room: str, user: str, *, upto: int) -> Marked | Refusal:
        """Note that a member has read a room up to a seq, or up to its head where that is lower."""
        access = await self._rooms.room(room).look(user)
        if isinstance(access, Refusal):
            return access
        if access.role is None:
            return NOT_A_MEMBER
        seq = min(upto, access.head)
        msg_no = access.last_msg_no if seq == access.head else await self._number_at(room, seq)
        return Marked(seq, await self._relations.mark_read(ReadMark(user, room, seq, msg_no)))

    async def read(self, user: str, room: str, access: Access) -> Read | None:
        """Say how far the user has read a room that was looked at; None for who is no member."""
        if access.role is None:
            return None
        standing = Standing(room, access.joined_seq, access.last_msg_no, access.wrote, access.trimmed)
        return (await self.of(user, [standing]))[room]

    async def of(self, user: str, standings: Iterable[Standing]) -> dict[str, Read]:
        """Say how far the user has read each of these rooms."""
        wanted = list(standings)
        found: dict[str, Read] = {}
        for start in range(0, len(wanted), _AT_ONCE):
            found |= await self._some(user, wanted[start : start + _AT_ONCE])
        return found

    async def _some(self, user: str, standings: Sequence[Standing]) -> dict[str, Read]:
        rows = await self._relations.read_marks(user, [standing.room for standing in standings])
        marks = {mark.room: (mark.seq, mark.msg_no) for mark in rows}
        for standing in standings:
            marks[standing.room] = max(marks.get(standing.room, (0, 0)), standing.wrote)
        # A place from before they came in, perhaps for another time, says nothing about what was said meanwhile.
        stale = [standing for standing in standings if marks[standing.room][0] < standing.joined_seq]
        joined = await self._joined(stale) if stale else {}
        found: dict[str, Read] = {}
        for standing in standings:
            marked, msg_no = marks[standing.room]
            seq, read_no = max(marked, standing.joined_seq), max(msg_no, joined.get(standing.room, 0))
            if seq < standing.trimmed and read_no < standing.last_msg_no:
                read_no = max(read_no, await self._number_below(standing))
            found[standing.room] = Read(seq, max(standing.last_msg_no - read_no, 0))
        return found

    async def _joined(self, standings: Sequence[Standing]) -> dict[str, int]:
        """Say how many messages each room had numbered where the member came in."""
        # Who came with the room came before its first message.
        later = [standing for standing in standings if standing.joined_seq > 1 and standing.last_msg_no]
        if not later:
            return {}
        latest = await self._journal.latest_messages([(standing.room, standing.joined_seq) for standing in later])
        found = {message.room: message.msg_no for message in latest}
        for standing in later:
            if standing.room not in found:
                above = await self._journal.messages(standing.room, after=standing.joined_seq, limit=1)
                found[standing.room] = above[0].msg_no - 1 if above else standing.last_msg_no
        return found

    async def _number_below(self, standing: Standing) -> int:
        """Say how many messages a room had numbered up to where it is trimmed: the first one above tells."""
        above = await self._journal.messages(standing.room, after=standing.trimmed, limit=1)
        return above[0].msg_no - 1 if above else standing.last_msg_no

    async def _number_at(self, room: str, seq: int) -> int:
        """Say how many messages a room had numbered at a seq below its head, as far as there are any left to tell."""
        below = await self._journal.latest_messages([(room, seq)])
        if below:
            return below[0].msg_no
        # There were none yet, or they are trimmed: what is not there to be read counts as read.
        above = await self._journal.messages(room, after=seq, limit=1)
        return above[0].msg_no - 1 if above else 0


def standing_of(room: RoomRecord, member: MemberRecord) -> Standing:
    """Say where a member stands by the rows of room and membership."""
    wrote = last_post(stored_recent(room), member.user)
    place = (0, 0) if wrote is None else (wrote.seq, wrote.msg_no)
    return Standing(room.id, member.joined_seq, room.last_msg_no, place, stored_trimmed(room))
