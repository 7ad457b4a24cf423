"""What a rule may use, what it may say, and the refusals that several rules share."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from justchat.rooms.commands import NO_SUCH_MESSAGE, NO_SUCH_ROOM, NOT_A_MEMBER
from justchat.rooms.permissions import SPEAKING, Permission, Role, Visibility
from justchat.rooms.state import RoomState
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.events import SYSTEM, Event, Message
from justchat.wire.times import rfc3339
from storage.records import Sent


class Context(Struct, frozen=True):
    """What a decision may use besides state and command: the time (milliseconds) and a fresh id for a message.

    `named` tells who is meant by the folded names that the commands hold, `deaf` by author who blocks them of those
    whom they call. In a direct room `blocked` says that one of the two blocks the other.
    """

    room: str
    now: int
    message_id: str
    named: Mapping[str, str] = {}
    blocked: bool = False
    deaf: Mapping[str, frozenset[str]] = {}


class Unchanged(Struct, frozen=True):
    """The command already holds: answer yes, write nothing."""


class Repeat(Struct, frozen=True):
    """A post that was accepted before: answer what was answered then."""

    sent: Sent


Decision = Event | Unchanged | Repeat | Refusal

LAST_OWNER = Refusal(ErrorCode.LAST_OWNER, "make somebody else an owner first")
DIRECT = Refusal(ErrorCode.CONFLICT, "a direct room cannot be changed, joined, extended or moderated")
ARCHIVED = Refusal(ErrorCode.CONFLICT, "the room is archived; take it into use again first")
BANNED = Refusal(ErrorCode.BANNED, "you are banned from this room")
# To either of the two, in the same words: it does not say who blocks whom.
BLOCKED = Refusal(ErrorCode.FORBIDDEN, "you cannot write to this person")
TOO_HIGH = Refusal(ErrorCode.FORBIDDEN, "this member stands too high for you to do that")
ABOVE_OWN = Refusal(ErrorCode.FORBIDDEN, "nobody grants a role above their own")


def hidden(state: RoomState, actor: str) -> Refusal | None:
    """Refuse who may not know of the room."""
    if state.deleted_at is not None:
        return NO_SUCH_ROOM
    if actor == SYSTEM or Permission.ROOM_VIEW in state.allowed(actor):
        return None
    # Somebody who is banned from a public room knows that it exists.
    return BANNED if state.visibility is Visibility.PUBLIC and actor in state.held.bans else NO_SUCH_ROOM


def may(state: RoomState, actor: str, permission: Permission) -> Refusal | None:
    """Refuse an actor who lacks the permission."""
    if actor == SYSTEM or permission in state.allowed(actor):
        return None
    if actor not in state.members:
        return BANNED if actor in state.held.bans else NOT_A_MEMBER
    if permission in SPEAKING and actor in state.held.mutes:
        until = state.held.mutes[actor].until
        detail = "you are muted in this room" if until is None else f"you are muted in this room until {rfc3339(until)}"
        return Refusal(ErrorCode.MUTED, detail)
    return lacks(permission)


def lacks(permission: Permission) -> Refusal:
    """Refuse a member whose role does not have a permission."""
    return Refusal(ErrorCode.FORBIDDEN, f"this needs the permission {permission}")


def may_give(state: RoomState, actor: str, role: Role) -> Refusal | None:
    """Refuse an actor who may not let others in with this role."""
    own = state.role_of(actor)
    if own is None or role.rank > own.rank:
        return ABOVE_OWN
    if role is not Role.MEMBER and Permission.ROLES_MANAGE not in state.allowed(actor):
        return lacks(Permission.ROLES_MANAGE)
    return None


def seen(state: RoomState, message: str, actor: str) -> Message | Refusal:
    """Give a message that is at hand and that the actor may see."""
    found = state.loaded.get(message)
    if found is None or (actor != SYSTEM and found.seq <= state.floor_of(actor)):
        return NO_SUCH_MESSAGE
    return found
