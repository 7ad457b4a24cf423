"""How many sockets each address holds: in all, and of those that have not said who they are.

There are never more addresses in the table than sockets, and of those the front door bounds the number.
"""

from __future__ import annotations

from collections import Counter


class SocketCounts:
    """Open sockets by address."""

    def __init__(self, *, open_max: int, arriving_max: int) -> None:
        """Permit this many sockets to each address, and this many that are still arriving."""
        self._open_max = open_max
        self._arriving_max = arriving_max
        self._open: Counter[str] = Counter()
        self._arriving: Counter[str] = Counter()

    # No await in here: check and entry are one step.
    def enter(self, address: str) -> SocketPlace | None:
        """Take a place for one more socket of an address; None when it has its share."""
        if self._open[address] >= self._open_max or self._arriving[address] >= self._arriving_max:
            self._tidy(address)
            return None
        self._open[address] += 1
        self._arriving[address] += 1
        return SocketPlace(self, address)

    def of(self, address: str) -> tuple[int, int]:
        """Count the sockets of an address: all, and those that are arriving."""
        return self._open.get(address, 0), self._arriving.get(address, 0)

    def __len__(self) -> int:
        return len(self._open)

    def arrived(self, address: str) -> None:
        """Count a socket no longer among those that are arriving."""
        self._arriving[address] -= 1
        self._tidy(address)

    def left(self, address: str) -> None:
        """Count a socket no longer at all."""
        self._open[address] -= 1
        self._tidy(address)

    def _tidy(self, address: str) -> None:
        for counts in (self._open, self._arriving):
            if not counts[address]:
                del counts[address]


class SocketPlace:
    """One socket's place in the counts; `left` is called once, whatever happens."""

    __slots__ = ("_arriving", "_counts", "address")

    def __init__(self, counts: SocketCounts, address: str) -> None:
        self.address = address
        self._counts = counts
        self._arriving = True

    def arrived(self) -> None:
        """Note that it is known whose socket it is."""
        if self._arriving:
            self._arriving = False
            self._counts.arrived(self.address)

    def left(self) -> None:
        """Give the place back."""
        self.arrived()
        self._counts.left(self.address)
