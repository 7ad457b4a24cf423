"""What an application gets from a client: the items of its one event stream, and the answers to its commands.

For each room the stream obeys one law. A run begins with `Subscribed` (or with a position that the application handed
to `open_client`), goes on with every `RoomEvent` from `seq` + 1 upwards without a gap or a repetition, and ends with
`Unsubscribed`, `Reset` or the next `Subscribed`. Lost connections do not show.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from justchat.wire.events import Event
from justchat.wire.server_frames import RoomView


class RoomEvent(Struct, frozen=True):
    """One durable event of a room.

    `content` is None when this version does not know the event's type or shape; `data` is its JSON in any case. `ts`
    is RFC 3339, `actor` the id of the user who caused it, or `system` for what happens by itself: a mute that ends, a
    message that expires, history that is trimmed.
    """

    room: str
    seq: int
    type: str
    ts: str
    actor: str
    content: Event | None
    data: msgspec.Raw


class Subscribed(Struct, frozen=True):
    """A run of events begins: the next event of this room has `seq` + 1.

    `state` is the room as of `head_seq`, and `history` the newest events up to `seq` as far as they were asked for.
    Keep `epoch` beside the last seq you have processed if you want to resume after your own restart.
    """

    room: str
    epoch: str
    seq: int
    head_seq: int
    state: RoomView
    history: tuple[RoomEvent, ...] = ()


class Unsubscribed(Struct, frozen=True):
    """A run ended: no more events of this room follow.

    `reason` is `asked`, `left`, `removed`, `banned`, `deleted`, or the error code with which the server refused to
    resume, which is `banned` too where the ban came while the client was away. `seq` is the last event that was
    delivered. `ended_at` is the last one the server names, or None; where it is greater, the events between are out of
    reach.
    """

    room: str
    reason: str
    seq: int
    ended_at: int | None = None


class Reset(Struct, frozen=True):
    """A run ended because what follows `seq` cannot be replayed: fetch what you need again.

    `reason` is `retention` where the room keeps its history for a time only and that is over, `history_visibility`
    where members may not look back to before they joined, `epoch` where the journal was restored from a backup, and
    `ahead` where the position is one that the journal has not reached.

    Nothing follows until the room is subscribed to again; with `subscribe="all"` the client does that by itself.
    """

    room: str
    reason: str
    seq: int
    epoch: str
    head_seq: int


Item = RoomEvent | Subscribed | Unsubscribed | Reset


class Ack(Struct, frozen=True):
    """A command was committed at `seq`. Times are milliseconds spent in the server.

    `duplicate` says that an earlier try had been committed already, `changed` that the room is different now.
    """

    room: str
    seq: int
    message_id: str | None
    msg_no: int | None
    client_msg_id: str | None
    duplicate: bool
    changed: bool
    queued_ms: float
    commit_ms: float


class Page(Struct, frozen=True):
    """A page of a room's past, ascending; `more` says whether another page lies in the asked direction."""

    room: str
    events: tuple[RoomEvent, ...]
    more: bool
    head_seq: int


Answer = Ack | Page | Subscribed | Unsubscribed
