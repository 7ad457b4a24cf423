"""A room's stream of events: who joins it and from where, and how committed entries reach those who follow it.

It owns the ring of the newest entries and serves the table of subscriptions, which belongs to the room's activation. It
promises that what a subscriber is given is gapless, and that nobody is given what lies at or below their floor. All but
the fan-out is one step: nothing can happen between looking at the head and going live from there.
"""

from __future__ import annotations

from collections.abc import Sequence

from immutables import Map

from justchat.door.frames import text_frame
from justchat.rooms.broadcast import Ring, cut_of, members_after, segments
from justchat.rooms.draft import Draft
from justchat.rooms.queries import Attach, Attached, GoLive, OutOfReach, view_of
from justchat.rooms.room_ports import RoomLimits
from justchat.rooms.state import RoomState
from justchat.rooms.subscription import Subscribers
from justchat.wire import server_frames
from justchat.wire.events import Event


class RoomStream:
    """The stream of one room."""

    __slots__ = ("_limits", "_ring", "_room", "_subscribers")

    def __init__(self, room: str, *, subscribers: Subscribers, limits: RoomLimits) -> None:
        self._room = room
        self._subscribers = subscribers
        self._limits = limits
        self._ring = Ring(head=0, max_entries=0, max_bytes=0)

    def restart(self, missed: Sequence[tuple[int, Event]], *, head: int, members: Map[str, object]) -> None:
        """Go on from `head`, above which nothing was committed; `missed` was committed and perhaps not fanned out.

        `members` are those of the room now.
        """
        self._ring = Ring(head=head, max_entries=self._limits.ring_entries, max_bytes=self._limits.ring_bytes)
        for subscription in list(self._subscribers.live):
            if subscription.seq < head:
                self._subscribers.pull(subscription)
                subscription.sink.fell_behind(subscription, head=head, announce=False)
        then = self._subscribers.members
        for seq, event in missed:
            then = members_after(then, event)
            cut = cut_of(event, then)
            if cut is not None:
                self._subscribers.cut(cut, seq=seq)
        self._subscribers.head, self._subscribers.members = head, members

    def forget(self) -> None:
        """Forget the bytes of the newest entries: whoever joins reads them from the journal."""
        self._ring.forget()

    async def fan_out(self, draft: Draft) -> None:
        """Give committed entries to everybody who is live. Waits for nobody."""
        for entry in draft.entries:
            self._ring.add(entry)
        for segment in segments(draft.entries, draft.events, members=self._subscribers.members):
            await self._subscribers.deliver(segment)
        if draft.state is not None:
            self._subscribers.members = draft.state.members

    def attach(self, attach: Attach, state: RoomState) -> Attached | OutOfReach:
        """Let somebody join who may see the room."""
        subscription = attach.subscription
        head = state.head_seq
        after = head if attach.after is None else attach.after
        floor = state.floor_of(subscription.user)
        reason = _out_of_reach(attach, state, after=after, floor=floor)
        if reason is not None:
            return OutOfReach(reason, state.epoch, head)
        events = _above(attach.events, after=after, floor=floor)
        after = max(after, floor)
        covered = self._ring.covers(after)
        newest = self._ring.after(after) if covered else []
        # No await from here to the end: the snapshot and the subscription are one step.
        frame = server_frames.subscribed(
            self._room,
            frame_id=attach.frame_id,
            state=view_of(state, subscription.user),
            head_seq=head if attach.replay or covered else after,
            events=events if attach.replay else (*events, *newest),
        )
        subscription.sink.force(text_frame(frame))
        subscription.seq = after
        if not covered:
            self._subscribers.pull(subscription)
            return Attached(live=False, head=head)
        if attach.replay:
            self._replay(attach, newest, head)
        self._subscribers.go_live(subscription, seq=head)
        return Attached(live=True, head=head)

    def _replay(self, attach: Attach, bodies: Sequence[bytes], head: int) -> None:
        frames = [text_frame(body) for body in bodies]
        frames.append(text_frame(server_frames.caught_up(self._room, seq=head)))
        attach.subscription.sink.force(b"".join(frames), len(frames))

    def go_live(self, message: GoLive, state: RoomState) -> Attached | OutOfReach | None:
        """Push again to a subscription that has caught up; None for one that ended meanwhile."""
        subscription, head = message.subscription, state.head_seq
        if subscription not in self._subscribers:
            return None
        if subscription.seq < state.held.floor_seq:
            # What it has not read is kept no longer, and the ring is no archive.
            return OutOfReach("retention", state.epoch, head)
        if not self._ring.covers(subscription.seq):
            return Attached(live=False, head=head)
        frames = [text_frame(body) for body in self._ring.after(subscription.seq)]
        frames.append(text_frame(server_frames.caught_up(self._room, seq=head)))
        # No await from here to the end: what the ring holds and the live stream join without a seam.
        subscription.sink.force(b"".join(frames), len(frames))
        self._subscribers.go_live(subscription, seq=head)
        return Attached(live=True, head=head)


def _out_of_reach(attach: Attach, state: RoomState, *, after: int, floor: int) -> str | None:
    """Say why the stream cannot be joined there. A snapshot can begin anywhere: it shows what there is."""
    if attach.epoch is not None and attach.epoch != state.epoch:
        return "epoch"
    if after > state.head_seq:
        return "ahead"
    if attach.replay and after < floor:
        return "retention" if after < state.held.floor_seq else "history_visibility"
    return None


def _above(events: Sequence[bytes], *, after: int, floor: int) -> Sequence[bytes]:
    """Clip consecutive events, of which the last has the seq `after`."""
    hidden = floor - (after - len(events))
    return events[hidden:] if hidden > 0 else events
