"""One account's departure: out of all rooms, and then whatever it left in any of them.

The account says what is to be done: in state `leaving` what was written stays, `erasing` takes it back, and `demoting`
makes a guest of somebody, who has no rooms. Every step may be done again, so a departure that was cut off anywhere is
gone on with by beginning again. One room that does not do its part keeps none of the others from doing theirs.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from justchat.departures.erasure import Erasure
from justchat.departures.errors import NotNow
from justchat.departures.room_exit import RoomExit
from justchat.rooms.items import departure_item
from justchat.rooms.room import Rooms
from justchat.wire.errors import ErrorCode, Refusal
from storage.errors import Conflict
from storage.ports import Directory, Journal
from storage.records import DropItem, PutItem, UserRecord

ENDS: Final = {"leaving": "gone", "erasing": "gone", "demoting": "active"}
"""The states in which an account departs, and that in which it is afterwards."""

FAULT_POINTS: Final = (
    "begun",
    "room_marked",
    "membership_ended",
    "room_left",
    "rooms_left",
    "room_cleared",
    "reaction_removed",
    "messages_deleted",
    "texts_rewritten",
    "room_erased",
    "mark_dropped",
    "rooms_cleared",
    "settled",
    "ended",
)
"""Where a fault may be planted, in the order in which a departure comes by."""

CROWDED: Final = 0.75
"""The part of all places for rooms that are awake from which on departures take no more of them."""

_PAGE: Final = 500
_PASSES_MAX: Final = 8
_TRIES: Final = 8
_STILL_IN: Final = Refusal(ErrorCode.CONFLICT, "the account comes into rooms faster than it leaves them")
_CROWDED: Final = Refusal(ErrorCode.ROOM_OVERLOADED, "too many rooms are awake to wake others for this")
_CHANGING: Final = Refusal(ErrorCode.CONFLICT, "the account is changed over and over")

logger = logging.getLogger(__name__)


class Surroundings(Struct, frozen=True):
    """What departures work on.

    `settle(user)` takes away what else belongs to an account that never comes back, and may be called again;
    `fault(point, user)` may raise, for tests.
    """

    rooms: Rooms
    journal: Journal
    directory: Directory
    settle: Callable[[str], Awaitable[None]]
    fault: Callable[[str, str], None] | None = None


class Departure:
    """The departure of one account, which is in one of the states of ENDS.

    `again` says that it has been cleared up after before, so that only what came since is to be erased.
    """

    __slots__ = ("_again", "_around", "_erasure", "_exit", "_failure", "user")

    def __init__(self, user: UserRecord, around: Surroundings, *, again: bool = False) -> None:
        self.user = user
        self._again = again
        self._around = around
        rooms, journal, directory = around.rooms, around.journal, around.directory
        for_good = ENDS[user.state] == "gone"
        self._exit = RoomExit(user.id, for_good=for_good, rooms=rooms, journal=journal, directory=directory)
        self._erasure: Erasure | None = None
        if user.state == "erasing":
            self._erasure = Erasure(user.id, rooms=rooms, journal=journal, reach=self._reach)
        self._failure: NotNow | None = None

    async def leave(self) -> None:
        """End all memberships. Raises NotNow where that is not done, and what storage raises."""
        self._reach("begun")
        for _ in range(_PASSES_MAX):
            self._failure = None
            changed = False
            async with aclosing(self._own_rooms()) as rooms:
                async for room in rooms:
                    changed = await self._try(room, self._leave) or changed
            self._check()
            if not changed:
                self._reach("rooms_left")
                return
        raise NotNow("all rooms", _STILL_IN)

    async def clear(self) -> None:
        """Clear up what is left anywhere. Raises as `leave`."""
        self._failure = None
        async with aclosing(self._rooms_with_traces()) as rooms:
            async for room, clear in rooms:
                await self._try(room, clear)
        self._check()
        self._reach("rooms_cleared")

    async def end(self) -> None:
        """Say that it is done; of who never comes back nothing else is left then. Raises as `leave`."""
        if ENDS[self.user.state] == "gone":
            await self._around.settle(self.user.id)
            self._reach("settled")
        await self._say_so()
        self._reach("ended")

    async def _try(self, room: str, do: Callable[[str], Awaitable[bool]]) -> bool:
        if self._is_crowded(room):
            raise NotNow(room, _CROWDED)
        try:
            return await do(room)
        except NotNow as failure:
            if failure.everywhere:
                raise
            logger.info("event=departure_waits user=%s error=%s", self.user.id, failure)
            self._failure = self._failure or failure
            return False

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _is_crowded(self, room: str) -> bool:
        """Tell whether there is little place left for rooms that others need: one that was woken stays for a while."""
        if self._around.rooms.is_awake(room):
            return False
        awake = self._around.rooms.statistics()
        return awake.active >= awake.capacity * CROWDED

    async def _own_rooms(self) -> AsyncGenerator[str, None]:
        cursor: str | None = None
        while True:
            page = await self._around.directory.rooms_of(self.user.id, cursor=cursor, limit=_PAGE)
            for room, _ in page.items:
                yield room.id
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _leave(self, room: str) -> bool:
        if self._erasure is not None:
            # Where somebody only reacted nothing else tells later that they were here.
            await self._around.directory.keep([PutItem(departure_item(room, self.user.id))])
            self._reach("room_marked")
        changed = await self._exit.end_membership(room)
        self._reach("membership_ended")
        await self._exit.unschedule(room)
        self._reach("room_left")
        return changed

    async def _rooms_with_traces(self) -> AsyncGenerator[tuple[str, Callable[[str], Awaitable[bool]]], None]:
        """Give the rooms, each with what is to be done in it."""
        journal, after = self._around.journal, ""
        while rooms := await journal.rooms(after=after, limit=_PAGE):
            kept = set(await journal.rooms_keeping(rooms, self._exit.traces))
            written = await self._with_words(rooms)
            for room in sorted(kept | written):
                yield room, self._erase if room in written else self._clear
            after = rooms[-1]

    async def _with_words(self, rooms: Sequence[str]) -> set[str]:
        """Give the rooms whose journals have to be read, which may be long: of what came since, all were marked."""
        if self._erasure is None:
            return set()
        found = set(await self._around.journal.rooms_keeping(rooms, self._exit.marks))
        return found if self._again else found.union(await self._around.journal.written_in(rooms, self.user.id))

    async def _clear(self, room: str) -> bool:
        await self._exit.clear(room)
        self._reach("room_cleared")
        return True

    async def _erase(self, room: str) -> bool:
        await self._clear(room)
        if self._erasure is not None:
            await self._erasure.erase(room)
        mark = departure_item(room, self.user.id)
        await self._around.directory.keep([DropItem(mark.room, mark.kind, mark.key)])
        self._reach("mark_dropped")
        return True

    async def _say_so(self) -> None:
        """Change the state, whatever else became of the account in between."""
        user: UserRecord | None = self.user
        for _ in range(_TRIES):
            user = await self._around.directory.user(self.user.id)
            if user is None or user.state != self.user.state:
                return
            try:
                await self._around.directory.change_user(replace(user, state=ENDS[user.state], rev=user.rev + 1))
            except Conflict:
                continue
            logger.info("event=departed user=%s from=%s", user.id, self.user.state)
            return
        raise NotNow("all rooms", _CHANGING)

    def _reach(self, point: str) -> None:
        if self._around.fault is not None:
            self._around.fault(point, self.user.id)
