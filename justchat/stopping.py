"""A graceful stop, step by step: nothing new comes in, what is under way is finished, everybody who reads is told."""

from __future__ import annotations

import logging

import trio

from justchat.door.front_door import FrontDoor
from justchat.system import System
from justchat.wire.close_codes import CloseCode

logger = logging.getLogger(__name__)

# The part of the time that commands under way may take.
_COMMANDS_SHARE = 0.5
# How often the stop looks whether it may go on; it happens once in a process's life.
_LOOK_SECONDS = 0.02
# What is still open when the time is up gets this long to end by itself.
_LAST_SECONDS = 1.0


async def stop_gracefully(system: System, door: FrontDoor) -> None:
    """Stop within the configured time; what is not finished by then is cut off."""
    system.draining = True
    door.start_draining()
    system.rooms.start_draining()
    ends_at = trio.current_time() + system.config.drain_seconds
    # Commands already taken get their commit, their fan-out and their answer before anybody is sent away. A room that
    # hangs may not cost the others their goodbye, so some of the time is kept for that.
    with trio.move_on_after(system.config.drain_seconds * _COMMANDS_SHARE):
        while not system.rooms.idle():  # noqa: ASYNC110 - rare: not worth an event kept up to date on every message
            await trio.sleep(_LOOK_SECONDS)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_send_away, system)
        forced = await door.wait_closed(max(_LAST_SECONDS, ends_at - trio.current_time()))
        nursery.cancel_scope.cancel()
    if forced:
        logger.warning("event=stop_forced connections=%d", forced)


async def _send_away(system: System) -> None:
    """Say goodbye to everybody, also to those who were still in their handshake when the stop began."""
    while True:
        for connection in system.index:
            connection.say_goodbye()
        for socket in list(system.index.arriving):
            socket.close(CloseCode.RESTARTING, "restarting")
        await trio.sleep(_LOOK_SECONDS)
