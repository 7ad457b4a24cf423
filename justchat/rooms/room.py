"""The handle to a room, and the registry of the rooms that are awake.

A handle is an address: it wakes the room when needed and says nothing about where or whether its actor runs. It turns
the runtime's errors into refusals, so callers only ever see answers.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import TypeVar, cast

import trio
from msgspec import Struct

from actors import (
    ActorCrashed,
    ActorError,
    ActorUnavailable,
    AskTimeout,
    Child,
    ChildStatistics,
    Inbox,
    InboxFull,
    Registry,
    RegistryFull,
    RegistryStatistics,
    Reply,
    Supervisor,
)
from justchat.limiting.pace import Paces
from justchat.rooms.commands import Answer, Command
from justchat.rooms.kept_commands import KeptCommand
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
)
from justchat.rooms.room_actor import RoomActor, RoomLimits, RoomPorts
from justchat.rooms.subscription import Subscribers, Subscription
from justchat.rooms.waiters import SEQ_UNAVAILABLE
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.events import SYSTEM
from justchat.wire.server_frames import RoomView

T = TypeVar("T")

# How long a reader who wants to see a seq waits for it.
AWAIT_SECONDS = 2.0


class Activation:
    """A room that is awake: what outlives the incarnations of its actor."""

    __slots__ = ("actor", "child", "inbox", "subscribers")

    def __init__(self, actor: RoomActor, inbox: Inbox[RoomMessage], subscribers: Subscribers) -> None:
        self.actor = actor
        self.inbox = inbox
        self.subscribers = subscribers
        self.child: Child | None = None


class RoomHealth(Struct, frozen=True):
    """One room's actor, for operators. Times are seconds."""

    room: str
    state: str
    inbox_depth: int
    oldest_wait_seconds: float
    received: int
    refused: int
    batch_size: int
    commit_p50_seconds: float | None
    commit_p99_seconds: float | None
    subscribers: int
    lagging: int
    restarts: int
    quarantined: int
    last_error: str | None
    head_seq: int


_ROOMS_REMEMBERED = 20_000
_DRAINING = Refusal(ErrorCode.DRAINING, "the server is restarting", (), 1.0)
_CRASHED = Refusal(ErrorCode.INTERNAL, "the room could not do this (ActorCrashed)", (), 1.0)


def refusal_of(error: ActorError) -> Refusal:
    """Say in the contract's words why an actor did not answer."""
    match error:
        case InboxFull(retry_after_seconds=seconds):
            return Refusal(ErrorCode.ROOM_OVERLOADED, "the room's inbox is full", (), max(seconds, 0.1))
        case RegistryFull():
            return Refusal(ErrorCode.ROOM_OVERLOADED, "too many rooms are awake", (), 1.0)
        case ActorUnavailable(retry_after_seconds=seconds):
            return Refusal(ErrorCode.ROOM_UNAVAILABLE, "the room crashed repeatedly and rests", (), max(seconds, 0.1))
        case ActorCrashed():
            return _CRASHED
        case AskTimeout():
            return Refusal(ErrorCode.ROOM_UNAVAILABLE, "the room did not answer in time", (), 1.0)
        case _:
            return Refusal(ErrorCode.INTERNAL, f"the room could not do this ({type(error).__name__})", (), 1.0)


def result_of(reply: Reply[T]) -> T | Refusal:
    """Read a finished reply as an answer."""
    try:
        return reply.result()
    except ActorError as error:
        return refusal_of(error)


