"""Waiting for what happens in another process or thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_LOOK_SECONDS = 0.01


def wait_until(holds: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Wait until something holds. Raises AssertionError if it does not in time."""
    tick, deadline = threading.Event(), time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it does not come to pass"
        tick.wait(_LOOK_SECONDS)
