"""The actor in front of the journal: one commit for every room that is waiting.

It owns the order in which appends reach the backend. While a commit is under way the next appends gather in the inbox,
and all of them are the next commit: no timer, no latency added when idle, and the more load the larger the commits. It
promises that every caller gets an answer within its deadline, that an append is never cut in half by a caller that
leaves, and that one room's fault fails that room only.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import trio
from msgspec import Struct

from actors import ActorError, Child, ChildState, Envelope, Inbox, Reply, Supervisor, Timings
from storage.errors import Conflict, OutcomeUnknown, StorageError, StorageUnavailable
from storage.gate import Gate, GateStatistics
from storage.ports import Journal
from storage.records import Append, Entry, ItemRecord, MessageRecord, RoomSnapshot, Sent

PATIENCE = 0.4
"""The part of the deadline for which a failing commit is tried: less than half, so that whoever came while it was under
way, and is tried next, is told the outcome before its own deadline leaves it in doubt."""

logger = logging.getLogger(__name__)


class JournalLimits(Struct, frozen=True):
    """The bounds of a journal actor."""

    inbox_capacity: int = 4096
    max_commit_entries: int = 1024
    deadline_seconds: float = 5.0
    reads: int = 8
    reads_waiting: int = 1024


class JournalStatistics(Struct, frozen=True):
    """How the journal is doing; batches are counted in entries, times are those of the latest commits."""

    state: ChildState
    restarts: int
    inbox_depth: int
    oldest_wait_seconds: float
    refused: int
    commits: int
    failed_commits: int
    entries: int
    commit_p50_seconds: float | None
    commit_p99_seconds: float | None
    batch_mean: float
    batch_max: int
    batch_last: int
    last_error: str | None
    reads: GateStatistics


class _Write(Struct, eq=False):
    """One caller's appends. Not frozen, for the caller has to see at its deadline how far they got."""

    appends: tuple[Append, ...]
    entries: int
    begun: bool = False
    """Handed to the backend, and not known to be unwritten."""

    def touches(self, rooms: set[str]) -> bool:
        return any(append.room in rooms for append in self.appends)


Group = list[Envelope[_Write]]


