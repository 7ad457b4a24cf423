"""A server's process: it ends with us, also when we are killed, and it freezes and dies together with its children.

Linux only.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from pwd import getpwnam
from random import SystemRandom

START_SECONDS = 60.0
STOP_SECONDS = 30.0
_POLL_SECONDS = 0.005
# Below the ports that the kernel gives to clients: none of them can sit on a server's port while that one is down.
_PORTS = range(20_000, 32_000)
# Reads until the other end of the pipe is gone, then kills a process and its children (a backend has its own session).
# The time of birth tells the process from a later one with the same number.
_GUARD = """
born() { read -r line < "/proc/$1/stat" && set -- ${line##*) } && echo "${20}"; }
birth=$(born "$1")
while read -r _; do :; done
[ -n "$birth" ] && [ "$(born "$1")" = "$birth" ] || exit
kill -STOP "$1"
for stat in /proc/[0-9]*/stat; do
  read -r line < "$stat" || continue
  rest=${line##*) }; rest=${rest#* }
  [ "${rest%% *}" = "$1" ] && kill -KILL "${line%% *}"
done
kill -KILL "$1"
"""


class NotStarted(Exception):
    """A server ended, or said nothing, instead of listening; the message has the end of its log."""


def free_port() -> int:
    """Choose a loopback port that nobody listens on and that no client is ever given."""
    for port in SystemRandom().sample(_PORTS, 100):
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port on 127.0.0.1")


def _stat(pid: int) -> tuple[str, int] | None:
    """Give the state letter and the parent of a process, or None when it is gone."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[:2]
    except OSError:
        return None
    return state, int(parent)


def _wait_for_state(pid: int, letters: str) -> None:
    """Wait until a process has one of some states, or is gone."""
    deadline = time.monotonic() + STOP_SECONDS
    while (stat := _stat(pid)) is not None and stat[0] not in letters:
        assert time.monotonic() < deadline, f"process {pid} stays in state {stat[0]}"
        time.sleep(_POLL_SECONDS)


class GuardedProcess:
    """A started server whose output goes to a log, guarded by a shell that kills it when this process is gone.

    (A parent-death signal would not do: it comes when the *thread* that started the server ends.)
    """

    def __init__(self, *command: str, log: Path, user: str | None = None) -> None:
        self._log = log
        self._offset = log.stat().st_size if log.exists() else 0
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                cwd="/",
                env=server_environment(),
                start_new_session=True,
                user=user,
                group=group_of(user),
                extra_groups=None if user is None else [],
            )
        try:
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "guard", str(self.pid)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def children(self) -> list[int]:
        """List the processes that it started and that still live."""
        pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
        found = ((pid, _stat(pid)) for pid in pids)
        return [pid for pid, stat in found if stat is not None and stat[0] != "Z" and stat[1] == self.pid]

    def wait_until_logged(self, marker: str) -> None:
        """Wait until this run has logged a text; raise NotStarted, with the process gone, when it does not."""
        deadline = time.monotonic() + START_SECONDS
        try:
            while marker not in (said := self._said()):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise NotStarted(f"{self._process.args!r} did not start:\n{said[-4000:]}")
                time.sleep(_POLL_SECONDS)
        except BaseException:
            self.kill()
            raise

    def pause(self) -> None:
        """Freeze it and its children: connections stay open, and nothing answers."""
        _signal(self._frozen(), signal.SIGSTOP)

    def resume(self) -> None:
        """Let it and its children go on; no harm to one that is not frozen."""
        _signal(self.children(), signal.SIGCONT)
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it and its children at once, and wait until all are gone: no handler, no clean-up."""
        children = self._frozen()
        _signal(children, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._dismiss_guard()
        for child in children:
            _wait_for_state(child, "Z")

    def end(self, number: int) -> int:
        """Send a signal, wait for the end and give the exit code; raise TimeoutExpired, with it killed, if it stays."""
        self.resume()
        self._process.send_signal(number)
        try:
            code = self._process.wait(STOP_SECONDS)
        except BaseException:
            self.kill()
            raise
        self._dismiss_guard()
        return code

    def _frozen(self) -> list[int]:
        """Freeze it, so that it starts no more children, and list those it has."""
        self._process.send_signal(signal.SIGSTOP)
        _wait_for_state(self.pid, "TZ")
        return self.children()

    def _said(self) -> str:
        with self._log.open("rb") as stream:
            stream.seek(self._offset)
            return stream.read().decode(errors="replace")

    def _dismiss_guard(self) -> None:
        self._guard.kill()
        self._guard.wait()
        if self._guard.stdin is not None:
            self._guard.stdin.close()


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def server_environment() -> dict[str, str]:
    """Give our environment, in English and in UTC, without what would point a PostgreSQL elsewhere."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**inherited, "LC_ALL": "C", "TZ": "UTC"}


def group_of(user: str | None) -> int | None:
    """Give the main group of an account; None for ourselves."""
    return None if user is None else getpwnam(user).pw_gid
