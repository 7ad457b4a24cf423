"""Has every account depart that is to: at once when it is told of one, and after a restart all that were under way.

It is an actor under a supervisor. Which accounts depart is for the directory to say; a look every so often finds those
that nobody told of. A few leave their rooms at the same time, and one after the other is cleared up after. A departure
that cannot go on is tried again later and later, and keeps no other waiting.

What somebody asked for just before they were to depart may be done just after their rooms were left. So it is looked
once more when whatever was under way has ended, and only then has the account departed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import trio

from actors import ActorStopped, Child, Inbox, InboxFull, Supervisor
from justchat.departures.departure import ENDS, Departure, Surroundings
from justchat.departures.errors import NotNow
from storage.errors import StorageError
from storage.records import UserRecord

LEAVING_AT_ONCE: Final = 4
LISTED: Final = 100
"""How many accounts of a state are under way at a time, besides those that wait for another try."""
RETRY_SECONDS: Final = 1.0
RETRY_MAX_SECONDS: Final = 900.0

_TOLD_MAX: Final = 64

logger = logging.getLogger(__name__)


class _UnderWay:
    """A departure from `state`, of whom all that they asked for before has ended at the moment `quiet`."""

    __slots__ = ("is_cleared", "quiet", "state")

    def __init__(self, state: str, *, quiet: float) -> None:
        self.state = state
        self.quiet = quiet
        self.is_cleared = False


class Departures:
    """The departures of one process. `start` it under a supervisor."""

    __slots__ = (
        "_around",
        "_at_work",
        "_clearing",
        "_failures",
        "_inbox",
        "_leaving",
        "_linger_seconds",
        "_seconds",
        "_under_way",
        "_waiting",
    )

    def __init__(self, around: Surroundings, *, seconds: float = 60.0, linger_seconds: float = 0.0) -> None:
        """Look for accounts every so many seconds, besides those that it is told of.

        `linger_seconds` is how long something that an account asked for before may still be under way.
        """
        self._around = around
        self._seconds = seconds
        self._linger_seconds = linger_seconds
        self._inbox: Inbox[str] = Inbox(capacity=_TOLD_MAX)
        self._at_work: set[str] = set()
        self._failures: dict[str, int] = {}  # user -> how often in a row
        self._waiting: dict[str, float] = {}  # user -> not before this moment
        self._under_way: dict[str, _UnderWay] = {}
        self._leaving = trio.Semaphore(LEAVING_AT_ONCE)
        self._clearing = trio.Semaphore(1)

    def start(self, supervisor: Supervisor) -> Child:
        """Start looking."""
        return supervisor.start("departures", self.run, self._inbox)

    def depart(self, user: str) -> None:
        """Take note that this account is to depart, as its state says by now."""
        # A look finds all of them, so one that does not fit in is none the worse.
        with suppress(InboxFull, ActorStopped):
            self._inbox.tell(user)

    async def run(self) -> None:
        """Have accounts depart, over and over."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._look(nursery)
                for envelope in await self._inbox.take_within(_TOLD_MAX, self._patience()):
                    self._waiting.pop(envelope.message, None)

    def _patience(self) -> float:
        """Say how long there is nothing to look for, unless somebody tells."""
        next_try = min(self._waiting.values(), default=trio.current_time() + self._seconds)
        return min(max(next_try - trio.current_time(), 0.0), self._seconds)

    async def _look(self, nursery: trio.Nursery) -> None:
        try:
            found = [user for state in ENDS for user in await self._in_state(state)]
        except StorageError as error:
            self._put_off("", error)
            return
        self._take_off("")
        listed = {user.id for user in found}
        for failed in self._failures.keys() - listed - self._at_work:
            self._take_off(failed)
        for departed in self._under_way.keys() - listed - self._at_work:
            del self._under_way[departed]
        for user in found:
            if user.id not in self._at_work and self._waiting.get(user.id, 0.0) <= trio.current_time():
                self._waiting.pop(user.id, None)
                self._at_work.add(user.id)
                nursery.start_soon(self._depart, user)

    async def _in_state(self, state: str) -> list[UserRecord]:
        # Those that wait must not hide the ones behind them.
        return await self._around.directory.users_in_state(state, limit=LISTED + len(self._waiting))

    async def _depart(self, user: UserRecord) -> None:
        with self._contained(user.id):
            track = self._track_of(user)
            is_last = trio.current_time() >= track.quiet
            departure = Departure(user, self._around, again=track.is_cleared)
            async with self._leaving:
                await departure.leave()
            async with self._clearing:
                await departure.clear()
            track.is_cleared = True
            if is_last:
                await departure.end()
                del self._under_way[user.id]
            self._take_off(user.id)
            if not is_last:
                self._waiting[user.id] = track.quiet

    @contextmanager
    def _contained(self, user: str) -> Iterator[None]:
        """Keep what fails from the other departures, and look again for what was to depart in the meantime."""
        try:
            yield
        except (NotNow, StorageError) as error:
            self._put_off(user, error)
        except Exception as error:
            logger.exception("event=departure_failed user=%s", user)
            self._put_off(user, error)
        finally:
            self._at_work.discard(user)
        # Whoever sleeps until the next look does not know when the next try is.
        self.depart("")

    def _put_off(self, user: str, error: Exception) -> None:
        if user in self._under_way:
            # It may have left some rooms before it failed.
            self._under_way[user].is_cleared = False
        failures = self._failures[user] = self._failures.get(user, 0) + 1
        seconds = min(RETRY_SECONDS * 2.0 ** min(failures - 1, 16), RETRY_MAX_SECONDS)
        self._waiting[user] = trio.current_time() + seconds
        level = logging.WARNING if failures == 1 else logging.INFO
        logger.log(level, "event=departure_put_off user=%s seconds=%g error=%s", user, seconds, error)

    def _track_of(self, user: UserRecord) -> _UnderWay:
        track = self._under_way.get(user.id)
        if track is None or track.state != user.state:
            quiet = trio.current_time() + self._linger_seconds
            track = self._under_way[user.id] = _UnderWay(user.state, quiet=quiet)
        return track

    def _take_off(self, user: str) -> None:
        self._failures.pop(user, None)
        self._waiting.pop(user, None)