class JournalActor:
    """The `Journal` port around a backend, with group commit, deadlines and bounds. `start` it under a supervisor."""

    def __init__(
        self, backend: Journal, *, limits: JournalLimits | None = None, on_failure: Callable[[], None] = lambda: None
    ) -> None:
        """Put the bounds around a backend; `on_failure` is called when the store, and not a line, fails a call."""
        self._backend = backend
        self._on_failure = on_failure
        self._limits = limits = limits or JournalLimits()
        self._inbox: Inbox[_Write] = Inbox(capacity=limits.inbox_capacity)
        self._gate = Gate(
            concurrency=limits.reads,
            waiting=limits.reads_waiting,
            deadline_seconds=limits.deadline_seconds,
            on_failure=on_failure,
        )
        self._child: Child | None = None
        self._timings = Timings()
        self._commits = self._failed_commits = self._entries = self._batch_max = self._batch_last = 0
        self._committing: set[str] = set()
        self._commit_over = trio.Event()
        self._failing = False
        self._last_error: str | None = None

    def start(self, supervisor: Supervisor) -> Child:
        """Start committing."""
        self._child = supervisor.start("journal", self.run, self._inbox)
        return self._child

    # The port.

    async def append(self, appends: Sequence[Append]) -> None:
        """Commit all of it durably, or nothing, together with whatever else is waiting.

        A caller that is cancelled leaves at once; what it had begun goes on.

        Raises:
            Conflict: as the backend does.
            StorageUnavailable: known not written; also when too much is waiting, or at the deadline if not yet begun.
            OutcomeUnknown: cut off in mid-commit, or begun and not finished at the deadline.
        """
        if not appends:
            await trio.lowlevel.checkpoint()
            return
        write = _Write(tuple(appends), sum(len(append.entries) for append in appends))
        reply: Reply[StorageError | None] = Reply()
        try:
            outcome = await self._inbox.ask(write, reply, deadline_seconds=self._limits.deadline_seconds)
        except ActorError as error:
            if write.begun:
                raise OutcomeUnknown(f"the append had begun: {error}") from error
            raise StorageUnavailable(f"the append was not begun: {error}") from error
        if outcome is not None:
            raise outcome

    async def load_room(self, room: str) -> RoomSnapshot | None:
        """Pass through, behind a commit of this room that is under way.

        A room that crashed in mid-append and loads again must see whether that append was written.
        """
        return await self._gate.call(lambda: self._load_settled(room))

    async def project(self, append: Append, *, repair: bool = False) -> None:
        """Pass through."""
        await self._gate.call(lambda: self._backend.project(append, repair=repair))

    async def behind(self) -> list[str]:
        """Pass through."""
        return await self._gate.call(self._backend.behind)

    async def rooms(self, *, after: str = "", limit: int) -> list[str]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.rooms(after=after, limit=limit))

    async def read(self, room: str, *, after: int, upto: int | None = None, limit: int) -> list[Entry]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.read(room, after=after, upto=upto, limit=limit))

    async def read_back(self, room: str, *, before: int | None = None, limit: int) -> list[Entry]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.read_back(room, before=before, limit=limit))

    async def find_sent(self, room: str, keys: Sequence[tuple[str, str]]) -> list[Sent]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.find_sent(room, keys))

    async def written_in(self, rooms: Sequence[str], sender: str) -> list[str]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.written_in(rooms, sender))

    async def rewrite(self, entries: Sequence[Entry]) -> None:
        """Pass through; OutcomeUnknown at the deadline, once begun."""
        await self._gate.call(lambda: self._backend.rewrite(entries), writes=True)

    async def message(self, message: str) -> MessageRecord | None:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.message(message))

    async def messages_by_id(self, ids: Sequence[str]) -> list[MessageRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.messages_by_id(ids))

    async def messages(
        self, room: str, *, before: int | None = None, after: int | None = None, upto: int | None = None, limit: int
    ) -> list[MessageRecord]:
        """Pass through."""
        return await self._gate.call(
            lambda: self._backend.messages(room, before=before, after=after, upto=upto, limit=limit)
        )

    async def latest_messages(self, places: Sequence[tuple[str, int | None]]) -> list[MessageRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.latest_messages(places))

    async def items_by_key(self, room: str, keys: Sequence[tuple[str, str]]) -> list[ItemRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.items_by_key(room, keys))

    async def rooms_keeping(self, rooms: Sequence[str], items: Sequence[tuple[str, str]]) -> list[str]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.rooms_keeping(rooms, items))

    async def due(self, *, room: str | None = None, before: int, limit: int) -> list[ItemRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.due(room=room, before=before, limit=limit))

    async def _load_settled(self, room: str) -> RoomSnapshot | None:
        while room in self._committing:
            await self._commit_over.wait()
        return await self._backend.load_room(room)

    # The actor.

    async def run(self) -> None:
        """Commit what is waiting, over and over."""
        while True:
            batch = await self._inbox.take(self._limits.max_commit_entries)
            for group in _groups(batch, self._limits.max_commit_entries):
                await self._commit(group)

    def statistics(self) -> JournalStatistics:
        """Report the inbox, the commits and the reads."""
        inbox = self._inbox.statistics()
        return JournalStatistics(
            state=self._child.state if self._child is not None else "stopped",
            restarts=self._child.restarts if self._child is not None else 0,
            inbox_depth=inbox.depth,
            oldest_wait_seconds=inbox.oldest_wait_seconds,
            refused=inbox.refused,
            commits=self._commits,
            failed_commits=self._failed_commits,
            entries=self._entries,
            commit_p50_seconds=self._timings.p50,
            commit_p99_seconds=self._timings.p99,
            batch_mean=self._entries / self._commits if self._commits else 0.0,
            batch_max=self._batch_max,
            batch_last=self._batch_last,
            last_error=self._last_error,
            reads=self._gate.statistics(),
        )

    async def _commit(self, group: Group) -> None:
        """Commit a group and answer everyone in it; if it fails as a whole, find those who are to blame."""
        give_up_at = trio.current_time() + PATIENCE * self._limits.deadline_seconds
        line = deque([group])
        down: StorageError | None = None
        while line:
            part = [e for e in line.popleft() if e.reply is None or not e.reply.abandoned]
            if not part:
                continue
            error = down or await self._attempt(part)
            # A store that fails slowly fails for all: the rest is refused while its callers still listen.
            if _is_unwritten(error) and trio.current_time() >= give_up_at:
                down = error
            if error is None or down is not None or len(part) == 1 or isinstance(error, OutcomeUnknown):
                _answer(part, error)
            else:
                line.extendleft(reversed(_split(part, error)))

    async def _attempt(self, part: Group) -> StorageError | None:
        # One that was begun before a crash of ours may have been written then, whatever we are told now.
        doubt = any(envelope.message.begun for envelope in part)
        for envelope in part:
            envelope.message.begun = True
        started = trio.current_time()
        error: StorageError | None = OutcomeUnknown(f"no commit within {self._limits.deadline_seconds:g} s")
        appends = [append for envelope in part for append in envelope.message.appends]
        self._committing = {append.room for append in appends}
        try:
            with trio.move_on_after(self._limits.deadline_seconds):
                error = await self._append(appends)
        finally:
            self._committing = set()
            self._commit_over.set()
            self._commit_over = trio.Event()
        if doubt and _is_unwritten(error):
            error = OutcomeUnknown(f"begun before a crash, and now: {error}")
        if error is not None and not isinstance(error, OutcomeUnknown):
            for envelope in part:
                envelope.message.begun = False
        self._record(part, error, trio.current_time() - started)
        return error

    async def _append(self, appends: list[Append]) -> StorageError | None:
        try:
            await self._backend.append(appends)
        except StorageError as error:
            return error
        return None

    def _record(self, part: Group, error: StorageError | None, seconds: float) -> None:
        if error is None:
            self._batch_last = sum(envelope.message.entries for envelope in part)
            self._batch_max = max(self._batch_max, self._batch_last)
            self._commits += 1
            self._entries += self._batch_last
            self._timings.add(seconds)
        else:
            self._failed_commits += 1
            self._last_error = str(error)
        failing = isinstance(error, StorageUnavailable)
        if failing:
            self._on_failure()
        if failing != self._failing:  # once when it starts and once when it ends, not for every commit in between
            self._failing = failing
            logger.log(
                logging.ERROR if failing else logging.WARNING,
                "actor=journal event=%s error=%s",
                "commits_fail" if failing else "commits_again",
                error,
            )


