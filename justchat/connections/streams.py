"""The requests of a connection that wait for storage: joining a room's stream, a page of its past, a read marker."""

from __future__ import annotations

from typing import Protocol

import trio
from msgspec import Struct

from justchat.connections.services import ConnectionLimits, Services
from justchat.door.frames import text_frame
from justchat.rooms.commands import NO_SUCH_ROOM, NOT_A_MEMBER
from justchat.rooms.floors import readable
from justchat.rooms.queries import Attach, Attached, OutOfReach
from justchat.rooms.subscription import Sink, Subscription
from justchat.wire import server_frames
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.frames import Fetch, Read, Subscribe
from storage.records import Entry

_TOO_MANY = Refusal(ErrorCode.FORBIDDEN, "this connection has as many subscriptions as are allowed")


class Subscriber(Sink, Protocol):
    """The connection, as these requests need it."""

    user_id: str
    subscriptions: dict[str, Subscription]

    def unsubscribe(self, room: str) -> int:
        """End a subscription without a frame."""
        ...

    def join_later(self, join: Join) -> None:
        """Join in a while: the room cannot be joined now."""
        ...

    async def wait_room(self) -> None:
        """Wait until the outbox is at most half full."""
        ...


class Join(Struct, frozen=True):
    """How to join a room's stream: past `after`, or with the newest `history` events, or (neither) from its head.

    `resumed` marks a join that the client did not name in a frame of its own: what cannot be resumed then ends with
    `unsubscribed` instead of an error. `own` marks one that the client did not name at all, because it follows all of
    the user's rooms: nobody but the server will try it again, so nobody else hears of a refusal that will pass.
    """

    room: str
    after: int | None = None
    history: int = 0
    replay: bool = False
    epoch: str | None = None
    frame_id: str | None = None
    resumed: bool = False
    own: bool = False

    @staticmethod
    def asked(frame: Subscribe, *, limits: ConnectionLimits) -> Join:
        """Read a subscribe frame; without any wish it gets the default history."""
        data = frame.data
        if data.after is not None:
            return Join(frame.room, after=data.after, replay=True, epoch=data.epoch, frame_id=frame.id)
        wanted = limits.history if data.history is None else data.history
        return Join(frame.room, history=min(wanted, limits.history_max), epoch=data.epoch, frame_id=frame.id)


async def join_stream(connection: Subscriber, services: Services, join: Join) -> None:
    """Subscribe a connection to a room; an earlier subscription to it is replaced."""
    connection.unsubscribe(join.room)
    # A snapshot is large and may not be dropped, so it is only made for somebody who reads.
    await connection.wait_room()
    if len(connection.subscriptions) >= services.limits.subscriptions:
        _refuse(connection, join, _TOO_MANY)
        return
    after = join.after
    events: tuple[bytes, ...] = ()
    if join.history:
        newest = await services.journal.read_back(join.room, limit=join.history)
        events, after = _bodies(newest), newest[-1].seq if newest else None
    subscription = Subscription(join.room, connection.user_id, connection)
    # Entered before the room knows it, so that whatever the room does with it finds it here.
    connection.subscriptions[join.room] = subscription
    result = await services.rooms.room(join.room).attach(
        Attach(subscription, after, events, join.replay, join.epoch, join.frame_id)
    )
    if isinstance(result, Attached):
        if not subscription.live and subscription.until is None:
            connection.fell_behind(subscription, head=result.head, announce=False)
        return
    if connection.subscriptions.get(join.room) is subscription:
        del connection.subscriptions[join.room]
    if isinstance(result, OutOfReach):
        await _begin_anew(connection, services, join, result)
        return
    if join.own and result.retry_after_seconds is not None:
        connection.join_later(join)
        return
    _refuse(connection, join, result)


async def _begin_anew(connection: Subscriber, services: Services, join: Join, result: OutOfReach) -> None:
    """Say that the stream cannot be had from there; who did not name a position is served from where it can."""
    if join.own:
        await join_stream(connection, services, Join(join.room, own=True))
        return
    frame = server_frames.reset(
        join.room, reason=result.reason, epoch=result.epoch, head_seq=result.head, frame_id=join.frame_id
    )
    connection.force(text_frame(frame))


def _refuse(connection: Subscriber, join: Join, refusal: Refusal) -> None:
    if join.own and refusal is NO_SUCH_ROOM:
        # The user left before the subscription began, and had not heard of it.
        return
    if join.resumed and refusal is NO_SUCH_ROOM:
        frame = server_frames.unsubscribed(join.room, reason="removed", seq=join.after or 0)
    else:
        # A stranger hears the same of a room that exists and of one that does not.
        shown = NOT_A_MEMBER if refusal is NO_SUCH_ROOM else refusal
        frame = server_frames.error(shown, frame_id=join.frame_id, room=join.room)
    connection.force(text_frame(frame))


async def fetch_page(connection: Subscriber, services: Services, fetch: Fetch) -> None:
    """Answer a fetch, clipped to what the user could see when they asked."""
    await connection.wait_room()
    access = await services.rooms.room(fetch.room).look(connection.user_id)
    if isinstance(access, Refusal):
        _refuse(connection, Join(fetch.room, frame_id=fetch.id), access)
        return
    data, limit, floor = fetch.data, min(fetch.data.limit, services.limits.history_max), access.floor
    if data.after is not None:
        found = await services.journal.read(fetch.room, after=max(data.after, floor), upto=access.head, limit=limit)
        more = bool(found) and found[-1].seq < access.head
        entries = readable(found, floor=floor)
    else:
        before = min(access.head + 1, data.before if data.before is not None else access.head + 1)
        found = await services.journal.read_back(fetch.room, before=before, limit=limit)
        entries = readable(found, floor=floor)
        more = len(entries) == len(found) > 0 and entries[0].seq > floor + 1
    frame = server_frames.page(fetch.room, frame_id=fetch.id, events=_bodies(entries), more=more, head_seq=access.head)
    connection.force(text_frame(frame))


async def mark_read(connection: Subscriber, services: Services, read: Read) -> None:
    """Move the user's read marker, and say how far it was wanted: the room's head at most."""
    began = trio.current_time()
    marked = await services.reading.mark(read.room, connection.user_id, upto=read.data.seq)
    if isinstance(marked, Refusal):
        _refuse(connection, Join(read.room, frame_id=read.id), marked)
        return
    commit_ms = round((trio.current_time() - began) * 1000, 3)
    data = server_frames.AckData(queued_ms=0.0, commit_ms=commit_ms, changed=marked.changed)
    connection.force(text_frame(server_frames.ack(read.room, frame_id=read.id, seq=marked.seq, data=data)))


def _bodies(entries: list[Entry]) -> tuple[bytes, ...]:
    return tuple(entry.body for entry in entries)