class Room:
    """The address of one room."""

    __slots__ = ("_rooms", "id")

    def __init__(self, rooms: Rooms, room: str) -> None:
        self._rooms = rooms
        self.id = room

    def submit(self, message: RoomMessage, reply: Reply[object]) -> Refusal | None:
        """Hand a message in without waiting; a refusal means that it was not taken and `reply` stays unused."""
        refusal = self._rooms.refusal_of(self.id, message)
        if refusal is not None:
            return refusal
        try:
            # No await between the two: an idle room cannot passivate in between.
            self._rooms.registry.activate(self.id).inbox.tell(message, reply)
        except ActorError as error:
            return refusal_of(error)
        return None

    async def post(self, command: Command | KeptCommand) -> Answer:
        """Have a command decided and, if accepted, made durable; what leads to an entry is fanned out, too."""
        return cast("Answer", await self._ask(command))

    async def view(self, user: str, *, min_seq: int | None = None) -> RoomView | Refusal:
        """Look at the room as this user, as of `min_seq` at least."""
        view = cast("RoomView | Refusal", await self._ask(View(user)))
        if isinstance(view, Refusal) or min_seq is None or view.head_seq >= min_seq:
            return view
        access = await self.wait_for(user, min_seq)
        return access if isinstance(access, Refusal) else cast("RoomView | Refusal", await self._ask(View(user)))

    async def look(self, user: str, *, min_seq: int | None = None) -> Access | Refusal:
        """Ask what the user may do, and where the room stands: at `min_seq` at least, if that is given."""
        access = cast("Access | Refusal", await self._ask(Look(user)))
        if isinstance(access, Refusal) or min_seq is None or access.head >= min_seq:
            return access
        return await self.wait_for(user, min_seq)

    async def wait_for(self, user: str, min_seq: int) -> Access | Refusal:
        """Ask what the user may do once the room has come to `min_seq`; refused if that takes AWAIT_SECONDS."""
        with trio.move_on_after(AWAIT_SECONDS):
            while True:
                answer = await self._ask(Await(user, min_seq), deadline_seconds=2 * AWAIT_SECONDS)
                # Answers that a room owes are lost when it crashes; nothing speaks against asking again.
                if answer is not _CRASHED:
                    return cast("Access | Refusal", answer)
        return SEQ_UNAVAILABLE

    async def attach(self, attach: Attach) -> Attached | OutOfReach | Refusal:
        """Join the stream of events."""
        return cast("Attached | OutOfReach | Refusal", await self._ask(attach))

    async def go_live(self, subscription: Subscription) -> Attached | OutOfReach | Refusal | None:
        """Ask for a subscription that has caught up to be pushed to again; None if it ended meanwhile."""
        return cast("Attached | OutOfReach | Refusal | None", await self._ask(GoLive(subscription)))

    async def forget(self) -> Refusal | None:
        """Have the room forget the bytes of recent entries, which were rewritten; one that sleeps has none."""
        if not self._rooms.is_awake(self.id):
            return None
        return cast("Refusal | None", await self._ask(Forget()))

    def detach(self, subscription: Subscription) -> None:
        """Leave the stream of events, at once."""
        activation = self._rooms.registry.find(self.id)
        if activation is not None:
            activation.subscribers.detach(subscription)

    async def _ask(self, message: RoomMessage, *, deadline_seconds: float | None = None) -> object:
        refusal = self._rooms.refusal_of(self.id, message)
        if refusal is not None:
            return refusal
        seconds = self._rooms.ask_seconds if deadline_seconds is None else deadline_seconds
        try:
            inbox = self._rooms.registry.activate(self.id).inbox
            return await inbox.ask(message, Reply[object](), deadline_seconds=seconds)
        except ActorError as error:
            return refusal_of(error)


ActorFactory = Callable[..., RoomActor]


