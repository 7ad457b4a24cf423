"""The lobby: the one room that the server makes by itself, public, where everybody may read and whoever wants joins.

It is an ordinary room under a fixed id, made by SYSTEM, so it has no owner and nobody is a member of it from the start.
"""

from __future__ import annotations

import logging
from typing import Final

from justchat.rooms.commands import CreateRoom
from justchat.rooms.permissions import Kind, Visibility
from justchat.rooms.room import Rooms
from justchat.wire.errors import Refusal
from justchat.wire.events import SYSTEM
from storage.ports import Directory

LOBBY: Final = f"r_{0:032x}"

logger = logging.getLogger(__name__)


async def open_lobby(rooms: Rooms, directory: Directory, *, epoch: str) -> Refusal | None:
    """Make the lobby if it is not there; `epoch` is for a new one. Gives why that could not be.

    A lobby that was deleted stays so. Raises what the directory raises.
    """
    if await directory.room(LOBBY) is not None:
        return None
    answer = await rooms.room(LOBBY).post(CreateRoom(SYSTEM, Kind.GROUP, Visibility.PUBLIC, "Lobby", "", epoch))
    if isinstance(answer, Refusal):
        logger.error("event=lobby_not_made code=%s", answer.code.value)
        return answer
    return None
