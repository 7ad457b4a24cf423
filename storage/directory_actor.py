"""The actor in front of the directory: bounds, deadlines, and a watch on whether the store answers.

It owns the answer to "is storage ready?": it probes the backend every few seconds, and more often while that fails, so
readiness comes back by itself when the store does. Calls do not queue behind each other in an inbox; they go through a
gate that lets a few in at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import trio
from msgspec import Struct

from actors import ActorError, Child, ChildState, Inbox, Supervisor
from storage.errors import StorageError, StorageUnavailable
from storage.gate import Gate, GateStatistics
from storage.ports import Directory
from storage.records import DropItem, ItemRecord, MemberRecord, Page, PutItem, RoomRecord, UserRecord

logger = logging.getLogger(__name__)


class DirectoryLimits(Struct, frozen=True):
    """The bounds of a directory actor."""

    calls: int = 8
    calls_waiting: int = 1024
    deadline_seconds: float = 5.0
    probe_seconds: float = 5.0
    probe_failing_seconds: float = 0.5


class DirectoryStatistics(Struct, frozen=True):
    """How the directory is doing."""

    state: ChildState
    restarts: int
    ready: bool
    reconnects: int
    """How often the store answered again after it had not."""
    probes: int
    last_error: str | None
    calls: GateStatistics


class _ProbeNow(Struct, frozen=True):
    """A call failed: do not wait for the next round."""


class DirectoryActor:
    """The `Directory` port around a backend. `start` it under a supervisor; `ready` tells whether the store answers."""

    def __init__(
        self,
        backend: Directory,
        *,
        limits: DirectoryLimits | None = None,
        probe_journal: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
    ) -> None:
        """Put the bounds around a backend; `probe_journal` asks a journal in another database, too."""
        self._backend = backend
        self._probe_journal = probe_journal
        self._limits = limits = limits or DirectoryLimits()
        self._inbox: Inbox[_ProbeNow] = Inbox(capacity=1)
        self._gate = Gate(
            concurrency=limits.calls,
            waiting=limits.calls_waiting,
            deadline_seconds=limits.deadline_seconds,
            on_failure=self.suspect,
        )
        self._child: Child | None = None
        self._ready = False
        self._ever_ready = False
        self._reconnects = self._probes = 0
        self._last_error: str | None = None

    @property
    def ready(self) -> bool:
        """Whether the latest probe was answered."""
        return self._ready

    @property
    def gate(self) -> Gate:
        """The gate that all calls pass: for the other ports to the same database, which have to share its bounds."""
        return self._gate

    def start(self, supervisor: Supervisor) -> Child:
        """Start watching."""
        self._child = supervisor.start("directory", self.run, self._inbox)
        return self._child

    def suspect(self) -> None:
        """Probe soon: a call failed. Only while all seems well, for otherwise the next round is near anyway."""
        if self._ready:
            with suppress(ActorError):
                self._inbox.tell(_ProbeNow())

    # The port.

    async def probe(self) -> None:
        """Ask the backend now, past the line, and note the answer in `ready`. Raises StorageUnavailable."""
        self._probes += 1
        try:
            with trio.move_on_after(self._limits.deadline_seconds):
                await self._backend.probe()
                await self._probe_journal()
                self._note(None)
                return
            raise StorageUnavailable(f"no answer to a probe within {self._limits.deadline_seconds:g} s")
        except StorageError as error:
            self._note(error)
            raise

    async def fact(self, name: str) -> str | None:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.fact(name))

    async def set_fact(self, name: str, value: str | None) -> None:
        """Pass through; OutcomeUnknown at the deadline, once begun."""
        await self._gate.call(lambda: self._backend.set_fact(name, value), writes=True)

    async def create_user(self, user: UserRecord) -> None:
        """Pass through; OutcomeUnknown at the deadline, once begun."""
        await self._gate.call(lambda: self._backend.create_user(user), writes=True)

    async def change_user(self, user: UserRecord) -> None:
        """Pass through; OutcomeUnknown at the deadline, once begun."""
        await self._gate.call(lambda: self._backend.change_user(user), writes=True)

    async def put_user(self, user: UserRecord) -> None:
        """Pass through; OutcomeUnknown at the deadline, once begun."""
        await self._gate.call(lambda: self._backend.put_user(user), writes=True)

    async def users_in_state(self, state: str, *, limit: int) -> list[UserRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.users_in_state(state, limit=limit))

    async def user(self, user: str) -> UserRecord | None:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.user(user))

    async def user_by_login(self, *, name_key: str | None = None, email: str | None = None) -> UserRecord | None:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.user_by_login(name_key=name_key, email=email))

    async def users(self, *, ids: Sequence[str] = (), name_keys: Sequence[str] = ()) -> list[UserRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.users(ids=ids, name_keys=name_keys))

    async def search_users(
        self, prefix: str, *, after: str | None = None, limit: int, disabled: bool = False
    ) -> list[UserRecord]:
        """Pass through."""
        return await self._gate.call(
            lambda: self._backend.search_users(prefix, after=after, limit=limit, disabled=disabled)
        )

    async def all_users(self, *, after: str = "", limit: int) -> list[UserRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.all_users(after=after, limit=limit))

    async def room(self, room: str) -> RoomRecord | None:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.room(room))

    async def rooms(self, ids: Sequence[str]) -> list[RoomRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.rooms(ids))

    async def all_rooms(self, *, after: str = "", limit: int) -> list[RoomRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.all_rooms(after=after, limit=limit))

    async def member(self, room: str, user: str) -> MemberRecord | None:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.member(room, user))

    async def memberships(self, user: str, rooms: Sequence[str]) -> list[MemberRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.memberships(user, rooms))

    async def members(self, room: str, *, cursor: str | None, limit: int) -> Page[MemberRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.members(room, cursor=cursor, limit=limit))

    async def rooms_of(self, user: str, *, cursor: str | None, limit: int) -> Page[tuple[RoomRecord, MemberRecord]]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.rooms_of(user, cursor=cursor, limit=limit))

    async def public_rooms(self, prefix: str, *, cursor: str | None, limit: int) -> Page[RoomRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.public_rooms(prefix, cursor=cursor, limit=limit))

    async def items(
        self,
        kind: str,
        *,
        room: str | None = None,
        prefix: str = "",
        cursor: str | None,
        limit: int,
        newest: bool = False,
    ) -> Page[ItemRecord]:
        """Pass through."""
        return await self._gate.call(
            lambda: self._backend.items(kind, room=room, prefix=prefix, cursor=cursor, limit=limit, newest=newest)
        )

    async def all_items(self, room: str, *, after: tuple[str, str] = ("", ""), limit: int) -> list[ItemRecord]:
        """Pass through."""
        return await self._gate.call(lambda: self._backend.all_items(room, after=after, limit=limit))

    async def keep(self, changes: Sequence[PutItem | DropItem]) -> None:
        """Pass through; OutcomeUnknown at the deadline, once begun."""
        await self._gate.call(lambda: self._backend.keep(changes), writes=True)

    # The actor.

    async def run(self) -> None:
        """Probe the store, over and over."""
        while True:
            with suppress(StorageError):
                await self.probe()
            limits = self._limits
            await self._inbox.take_within(1, limits.probe_seconds if self._ready else limits.probe_failing_seconds)

    def statistics(self) -> DirectoryStatistics:
        """Report readiness and the calls."""
        return DirectoryStatistics(
            state=self._child.state if self._child is not None else "stopped",
            restarts=self._child.restarts if self._child is not None else 0,
            ready=self._ready,
            reconnects=self._reconnects,
            probes=self._probes,
            last_error=self._last_error,
            calls=self._gate.statistics(),
        )

    def _note(self, error: StorageError | None) -> None:
        if error is not None:
            self._last_error = str(error)
        was_ready, self._ready = self._ready, error is None
        if was_ready == self._ready:
            return
        if error is not None:
            logger.error("actor=directory event=unreachable error=%s", error)
            return
        if self._ever_ready:
            self._reconnects += 1
            logger.warning("actor=directory event=reachable_again")
        self._ever_ready = True
