"""The line of one connection's requests that read storage: its client's own, and joins that the server makes for it.

Bounded on both sides: so many of the client's requests, and one join for each room. They are served in their order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from justchat.connections.streams import Join
from justchat.wire.frames import Fetch, Read, Subscribe, Unsubscribe

Asked = Subscribe | Unsubscribe | Fetch | Read
Request = Join | Asked


class RequestLine:
    """Requests in the order in which they are to be served."""

    __slots__ = ("_asked", "_asked_max", "_joining", "_later", "_line")

    def __init__(self, *, asked_max: int) -> None:
        self._asked_max = asked_max
        self._asked = 0
        self._line: deque[Request] = deque()
        self._joining: set[str] = set()
        self._later: list[Join] = []

    def __len__(self) -> int:
        return len(self._line)

    def ask(self, frame: Asked) -> bool:
        """Put a request of the client's in line; False if too many of them wait already."""
        if self._asked >= self._asked_max:
            return False
        self._asked += 1
        self._line.append(frame)
        return True

    def join(self, join: Join) -> None:
        """Put a join of the server's in line, one for each room: the oldest replays what the others would."""
        if join.room not in self._joining:
            self._joining.add(join.room)
            self._line.append(join)

    def join_first(self, joins: Iterable[Join]) -> None:
        """Put joins before those in line, and in the place of those of the same rooms."""
        meanwhile = list(self._line)
        self._line.clear()
        self._joining.clear()
        for join in joins:
            self.join(join)
        for request in meanwhile:
            if isinstance(request, Join):
                self.join(request)
            else:
                self._line.append(request)

    def join_later(self, join: Join) -> None:
        """Keep a join until `recall`."""
        self._later.append(join)

    def recall(self) -> None:
        """Put the joins that were kept for later back in line."""
        later, self._later = self._later, []
        for join in later:
            self.join(join)

    def next(self) -> Request:
        """Take the first in line."""
        request = self._line.popleft()
        if isinstance(request, Join):
            self._joining.discard(request.room)
        else:
            self._asked -= 1
        return request

    def clear(self) -> None:
        """Forget them all."""
        self._line.clear()
        self._joining.clear()
        self._later.clear()
        self._asked = 0
