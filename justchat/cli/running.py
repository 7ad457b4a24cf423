"""Running an operator's command: Trio around it, and one line instead of a traceback for what can be expected."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

import trio

from actors import ActorEscalated
from justchat.cli.codes import FAILED, INTERRUPTED
from justchat.cli.configuration import report
from justchat.operate.refusals import OperationRefused
from storage.errors import StorageError
from storage.url import UnknownStorage


def run_operation(work: Callable[[], Awaitable[int]]) -> int:
    """Run `work` to its end; the answer is the exit code."""
    code = FAILED
    try:
        code = trio.run(_until_interrupted, work, strict_exception_groups=True)
    except* KeyboardInterrupt:  # before the watch began
        code = INTERRUPTED
    except* (StorageError, UnknownStorage, OperationRefused, ActorEscalated, OSError) as group:
        # The storage tree may end in several places for one reason.
        report(list(dict.fromkeys(str(error) for error in _leaves(group))))
    if code == INTERRUPTED:
        report(["interrupted"])
    return code


async def _until_interrupted(work: Callable[[], Awaitable[int]]) -> int:
    """Run it, or leave it where it stands at the first SIGINT, which an exception out of nowhere might not survive."""
    code = INTERRUPTED
    async with trio.open_nursery() as nursery:

        async def watch(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
            with trio.open_signal_receiver(signal.SIGINT) as signals:
                task_status.started()
                await anext(aiter(signals))
            nursery.cancel_scope.cancel()

        await nursery.start(watch)
        code = await work()
        nursery.cancel_scope.cancel()
    return code


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found
