"""A bell for one sleeper: it may be rung before, during or between sleeps, and no ring is lost."""

from __future__ import annotations

import trio


class Wakeup:
    """Rings that happen while nobody sleeps are remembered as one."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = trio.Event()

    def ring(self) -> None:
        """Wake the sleeper, or let it not fall asleep."""
        self._event.set()

    async def sleep(self, *, until: float = float("inf")) -> None:
        """Wait for a ring, or until this time on Trio's clock."""
        with trio.CancelScope(deadline=until):
            await self._event.wait()
        self._event = trio.Event()
