"""Whose turn it is: what is done to one room is done one after the other, and different rooms do not wait.

A turn that was taken goes on to its end whoever waits for it: entries that were inserted are projected though their
caller has left.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection

import trio

from storage.errors import OutcomeUnknown, StorageError, StorageUnavailable

logger = logging.getLogger(__name__)


class _Turn:
    __slots__ = ("error", "left", "over")

    def __init__(self) -> None:
        self.error: Exception | None = OutcomeUnknown("the journal was closed in the middle of it")
        self.left = False  # nobody waits for it any more
        self.over = trio.Event()


class Turns:
    """Runs work on rooms in a nursery of the journal's own."""

    __slots__ = ("_busy", "_change", "_closed", "_nursery")

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._busy: dict[str, _Turn] = {}
        self._change = trio.Event()
        self._closed = False

    @property
    def under_way(self) -> int:
        """How many rooms something is being done to."""
        return len(self._busy)

    async def run(self, rooms: Collection[str], work: Callable[[], Awaitable[None]]) -> None:
        """Do some work on these rooms when none of them is busy, and raise what it raises.

        A caller that is cancelled leaves at once; work that has begun goes on. Raises StorageUnavailable after
        `aclose`.
        """
        while not self._closed and not self._busy.keys().isdisjoint(rooms):
            await self._change.wait()
        # No await from here …
        if self._closed:
            raise StorageUnavailable("the journal is closed")
        turn = _Turn()
        self._busy.update(dict.fromkeys(rooms, turn))
        self._nursery.start_soon(self._run, turn, rooms, work)
        # … to here: finding the rooms free and taking them is one step.
        try:
            await turn.over.wait()
        except trio.Cancelled:
            turn.left = True
            raise
        error, turn.error = turn.error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # the traceback holds this frame: do not make it a cycle

    async def quiet(self, room: str) -> None:
        """Wait until nothing is being done to the room."""
        while (turn := self._busy.get(room)) is not None:
            await turn.over.wait()

    async def settled(self, room: str) -> None:
        """Wait until nothing is being done to the room that its caller has left."""
        while (turn := self._busy.get(room)) is not None and turn.left:
            await turn.over.wait()

    async def aclose(self, *, seconds: float) -> None:
        """Refuse new work and let what is under way end, for at most `seconds`."""
        self._closed = True
        self._change.set()
        with trio.move_on_after(seconds, shield=True) as scope:
            for turn in list(self._busy.values()):
                await turn.over.wait()
        if scope.cancelled_caught:
            logger.error("event=appends_cut_off rooms=%d", len(self._busy))

    async def _run(self, turn: _Turn, rooms: Collection[str], work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
            turn.error = None
        except Exception as error:  # noqa: BLE001  # it is the caller's, in the caller's task
            turn.error = error
        finally:
            for room in rooms:
                del self._busy[room]
            turn.over.set()
            change, self._change = self._change, trio.Event()
            change.set()
        if turn.left and turn.error is not None:
            expected = isinstance(turn.error, StorageError)
            logger.log(
                logging.WARNING if expected else logging.ERROR,
                "event=left_behind_append_failed error=%r",
                turn.error,
                exc_info=None if expected else turn.error,
            )
