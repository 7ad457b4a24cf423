"""The bounded queue of bytes behind one consumer, with exact accounting.

A producer offers and is told at once whether there was room; nothing here ever waits for the consumer, except
`wait_room`, for a producer that may. The queue is plain data: only `wait_room` needs a running loop.
"""

from __future__ import annotations

from collections import deque

import trio
from msgspec import Struct


class OutboxStatistics(Struct, frozen=True):
    """What an outbox holds now, and what has passed through it since it was made."""

    items: int
    bytes: int
    max_items: int
    max_bytes: int
    offered: int
    """Items accepted, by offer or by force."""
    refused: int
    peak_bytes: int


class Outbox:
    """Bytes on their way to one consumer, in order, bounded in items and in bytes."""

    __slots__ = (
        "_offered",
        "_peak_bytes",
        "_queue",
        "_refused",
        "_room",
        "_taken_items",
        "_taken_size",
        "_waiters",
        "items",
        "max_bytes",
        "max_items",
        "size",
    )

    def __init__(self, *, max_items: int, max_bytes: int) -> None:
        """Accept offers up to both bounds; data larger than `max_bytes` never fits."""
        if max_items < 1 or max_bytes < 1:
            raise ValueError("both bounds must be at least 1")
        self.max_items = max_items
        self.max_bytes = max_bytes
        self.items = 0
        self.size = 0
        self._queue: deque[tuple[bytes, int]] = deque()
        self._taken_items = self._taken_size = 0
        self._offered = self._refused = self._peak_bytes = 0
        self._room = trio.lowlevel.ParkingLot()
        self._waiters = 0

    def offer(self, data: bytes, items: int = 1) -> bool:
        """Queue data that counts as `items`; False, and nothing queued, if a bound would be exceeded."""
        if self.items + items > self.max_items or self.size + len(data) > self.max_bytes:
            self._refused += items
            return False
        self.force(data, items)
        return True

    def force(self, data: bytes, items: int = 1) -> None:
        """Queue what may not be dropped, even beyond the bounds: its producer must stop while the outbox is full."""
        self._queue.append((data, items))
        self.items += items
        self.size += len(data)
        self._offered += items
        if self.size > self._peak_bytes:
            self._peak_bytes = self.size

    def take(self, max_bytes: int) -> bytes:
        """Join what is queued, in order, into about `max_bytes` for one write.

        Whole offers only, and at least one; b"" if nothing is queued.
        """
        queue = self._queue
        if not queue:
            return b""
        data, items = queue.popleft()
        if queue and len(data) + len(queue[0][0]) <= max_bytes:
            parts, size = [data], len(data)
            while queue and size + len(queue[0][0]) <= max_bytes:
                part, count = queue.popleft()
                parts.append(part)
                size += len(part)
                items += count
            data = b"".join(parts)
        self.items -= items
        self.size -= len(data)
        self._taken_items, self._taken_size = items, len(data)
        if self._waiters and self._has_room():
            self._room.unpark_all()
        return data

    def put_back(self, rest: bytes) -> None:
        """Return the unsent tail of the last take to the front, counted as its share of that take's items."""
        if not rest:
            return
        if len(rest) > self._taken_size:
            raise ValueError("more put back than was taken")
        items = -(-self._taken_items * len(rest) // self._taken_size)
        self._taken_items = self._taken_size = 0
        self._queue.appendleft((rest, items))
        self.items += items
        self.size += len(rest)

    @property
    def full(self) -> bool:
        """Whether a bound is reached or exceeded."""
        return self.items >= self.max_items or self.size >= self.max_bytes

    @property
    def empty(self) -> bool:
        """Whether nothing is queued."""
        return not self._queue

    def __len__(self) -> int:
        """Count the queued items."""
        return self.items

    def __bool__(self) -> bool:
        """Be true always: an empty outbox is still an outbox."""
        return True

    async def wait_room(self) -> None:
        """Wait until less than half of both bounds is used."""
        if self._has_room():
            await trio.lowlevel.checkpoint()
            return
        self._waiters += 1
        try:
            while not self._has_room():
                await self._room.park()
        finally:
            self._waiters -= 1

    def statistics(self) -> OutboxStatistics:
        """Report fill, bounds and totals."""
        return OutboxStatistics(
            items=self.items,
            bytes=self.size,
            max_items=self.max_items,
            max_bytes=self.max_bytes,
            offered=self._offered,
            refused=self._refused,
            peak_bytes=self._peak_bytes,
        )

    def _has_room(self) -> bool:
        return self.items * 2 < self.max_items and self.size * 2 < self.max_bytes
