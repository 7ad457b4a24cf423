"""Running an operator's command: Trio around it, and one line instead of a traceback for what can be expected."""

from __future__ import annotations

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
        code = trio.run(work, strict_exception_groups=True)
    except* KeyboardInterrupt:
        code = INTERRUPTED
        report(["interrupted"])
    except* (StorageError, UnknownStorage, OperationRefused, ActorEscalated, OSError) as group:
        # The storage tree may end in several places for one reason.
        report(list(dict.fromkeys(str(error) for error in _leaves(group))))
    return code


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found
