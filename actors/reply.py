"""The one-shot answer to a message.

A reply is set or failed exactly once; the first wins and later calls do nothing. Whoever asked either waits for it in a
task, or passes a callback and needs no task at all. A caller that leaves abandons its reply, and an actor that has not
begun the message then never will.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

import trio

from actors.errors import ActorError

# Covariant although `set` takes a T: the asker reads a Reply[T], while the actor's envelope sees the same object as a
# Reply[object]. The module that owns both ends keeps the two in step.
T_co = TypeVar("T_co", covariant=True)

logger = logging.getLogger(__name__)


class Reply(Generic[T_co]):
    """One answer, for one waiting task or one callback. Not for use from other threads."""

    __slots__ = ("_error", "_on_done", "_task", "_value", "abandoned", "done")

    _value: T_co

    def __init__(self, on_done: Callable[[Reply[T_co]], None] | None = None) -> None:
        """Take a callback to be called, in the answering actor's own turn, as soon as the reply is done.

        It must not block and should not raise: what it raises is logged and goes no further.
        """
        self.done = False
        self.abandoned = False
        self._error: ActorError | None = None
        self._on_done = on_done
        self._task: trio.lowlevel.Task | None = None

    def set(self, value: T_co) -> None:  # type: ignore[misc]  # see T_co
        """Answer with a value."""
        if self.done:
            return
        self._value = value
        self._finish()

    def fail(self, error: ActorError) -> None:
        """Answer with an error; use a new one for each reply, since it collects the traceback of its raiser."""
        if self.done:
            return
        self._error = error
        self._finish()

    def abandon(self) -> None:
        """Say that the caller has left: the callback is not called, and a message not yet begun is dropped."""
        if not self.done:
            self.abandoned = True

    def result(self) -> T_co:
        """Return the value or raise the error; RuntimeError while the reply is not done."""
        if not self.done:
            raise RuntimeError("the reply is not done: wait for it")
        if self._error is not None:
            raise self._error
        return self._value

    async def wait(self) -> T_co:
        """Wait for the answer; being cancelled meanwhile abandons the reply. One task may wait."""
        if self.done:
            await trio.lowlevel.checkpoint()
            return self.result()
        if self._task is not None:
            raise RuntimeError("another task already waits for this reply")
        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._leave)
        return self.result()

    def _leave(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        self.abandoned = True
        return trio.lowlevel.Abort.SUCCEEDED

    def _finish(self) -> None:
        self.done = True
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)
            self._task = None
        if self._on_done is not None:
            self._call_back(self._on_done)

    def _call_back(self, on_done: Callable[[Reply[T_co]], None]) -> None:
        self._on_done = None
        if self.abandoned:
            return
        try:
            on_done(self)
        except Exception:
            # One caller's bug must not crash the actor that answers, nor cost the other callers their answers.
            logger.exception("event=reply_callback_failed")
