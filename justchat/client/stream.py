"""The one stream of items that an application reads."""

from __future__ import annotations

from typing import Self

import trio

from justchat.client.buffer import ItemBuffer
from justchat.client.errors import ClientClosed
from justchat.client.items import Item
from justchat.client.line import Line


class ItemStream:
    """An async iterator over `justchat.client.items.Item`, for one task at a time.

    It ends when the client is closed, and raises ClosedByServer or UpgradeRefused when the client cannot go on; what
    was received before comes first in either case. A cancelled wait loses nothing.
    """

    def __init__(self, buffer: ItemBuffer, line: Line) -> None:
        self._buffer = buffer
        self._line = line
        self._taken = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        if self._taken:
            raise trio.BusyResourceError("another task reads these events already: hand them on from one reader")
        self._taken = True
        try:
            await trio.lowlevel.checkpoint()
            while not len(self._buffer):
                if self._line.failure is not None:
                    self._finish()
                await self._line.items.sleep()
        finally:
            self._taken = False
        item = self._buffer.pop()
        self._line.drained()
        return item

    def _finish(self) -> None:
        failure = self._line.failure
        if failure is None or isinstance(failure, ClientClosed):
            raise StopAsyncIteration
        raise failure.again()
