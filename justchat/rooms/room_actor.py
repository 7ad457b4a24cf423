"""The room actor: one task that serialises everything that happens in one room.

It owns the room's state and promises the order of things: a batch is decided, committed, and only then fanned out and
answered; what is due by the clock comes before it, by the same way. Every failure it cannot explain crashes it on
purpose; a new incarnation reloads the truth from storage, and the commands in hand are answered as they were decided
if the journal has them, and decided again, once, if not. Refusals are values and crash nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio
from immutables import Map
from msgspec.structs import replace

from actors import Envelope, Inbox, Reply, Timings
from justchat.rooms.alarm import Alarm
from justchat.rooms.commands import NOT_WRITTEN, Accepted, Answer, Command, PostMessage
from justchat.rooms.draft import Draft, draft_batch
from justchat.rooms.keeper import Keeper
from justchat.rooms.kept_commands import DismissReport, ReportMessage, ScheduleMessage, Unschedule
from justchat.rooms.people import look_up
from justchat.rooms.queries import (
    Access,
    Attach,
    Attached,
    Await,
    Forget,
    GoLive,
    Look,
    OutOfReach,
    RoomMessage,
    View,
    Wake,
    access_of,
    view_of,
    visible_to,
)
from justchat.rooms.reload import load_referred, load_state, missed_events
from justchat.rooms.room_ports import FAULT_POINTS, TIMER_POINTS, RoomLimits, RoomPorts
from justchat.rooms.room_stream import RoomStream
from justchat.rooms.state import RoomState, remember, settled
from justchat.rooms.subscription import Subscribers
from justchat.rooms.timers import Timers
from justchat.rooms.unsure import Unsure
from justchat.rooms.waiters import SEQ_UNAVAILABLE, Waiters
from justchat.wire.errors import Refusal
from justchat.wire.events import Event, MemberAdded, MemberJoined, RoomCreated
from storage.errors import Conflict, OutcomeUnknown, StorageUnavailable

__all__ = ["FAULT_POINTS", "TIMER_POINTS", "RoomActor", "RoomLimits", "RoomPorts"]

_UNKNOWN_IDLE_SECONDS = 0.5
_WAITERS_MAX = 256


class RoomActor:
    """One room at work; a new `run` is one incarnation and begins by loading."""

    def __init__(
        self,
        room: str,
        *,
        inbox: Inbox[RoomMessage],
        subscribers: Subscribers,
        ports: RoomPorts,
        limits: RoomLimits,
        passivate: Callable[[], bool],
    ) -> None:
        self.room = room
        self.inbox = inbox
        self.subscribers = subscribers
        self.ports = ports
        self.limits = limits
        self.passivate = passivate
        self.state: RoomState | None = None
        self.loaded = False
        self.stream = RoomStream(room, subscribers=subscribers, limits=limits)
        self.timers = Timers(room, journal=ports.journal, now_ms=ports.now_ms)
        self.keeper = Keeper(room, ports=ports)
        self.alarm = Alarm(room, ports=ports, timers=self.timers, keeper=self.keeper, carry_out=self._carry_out_due)
        # Each is an answer that is owed, of which an inbox allows no more than it holds messages.
        self.waiters = Waiters(most=min(_WAITERS_MAX, limits.inbox))
        self.unsure = Unsure()
        self.commits = Timings(64)
        self.batch_size = 0

    async def run(self) -> None:
        """Serve until nobody has needed the room for the idle time."""
        self.timers.recover()
        await self._load()
        while True:
            await self.alarm.ring(lambda: self.state)
            batch = await self.inbox.take_within(self.limits.batch, self._patience_seconds())
            if batch:
                await self._turn(batch)
            elif self._may_sleep() and self.passivate():
                return

    def _patience_seconds(self) -> float:
        # Anybody may ask for a room that does not exist: such an actor does not hold its place for long.
        idle_seconds = self.limits.idle_seconds if self.state is not None else _UNKNOWN_IDLE_SECONDS
        left = self.timers.seconds_left()
        if left is None:
            return idle_seconds
        return left if left <= self.limits.timer_seconds else min(left, idle_seconds)

    def _may_sleep(self) -> bool:
        self.waiters.forget_abandoned()
        is_needed = self.timers.resting or self.timers.is_due(within_seconds=self.limits.timer_seconds)
        return not self.subscribers and not is_needed

    async def _load(self) -> None:
        self._reach("loading")
        with trio.fail_after(self.limits.load_seconds):
            self.state = await load_state(self.ports.journal, self.room)
            head = 0 if self.state is None else self.state.head_seq
            # Nobody listens to a room that has just woken up: only an incarnation after another may have to catch up.
            after = self.subscribers.head if self.loaded else head
            missed = [] if self.state is None else await missed_events(self.ports.journal, self.state, after=after)
            if self.state is not None:
                await self.timers.load()
            await self._settle()
        # No await from here to the end: fan-out goes on where the crash broke it off.
        self.stream.restart(missed, head=head, members=Map() if self.state is None else self.state.members)
        for seq, event in missed:
            self._tell_joined(event, seq)
        self.loaded = True

    async def _settle(self) -> None:
        """Find out what became of the batch that was being written at a crash."""
        unsure = self.unsure.entries
        if unsure:
            read = self.ports.journal.read
            found = await read(self.room, after=unsure[0].seq - 1, upto=unsure[-1].seq, limit=len(unsure))
            self.unsure.settle(found)

    async def _turn(self, batch: list[Envelope[RoomMessage]]) -> None:
        """Serve one batch: the commands first, as one commit, then what looks at their outcome."""
        began = trio.current_time()
        # By the clock it was due before: a mute that is over must not refuse a post.
        await self.alarm.ring(lambda: self.state)
        commands = [envelope for envelope in batch if isinstance(envelope.message, Command)]
        if commands:
            await self._serve_commands(commands, began)
        for envelope in batch:
            if isinstance(envelope.message, Wake):
                self.timers.look_now()
            elif not isinstance(envelope.message, Command) and envelope.reply is not None:
                await self._serve_other(envelope.message, envelope.reply)

    # Commands.

    async def _serve_commands(self, envelopes: list[Envelope[RoomMessage]], began: float) -> None:
        commands = [envelope.message for envelope in envelopes if isinstance(envelope.message, Command)]
        # What was in hand at a crash comes first, and alone.
        if not envelopes[0].attempts:
            self.unsure.forget()
        elif (known := self.unsure.answer_to(commands[0])) is not None:
            self._answer(envelopes, (known,), began=began, commit_seconds=0.0)
            return
        self.batch_size = len(commands)
        draft, commit_seconds = await self._carry_out(commands, began)
        self._answer(envelopes, draft.answers, began=began, commit_seconds=commit_seconds)

    async def _carry_out_due(self, commands: Sequence[Command]) -> Draft:
        draft, _ = await self._carry_out(commands, trio.current_time())
        return draft

    async def _carry_out(self, commands: Sequence[Command], began: float) -> tuple[Draft, float]:
        draft = await self._commit(commands)
        commit_seconds = trio.current_time() - began
        if draft.entries:
            self.commits.add(commit_seconds)
            await self._fan_out(draft)
        self.waiters.answer(0 if self.state is None else self.state.head_seq, self._access)
        # No await from here until the callers are answered.
        self.unsure.over()
        return draft, commit_seconds

    async def _commit(self, commands: Sequence[Command]) -> Draft:
        """Decide the commands and make what they change durable. The state moves only after the commit."""
        draft = await self._try(commands)
        if draft is not None:
            return draft
        # Without transactions, what came before the repeat stands: go on from there.
        answers = self.unsure.answers_to(commands)
        draft = await self._try(commands[len(answers) :], is_last=True)
        if draft is None:
            raise Conflict("client_msg_id", room=self.room)
        return replace(draft, answers=(*answers, *draft.answers))

    async def _try(self, commands: Sequence[Command], *, is_last: bool = False) -> Draft | None:
        """Commit the commands; None where one repeats an old post that only the store knew of and is remembered now."""
        try:
            draft = await self._decide(commands)
        except StorageUnavailable:
            if is_last:
                raise
            # What has to be known cannot be read. Nothing was tried, so nobody is in doubt.
            return Draft(self.state, (), (), (), (NOT_WRITTEN,) * len(commands))
        if not draft.entries:
            return draft
        self._reach("before_commit")
        self.unsure.begin(commands, draft)
        try:
            await self._append(draft)
        except Conflict as conflict:
            if conflict.kind != "client_msg_id":
                raise
            if conflict.written:
                await self._load()
            await self._recall([command for command in commands if isinstance(command, PostMessage)])
            return None
        except OutcomeUnknown:
            raise
        except StorageUnavailable:
            self.unsure.over()
            return draft.taken_back(self.state, NOT_WRITTEN)
        self._reach("after_commit")
        self.timers.note(draft.changes)
        if draft.state is not None:
            self.state = settled(draft.state)
        return draft

    async def _decide(self, commands: Sequence[Command]) -> Draft:
        draft = await self._draft(commands)
        if await self._recall(_refused_posts(commands, draft.answers)):
            return await self._draft(commands)
        return draft

    async def _append(self, draft: Draft) -> None:
        await self.ports.journal.append((draft.append(),))

    async def _draft(self, commands: Sequence[Command]) -> Draft:
        state, ports = self.state, self.ports
        if state is not None:
            state = await load_referred(ports.journal, state, commands)
        people = await look_up(ports, state, commands)
        return draft_batch(
            state,
            commands,
            room=self.room,
            now=ports.now_ms(),
            new_id=ports.new_id,
            named=people.named,
            blocked=people.blocked,
            deaf=people.deaf,
        )

    async def _recall(self, posts: Sequence[PostMessage]) -> bool:
        """Remember old posts that these repeat, which only the store knew of; tell whether there were any."""
        if self.state is None or not posts:
            return False
        keys = {(post.actor, post.client_msg_id) for post in posts}.difference(self.state.sent)
        found = await self.ports.journal.find_sent(self.room, sorted(keys)) if keys else []
        self.state = remember(self.state, found)
        return bool(found)

    async def _fan_out(self, draft: Draft) -> None:
        self._reach("before_fan_out")
        await self.stream.fan_out(draft)
        for entry, event in zip(draft.entries, draft.events, strict=True):
            self._tell_joined(event, entry.seq)
        self._reach("after_fan_out")

    def _tell_joined(self, event: Event, seq: int) -> None:
        match event:
            case MemberAdded(user=user) | MemberJoined(user=user):
                self.ports.joined(user, self.room, seq)
            case RoomCreated(members=members):
                for member in members:
                    self.ports.joined(member.user, self.room, seq)
            case _:
                pass

    def _answer(
        self,
        envelopes: Sequence[Envelope[RoomMessage]],
        answers: Sequence[Answer],
        *,
        began: float,
        commit_seconds: float,
    ) -> None:
        for envelope, answer in zip(envelopes, answers, strict=True):
            if envelope.reply is None:
                continue
            if isinstance(answer, Accepted):
                queued = began - envelope.arrived
                envelope.reply.set(replace(answer, queued_seconds=queued, commit_seconds=commit_seconds))
            else:
                envelope.reply.set(answer)

    # What follows from no entry, and what changes nothing. All but the first is done in one step, without an await, so
    # that each answer is a point in the room's order.

    async def _serve_other(self, message: RoomMessage, reply: Reply[object]) -> None:
        if reply.abandoned:
            # A connection that has left must not be put into the table: nobody would ever take it out.
            reply.set(None)
            return
        match message:
            case ScheduleMessage() | Unschedule() | ReportMessage() | DismissReport():
                kept = await self.keeper.serve(message, self.state)
                self.timers.note(kept.changes)
                reply.set(kept.answer)
            case Attach():
                reply.set(self._attach(message))
            case GoLive():
                reply.set(None if self.state is None else self.stream.go_live(message, self.state))
            case View(user=user):
                state = visible_to(self.state, user)
                reply.set(state if isinstance(state, Refusal) else view_of(state, user, with_peer=True))
            case Look(user=user):
                reply.set(self._access(user))
            case Await():
                self._await(message, reply)
            case Forget():
                self.stream.forget()
                reply.set(None)
            case _:
                raise TypeError(f"not a query: {type(message).__name__}")

    def _attach(self, attach: Attach) -> Attached | OutOfReach | Refusal:
        state = visible_to(self.state, attach.subscription.user)
        return state if isinstance(state, Refusal) else self.stream.attach(attach, state)

    def _access(self, user: str) -> Access | Refusal:
        return access_of(self.state, user)

    def _await(self, message: Await, reply: Reply[object]) -> None:
        access = self._access(message.user)
        if isinstance(access, Refusal) or access.head >= message.seq:
            reply.set(access)
        elif not self.waiters.add(message.user, message.seq, reply):
            reply.set(SEQ_UNAVAILABLE)

    def _reach(self, point: str) -> None:
        self.ports.reach(point, self.room)


def _refused_posts(commands: Sequence[Command], answers: Sequence[Answer]) -> list[PostMessage]:
    """Name the posts that were refused: each may be the repeat of one that was accepted when its sender still might."""
    return [
        command
        for command, answer in zip(commands, answers, strict=True)
        if isinstance(command, PostMessage) and isinstance(answer, Refusal)
    ]
