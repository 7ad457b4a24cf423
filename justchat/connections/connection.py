"""One open connection after its hello: it takes frames in, hands them to rooms, and owns the user's subscriptions.

Commands are handed to their room at once and answered from the room's own turn through a callback, so a command costs
this connection no task switch. What must read storage first (subscribe, fetch) queues in a short line served by a task
that lives only while there is something to do.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import trio

from justchat.accounts.identity import Identity
from justchat.connections.catch_up import CatchUp
from justchat.connections.commands import answer_to, command_of
from justchat.connections.line import Asked, Request, RequestLine
from justchat.connections.liveness import Liveness, Sign
from justchat.connections.patience import Patience
from justchat.connections.pending import BUSY, PendingCommands
from justchat.connections.renewal import renewed
from justchat.connections.services import Services
from justchat.connections.standing import Notice, Standing
from justchat.connections.streams import Join, fetch_page, join_stream, mark_read
from justchat.door.frames import PING, text_frame
from justchat.door.socket import SocketClosed, WebSocket
from justchat.rooms.subscription import Subscription
from justchat.wire import server_frames
from justchat.wire.close_codes import CloseCode
from justchat.wire.errors import STORAGE_UNAVAILABLE, ErrorCode, Refusal
from justchat.wire.frames import (
    CommandFrame,
    Fetch,
    Hello,
    Ping,
    Read,
    Refresh,
    Subscribe,
    Unsubscribe,
    decode_frame,
    frame_id_of,
)
from storage.errors import StorageError

_GREETED = Refusal(ErrorCode.INVALID_FRAME, "hello comes once, as the first frame")


class Connection:
    """The sink of its user's subscriptions, and the reader of its socket."""

    __slots__ = (
        "_catch_up",
        "_catching_up",
        "_closed",
        "_early",
        "_line",
        "_liveness",
        "_patience",
        "_pending",
        "_refreshing",
        "_rejoins",
        "_services",
        "_serving",
        "_socket",
        "_standing",
        "_subscribes_all",
        "force",
        "offer",
        "subscriptions",
        "user_id",
    )

    def __init__(self, socket: WebSocket, identity: Identity, services: Services, *, subscribes_all: bool) -> None:
        limits = services.limits
        self.user_id = identity.user.id
        self.subscriptions: dict[str, Subscription] = {}
        # Fan-out calls these for every delivery: they are the socket's own, with nothing in between.
        self.offer = socket.offer
        self.force = socket.force
        self._socket = socket
        self._services = services
        self._subscribes_all = subscribes_all
        self._standing = Standing(identity, now=trio.current_time(), wall_ms=services.wall_ms())
        self._refreshing: trio.CancelScope | None = None
        self._patience = Patience(limits, trio.current_time(), user=self.user_id, of_users=services.user_paces)
        self._catch_up = CatchUp(self, rooms=services.rooms, journal=services.journal, page=limits.catch_up_page)
        self._catching_up: trio.CancelScope | None = None
        self._line = RequestLine(asked_max=limits.queued_requests)
        # Whose ended subscription is still served up to its end, and the seq at which the user was back by then.
        self._rejoins: dict[str, int] = {}
        self._serving: trio.CancelScope | None = None
        self._pending = PendingCommands(limits, self.say)
        self._liveness = Liveness(trio.current_time())
        # What there is to say before the welcome, which comes first; None once that is said.
        self._early: list[bytes] | None = []
        self._closed = False

    @property
    def identity(self) -> Identity:
        """By which right it is open."""
        return self._standing.identity

    def open(self, welcome: bytes, joins: Iterable[Join]) -> None:
        """Say welcome, then join these rooms and those that the user joined meanwhile."""
        early, self._early = self._early or (), None
        for payload in (welcome, *early):
            self.say(payload)
        self._line.join_first(joins)
        self._serve_soon()

    async def run(self) -> None:
        """Take frames until the socket closes."""
        try:
            while True:
                self._take(await self._socket.receive())
                if self._socket.congested:
                    # Who does not read its answers is not listened to.
                    await self._socket.wait_room()
        except SocketClosed:
            pass
        finally:
            self._leave()

    def say(self, payload: bytes) -> None:
        """Send one frame that may not be dropped."""
        if self._early is not None:
            self._early.append(payload)
        else:
            self.force(text_frame(payload))

    async def wait_room(self) -> None:
        """Wait until the outbox is at most half full."""
        await self._socket.wait_room()

    # The socket's side.

    def _take(self, text: str) -> None:
        frame = decode_frame(text)
        # What is refused counts too: looking at it was the work.
        wait = self._patience.take(trio.current_time())
        if wait:
            self._slow_down(frame_id_of(text) if isinstance(frame, Refusal) else frame.id, wait)
            return
        if isinstance(frame, Refusal):
            self._refuse_frame(frame, frame_id_of(text))
            return
        match frame:
            case Ping(id=frame_id):
                self.say(server_frames.pong(frame_id))
            case Hello(id=frame_id):
                self.say(server_frames.error(_GREETED, frame_id=frame_id))
            case Subscribe() | Unsubscribe() | Fetch() | Read():
                self._request(frame)
            case Refresh():
                self._refresh_soon(frame)
            case _:
                self._submit(frame)

    def _refuse_frame(self, refusal: Refusal, frame_id: str | None) -> None:
        self.say(server_frames.error(refusal, frame_id=frame_id))
        if refusal.code is ErrorCode.INVALID_FRAME and self._patience.is_over_for_nonsense():
            self.close(CloseCode.BAD_FRAME, "too many frames that are none")

    def _slow_down(self, frame_id: str | None, wait: float) -> None:
        refusal = Refusal(ErrorCode.RATE_LIMITED, "too many commands; slow down", (), round(wait, 3))
        self.say(server_frames.error(refusal, frame_id=frame_id))
        if self._patience.is_over_for_haste():
            self.close(CloseCode.RATE_LIMITED, "too many commands")

    def _submit(self, frame: CommandFrame) -> None:
        refusal = self._hand_in(frame)
        if refusal is not None:
            self.say(answer_to(frame, refusal))

    def _hand_in(self, frame: CommandFrame) -> Refusal | None:
        """Give a command to its room; what is not refused here is answered later."""
        if self._standing.may_write is not None:
            return self._standing.may_write
        command = command_of(frame, self.user_id, max_characters=self._services.limits.body_characters)
        if isinstance(command, Refusal):
            return command
        return self._pending.hand_in(frame, command, self._services.rooms.room(frame.room), trio.current_time())

    # Requests that read storage, one after the other.

    def _request(self, frame: Asked) -> None:
        refusal = self._standing.may_write if isinstance(frame, Read) else self._standing.may_read
        if refusal is not None:
            self.say(server_frames.error(refusal, frame_id=frame.id, room=frame.room))
        elif self._line.ask(frame):
            self._serve_soon()
        else:
            self.say(server_frames.error(BUSY, frame_id=frame.id, room=frame.room))

    def _serve_soon(self) -> None:
        if len(self._line) and self._serving is None and self._early is None and not self._closed:
            self._serving = self._services.spawn(partial(self._or_close, self._serve_requests))

    async def _serve_requests(self) -> None:
        try:
            while len(self._line):
                request = self._line.next()
                try:
                    await self._serve(request)
                except StorageError:
                    frame_id = None if isinstance(request, Join) else request.id
                    self.say(server_frames.error(STORAGE_UNAVAILABLE, frame_id=frame_id, room=request.room))
        finally:
            self._serving = None

    async def _serve(self, request: Request) -> None:
        match request:
            case Subscribe():
                await join_stream(self, self._services, Join.asked(request, limits=self._services.limits))
            case Join(room=room, after=after):
                present = self.subscriptions.get(room)
                if present is None:
                    await join_stream(self, self._services, request)
                elif present.until is not None and after is not None:
                    self._rejoins.setdefault(room, after + 1)
            case Fetch():
                await fetch_page(self, self._services, request)
            case Read():
                await mark_read(self, self._services, request)
            case Unsubscribe(room=room, id=frame_id):
                seq = self.unsubscribe(room)
                self.say(server_frames.unsubscribed(room, reason="asked", seq=seq, frame_id=frame_id))

    def unsubscribe(self, room: str) -> int:
        """End a subscription without a frame; the answer is the last seq it gave out."""
        subscription = self.subscriptions.pop(room, None)
        self._rejoins.pop(room, None)
        if subscription is None:
            return 0
        self._services.rooms.room(room).detach(subscription)
        self._catch_up.discard(subscription)
        return subscription.seq

    # By which right.

    def _refresh_soon(self, frame: Refresh) -> None:
        if self._refreshing is not None:
            self.say(server_frames.error(BUSY, frame_id=frame.id))
        else:
            self._refreshing = self._services.spawn(partial(self._or_close, partial(self._refresh, frame)))

    async def _refresh(self, frame: Refresh) -> None:
        identity = await renewed(frame.data.token, self.identity, self._services.authenticate)
        self._refreshing = None
        if isinstance(identity, Refusal):
            self.say(server_frames.error(identity, frame_id=frame.id))
            return
        self.identify(identity)
        left_ms = self._standing.left_ms(trio.current_time())
        self.say(server_frames.refreshed(frame_id=frame.id, expires_in_ms=left_ms))

    def identify(self, identity: Identity) -> None:
        """Go on by another right of the same user, or by what the present one has become."""
        self._standing.renew(identity, now=trio.current_time(), wall_ms=self._services.wall_ms())

    def revoke(self) -> None:
        """Close, because the right to be here is gone."""
        self.close(CloseCode.SESSION_REVOKED, "the session has ended")

    def _mind_standing(self, now: float) -> None:
        match self._standing.notice(now):
            case Notice.EXPIRING:
                self.say(server_frames.expiring(in_ms=self._standing.left_ms(now)))
            case Notice.EXPIRED:
                self.close(CloseCode.TOKEN_EXPIRED, "the token has expired")
            case None:
                pass

    # The rooms' side: these neither wait nor raise.

    def fell_behind(self, subscription: Subscription, *, head: int, announce: bool) -> None:
        """Serve the subscription from the journal from here on."""
        if self._closed:
            return
        if announce:
            self.say(server_frames.lagging(subscription.room, seq=subscription.seq, head_seq=head))
        self._catch_up.add(subscription, head=head)
        if self._catching_up is None:
            self._catching_up = self._services.spawn(partial(self._or_close, self._run_catch_up))

    def cut(self, subscription: Subscription, *, reason: str, seq: int) -> None:
        """End the subscription at `seq`: now, or once catch-up has served it that far."""
        if self._closed:
            return
        if subscription.seq < seq:
            self.fell_behind(subscription, head=seq, announce=False)
            return
        self.ended(subscription)
        self.say(server_frames.unsubscribed(subscription.room, reason=reason, seq=seq))

    def ended(self, subscription: Subscription) -> None:
        """Forget a subscription that is over."""
        self._catch_up.discard(subscription)
        room = subscription.room
        if self.subscriptions.get(room) is subscription:
            del self.subscriptions[room]
            back_at = self._rejoins.pop(room, None)
            if back_at is not None:
                self.joined(room, back_at)

    def joined(self, room: str, seq: int) -> None:
        """Subscribe to a room that the user just became a member of, beginning with that very event."""
        if not self._subscribes_all or self._closed:
            return
        present = self.subscriptions.get(room)
        if present is None:
            self._line.join(Join(room, after=seq - 1, replay=True, own=True))
            self._serve_soon()
        elif present.until is not None:
            # Removed and already back, while the journal is still read to the removal: one after the other.
            self._rejoins.setdefault(room, seq)

    def join_later(self, join: Join) -> None:
        """Try again at the next sweep: the room rests or is overloaded."""
        self._line.join_later(join)

    async def _run_catch_up(self) -> None:
        try:
            await self._catch_up.run()
        finally:
            self._catching_up = None

    async def _or_close(self, work: Callable[[], Awaitable[None]]) -> None:
        """Close if side work crashes: the client comes back and resumes, instead of waiting for what never comes."""
        try:
            await work()
        except Exception:
            self.close(CloseCode.CONNECTION_CRASHED, "a bug; please reconnect")
            raise

    # The sweep's side.

    def sweep(self, now: float) -> None:
        """Send a heartbeat or give up: on a silent peer, on one that does not read, on answers that are late."""
        self._pending.give_up_late(now)
        self._mind_standing(now)
        self._mind_life(now)
        self._patience.rest()
        self._line.recall()
        self._serve_soon()

    def _mind_life(self, now: float) -> None:
        match self._liveness.look(now, self._socket, self._services.limits):
            case Sign.PING:
                self.force(PING)
            case Sign.SILENT:
                self.close(CloseCode.NO_PONG, "no sign of life")
            case Sign.STALLED:
                self.close(CloseCode.STALLED_READER, "nothing was read for too long")
            case None:
                pass

    def say_goodbye(self) -> None:
        """Announce the restart and close; the hint is spread so that not everybody returns at once."""
        if self._socket.closed:
            return
        after_ms = random.randint(500, 3000)  # noqa: S311 - a spread, not a secret
        self.force(text_frame(server_frames.goodbye(reason="restarting", reconnect_after_ms=after_ms)))
        self.close(CloseCode.RESTARTING, "restarting")

    def close(self, code: CloseCode, reason: str) -> None:
        """Close the socket; `run` ends soon after."""
        self._socket.close(int(code), reason)

    def _leave(self) -> None:
        self._closed = True
        for room in list(self.subscriptions):
            self.unsubscribe(room)
        self._pending.abandon()
        self._line.clear()
        for scope in (self._serving, self._catching_up, self._refreshing):
            if scope is not None:
                scope.cancel()
