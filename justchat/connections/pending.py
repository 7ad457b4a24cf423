"""Commands of one connection that its rooms have not answered yet: a bounded number, each with its deadline."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from actors import Reply
from justchat.connections.commands import answer_to
from justchat.connections.services import ConnectionLimits
from justchat.rooms.commands import Accepted, MessageCommand
from justchat.rooms.room import Room, result_of
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.frames import CommandFrame

BUSY = Refusal(ErrorCode.ROOM_OVERLOADED, "too many requests of this connection are under way", (), 0.5)
_LATE = Refusal(ErrorCode.ROOM_UNAVAILABLE, "no answer in time; the same client_msg_id may be sent again", (), 1.0)


class PendingCommands:
    """Hands commands in, and says what became of each, once. Times are seconds of the event loop."""

    __slots__ = ("_limits", "_pending", "_say")

    def __init__(self, limits: ConnectionLimits, say: Callable[[bytes], None]) -> None:
        """`say` queues a frame: it is called in a room's turn, so it may not wait."""
        self._limits = limits
        self._say = say
        self._pending: dict[Reply[object], tuple[float, CommandFrame]] = {}

    def hand_in(self, frame: CommandFrame, command: MessageCommand, room: Room, now: float) -> Refusal | None:
        """Give a command to its room; what is not refused here is answered later."""
        if len(self._pending) >= self._limits.pending_commands:
            return BUSY
        reply: Reply[object] = Reply(partial(self._answered, frame))
        refusal = room.submit(command, reply)
        if refusal is None:
            self._pending[reply] = (now + self._limits.answer_seconds, frame)
        return refusal

    def give_up_late(self, now: float) -> None:
        """Answer for those whose room has not, in time."""
        for reply, (deadline, frame) in list(self._pending.items()):
            if now > deadline:
                del self._pending[reply]
                reply.abandon()
                self._say(answer_to(frame, _LATE))

    def abandon(self) -> None:
        """Want no answers any more."""
        for reply in self._pending:
            reply.abandon()
        self._pending.clear()

    def _answered(self, frame: CommandFrame, reply: Reply[object]) -> None:
        self._pending.pop(reply, None)
        answer = result_of(reply)
        if isinstance(answer, Accepted | Refusal):
            self._say(answer_to(frame, answer))
