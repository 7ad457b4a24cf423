"""What may be asked of a room, and the two kinds of answer.

Commands are values; `actor` is the authenticated user. Every command is idempotent: posts by `client_msg_id`, all
others by nature (a repeat finds nothing left to change), so a command may be decided again after a crash of its room.
"""

from __future__ import annotations

from msgspec import Struct

from justchat.rooms.permissions import Kind, Role, Visibility
from justchat.wire.errors import ErrorCode, Refusal


class CreateRoom(Struct, frozen=True):
    """Bring the room into being with these members (the actor becomes owner); the first command of every room."""

    actor: str
    kind: Kind
    visibility: Visibility
    name: str
    topic: str
    epoch: str
    members: tuple[str, ...] = ()


class UpdateRoom(Struct, frozen=True):
    """Change the given fields; None leaves a field as it is."""

    actor: str
    name: str | None = None
    topic: str | None = None
    visibility: Visibility | None = None


class DeleteRoom(Struct, frozen=True):
    """End the room for everybody."""

    actor: str


class JoinRoom(Struct, frozen=True):
    """Become a member of a public room."""

    actor: str


class LeaveRoom(Struct, frozen=True):
    """Stop being a member."""

    actor: str


class AddMember(Struct, frozen=True):
    """Make `user` a member; nothing changes if they are one already."""

    actor: str
    user: str
    role: Role = Role.MEMBER


class RemoveMember(Struct, frozen=True):
    """End `user`'s membership, at a point in the room's order."""

    actor: str
    user: str


class SetRole(Struct, frozen=True):
    """Give a member another role."""

    actor: str
    user: str
    role: Role


class PostMessage(Struct, frozen=True):
    """Post. `digest` fingerprints the content, so that a repeat with another content is told apart."""

    actor: str
    client_msg_id: str
    body: str
    digest: bytes
    reply_to: str | None = None


class DeleteMessage(Struct, frozen=True):
    """Turn a message into a tombstone."""

    actor: str
    message: str


RoomCommand = (
    UpdateRoom | DeleteRoom | JoinRoom | LeaveRoom | AddMember | RemoveMember | SetRole | PostMessage | DeleteMessage
)
Command = CreateRoom | RoomCommand


class Accepted(Struct, frozen=True):
    """The command holds, durably, as of `seq`.

    `changed` is False where nothing was left to change and `seq` is then the room's head; `duplicate` marks the repeat
    of a post, whose `seq` is the original's. `queued_seconds` and `commit_seconds` say where the time went.
    """

    seq: int
    changed: bool = True
    duplicate: bool = False
    msg_no: int | None = None
    message_id: str | None = None
    queued_seconds: float = 0.0
    commit_seconds: float = 0.0


Answer = Accepted | Refusal

# A private room does not exist for strangers, so this is also what they hear of a room that does exist.
NO_SUCH_ROOM = Refusal(ErrorCode.NOT_FOUND, "there is no such room, or you may not know of it")
NO_SUCH_MESSAGE = Refusal(ErrorCode.NOT_FOUND, "there is no such message, or you may not know of it")
NO_SUCH_MEMBER = Refusal(ErrorCode.NOT_FOUND, "this user is not a member of the room")
NOT_A_MEMBER = Refusal(ErrorCode.NOT_A_MEMBER, "join the room first")


def messages_referred(command: Command) -> tuple[str, ...]:
    """Name the messages that must be at hand to decide the command."""
    match command:
        case DeleteMessage(message=message):
            return (message,)
        case PostMessage(reply_to=str(message)):
            return (message,)
        case _:
            return ()
