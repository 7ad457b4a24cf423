"""One connection's interest in one room, and the table of all of a room's subscriptions.

A live subscription is pushed to; a pulling one is behind, and its connection reads the journal until the room lets it
go live again. The table belongs to the room's activation, not to one incarnation of its actor: a crash closes no
socket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import trio
from immutables import Map
from msgspec import Struct

# How many subscribers are served between two checkpoints: about half a millisecond of sends.
SLICE = 256


class Sink(Protocol):
    """Where frames go: one connection. None of these may wait or raise."""

    @property
    def offer(self) -> Callable[[bytes, int], bool]:
        """Queue or send this many whole frames; False when the outbox is at its bound (then nothing was queued)."""
        ...

    def force(self, frames: bytes, count: int = 1) -> None:
        """Queue frames that may not be dropped, such as answers."""
        ...

    def fell_behind(self, subscription: Subscription, *, head: int, announce: bool) -> None:
        """Take over: serve the subscription from the journal, which is readable up to `head`."""
        ...

    def cut(self, subscription: Subscription, *, reason: str, seq: int) -> None:
        """End the subscription: nothing above `seq` may go out, and `unsubscribed` says so."""
        ...


class Subscription:
    """`seq` is the last one offered to the sink; it is only moved by whoever serves the subscription at the moment."""

    __slots__ = ("live", "offer", "reason", "room", "seq", "sink", "until", "user")

    def __init__(self, room: str, user: str, sink: Sink) -> None:
        self.room = room
        self.user = user
        self.sink = sink
        self.offer = sink.offer
        self.seq = 0
        self.live = False
        self.until: int | None = None
        self.reason = ""


class Cut(Struct, frozen=True):
    """Whose subscriptions end after a segment; `user` None means everybody's but those of the `spared`."""

    user: str | None
    reason: str
    spared: Map[str, object] = Map()


class Segment(Struct, frozen=True):
    """Consecutive events that the same people receive: ready frames, their number, and the seq of the last one.

    `members` are those of the room after it.
    """

    frames: bytes
    count: int
    last_seq: int
    members: Map[str, object]
    cut: Cut | None = None


class Subscribers:
    """The table. `head` is the last seq whose fan-out is complete, cuts included; `members` are those as of then."""

    def __init__(self) -> None:
        self.live: dict[Subscription, None] = {}
        self.pulling: dict[Subscription, None] = {}
        self.head = 0
        self.members: Map[str, object] = Map()

    def __len__(self) -> int:
        return len(self.live) + len(self.pulling)

    def __contains__(self, subscription: Subscription) -> bool:
        return subscription in self.live or subscription in self.pulling

    def __iter__(self) -> Iterator[Subscription]:
        return iter([*self.live, *self.pulling])

    def go_live(self, subscription: Subscription, *, seq: int) -> None:
        """Push to this subscription from `seq` + 1 on."""
        self.pulling.pop(subscription, None)
        self.live[subscription] = None
        subscription.live = True
        subscription.seq = seq

    def pull(self, subscription: Subscription) -> None:
        """Stop pushing to this subscription."""
        self.live.pop(subscription, None)
        self.pulling[subscription] = None
        subscription.live = False

    def detach(self, subscription: Subscription) -> None:
        """Forget a subscription; harmless if it is not there."""
        self.live.pop(subscription, None)
        self.pulling.pop(subscription, None)
        subscription.live = False

    async def deliver(self, segment: Segment) -> None:
        """Offer a segment to everybody who is live, then make its cut. Waits for nobody."""
        for index, subscription in enumerate(list(self.live), start=1):
            # One may have been detached while we let others run between two slices.
            if subscription.live:
                if subscription.offer(segment.frames, segment.count):
                    subscription.seq = segment.last_seq
                else:
                    self.pull(subscription)
                    subscription.sink.fell_behind(subscription, head=segment.last_seq, announce=True)
            if index % SLICE == 0:
                await trio.lowlevel.checkpoint()
        # No await from here to the next segment: the cut lies between the two.
        if segment.cut is not None:
            self.cut(segment.cut, seq=segment.last_seq)
        self.head, self.members = segment.last_seq, segment.members

    def cut(self, cut: Cut, *, seq: int) -> None:
        """End subscriptions at `seq`."""
        for subscription in self:
            if cut.user in {None, subscription.user} and subscription.user not in cut.spared:
                self.end(subscription, reason=cut.reason, seq=seq)

    def end(self, subscription: Subscription, *, reason: str, seq: int) -> None:
        """End one subscription at `seq`; one that has not got so far is served from the journal up to there."""
        self.detach(subscription)
        subscription.until, subscription.reason = seq, reason
        subscription.sink.cut(subscription, reason=reason, seq=seq)
