"""Runs a coroutine on asyncio's own loop.

Where trio-asyncio is imported, `asyncio.run` would choose its loop, on top of Trio: what is compared with us would be
slowed down by our own libraries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar

T = TypeVar("T")


def run_asyncio(work: Callable[[], Coroutine[object, object, T]]) -> T:
    """Run it to its end on a loop of its own."""
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(work())
