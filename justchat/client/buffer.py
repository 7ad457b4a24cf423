"""The items that wait for the application, within a bound. Pure.

`full` is advice to whoever fills it: ordinary events stop there, while the ends and beginnings of runs, of which there
is at most one per room and request, may go beyond.
"""

from __future__ import annotations

from collections import deque

from justchat.client.items import Item


class ItemBuffer:
    """First in, first out."""

    __slots__ = ("_items", "capacity", "peak")

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError("a buffer needs room for at least one item")
        self.capacity = capacity
        self.peak = 0
        self._items: deque[Item] = deque()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def full(self) -> bool:
        """Tell whether the bound is reached."""
        return len(self._items) >= self.capacity

    @property
    def roomy(self) -> bool:
        """Tell whether at most half is taken, so that asking for missing events is worth it."""
        return len(self._items) * 2 <= self.capacity

    def push(self, item: Item) -> None:
        """Append an item."""
        self._items.append(item)
        self.peak = max(self.peak, len(self._items))

    def pop(self) -> Item:
        """Take the oldest item. Raises IndexError when there is none."""
        return self._items.popleft()