def _groups(batch: Group, max_entries: int) -> Iterator[Group]:
    """Cut what was taken into commits of at most `max_entries`, in order; an append is never cut."""
    group: Group = []
    entries = 0
    for envelope in batch:
        if group and entries + envelope.message.entries > max_entries:
            yield group
            group, entries = [], 0
        group.append(envelope)
        entries += envelope.message.entries
    yield group


def _split(part: Group, error: StorageError) -> list[Group]:
    """Return what to commit instead: the innocent together and the suspects one by one, each room still in order."""
    alone = [[envelope] for envelope in part]
    if not isinstance(error, Conflict) or error.room is None:
        return alone
    rooms, known = {error.room}, 0
    while known != len(rooms):  # who shares a room with a suspect is one too, else the room's order could change
        known = len(rooms)
        suspects = [envelope.message for envelope in part if envelope.message.touches(rooms)]
        rooms.update(append.room for write in suspects for append in write.appends)
    innocent = [envelope for envelope in part if not envelope.message.touches(rooms)]
    if not innocent:
        return alone
    return [innocent, *([envelope] for envelope in part if envelope.message.touches(rooms))]


def _answer(part: Group, error: StorageError | None) -> None:
    for envelope in part:
        if envelope.reply is None:
            continue
        # An exception of its own for each: it collects the traceback of its raiser.
        answer = type(error)(str(error)) if isinstance(error, StorageUnavailable) else error
        envelope.reply.set(answer)


def _is_unwritten(error: StorageError | None) -> bool:
    return isinstance(error, StorageUnavailable) and not isinstance(error, OutcomeUnknown)
