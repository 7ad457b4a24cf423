"""The bounded queue in front of one actor.

The inbox belongs to the supervisor and outlives the actor's incarnations: references to it stay valid over a crash, and
what is queued survives. It owns the promise that no caller is left without an answer: whatever is queued or in hand
when the actor crashes, is parked or ends is either run again or answered with an error. It never holds more than
`capacity` waiting messages, plus those in hand that a crash puts back.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import trio
from msgspec import Struct
from outcome import Error

from actors.errors import (
    ActorCrashed,
    ActorError,
    ActorStopped,
    ActorUnavailable,
    AskTimeout,
    InboxFull,
)
from actors.reply import Reply

M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)
T = TypeVar("T")

MAX_ATTEMPTS = 2
MIN_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.1, 5.0


class Envelope(Struct, Generic[M_co], eq=False):
    """One message on its way: with its reply, when it arrived, and how often it was in hand at a crash."""

    message: M_co
    reply: Reply[object] | None
    arrived: float
    attempts: int = 0


class InboxStatistics(Struct, frozen=True):
    """What an inbox holds now, and what has passed through it since it was made."""

    depth: int
    capacity: int
    in_hand: int
    """Taken and not yet settled or answered."""
    oldest_wait_seconds: float
    received: int
    refused: int
    abandoned: int
    """Dropped before they were begun, because their callers had left."""
    quarantined: int
    discarded: int
    """Dropped, and answered with an error if they had a reply, because the actor was parked or ended."""


class InboxControl(Protocol):
    """The supervisor's side of an inbox, whatever its messages are."""

    @property
    def closed(self) -> bool: ...
    @property
    def idle(self) -> bool: ...
    def on_ready(self, callback: Callable[[], None]) -> None: ...
    def recover(self) -> Sequence[Envelope[object]]: ...
    def suspend(self, retry_after_seconds: float) -> None: ...
    def resume(self) -> None: ...
    def close(self) -> None: ...
    def statistics(self) -> InboxStatistics: ...
    def __len__(self) -> int: ...


