"""Catch-up: serving subscriptions from the journal at their reader's own pace, until their rooms push to them again.

One task per connection, only while something is behind. It never gives out an entry above a head that a room named, nor
above a subscription's end, so nobody sees an entry before its time or after their removal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import trio

from justchat.door.frames import text_frame
from justchat.rooms.floors import readable
from justchat.rooms.queries import Attached, OutOfReach
from justchat.rooms.room import Rooms
from justchat.rooms.subscription import Subscription
from justchat.wire import server_frames
from justchat.wire.errors import Refusal
from storage.errors import StorageError
from storage.ports import Journal
from storage.records import Entry

# One write to the socket's outbox: small beside its bound, large beside a frame.
CHUNK_BYTES = 65_536
RETRY_SECONDS = 1.0


class Outlet(Protocol):
    """The connection, as catch-up needs it."""

    def force(self, frames: bytes, count: int = 1) -> None:
        """Queue frames."""
        ...

    async def wait_room(self) -> None:
        """Wait until the outbox is at most half full."""
        ...

    def ended(self, subscription: Subscription) -> None:
        """Forget a subscription that is over."""
        ...


class CatchUp:
    """The subscriptions of one connection that are behind, each with the head it may be served to."""

    __slots__ = ("_behind", "_journal", "_nap", "_outlet", "_page", "_resting", "_rooms")

    def __init__(self, outlet: Outlet, *, rooms: Rooms, journal: Journal, page: int) -> None:
        self._outlet = outlet
        self._rooms = rooms
        self._journal = journal
        self._page = page
        self._behind: dict[Subscription, int] = {}
        # Those whose room is not to be asked again before this Trio time; they must not hold up the others.
        self._resting: dict[Subscription, float] = {}
        self._nap = trio.CancelScope()

    def __len__(self) -> int:
        return len(self._behind)

    def add(self, subscription: Subscription, *, head: int) -> None:
        """Serve this subscription up to `head`, and further as its room allows."""
        self._behind[subscription] = head
        self._resting.pop(subscription, None)
        self._nap.cancel()

    def discard(self, subscription: Subscription) -> None:
        """Stop serving this subscription."""
        self._behind.pop(subscription, None)
        self._resting.pop(subscription, None)
        self._nap.cancel()

    async def run(self) -> None:
        """Serve in turns, a page each, until nothing is behind."""
        while self._behind:
            now = trio.current_time()
            awake = [subscription for subscription in self._behind if self._resting.get(subscription, now) <= now]
            if not awake:
                with trio.CancelScope(deadline=min(self._resting.values())) as self._nap:
                    await trio.sleep_forever()
            for subscription in awake:
                try:
                    await self._step(subscription)
                except StorageError:
                    await trio.sleep(RETRY_SECONDS)

    async def _step(self, subscription: Subscription) -> None:
        target = self._target(subscription)
        if target is None:
            await trio.lowlevel.checkpoint()
            return
        if subscription.live:
            # The room let it go live when we no longer waited for the answer.
            self.discard(subscription)
            await trio.lowlevel.checkpoint()
            return
        if subscription.seq < target:
            entries = await self._journal.read(subscription.room, after=subscription.seq, upto=target, limit=self._page)
            await self._send(subscription, entries)
            return
        if subscription.until is not None:
            self._finish(subscription)
            await trio.lowlevel.checkpoint()
            return
        await self._go_live(subscription)

    def _target(self, subscription: Subscription) -> int | None:
        head = self._behind.get(subscription)
        if head is None or subscription.until is None:
            return head
        return subscription.until

    async def _send(self, subscription: Subscription, entries: Sequence[Entry]) -> None:
        if not entries or entries[0].seq != subscription.seq + 1 or len(readable(entries)) < len(entries):
            await self._reset(subscription)
            return
        for chunk in _chunks(entries):
            await self._outlet.wait_room()
            target = self._target(subscription)
            if target is None or chunk[-1].seq > target:
                return
            self._outlet.force(b"".join(text_frame(entry.body) for entry in chunk), len(chunk))
            subscription.seq = chunk[-1].seq

    async def _reset(self, subscription: Subscription) -> None:
        """Say honestly that what should follow is not there any more."""
        if subscription.until is not None:
            # Nothing may follow for them anyway, and there is nothing that they could ask for.
            self._finish(subscription)
            return
        view = await self._rooms.room(subscription.room).look(subscription.user)
        if subscription not in self._behind:
            return
        if isinstance(view, Refusal):
            # Somebody who was removed is told so by the room; one that rests is asked again.
            self._rest(subscription, view)
            return
        self._rooms.room(subscription.room).detach(subscription)
        self._outlet.ended(subscription)
        frame = server_frames.reset(subscription.room, reason="retention", epoch=view.epoch, head_seq=view.head)
        self._outlet.force(text_frame(frame))

    def _rest(self, subscription: Subscription, refusal: Refusal) -> None:
        self._resting[subscription] = trio.current_time() + (refusal.retry_after_seconds or RETRY_SECONDS)

    def _finish(self, subscription: Subscription) -> None:
        self._outlet.ended(subscription)
        frame = server_frames.unsubscribed(subscription.room, reason=subscription.reason, seq=subscription.seq)
        self._outlet.force(text_frame(frame))

    async def _go_live(self, subscription: Subscription) -> None:
        await self._outlet.wait_room()
        result = await self._rooms.room(subscription.room).go_live(subscription)
        if isinstance(result, Refusal):
            # The room rests after crashes, or is overloaded: nothing is lost by asking again later.
            if subscription in self._behind:
                self._rest(subscription, result)
        elif isinstance(result, OutOfReach):
            if subscription in self._behind:
                await self._reset(subscription)
        elif isinstance(result, Attached) and not result.live:
            if subscription in self._behind:
                self._behind[subscription] = result.head
        elif (isinstance(result, Attached) and subscription.live) or (result is None and subscription.until is None):
            self.discard(subscription)


def _chunks(entries: Sequence[Entry]) -> list[list[Entry]]:
    chunks: list[list[Entry]] = [[]]
    size = 0
    for entry in entries:
        if size >= CHUNK_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(entry)
        size += len(entry.body)
    return chunks
