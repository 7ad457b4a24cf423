"""The room actor: one task that serialises everything that happens in one room.

It owns the room's state and promises the order of things: a batch is decided, committed, and only then fanned out and
answered. Every failure it cannot explain crashes it on purpose; a new incarnation reloads the truth from storage, and
the commands in hand are decided again, once. Refusals are values and crash nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio
from msgspec import Struct
from msgspec.structs import replace

from actors import Envelope, Inbox, Timings
from justchat.door.frames import text_frame
from justchat.rooms.broadcast import Ring, cut_of, segments
from justchat.rooms.commands import (
    NO_SUCH_ROOM,
    Accepted,
    Answer,
    Command,
    PostMessage,
    messages_referred,
)
from justchat.rooms.draft import Draft, draft_batch
from justchat.rooms.permissions import Permission
from justchat.rooms.queries import Access, Attach, Attached, GoLive, Look, OutOfReach, RoomMessage, View, view_of
from justchat.rooms.reload import load_messages, load_state, missed_events
from justchat.rooms.state import RoomState, remember, settled
from justchat.rooms.subscription import Subscribers
from justchat.wire import server_frames
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.events import Event, MemberAdded, MemberJoined, RoomCreated
from storage.errors import Conflict, OutcomeUnknown, StorageUnavailable
from storage.ports import Journal

# Where a fault may be planted, in the order in which a command meets these points.
FAULT_POINTS = ("loading", "before_commit", "after_commit", "before_fan_out", "after_fan_out")

_UNKNOWN_IDLE_SECONDS = 0.5
_NOT_WRITTEN = Refusal(
    ErrorCode.STORAGE_UNAVAILABLE, "nothing was written; the same client_msg_id may be sent again", (), 1.0
)


class RoomLimits(Struct, frozen=True):
    """Bounds of one room: inbox and ring in items, batch in commands a commit, times in seconds."""

    inbox: int = 1024
    batch: int = 256
    idle_seconds: float = 600.0
    load_seconds: float = 5.0
    ring_entries: int = 1024
    ring_bytes: int = 262_144


class RoomPorts(Struct, frozen=True):
    """What a room needs of the world.

    `now_ms` gives wall-clock milliseconds; `joined(user, room, seq)` is told of each user who became a member at `seq`;
    `fault(point, room)` may raise, for tests.
    """

    journal: Journal
    now_ms: Callable[[], int]
    new_id: Callable[[str], str]
    joined: Callable[[str, str, int], None]
    fault: Callable[[str, str], None] | None = None


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
        self.ring = Ring(head=0, max_entries=0, max_bytes=0)
        self.commits = Timings(64)
        self.batch_size = 0

    async def run(self) -> None:
        """Serve until nobody has needed the room for the idle time."""
        await self._load()
        while True:
            # Anybody may ask for a room that does not exist: such an actor does not hold its place for long.
            idle_seconds = self.limits.idle_seconds if self.state is not None else _UNKNOWN_IDLE_SECONDS
            batch = await self.inbox.take_within(self.limits.batch, idle_seconds)
            if batch:
                await self._turn(batch)
            elif not self.subscribers and self.passivate():
                return

    async def _load(self) -> None:
        self._reach("loading")
        with trio.fail_after(self.limits.load_seconds):
            self.state = await load_state(self.ports.journal, self.room)
            head = 0 if self.state is None else self.state.head_seq
            # Nobody listens to a room that has just woken up: only an incarnation after another may have to catch up.
            after = self.subscribers.head if self.loaded else head
            missed = [] if self.state is None else await missed_events(self.ports.journal, self.state, after=after)
        # No await from here to the end: fan-out goes on where the crash broke it off.
        self.ring = Ring(head=head, max_entries=self.limits.ring_entries, max_bytes=self.limits.ring_bytes)
        for subscription in list(self.subscribers.live):
            if subscription.seq < head:
                self.subscribers.pull(subscription)
                subscription.sink.fell_behind(subscription, head=head, announce=False)
        for seq, event in missed:
            cut = cut_of(event, () if self.state is None else self.state.members)
            if cut is not None:
                self.subscribers.cut(cut, seq=seq)
            self._tell_joined(event, seq)
        self.subscribers.head = head
        self.loaded = True

    async def _turn(self, batch: list[Envelope[RoomMessage]]) -> None:
        """Serve one batch: the commands first, as one commit, then what looks at their outcome."""
        began = trio.current_time()
        commands = [envelope for envelope in batch if isinstance(envelope.message, Command)]
        if commands:
            await self._serve_commands(commands, began)
        for envelope in batch:
            if not isinstance(envelope.message, Command) and envelope.reply is not None:
                # A connection that has left must not be put into the table: nobody would ever take it out.
                envelope.reply.set(None if envelope.reply.abandoned else self._look(envelope.message))

    async def _serve_commands(self, envelopes: list[Envelope[RoomMessage]], began: float) -> None:
        commands = [envelope.message for envelope in envelopes if isinstance(envelope.message, Command)]
        self.batch_size = len(commands)
        draft = await self._commit(commands)
        commit_seconds = trio.current_time() - began
        if draft.entries:
            self.commits.add(commit_seconds)
            await self._fan_out(draft)
        self._answer(envelopes, draft.answers, began=began, commit_seconds=commit_seconds)

    async def _commit(self, commands: Sequence[Command]) -> Draft:
        """Decide the commands and make what they change durable. The state moves only after the commit."""
        for _ in range(2):
            draft = await self._draft(commands)
            if await self._recall(_refused_posts(commands, draft.answers)):
                draft = await self._draft(commands)
            if not draft.entries:
                return draft
            self._reach("before_commit")
            try:
                await self._append(draft)
            except Conflict as conflict:
                if conflict.kind != "client_msg_id":
                    raise
                if conflict.written:
                    # Without transactions, what came before the repeat stands: go on from there.
                    await self._load()
                await self._recall([command for command in commands if isinstance(command, PostMessage)])
                continue
            except OutcomeUnknown:
                raise
            except StorageUnavailable:
                return self._refused(draft)
            self._reach("after_commit")
            if draft.state is not None:
                self.state = settled(draft.state)
            return draft
        raise Conflict("client_msg_id", room=self.room)

    async def _append(self, draft: Draft) -> None:
        await self.ports.journal.append((draft.append(),))

    async def _draft(self, commands: Sequence[Command]) -> Draft:
        state = self.state
        referred = {message for command in commands for message in messages_referred(command)}
        if referred and state is not None:
            state = await load_messages(self.ports.journal, state, sorted(referred))
        return draft_batch(state, commands, room=self.room, now=self.ports.now_ms(), new_id=self.ports.new_id)

    async def _recall(self, posts: Sequence[PostMessage]) -> bool:
        """Remember old posts that these repeat, which only the store knew of; tell whether there were any."""
        if self.state is None or not posts:
            return False
        keys = {(post.actor, post.client_msg_id) for post in posts}.difference(self.state.sent)
        found = await self.ports.journal.find_sent(self.room, sorted(keys)) if keys else []
        self.state = remember(self.state, found)
        return bool(found)

    def _refused(self, draft: Draft) -> Draft:
        """Take back a draft that was not written: whatever was decided on top of its first entry never held."""
        first = next(index for index, answer in enumerate(draft.answers) if _is_change(answer))
        answers = (*draft.answers[:first], *[_NOT_WRITTEN] * (len(draft.answers) - first))
        return Draft(self.state, (), (), (), answers)

    async def _fan_out(self, draft: Draft) -> None:
        self._reach("before_fan_out")
        for entry in draft.entries:
            self.ring.add(entry)
        members = () if draft.state is None else draft.state.members
        for segment in segments(draft.entries, draft.events, members=members):
            await self.subscribers.deliver(segment)
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

    def _look(self, message: RoomMessage) -> object:
        """Answer what changes nothing durable. No await: the answer is a point in the room's order."""
        match message:
            case Attach():
                return self._attach(message)
            case GoLive():
                return self._go_live(message)
            case View(user=user):
                state = self._visible_to(user)
                return state if isinstance(state, Refusal) else view_of(state, user)
            case Look(user=user):
                state = self._visible_to(user)
                if isinstance(state, Refusal):
                    return state
                return Access(state.role_of(user), state.allowed(user), state.head_seq, state.epoch)
            case _:
                raise TypeError(f"not a query: {type(message).__name__}")

    def _visible_to(self, user: str) -> RoomState | Refusal:
        if self.state is None or Permission.ROOM_VIEW not in self.state.allowed(user):
            return NO_SUCH_ROOM
        return self.state

    def _attach(self, attach: Attach) -> Attached | OutOfReach | Refusal:
        subscription = attach.subscription
        state = self._visible_to(subscription.user)
        if isinstance(state, Refusal):
            return state
        head = state.head_seq
        after = head if attach.after is None else attach.after
        if attach.epoch is not None and attach.epoch != state.epoch:
            return OutOfReach("epoch", state.epoch, head)
        if after > head:
            return OutOfReach("ahead", state.epoch, head)
        covered = self.ring.covers(after)
        newest = self.ring.after(after) if covered else []
        # No await from here to the end: the snapshot and the subscription are one step.
        snapshot = attach.events if attach.replay else (*attach.events, *newest)
        snapshot_head = head if attach.replay or covered else after
        frame = server_frames.subscribed(
            self.room,
            frame_id=attach.frame_id,
            state=view_of(state, subscription.user),
            head_seq=snapshot_head,
            events=snapshot,
        )
        subscription.sink.force(text_frame(frame))
        subscription.seq = after
        if not covered:
            self.subscribers.pull(subscription)
            return Attached(live=False, head=head)
        if attach.replay:
            self._replay(attach, newest, head)
        self.subscribers.go_live(subscription, seq=head)
        return Attached(live=True, head=head)

    def _replay(self, attach: Attach, bodies: Sequence[bytes], head: int) -> None:
        frames = [text_frame(body) for body in bodies]
        frames.append(text_frame(server_frames.caught_up(self.room, seq=head)))
        attach.subscription.sink.force(b"".join(frames), len(frames))

    def _go_live(self, message: GoLive) -> Attached | None:
        """Answer None to a subscription that ended meanwhile."""
        subscription = message.subscription
        if subscription not in self.subscribers or self.state is None:
            return None
        head = self.state.head_seq
        if not self.ring.covers(subscription.seq):
            return Attached(live=False, head=head)
        frames = [text_frame(body) for body in self.ring.after(subscription.seq)]
        frames.append(text_frame(server_frames.caught_up(self.room, seq=head)))
        # No await from here to the end: what the ring holds and the live stream join without a seam.
        subscription.sink.force(b"".join(frames), len(frames))
        self.subscribers.go_live(subscription, seq=head)
        return Attached(live=True, head=head)

    def _reach(self, point: str) -> None:
        if self.ports.fault is not None:
            self.ports.fault(point, self.room)


def _is_change(answer: Answer) -> bool:
    return isinstance(answer, Accepted) and answer.changed


def _refused_posts(commands: Sequence[Command], answers: Sequence[Answer]) -> list[PostMessage]:
    """Name the posts that were refused: each may be the repeat of one that was accepted when its sender still might."""
    return [
        command
        for command, answer in zip(commands, answers, strict=True)
        if isinstance(command, PostMessage) and isinstance(answer, Refusal)
    ]
