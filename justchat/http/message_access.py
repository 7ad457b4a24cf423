"""How routes about one message begin: its room is found, and the room says whether the caller may see it.

A message of a room that the caller may not know of, and one from before the time that they may look back to, is refused
as one that is not there.
"""

from __future__ import annotations

from msgspec import Struct

from justchat.http.answers import Refused, granted
from justchat.http.room_access import RoomAccess, read_min_seq
from justchat.ids import is_id
from justchat.rooms.commands import NO_SUCH_MESSAGE, NO_SUCH_ROOM, Accepted, Answer, Command
from justchat.rooms.kept_commands import KeptCommand
from justchat.rooms.queries import Access
from justchat.system import System
from justchat.wire.errors import Refusal
from storage.records import MessageRecord, UserRecord


class Seen(Struct, frozen=True):
    """A message that the caller may see, and what else they may do in its room."""

    record: MessageRecord
    access: Access


class MessageAccess:
    """Access to messages by their ids, for one caller at a time."""

    def __init__(self, system: System) -> None:
        self._rooms = system.rooms
        self._room_access = RoomAccess(system)
        self._journal = system.storage.journal

    async def see(self, caller: UserRecord, message: str) -> Seen:
        """Find a message that the caller may see, as of `min_seq`. Raises Refused."""
        record = await self._record(message)
        try:
            access = await self._room_access.look(caller, record.room)
        except Refused as refused:
            raise Refused(_of_message(refused.refusal)) from None
        if read_min_seq() is not None:
            # Only now it is certain that the room has come so far, and the message with it.
            record = await self._record(message)
        if record.seq <= access.floor:
            raise Refused(NO_SUCH_MESSAGE)
        return Seen(record, access)

    async def post(self, message: str, command: Command | KeptCommand) -> Accepted:
        """Have a command about a message decided by its room, and committed. Raises Refused."""
        record = await self._record(message)
        answer: Answer = await self._rooms.room(record.room).post(command)
        return granted(_of_message(answer) if isinstance(answer, Refusal) else answer)

    async def _record(self, message: str) -> MessageRecord:
        # An address may hold what no store takes for a text.
        record = await self._journal.message(message) if is_id("m", message) else None
        if record is None:
            raise Refused(NO_SUCH_MESSAGE)
        return record


def _of_message(refusal: Refusal) -> Refusal:
    """Say no more of a room that somebody may not know of than of a message that is not there."""
    return NO_SUCH_MESSAGE if refusal is NO_SUCH_ROOM else refusal
