"""One account's way out of one room: the membership, and what else of it the room keeps.

Every step may be done again; where nothing is left of it nothing is changed. Raises NotNow where a room does not do it,
and what storage raises.
"""

from __future__ import annotations

from typing import Final

import msgspec

from justchat.departures.errors import NotNow
from justchat.departures.heirs import heirs_of
from justchat.rooms.commands import Accepted
from justchat.rooms.items import Invite, ItemKind, Report, scheduled_key
from justchat.rooms.kept_commands import KeptCommand, Unschedule
from justchat.rooms.room import Rooms
from justchat.rooms.rules.kept_rules import SCHEDULED_MAX
from justchat.rooms.rules.moderation_rules import INVITES_MAX
from justchat.rooms.system_commands import EndMembership, SystemCommand
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.events import SYSTEM
from storage.ports import Directory, Journal
from storage.records import DropItem

# An heir, the end of it, every invite that there can be, a mute and a ban; and as many again for what comes between.
_STEPS_MAX: Final = 2 * (INVITES_MAX + 4)
_PAGE: Final = 500
_GOING_ON: Final = Refusal(ErrorCode.CONFLICT, "there is more to do in this room, over and over")


class RoomExit:
    """Takes one account out of rooms; `for_good` if it never comes back."""

    __slots__ = ("_directory", "_for_good", "_journal", "_rooms", "_user")

    def __init__(self, user: str, *, for_good: bool, rooms: Rooms, journal: Journal, directory: Directory) -> None:
        self._user = user
        self._for_good = for_good
        self._rooms = rooms
        self._journal = journal
        self._directory = directory

    @property
    def traces(self) -> tuple[tuple[str, str], ...]:
        """The items, by kind and beginning of the key, by which a room that was left long ago is found again."""
        # Who made an invite and who reported something is not in the key: rooms that have any are looked at.
        traces = [(ItemKind.SCHEDULED.value, scheduled_key(self._user, "")), (ItemKind.INVITE.value, "")]
        if self._for_good:
            traces += [(ItemKind.BAN.value, self._user), (ItemKind.MUTE.value, self._user)]
            traces.append((ItemKind.REPORT.value, ""))
        return tuple(traces)

    @property
    def marks(self) -> tuple[tuple[str, str], ...]:
        """The items, as those above, that say of a room that it is still to be looked through for what they wrote."""
        return ((ItemKind.DEPARTURE.value, self._user),)

    async def end_membership(self, room: str) -> bool:
        """End the membership and what hangs on it, step by step; tell whether there was anything to do."""
        heirs: tuple[str, ...] | None = None
        changed = False
        for _ in range(_STEPS_MAX):
            command = EndMembership(SYSTEM, self._user, heirs, self._for_good)
            answer = await self._rooms.room(room).post(command)
            if isinstance(answer, Accepted):
                if not answer.changed:
                    return changed
                changed = True
            elif answer.code is ErrorCode.LAST_OWNER and heirs is None:
                heirs = await heirs_of(self._directory, room, without=self._user)
            elif answer.code is ErrorCode.NOT_FOUND:
                return False
            else:
                raise NotNow(room, answer)
        raise NotNow(room, _GOING_ON)

    async def clear(self, room: str) -> None:
        """Clear up what is left in a room that the account is not in, or no more."""
        if await self._has_steps(room):
            await self.end_membership(room)
        await self.unschedule(room)
        if self._for_good:
            await self._drop_reports(room)

    async def unschedule(self, room: str) -> None:
        """Take back what waits to be posted, and what failed."""
        kind, prefix = ItemKind.SCHEDULED.value, scheduled_key(self._user, "")
        page = await self._directory.items(kind, room=room, prefix=prefix, cursor=None, limit=SCHEDULED_MAX)
        for item in page.items:
            await self._post(room, Unschedule(self._user, item.key.removeprefix(prefix)))

    async def _post(self, room: str, command: SystemCommand | KeptCommand) -> None:
        answer = await self._rooms.room(room).post(command)
        if isinstance(answer, Refusal) and answer.code is not ErrorCode.NOT_FOUND:
            raise NotNow(room, answer)

    async def _has_steps(self, room: str) -> bool:
        """Tell whether the room has to be woken: it has an invite of theirs, or keeps something against them."""
        held = [(ItemKind.BAN.value, self._user), (ItemKind.MUTE.value, self._user)]
        if self._for_good and await self._journal.items_by_key(room, held):
            return True
        kind = ItemKind.INVITE.value
        page = await self._directory.items(kind, room=room, cursor=None, limit=INVITES_MAX)
        return any(msgspec.json.decode(item.doc, type=Invite).by == self._user for item in page.items)

    async def _drop_reports(self, room: str) -> None:
        """Drop what they told the moderators; rooms keep reports and decide nothing by them."""
        kind, cursor = ItemKind.REPORT.value, None
        while True:
            page = await self._directory.items(kind, room=room, cursor=cursor, limit=_PAGE)
            own = [item for item in page.items if msgspec.json.decode(item.doc, type=Report).user == self._user]
            if own:
                await self._directory.keep([DropItem(item.room, item.kind, item.key) for item in own])
            cursor = page.next_cursor
            if cursor is None:
                return
