"""A graceful stop, step by step: nothing new comes in, what is under way is finished, everybody who reads is told."""

from __future__ import annotations

import logging
from collections.abc import Callable

import trio

from justchat.door.front_door import FrontDoor
from justchat.system import System

logger = logging.getLogger(__name__)

# How often the stop looks whether it may go on; it happens once in a process's life.
_LOOK_SECONDS = 0.02
# What is still open when the time is up gets this long to end by itself.
_LAST_SECONDS = 1.0


async def stop_gracefully(system: System, door: FrontDoor) -> None:
    """Stop within the configured time; what is not finished by then is cut off."""
    system.draining = True
    door.start_draining()
    system.rooms.start_draining()
    with trio.move_on_after(system.config.drain_seconds) as deadline:
        # Commands already taken get their commit, their fan-out and their answer before anybody is sent away.
        await _until(system.rooms.idle)
        for connection in system.index:
            connection.say_goodbye()
        await _until(lambda: len(system.index) == 0)
    left = max(_LAST_SECONDS, deadline.deadline - trio.current_time())
    forced = await door.wait_closed(left)
    if forced:
        logger.warning("event=stop_forced connections=%d", forced)


async def _until(done: Callable[[], bool]) -> None:
    """Look again and again: a stop is rare, and not worth an event kept up to date on every message."""
    while not done():  # noqa: ASYNC110
        await trio.sleep(_LOOK_SECONDS)
