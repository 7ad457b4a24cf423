"""Where trio-websocket starts its reader task: a nursery whose tasks cannot bring down the connection.

An exception in the reader is one client's doing. It is reported, the connection is told that its reader has ended,
and the connection's own task finds out in its ordinary way instead of being cancelled.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio


class LibraryReader:
    """Stands in for a nursery: has the one method that trio-websocket uses."""

    __slots__ = ("_nursery", "on_end")

    def __init__(self, nursery: trio.Nursery, on_end: Callable[[Exception | None], None]) -> None:
        """Run tasks in `nursery`; call `on_end` with the task's exception, or None, when it is over."""
        self._nursery = nursery
        self.on_end = on_end

    def start_soon(self, run: Callable[..., Awaitable[object]], *args: object) -> None:
        """Start a task whose exceptions stay here."""
        self._nursery.start_soon(self._contained, run, args)

    async def _contained(self, run: Callable[..., Awaitable[object]], args: tuple[object, ...]) -> None:
        failure: Exception | None = None
        try:
            await run(*args)
        except Exception as error:  # noqa: BLE001 - any exception of the library's reader ends this one connection
            failure = error
        self.on_end(failure)
