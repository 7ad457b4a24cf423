"""A real server in a real process, for tests and tools that must not share its interpreter.

`running_server` starts `python -m justchat serve` (or another module with the same flags) on a free loopback port and
ends it whatever happens. The port is kept over restarts, so that clients find the server again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

_ANNOUNCED = " listens on http://"
_ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 30.0


class ServerProcess:
    """One server: may be killed, stopped and started again over the same data and on the same port."""

    def __init__(self, folder: Path, *, module: str, settings: Mapping[str, object]) -> None:
        self._folder = folder
        self._module = module
        self._settings = dict(settings)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.starts = 0

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """`ws://127.0.0.1:PORT/ws`."""
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, "start the server first"
        return self._process.pid

    @property
    def log(self) -> str:
        """Everything written to standard error so far."""
        path = self._folder / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start and wait until the address is announced."""
        assert self._process is None, "the server runs already"
        settings = {"database": f"sqlite:///{self._folder}/chat.db", "bcrypt-cost": 4, **self._settings}
        settings["port"] = self.port
        flags = [f"--{name}={value}" for name, value in settings.items()]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module, "serve", *flags],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(_ROOT)},
                # Not the checkout: what a server makes for itself where it is started belongs to the test.
                cwd=self._folder,
            )
        self.starts += 1
        try:
            self.port = self._announced_port(self._process)
        except BaseException:
            # As when the test's own time is up: nobody else would end it.
            if self._process is not None:
                self.kill()
            raise

    def _announced_port(self, process: subprocess.Popen[bytes]) -> int:
        assert process.stdout is not None
        # A server that neither speaks nor ends is killed, which ends the reading below.
        watchdog = threading.Timer(START_SECONDS, process.kill)
        watchdog.start()
        try:
            for line in process.stdout:
                text = line.decode()
                if _ANNOUNCED in text:
                    return int(text.rsplit(":", 1)[1])
        finally:
            watchdog.cancel()
        code = self.wait()
        raise AssertionError(f"the server did not start (exit code {code}):\n{self.log[-4000:]}")

    def kill(self) -> None:
        """End the process as a power cut would: no signal handler, no clean-up."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it gracefully and give the exit code."""
        return self._end(signal.SIGTERM)

    def send_signal(self, number: int) -> None:
        """Send any other signal."""
        assert self._process is not None, "start the server first"
        self._process.send_signal(number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Wait for the process to end by itself."""
        assert self._process is not None, "start the server first"
        process, self._process = self._process, None
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            if process.stdout is not None:
                process.stdout.close()

    def _end(self, number: int) -> int:
        self.send_signal(number)
        return self.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()


@contextmanager
def running_server(folder: Path, *, module: str = "justchat", **settings: object) -> Iterator[ServerProcess]:
    """Run a server with its data in `folder`; settings are flags with underscores, such as `room_inbox=8`."""
    named = {name.replace("_", "-"): value for name, value in settings.items()}
    with ServerProcess(folder, module=module, settings=named) as server:
        yield server