class Rooms:
    """All rooms: gives handles, wakes actors, reports their health."""

    def __init__(
        self,
        supervisor: Supervisor,
        ports: RoomPorts,
        limits: RoomLimits,
        *,
        active_max: int,
        ask_seconds: float,
        actor: ActorFactory = RoomActor,
    ) -> None:
        self.registry: Registry[str, Activation] = Registry(self._spawn, capacity=active_max)
        self.ask_seconds = ask_seconds
        self.draining = False
        self._supervisor = supervisor
        self._ports = ports
        self._limits = limits
        self._actor = actor
        # What users together may ask of each room, by whichever way it comes.
        self._paces = Paces(
            per_second=limits.command_rate, burst=max(1, int(limits.command_rate)), keys_max=_ROOMS_REMEMBERED
        )

    def room(self, room: str) -> Room:
        """Give the handle of a room, awake or not, existing or not."""
        return Room(self, room)

    def is_awake(self, room: str) -> bool:
        """Tell whether a room has an actor now."""
        return self.registry.find(room) is not None

    def wake(self, room: str) -> bool:
        """Wake a room, or remind it that something is due; False where that cannot be now."""
        if self.draining:
            return False
        try:
            self.registry.activate(room).inbox.tell(Wake())
        except ActorError:
            return False
        return True

    def start_draining(self) -> None:
        """Refuse what is new; what is already queued is finished."""
        self.draining = True

    def refusal_of(self, room: str, message: RoomMessage) -> Refusal | None:
        """Refuse what a room is not to be asked now: anything while draining, and commands of users beyond its pace."""
        if self.draining:
            return _DRAINING
        # Questions have no actor; they change nothing. What SYSTEM does is due, and never too much.
        if getattr(message, "actor", SYSTEM) == SYSTEM:
            return None
        wait = self._paces.take(room, trio.current_time())
        if not wait:
            return None
        return Refusal(ErrorCode.RATE_LIMITED, "too many commands for this room", (), ceil(wait * 1000) / 1000)

    def idle(self) -> bool:
        """Tell whether no room has anything queued or in hand."""
        return all(activation.inbox.idle for _, activation in self.registry.items())

    def statistics(self) -> RegistryStatistics:
        """Report how many rooms are awake, and the totals."""
        return self.registry.statistics()

    def health(self, room: str) -> RoomHealth | None:
        """Report one room's actor; None for a room that is not awake."""
        activation = self.registry.find(room)
        return None if activation is None else _health(room, activation)

    def all_health(self) -> list[RoomHealth]:
        """Report every room that is awake."""
        return [_health(room, activation) for room, activation in self.registry.items()]

    def crash(self, room: str, error: Exception) -> bool:
        """Make a room's actor crash, for an operator's restart and for tests; False if none is at work."""
        activation = self.registry.find(room)
        return activation is not None and activation.child is not None and activation.child.kill(error)

    def _spawn(self, room: str) -> Activation:
        inbox: Inbox[RoomMessage] = Inbox(capacity=self._limits.inbox)
        subscribers = Subscribers()
        actor = self._actor(
            room,
            inbox=inbox,
            subscribers=subscribers,
            ports=self._ports,
            limits=self._limits,
            passivate=lambda: self.registry.passivate(room, inbox),
        )
        activation = Activation(actor, inbox, subscribers)
        activation.child = self._supervisor.start(
            f"room {room}", actor.run, inbox, on_end=lambda: self.registry.forget(room, activation)
        )
        return activation


def _health(room: str, activation: Activation) -> RoomHealth:
    inbox = activation.inbox.statistics()
    child: ChildStatistics | None = None if activation.child is None else activation.child.statistics()
    commits = activation.actor.commits
    return RoomHealth(
        room=room,
        state="starting" if child is None else child.state,
        inbox_depth=inbox.depth,
        oldest_wait_seconds=inbox.oldest_wait_seconds,
        received=inbox.received,
        refused=inbox.refused,
        batch_size=activation.actor.batch_size,
        commit_p50_seconds=commits.p50,
        commit_p99_seconds=commits.p99,
        subscribers=len(activation.subscribers),
        lagging=len(activation.subscribers.pulling),
        restarts=0 if child is None else child.restarts,
        quarantined=0 if child is None else child.quarantined,
        last_error=None if child is None else child.last_error,
        head_seq=activation.subscribers.head,
    )
