"""The far side of a client process: start it, tell it, wait for its answer, end it.

It owns the process from start to exit. Every wait has a deadline; a process that failed says why, and the bench stops.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from bench.orders import Answer, End, Failed, Order, decode_answer, encode_line
from bench.tree import ROOT

_EXIT_SECONDS = 5.0
_CHUNK_BYTES = 65_536
A = TypeVar("A", bound=Answer)


class ClientFailed(Exception):
    """A client process reported a failure, ended, or did not answer in time."""


class ClientProcess:
    """A running client process."""

    def __init__(self, process: subprocess.Popen[bytes], name: str) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._name = name
        self._input = process.stdin.fileno()
        self._output = process.stdout.fileno()
        self._rest = b""

    def tell(self, order: Order) -> None:
        """Give it an order."""
        data = encode_line(order) + b"\n"
        try:
            while data:
                data = data[os.write(self._input, data) :]
        except BrokenPipeError:
            raise ClientFailed(f"the {self._name} process has ended") from None

    def answer(self, kind: type[A], *, seconds: float) -> A:
        """Wait for the answer to an order. Raises ClientFailed."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._output], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(self._output, _CHUNK_BYTES) if ready else b""
            if not chunk:
                cause = "has ended" if ready else f"did not answer within {seconds:.0f} s"
                raise ClientFailed(f"the {self._name} process {cause}")
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        answer = decode_answer(line)
        if isinstance(answer, Failed):
            raise ClientFailed(f"{self._name}: {answer.reason}")
        if not isinstance(answer, kind):
            raise ClientFailed(f"{self._name}: {type(answer).__name__} where {kind.__name__} was expected")
        return answer

    def ask(self, order: Order, kind: type[A], *, seconds: float) -> A:
        """Give an order and wait for its answer. Raises ClientFailed."""
        self.tell(order)
        return self.answer(kind, seconds=seconds)

    def end(self) -> None:
        """Let it end by itself, and kill it if it does not."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            if self._process.poll() is None:
                self.tell(End())
            self._process.stdin.close()
            self._process.wait(_EXIT_SECONDS)
        except (ClientFailed, OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        finally:
            self._process.stdout.close()


@contextmanager
def client_process(name: str) -> Iterator[ClientProcess]:
    """Hold a client process, `receivers` or `generator`, for the length of a block."""
    command = [sys.executable, "-m", f"bench.{name}"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    client = ClientProcess(process, name)
    try:
        yield client
    except BaseException:
        # It may be in the middle of an order, and has nothing to lose.
        process.kill()
        raise
    finally:
        client.end()
