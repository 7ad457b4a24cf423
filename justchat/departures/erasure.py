"""What one account wrote in one room, taken out of it: messages, reactions, and the text in the room's journal.

First an entry says that the messages are deleted, as everybody hears it, and only then the text goes from the entries
that held it. So whatever is read at any moment makes sense, and an erasure that was cut off is gone on with by
beginning again. It costs a pass over the room's journal, for nothing else knows which entries are an edit of whose.
Raises NotNow where a room does not do it, and what storage raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import ValidationError

from justchat.departures.errors import NotNow
from justchat.rooms.erased import without_text
from justchat.rooms.fold import event_of
from justchat.rooms.items import ItemKind, reaction_key
from justchat.rooms.room import Rooms
from justchat.rooms.system_commands import EraseMessages, EraseReaction, SystemCommand
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.events import SYSTEM, ReactionAdded
from storage.ports import Journal
from storage.records import Entry

ERASED_AT_ONCE: Final = 100
"""How many messages one event says to be deleted."""

_PAGE: Final = 300
_DAMAGED: Final = Refusal(ErrorCode.INTERNAL, "an entry cannot be read: run `justchat storage check`")


class Erasure:
    """Erases what one account wrote; `reach` is told of each step that is behind it."""

    __slots__ = ("_journal", "_reach", "_rooms", "_user")

    def __init__(self, user: str, *, rooms: Rooms, journal: Journal, reach: Callable[[str], None]) -> None:
        self._user = user
        self._rooms = rooms
        self._journal = journal
        self._reach = reach

    async def erase(self, room: str) -> None:
        """Go through a room in which the account can write no more."""
        last = await self._journal.read_back(room, limit=1)
        head, after, rewritten = last[-1].seq if last else 0, 0, False
        while after < head:
            page = await self._journal.read(room, after=after, upto=head, limit=_PAGE)
            if not page:
                break
            own = [entry for entry in page if entry.actor == self._user]
            try:
                await self._take_back(room, own)
                rewritten = await self._empty(room, own) or rewritten
            except ValidationError:
                raise NotNow(room, _DAMAGED) from None
            after = page[-1].seq
        if rewritten:
            # It may hold the bytes of the newest entries as they were.
            _check(room, await self._rooms.room(room).forget())
        self._reach("room_erased")

    async def _empty(self, room: str, own: Sequence[Entry]) -> bool:
        bare = [entry for entry in map(without_text, own) if entry is not None]
        messages = [entry.message_id for entry in bare if entry.message_id is not None]
        for start in range(0, len(messages), ERASED_AT_ONCE):
            await self._post(room, EraseMessages(SYSTEM, self._user, tuple(messages[start : start + ERASED_AT_ONCE])))
            self._reach("messages_deleted")
        if bare:
            await self._journal.rewrite(bare)
            self._reach("texts_rewritten")
        return bool(bare)

    async def _take_back(self, room: str, own: Sequence[Entry]) -> None:
        events = [event_of(entry) for entry in own if entry.type == "reaction.added"]
        added = {
            (ItemKind.REACTION.value, reaction_key(event.message, event.emoji, self._user)): event
            for event in events
            if isinstance(event, ReactionAdded)
        }
        for item in await self._journal.items_by_key(room, sorted(added)) if added else ():
            event = added[item.kind, item.key]
            await self._post(room, EraseReaction(SYSTEM, self._user, event.message, event.emoji))
            self._reach("reaction_removed")

    async def _post(self, room: str, command: SystemCommand) -> None:
        answer = await self._rooms.room(room).post(command)
        _check(room, answer if isinstance(answer, Refusal) else None)


def _check(room: str, refusal: Refusal | None) -> None:
    if refusal is not None:
        raise NotNow(room, refusal)
