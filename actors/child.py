"""One supervised actor: its incarnations, one after the other, and the handle its owner holds.

A child owns the actor's life: it runs an incarnation, and when that crashes it takes care of the messages in hand,
waits as its restart policy says, and runs the next. Whatever ends it, the inbox is closed and `on_end` is called, once.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from random import Random
from typing import Literal

import trio
from msgspec import Struct

from actors.errors import ActorEscalated, ActorStopped
from actors.inbox import Envelope, InboxControl, InboxStatistics
from actors.restart import Escalate, Park, RestartAfter, RestartHistory, RestartPolicy
from actors.statistics import Timings

ChildState = Literal["starting", "running", "backing_off", "parked", "probing", "stopped"]

MAX_ERROR_CHARACTERS = 200

logger = logging.getLogger(__name__)


class ChildStatistics(Struct, frozen=True):
    """One actor, as its supervisor sees it."""

    name: str
    state: ChildState
    restarts: int
    quarantined: int
    last_error: str | None
    last_restart_seconds: float | None
    inbox: InboxStatistics


class ChildOptions(Struct, frozen=True):
    """What a supervisor gives to each of its children."""

    policy: RestartPolicy
    random: Random
    timings: Timings
    on_quarantine: Callable[[str, object, BaseException], None] | None
    on_end: Callable[[], None] | None


class Child:
    """The handle to one supervised actor."""

    __slots__ = (
        "_crashed_at",
        "_history",
        "_killed_by",
        "_life",
        "_options",
        "_pause",
        "_run",
        "_scope",
        "_state",
        "inbox",
        "last_error",
        "last_restart_seconds",
        "name",
        "quarantined",
        "restarts",
    )

    def __init__(
        self, name: str, run: Callable[[], Awaitable[None]], inbox: InboxControl, *, options: ChildOptions
    ) -> None:
        self.name = name
        self.inbox = inbox
        self.restarts = 0
        self.quarantined = 0
        self.last_error: str | None = None
        self.last_restart_seconds: float | None = None
        self._run = run
        self._options = options
        self._history = RestartHistory(options.policy)
        self._state: ChildState = "starting"
        self._crashed_at: float | None = None
        self._killed_by: Exception | None = None
        self._life = trio.CancelScope()
        self._scope: trio.CancelScope | None = None
        self._pause: trio.CancelScope | None = None

    @property
    def state(self) -> ChildState:
        """Where the actor is in its life: "running" from an incarnation's first take.

        After a park it is "probing" until it has been healthy for the policy's time.
        """
        if self._state == "probing" and self._history.healthy(trio.current_time()):
            return "running"
        return self._state

    def stop(self) -> None:
        """End the actor for good: cancel it, then answer whoever still waits with ActorStopped."""
        self._life.cancel()

    def kill(self, error: Exception) -> bool:
        """Make the present incarnation crash with this error; False if there is none, because it is between two."""
        if self._scope is None:
            return False
        self._killed_by = error
        self._scope.cancel()
        return True

    def probe_now(self) -> bool:
        """End a back-off or a park early; False if the actor is in neither."""
        if self._pause is None:
            return False
        self._pause.cancel()
        return True

    def statistics(self) -> ChildStatistics:
        """Report the state, the crashes and the inbox."""
        return ChildStatistics(
            name=self.name,
            state=self.state,
            restarts=self.restarts,
            quarantined=self.quarantined,
            last_error=self.last_error,
            last_restart_seconds=self.last_restart_seconds,
            inbox=self.inbox.statistics(),
        )

    async def live(self) -> None:
        """Run incarnations until one finishes; for the supervisor only. Raises ActorEscalated if the policy says so."""
        try:
            with self._life:
                while (error := await self._incarnation()) is not None:
                    await self._recover(error)
                    self.restarts += 1
        finally:
            self._end()

    async def _incarnation(self) -> Exception | None:
        self.inbox.on_ready(self._ready)
        scope = self._scope = trio.CancelScope()
        try:
            with scope:
                await self._run()
        except Exception as error:  # noqa: BLE001  # whatever it is, it is this actor's crash and nobody else's
            return self._crash(error)
        except BaseExceptionGroup as group:
            # Something failed while we were being cancelled: report the failure, let the cancellation through.
            crashes, rest = group.split(Exception)
            if crashes is not None:
                logger.error("actor=%s event=crashed_while_cancelled", self.name, exc_info=crashes)
            raise (rest or group) from None
        finally:
            self._scope = None
            killed_by, self._killed_by = self._killed_by, None
        # A kill that came too late to be noticed is no crash: the actor had finished.
        return self._crash(killed_by) if scope.cancelled_caught else None

    def _crash(self, error: Exception | None) -> Exception | None:
        """Return the error if it is to be followed by another incarnation."""
        if error is None or not self.inbox.closed:
            return error
        if not _is_stop(error):
            logger.error("actor=%s event=crashed_after_close", self.name, exc_info=error)
        return None

    async def _recover(self, error: Exception) -> None:
        now = trio.current_time()
        if self._crashed_at is None:
            self._crashed_at = now
        self.last_error = f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARACTERS]
        for envelope in self.inbox.recover():
            self._quarantine(envelope, error)
        decision = self._history.crashed(now, self._options.random.random())
        logger.error("actor=%s event=crashed restarts=%d next=%s", self.name, self.restarts, decision, exc_info=error)
        match decision:
            case RestartAfter(seconds=seconds):
                self._state = "backing_off"
                await self._wait(seconds)
                self._state = "starting"
            case Park(probe_after_seconds=seconds):
                self._state = "parked"
                self.inbox.suspend(seconds)
                await self._wait(seconds)
                self.inbox.resume()
                self._state = "probing"
            case Escalate():
                raise ActorEscalated(self.name) from error

    async def _wait(self, seconds: float) -> None:
        with trio.move_on_after(seconds) as self._pause:
            try:
                await trio.sleep_forever()
            finally:
                self._pause = None

    def _ready(self) -> None:
        now = trio.current_time()
        self._history.ready(now)
        if self._state == "starting":
            self._state = "running"
        if self._crashed_at is not None:
            self.last_restart_seconds = now - self._crashed_at
            self._crashed_at = None
            self._options.timings.add(self.last_restart_seconds)

    def _quarantine(self, envelope: Envelope[object], error: Exception) -> None:
        self.quarantined += 1
        logger.error("actor=%s event=quarantined message_type=%s", self.name, type(envelope.message).__name__)
        if self._options.on_quarantine is None:
            return
        try:
            self._options.on_quarantine(self.name, envelope.message, error)
        except Exception:
            logger.exception("actor=%s event=on_quarantine_failed", self.name)

    def _end(self) -> None:
        self._state = "stopped"
        self.inbox.close()
        if self._options.on_end is None:
            return
        try:
            self._options.on_end()
        except Exception:
            # It must not leave the nursery: that would cancel every sibling.
            logger.exception("actor=%s event=on_end_failed", self.name)


def _is_stop(error: Exception) -> bool:
    if isinstance(error, ExceptionGroup):
        return error.split(ActorStopped)[1] is None
    return isinstance(error, ActorStopped)