class Inbox(Generic[M]):
    """Messages for one actor, in the order of their arrival. Not for use from other threads."""

    __slots__ = (
        "_abandoned",
        "_capacity",
        "_closed",
        "_discarded",
        "_in_hand",
        "_now",
        "_on_ready",
        "_owed",
        "_quarantined",
        "_received",
        "_refused",
        "_senders",
        "_shut",
        "_suspended_until",
        "_taker",
        "_waiting",
    )

    def __init__(self, *, capacity: int, now: Callable[[], float] = trio.current_time) -> None:
        """Hold at most `capacity` waiting messages; `now` gives seconds on the clock that arrivals are stamped with."""
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self._capacity = capacity
        self._now = now
        self._waiting: deque[Envelope[M]] = deque()
        self._in_hand: list[Envelope[M]] = []
        self._owed: list[Reply[object]] = []
        self._taker: trio.lowlevel.Task | None = None
        # Sends that wait for room. Room goes to them as soon as there is any, so there are none unless we are full.
        self._senders: OrderedDict[trio.lowlevel.Task, M] = OrderedDict()
        self._on_ready: Callable[[], None] | None = None
        self._closed = False
        self._suspended_until = 0.0
        self._shut = False  # closed or suspended: one look tells the hot path that something is up
        self._received = self._refused = self._abandoned = self._quarantined = self._discarded = 0

    # The caller's side.

    def tell(self, message: M, reply: Reply[object] | None = None) -> None:
        """Queue a message, at once or not at all: raises InboxFull, ActorStopped or ActorUnavailable."""
        waiting = self._waiting
        if self._shut or len(waiting) >= self._capacity:
            self._refused += 1
            raise self._refusal()
        waiting.append(Envelope(message, reply, self._now()))
        self._received += 1
        if self._taker is not None:
            self._wake_taker()

    async def send(self, message: M) -> None:
        """Queue a message, waiting for room; raises ActorStopped or ActorUnavailable, also while it waits.

        When there is room the message is queued before anything else can happen, as by a tell. Those that wait for
        room get it in their order, and before any tell.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._shut or len(self._waiting) < self._capacity:
            self.tell(message)
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        task = trio.lowlevel.current_task()

        def leave(_: object) -> trio.lowlevel.Abort:
            del self._senders[task]
            return trio.lowlevel.Abort.SUCCEEDED

        self._senders[task] = message
        await trio.lowlevel.wait_task_rescheduled(leave)

    async def ask(self, message: M, reply: Reply[T], *, deadline_seconds: float) -> T:
        """Tell, then wait for the answer; raises AskTimeout at the deadline, or what the tell or the reply raises."""
        self.tell(message, reply)
        with trio.move_on_after(deadline_seconds):
            return await reply.wait()
        raise AskTimeout(f"no answer within {deadline_seconds:g} s")

    # The actor's side.

    async def take(self, limit: int) -> list[Envelope[M]]:
        """Wait for at least one message and take up to `limit`, in order, settling those in hand.

        Drops the abandoned. A message that was in hand at a crash comes alone, so that a second crash finds the guilty
        one. Always a checkpoint, so a busy actor cannot starve the loop. Raises ActorStopped once the inbox is closed.
        """
        self._turn(limit)
        if self._waiting:
            await trio.lowlevel.checkpoint()
        while True:
            if self._closed:
                raise ActorStopped
            if batch := self._pop(limit):
                return batch
            if not self._waiting:  # dropping the abandoned may have let waiting sends in
                await self._arrival()

    async def take_within(self, limit: int, seconds: float) -> list[Envelope[M]]:
        """Take like `take`, but return nothing when no message came for `seconds`."""
        if self._waiting:
            # Nearly always enough, and it saves the cost of a deadline.
            self._turn(limit)
            await trio.lowlevel.checkpoint()
            if not self._closed and (batch := self._pop(limit)):
                return batch
        with trio.move_on_after(seconds):
            return await self.take(limit)
        return self._pop(limit)

    def ready(self) -> None:
        """Say that this incarnation has started well; the first take says so, an actor that never takes must."""
        if self._on_ready is not None:
            callback, self._on_ready = self._on_ready, None
            callback()

    def settle(self) -> None:
        """Declare the messages in hand done with: a later crash does not run them again.

        An answer that was put off stays owed: it is failed if the actor crashes or ends without giving it.
        """
        in_hand = self._in_hand
        if not in_hand:
            return
        self._in_hand = []
        for envelope in in_hand:
            if envelope.reply is not None and not envelope.reply.done:
                self._owed.append(envelope.reply)
        if len(self._owed) > self._capacity:
            self._owed = [reply for reply in self._owed if not reply.done]
            if len(self._owed) > self._capacity:
                raise RuntimeError(f"the actor owes more than {self._capacity} answers: it must answer what it takes")

    # The supervisor's side.

    def on_ready(self, callback: Callable[[], None]) -> None:
        """Call back once, at the first take from now on."""
        self._on_ready = callback

    def recover(self) -> list[Envelope[M]]:
        """After a crash: put what is in hand and unanswered back to the front; return those quarantined instead.

        A message is quarantined, and answered with ActorCrashed, when it was in hand at two crashes. Answers that were
        put off fail with ActorCrashed too: their messages were done with, so they are not run again.
        """
        unanswered = [e for e in self._in_hand if e.reply is None or not e.reply.done]
        owed, self._in_hand, self._owed = self._owed, [], []
        back: list[Envelope[M]] = []
        guilty: list[Envelope[M]] = []
        for envelope in unanswered:
            envelope.attempts += 1
            (guilty if envelope.attempts >= MAX_ATTEMPTS else back).append(envelope)
        self._waiting.extendleft(reversed(back))
        self._quarantined += len(guilty)
        for envelope in guilty:
            if envelope.reply is not None:
                envelope.reply.fail(ActorCrashed())
        for reply in owed:
            reply.fail(ActorCrashed("the actor crashed before it gave this answer; whether it took effect is unknown"))
        return guilty

    def suspend(self, retry_after_seconds: float) -> None:
        """Park: fail everything waiting with ActorUnavailable, and every tell until `resume`."""
        self._suspended_until = self._now() + retry_after_seconds
        self._shut = True
        self._discard_waiting()

    def resume(self) -> None:
        """End a suspension."""
        self._shut = self._closed

    def close(self) -> None:
        """Fail everything waiting, in hand and owed with ActorStopped, and every tell and take from now on."""
        if self._closed:
            return
        self._closed = self._shut = True
        in_hand, owed, self._in_hand, self._owed = self._in_hand, self._owed, [], []
        for reply in (*(e.reply for e in in_hand), *owed):
            if reply is not None:
                reply.fail(ActorStopped())
        self._discard_waiting()
        if self._taker is not None:
            self._wake_taker()

    # What anyone may ask.

    @property
    def closed(self) -> bool:
        """Whether the inbox is closed, for good."""
        return self._closed

    @property
    def idle(self) -> bool:
        """Whether nothing waits, and nothing in hand or put off is unanswered."""
        return not self._waiting and not self._unanswered() and all(reply.done for reply in self._owed)

    def __len__(self) -> int:
        """Count the waiting messages."""
        return len(self._waiting)

    def __bool__(self) -> bool:
        """Be true always: an empty inbox is still an inbox."""
        return True

    def statistics(self) -> InboxStatistics:
        """Report depth, waits and totals."""
        return InboxStatistics(
            depth=len(self._waiting),
            capacity=self._capacity,
            in_hand=self._unanswered(),
            oldest_wait_seconds=self._oldest_wait(),
            received=self._received,
            refused=self._refused,
            abandoned=self._abandoned,
            quarantined=self._quarantined,
            discarded=self._discarded,
        )

    # Below here nothing is public.

    def _turn(self, limit: int) -> None:
        if limit < 1:
            raise ValueError("limit must be at least 1")
        if self._taker is not None:
            raise RuntimeError("an inbox has one actor: another task is taking")
        if self._on_ready is not None:
            self.ready()
        if self._in_hand:
            self.settle()

    def _pop(self, limit: int) -> list[Envelope[M]]:
        waiting = self._waiting
        batch: list[Envelope[M]] = []
        while waiting and len(batch) < limit:
            envelope = waiting.popleft()
            reply = envelope.reply
            if reply is not None and reply.abandoned:
                self._drop(reply)
                continue
            batch.append(envelope)
            if envelope.attempts:  # suspects are always in front, so nothing came before it
                break
        self._in_hand = batch.copy()  # a copy: the actor may do with its list as it likes
        if self._senders:
            self._admit()
        return batch

    def _admit(self) -> None:
        while self._senders and len(self._waiting) < self._capacity:
            task, message = self._senders.popitem(last=False)
            self.tell(message)
            trio.lowlevel.reschedule(task)

    def _drop(self, reply: Reply[object]) -> None:
        self._abandoned += 1
        # Nobody should be waiting any more; if somebody is, it gets an answer too.
        reply.fail(AskTimeout("the reply was abandoned before the message was begun"))

    async def _arrival(self) -> None:
        self._taker = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._leave)

    def _leave(self, _: object) -> trio.lowlevel.Abort:
        self._taker = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _wake_taker(self) -> None:
        task, self._taker = self._taker, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    def _refusal(self) -> ActorError:
        if self._closed:
            return ActorStopped()
        if self._shut:
            return ActorUnavailable(max(0.0, self._suspended_until - self._now()))
        # What the first in line has waited is about what a queue of this length takes to drain.
        return InboxFull(min(MAX_RETRY_SECONDS, max(MIN_RETRY_SECONDS, self._oldest_wait())))

    def _discard_waiting(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        self._discarded += len(waiting)
        for envelope in waiting:
            if envelope.reply is not None:
                envelope.reply.fail(self._refusal())
        while self._senders:
            task, _ = self._senders.popitem(last=False)
            self._refused += 1
            trio.lowlevel.reschedule(task, Error(self._refusal()))

    def _oldest_wait(self) -> float:
        return self._now() - self._waiting[0].arrived if self._waiting else 0.0

    def _unanswered(self) -> int:
        return sum(1 for e in self._in_hand if e.reply is None or not e.reply.done)
