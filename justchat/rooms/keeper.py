"""What a room keeps without an entry: scheduled posts, reports, and the next time of its timers.

It reads what a command needs, has it decided, and answers once what follows is durable. A store that does not answer is
a refusal here and never a crash, because all of it may be asked again.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from justchat.rooms.commands import NO_SUCH_ROOM, Accepted, Answer
from justchat.rooms.kept_commands import KeptCommand, ScheduleMessage, item_named, messages_named
from justchat.rooms.people import is_blocked
from justchat.rooms.reload import load_messages
from justchat.rooms.room_ports import RoomPorts
from justchat.rooms.rules.decision import Unchanged, hidden
from justchat.rooms.rules.kept_rules import SCHEDULED_MAX, decide_kept
from justchat.rooms.state import RoomState
from justchat.wire.errors import ErrorCode, Refusal
from storage.errors import StorageError
from storage.records import DropItem, ItemRecord, PutItem

_NOT_KEPT = Refusal(ErrorCode.STORAGE_UNAVAILABLE, "storage did not answer; the same may be asked again", (), 1.0)


class Kept(Struct, frozen=True):
    """The answer to a command, and what was written for it."""

    answer: Answer
    changes: tuple[PutItem | DropItem, ...] = ()


class Keeper:
    """The keeper of one room."""

    __slots__ = ("_ports", "_room")

    def __init__(self, room: str, *, ports: RoomPorts) -> None:
        self._room = room
        self._ports = ports

    async def serve(self, command: KeptCommand, state: RoomState | None) -> Kept:
        """Decide a command and make durable what it changes."""
        if state is None:
            return Kept(NO_SUCH_ROOM)
        try:
            return await self._serve(command, state)
        except StorageError:
            return Kept(_NOT_KEPT)

    async def _serve(self, command: KeptCommand, state: RoomState) -> Kept:
        state = await load_messages(self._ports.journal, state, messages_named(command))
        found = await self._find(command)
        blocked = isinstance(command, ScheduleMessage) and await is_blocked(self._ports, state)
        decision = decide_kept(state, command, found, now=self._ports.now_ms(), blocked=blocked)
        if isinstance(decision, Refusal):
            return Kept(decision)
        # The head is told to those who may know of the room.
        head = state.head_seq if hidden(state, command.actor) is None else 0
        if isinstance(decision, Unchanged):
            return Kept(Accepted(head, changed=False))
        try:
            await self.keep((decision,))
        except StorageError:
            # It may have been written all the same: what it changed may then be due.
            return Kept(_NOT_KEPT, (decision,))
        return Kept(Accepted(head), (decision,))

    async def _find(self, command: KeptCommand) -> Sequence[ItemRecord]:
        kind, key = item_named(command)
        if isinstance(command, ScheduleMessage):
            # All of the user's, for there may not be more than so many; theirs begin with their id.
            prefix, limit = f"{command.actor}/", SCHEDULED_MAX
        else:
            # The key itself is the first of all that begin with it.
            prefix, limit = key, 1
        page = await self._ports.directory.items(kind.value, room=self._room, prefix=prefix, cursor=None, limit=limit)
        return page.items

    async def keep(self, changes: Sequence[PutItem | DropItem]) -> None:
        """Write items durably. Raises what the directory raises."""
        self._ports.reach("before_keep", self._room)
        await self._ports.directory.keep(changes)
        self._ports.reach("after_keep", self._room)
