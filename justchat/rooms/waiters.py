"""Who waits for a room to come to a seq: answered in the room's own turn, as soon as its head is there.

They are bounded, because each is an answer that the room owes. How long they wait is for them to say: whoever has left
is forgotten at the next look.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from actors import Reply
from justchat.wire.errors import ErrorCode, Refusal

SEQ_UNAVAILABLE: Final = Refusal(ErrorCode.SEQ_UNAVAILABLE, "the room has not come to this seq; ask again", (), 1.0)


class _Waiter(Struct, frozen=True, eq=False):
    user: str
    seq: int
    reply: Reply[object]


class Waiters:
    """The waiters of one room, at most `most` of them."""

    __slots__ = ("_most", "_waiting")

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._waiting: list[_Waiter] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, user: str, seq: int, reply: Reply[object]) -> bool:
        """Wait for `seq`; False where too many do."""
        self.forget_abandoned()
        if len(self._waiting) >= self._most:
            return False
        self._waiting.append(_Waiter(user, seq, reply))
        return True

    def answer(self, head: int, answer: Callable[[str], object]) -> None:
        """Answer those whose seq is at or below `head`, each with what `answer` gives for its user."""
        if not self._waiting:
            return
        self.forget_abandoned()
        still: list[_Waiter] = []
        for waiter in self._waiting:
            if waiter.seq <= head:
                waiter.reply.set(answer(waiter.user))
            else:
                still.append(waiter)
        self._waiting = still

    def forget_abandoned(self) -> None:
        """Forget those who have left, or whom somebody else has answered."""
        for waiter in self._waiting:
            if waiter.reply.abandoned:
                # Nobody hears it; the answer is owed no longer.
                waiter.reply.set(None)
        self._waiting = [waiter for waiter in self._waiting if not waiter.reply.done]
