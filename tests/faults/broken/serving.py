"""What the broken servers share: the product's own server with another room actor, and commits that can be held up.

Each is run like the product, as `python -m tests.faults.broken.<name> serve --flags`. A message whose body begins with
`SLOW` makes the commit of its batch wait so long that a kill before it cannot miss.
"""

from __future__ import annotations

import os
import sys

import trio

from justchat.app import Hooks, run
from justchat.config.load import load_config
from justchat.rooms.draft import Draft
from justchat.rooms.room_actor import RoomActor
from justchat.wire.events import MessageCreated

SLOW = "[slow]"
_SLOW_SECONDS = 60.0


async def hold_up(draft: Draft) -> None:
    """Wait, if the batch asks for it."""
    if any(isinstance(event, MessageCreated) and event.message.body.startswith(SLOW) for event in draft.events):
        await trio.sleep(_SLOW_SECONDS)


def serve(room_actor: type[RoomActor]) -> int:
    """Run the command with this room actor; the answer is the exit code."""
    command, *flags = sys.argv[1:]
    config = load_config(flags, os.environ)
    if command != "serve" or isinstance(config, list):
        print(f"cannot run: {command} {config}", file=sys.stderr)
        return 2
    return run(config, hooks=Hooks(room_actor=room_actor))
