"""Has projections written in order and at once where that is possible, and later where it is not.

It owns what is behind and the reckoning of the mark. While the databases fail nobody waits for them: what is committed
is put behind what waits already, and is tried again every half second.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

import trio

from storage.errors import StorageError, StorageUnavailable, Unstorable
from storage.records import Append, DropMessage, PutMessage
from storage.split.behind import Behind
from storage.split.commits import Commits
from storage.split.limits import SplitLimits, SplitStatistics
from storage.split.projections import Projections

logger = logging.getLogger(__name__)


class Projector:
    """Writes the projections of commits, now or later. `run` does the latter."""

    def __init__(
        self, projections: Projections, *, commits: Commits, limits: SplitLimits, fault: Callable[[str], None]
    ) -> None:
        self._projections = projections
        self._commits = commits
        self._limits = limits
        self._fault = fault
        self._behind = Behind()
        self._came_behind = trio.Event()
        self._flushing = trio.StrictFIFOLock()
        self._failing = False
        self._failed = 0
        self._last_error: str | None = None

    def __contains__(self, room: str) -> bool:
        """Tell whether the room has something waiting."""
        return room in self._behind

    def messages(self, ids: Sequence[str]) -> list[PutMessage | DropMessage]:
        """Return what waits to be done to these messages."""
        return self._behind.messages(ids)

    def floors(self) -> dict[str, int]:
        """Return the rooms that wait to be trimmed, and up to where."""
        return self._behind.floors()

    def check_room(self) -> None:
        """Raise StorageUnavailable if too much waits already."""
        if self._behind.rows >= self._limits.rows_behind:
            raise StorageUnavailable(f"{self._behind.rows} rows wait to be projected: {self._last_error}")

    async def write(self, appends: Sequence[Append], commit: int, *, torn: Iterable[str]) -> list[str]:
        """Write the projections or keep them for later; return the rooms whose earlier ones are missing."""
        now: list[Append] = []
        later: list[Append] = []
        for append in appends:
            (later if self._failing or append.room in self._behind else now).append(append)
        self._keep(later, commit)
        if not now:
            return []
        mark = self._commits.mark(behind=self._behind.first_commit, ending=commit)
        try:
            holes = await self._attempt(now, mark=mark, seconds=self._limits.project_seconds)
        except StorageError:
            self._keep(now, commit)
            return []
        self._fault("after_projection")
        for room in {append.room for append in now}.difference(torn, holes):
            self._commits.release(room)
        return holes

    async def flush(self, rooms: Iterable[str]) -> None:
        """Write what these rooms have waiting by now. Raises StorageUnavailable where that is not possible."""
        heads = self._behind.heads(rooms)
        if not heads:
            return
        # One at a time, and with more patience than an append has: were everybody who loads a room to try again what
        # a slow database has not finished yet, it would never finish.
        async with self._flushing:
            while batch := self._behind.take(heads, rows=self._limits.rows_at_once):
                await self._flush_some(batch)

    async def run(self) -> None:
        """Write what is behind, over and over, as soon as its databases take it."""
        while True:
            await self._came_behind.wait()
            await trio.sleep(self._limits.retry_seconds)
            try:
                while self._behind:
                    await self.flush(self._behind)
            except StorageUnavailable:
                continue
            self._came_behind = trio.Event()

    async def aclose(self) -> None:
        """Try once more to write what is behind."""
        with trio.move_on_after(self._limits.close_seconds, shield=True):
            try:
                await self.flush(self._behind)
            except StorageUnavailable as error:
                logger.error("event=left_behind rooms=%d error=%s", len(self._behind), error)

    def statistics(self, *, under_way: int) -> SplitStatistics:
        """Report how the projections are doing."""
        return SplitStatistics(
            rooms_behind=len(self._behind),
            rows_behind=self._behind.rows,
            behind_seconds=self._behind.seconds(trio.current_time()),
            rooms_held=self._commits.held,
            under_way=under_way,
            failed=self._failed,
            mark=self._commits.mark(behind=self._behind.first_commit),
            last_error=self._last_error,
        )

    def _keep(self, appends: Sequence[Append], commit: int) -> None:
        for append in appends:
            self._behind.add(append, commit=commit, now=trio.current_time())
            self._came_behind.set()

    async def _attempt(self, appends: Sequence[Append], *, mark: int | None, seconds: float) -> list[str]:
        try:
            with trio.move_on_after(seconds):
                holes = await self._projections.write(appends, mark=mark)
                self._note(None)
                return holes
            raise StorageUnavailable(f"no projections within {seconds:g} s")
        except StorageError as error:
            self._note(error)
            raise

    async def _flush_some(self, batch: Sequence[Append]) -> None:
        rooms = [append.room for append in batch]
        mark = self._commits.mark(behind=self._behind.first_commit_without(rooms))
        try:
            holes = await self._attempt(batch, mark=mark, seconds=self._limits.flush_seconds)
        except Unstorable as error:
            if len(batch) > 1:
                for append in batch:
                    await self._flush_some([append])
                return
            logger.error("event=projection_dropped room=%s error=%s", rooms[0], error)
            holes = rooms
        for append in batch:
            if append.room not in holes:
                self._behind.done(append)
            elif (commit := self._behind.drop(append.room)) is not None:
                # What is missing is in the journal, and only there: whoever loads the room finds it.
                logger.error("event=projections_missing room=%s before=%d", append.room, append.entries[0].seq)
                self._commits.hold(append.room, commit)

    def _note(self, error: StorageError | None) -> None:
        was_failing, self._failing = self._failing, isinstance(error, StorageUnavailable)
        if error is not None:
            self._failed += 1
            self._last_error = str(error)
        if was_failing != self._failing:  # once when it starts and once when it ends
            level = logging.ERROR if self._failing else logging.WARNING
            event = "projections_fail" if self._failing else "projections_again"
            logger.log(level, "event=%s rooms_behind=%d error=%s", event, len(self._behind), error)
