"""The commands that wait for their answer, over all connections of one client. Pure.

A command keeps its frame, id included, until it is answered, refused for good, or given up by its caller. A lost
connection makes all of them due again in the order in which they were given; a refusal that will pass makes one due
later. Every command is safe to repeat: posts by their `client_msg_id`, the others by their nature.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from justchat.client.backoff import Backoff
from justchat.client.errors import ClientError, Refused
from justchat.client.items import Answer
from justchat.wire.errors import ErrorCode, Problem

RETRYABLE: Final = frozenset(
    {
        ErrorCode.ROOM_OVERLOADED,
        ErrorCode.ROOM_UNAVAILABLE,
        ErrorCode.STORAGE_UNAVAILABLE,
        ErrorCode.DRAINING,
        ErrorCode.RATE_LIMITED,
        ErrorCode.INTERNAL,
    }
)
_NEVER = float("inf")


class Command:
    """One command under way. `on_done` is called once, when `answer` or `failure` is there."""

    __slots__ = ("after", "answer", "backoff", "due_at", "expects", "failure", "id", "on_done", "text", "tries")

    def __init__(
        self,
        frame_id: str,
        text: str,
        expects: type[Answer],
        *,
        on_done: Callable[[], None],
        backoff: Backoff,
        after: int | None = None,
    ) -> None:
        self.id = frame_id
        self.text = text
        self.expects = expects
        self.after = after
        self.on_done = on_done
        self.backoff = backoff
        self.due_at = 0.0
        self.tries = 0
        self.answer: Answer | None = None
        self.failure: ClientError | None = None

    def result(self) -> Answer:
        """Return the answer or raise the failure; RuntimeError while there is neither."""
        if self.failure is not None:
            raise self.failure
        if self.answer is None:
            raise RuntimeError("the command is not answered yet: wait for it")
        return self.answer


class Commands:
    """The table, in the order in which the commands were given."""

    def __init__(self) -> None:
        self._waiting: dict[str, Command] = {}
        self.retries = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, frame_id: str | None) -> bool:
        return frame_id in self._waiting

    def add(self, command: Command) -> None:
        """Enter a command; it is due at once."""
        self._waiting[command.id] = command

    def forget(self, frame_id: str) -> None:
        """Drop a command whose caller has left; harmless if it is not there."""
        self._waiting.pop(frame_id, None)

    def find(self, frame_id: str | None) -> Command | None:
        """Give the command that a frame with this id answers."""
        return None if frame_id is None else self._waiting.get(frame_id)

    def next_due(self, now: float) -> Command | None:
        """Give the first command that is to be sent now; it then counts as sent."""
        for command in self._waiting.values():
            if command.due_at <= now:
                command.due_at = _NEVER
                self.retries += command.tries > 0
                command.tries += 1
                return command
        return None

    def due_at(self) -> float:
        """Give the time at which `next_due` will have something to say."""
        return min((command.due_at for command in self._waiting.values()), default=_NEVER)

    def disconnected(self) -> None:
        """Make everything due again: what has not been answered may not have arrived."""
        for command in self._waiting.values():
            command.due_at = 0.0

    def answer(self, command: Command, answer: Answer) -> bool:
        """Finish a command; False when this is not the kind of answer that it waits for."""
        if not isinstance(answer, command.expects):
            return False
        command.answer = answer
        self._finish(command)
        return True

    def refuse(self, command: Command, problem: Problem, now: float, *, jitter: float) -> None:
        """Finish a command with a refusal, or put it off when the refusal will pass."""
        if problem.code not in RETRYABLE:
            self.fail(command, Refused(problem))
            return
        command.due_at = now + max(command.backoff.next(jitter), problem.retry_after or 0.0)

    def fail(self, command: Command, error: ClientError) -> None:
        """Finish a command with an error."""
        command.failure = error
        self._finish(command)

    def fail_all(self, error: ClientError) -> None:
        """Finish every command with this error."""
        for command in list(self._waiting.values()):
            self.fail(command, error.again())

    def _finish(self, command: Command) -> None:
        self.forget(command.id)
        command.on_done()
