"""What the tests' database servers have in common: started, killed, frozen, and started again over the same data.

The port is a free one, and kept over restarts, so that clients and proxies find the server again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from tests.support.guarded_process import GuardedProcess, NotStarted, free_port

_ATTEMPTS = 5


class DatabaseServer(ABC):
    """One server process, with its log in `folder`."""

    def __init__(self, folder: Path, *, log: str) -> None:
        self._folder = folder
        self._log = folder / log
        self._process: GuardedProcess | None = None
        self._port = 0
        self.starts = 0

    @property
    def log(self) -> str:
        """Everything the server has logged so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def pid(self) -> int:
        """The process id."""
        return self._running().pid

    @abstractmethod
    def start(self) -> None:
        """Start it and wait until it takes connections."""

    def kill(self) -> None:
        """End it and all its children at once: no handler, no clean-up."""
        self._ended().kill()

    def pause(self) -> None:
        """Freeze it and all its children: connections stay open, and nothing answers."""
        self._running().pause()

    def resume(self) -> None:
        """Let a frozen server go on."""
        self._running().resume()

    def _launch(self, process: Callable[[int], GuardedProcess], *, ready: str) -> None:
        """Start a process on the port it had, or on a free one, and wait until it has logged `ready`."""
        assert self._process is None, "the server runs already"
        for attempt in range(_ATTEMPTS):
            port = self._port or free_port()
            started = process(port)
            try:
                started.wait_until_logged(ready)
            except NotStarted as failure:
                if self._port or attempt == _ATTEMPTS - 1 or "ddress already in use" not in str(failure):
                    raise
                continue
            self._process, self._port = started, port
            self.starts += 1
            return

    def _running(self) -> GuardedProcess:
        assert self._process is not None, "start the server first"
        return self._process

    def _ended(self) -> GuardedProcess:
        """Give the process to whoever ends it now."""
        process, self._process = self._running(), None
        return process
