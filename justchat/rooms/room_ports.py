"""What a room needs of the world, and the bounds it keeps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from justchat.rooms.blocks import Blocks
from storage.ports import Directory, Journal

# Where a fault may be planted, in the order in which a command meets these points …
FAULT_POINTS = ("loading", "before_commit", "after_commit", "before_fan_out", "after_fan_out")
# … and where only timers and what follows from no entry come by.
TIMER_POINTS = ("firing", "before_keep", "after_keep")


class RoomLimits(Struct, frozen=True):
    """Bounds of one room: inbox and ring in items, batch in commands a commit, times in seconds.

    A room with a timer due within `timer_seconds` stays awake for it. Users together may give it `command_rate`
    commands a second, and as many at once after a pause; 0 is no limit.
    """

    inbox: int = 1024
    batch: int = 256
    idle_seconds: float = 600.0
    load_seconds: float = 5.0
    ring_entries: int = 1024
    ring_bytes: int = 262_144
    timer_seconds: float = 10.0
    command_rate: float = 0.0


class RoomPorts(Struct, frozen=True):
    """What a room needs of the world.

    `now_ms` gives wall-clock milliseconds; `resolve` finds users by their folded names; `joined(user, room, seq)` is
    told of each user who became a member at `seq`; `fault(point, room)` may raise, for tests. Without `blocks` nobody
    blocks anybody.
    """

    journal: Journal
    directory: Directory
    resolve: Callable[[Sequence[str]], Awaitable[dict[str, str]]]
    now_ms: Callable[[], int]
    new_id: Callable[[str], str]
    joined: Callable[[str, str, int], None]
    fault: Callable[[str, str], None] | None = None
    blocks: Blocks | None = None

    def reach(self, point: str, room: str) -> None:
        """Pass a point at which a fault may be planted."""
        if self.fault is not None:
            self.fault(point, room)
