"""The near side of a client process: orders in from standard input, answers out on standard output.

It owns the loop that keeps a process's sockets served while no order is running, so that pings are answered and
nothing piles up. The process ends with its input: a bench that dies leaves none behind.
"""

from __future__ import annotations

import os
import select
from typing import Protocol

import msgspec

from bench.connection import ServerRefused
from bench.frames import FrameBroken
from bench.orders import Answer, End, Failed, Order, decode_order, encode_line

_STDIN = 0
_STDOUT = 1
_IDLE_SECONDS = 0.25
_CHUNK_BYTES = 1 << 20


class Clients(Protocol):
    """The sockets of a client process and what it can do with them."""

    def obey(self, order: Order) -> Answer:
        """Carry out an order. Raises ServerRefused, FrameBroken, OSError."""

    def idle(self) -> None:
        """Serve the sockets once, without waiting."""

    def close(self) -> None:
        """Close every socket."""


def say(answer: Answer) -> None:
    """Write one answer."""
    os.write(_STDOUT, encode_line(answer) + b"\n")


def obey_orders(clients: Clients) -> None:
    """Carry out orders until `end`, the end of the input, or a failure, which is reported."""
    try:
        rest = b""
        while True:
            ready, _, _ = select.select([_STDIN], [], [], _IDLE_SECONDS)
            if not ready:
                clients.idle()
                continue
            chunk = os.read(_STDIN, _CHUNK_BYTES)
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                order = decode_order(line)
                if isinstance(order, End):
                    return
                say(clients.obey(order))
    except (ServerRefused, FrameBroken, OSError, msgspec.MsgspecError) as error:
        say(Failed(f"{type(error).__name__}: {error}"))
    finally:
        clients.close()
