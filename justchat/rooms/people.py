"""What a batch of commands has to know about people, which no room's state says: who is meant, and who blocks whom."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from justchat.rooms.commands import WRITING, Command, CreateRoom, names_referred, users_called
from justchat.rooms.permissions import Kind
from justchat.rooms.room_ports import RoomPorts
from justchat.rooms.state import RoomState


class People(Struct, frozen=True):
    """Who is meant by folded names; whether one of a direct room's two blocks the other; by author, who blocks them."""

    named: Mapping[str, str] = {}
    blocked: bool = False
    deaf: Mapping[str, frozenset[str]] = {}


async def look_up(ports: RoomPorts, state: RoomState | None, commands: Sequence[Command]) -> People:
    """Look up what these commands need, which is nothing for most. Raises what the store raises."""
    names = {name for command in commands for name in names_referred(command)} if state is not None else set()
    named = await ports.resolve(sorted(names)) if names else {}
    if ports.blocks is None:
        return People(named)
    pair = _pair(state, commands)
    blocked = pair is not None and await ports.blocks.between(*pair)
    called: dict[str, dict[str, None]] = {}
    for command in commands:
        users = users_called(command, named)
        if users:
            called.setdefault(command.actor, {}).update(dict.fromkeys(users))
    deaf = {author: await ports.blocks.blockers(author, users) for author, users in called.items()}
    return People(named, blocked, deaf)


async def disabled_of(ports: RoomPorts, users: Collection[str]) -> frozenset[str]:
    """Say which of these have disabled accounts. Raises what the store raises."""
    found = await ports.directory.users(ids=sorted(users)) if users else []
    return frozenset(user.id for user in found if user.disabled)


async def is_blocked(ports: RoomPorts, state: RoomState) -> bool:
    """Say whether this is a direct room of two of whom one blocks the other. Raises what the store raises."""
    pair = pair_of(state)
    return pair is not None and ports.blocks is not None and await ports.blocks.between(*pair)


def pair_of(state: RoomState) -> tuple[str, str] | None:
    """Give the two of a direct room; None for any other."""
    if state.kind is not Kind.DIRECT or len(state.members) != 2:
        return None
    one, other = sorted(state.members)
    return one, other


def _pair(state: RoomState | None, commands: Sequence[Command]) -> tuple[str, str] | None:
    """Give the two whom these commands bring together, where one of them would write something to the other."""
    if state is not None:
        pair = pair_of(state)
        return pair if pair is not None and any(isinstance(command, WRITING) for command in commands) else None
    for command in commands:
        if isinstance(command, CreateRoom) and command.kind is Kind.DIRECT and len(command.members) == 1:
            return command.actor, command.members[0]
    return None
