"""What may be asked of a room, and the two kinds of answer.

Commands are values; `actor` is the authenticated user, or `SYSTEM` for what is due by itself. Every command is
idempotent: posts by `client_msg_id`, all others by nature (a repeat finds nothing left to change), so a command may be
decided again after a crash of its room. Those about messages are in `justchat.rooms.message_commands`, those that only
the server gives in `justchat.rooms.system_commands`.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from justchat.rooms.items import ItemKind, reaction_key
from justchat.rooms.message_commands import (
    BulkDelete,
    DeleteMessage,
    EditMessage,
    ExpireMessage,
    MessageCommand,
    PinMessage,
    PostMessage,
    React,
    TrimHistory,
    UnpinMessage,
    Unreact,
)
from justchat.rooms.permissions import Kind, Role, Visibility
from justchat.rooms.system_commands import EndMembership, EraseMessages, EraseReaction, SystemCommand, TakeOver
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.events import RoomSettings, SettingsChanges

__all__ = [
    "NOT_A_MEMBER",
    "NOT_WRITTEN",
    "NO_SUCH_MEMBER",
    "NO_SUCH_MESSAGE",
    "NO_SUCH_ROOM",
    "WRITING",
    "Accepted",
    "AddMember",
    "Answer",
    "ArchiveRoom",
    "BanMember",
    "BulkDelete",
    "Command",
    "CreateInvite",
    "CreateRoom",
    "DeleteMessage",
    "DeleteRoom",
    "EditMessage",
    "EndMembership",
    "EraseMessages",
    "EraseReaction",
    "ExpireMessage",
    "JoinRoom",
    "LeaveRoom",
    "MemberCommand",
    "MessageCommand",
    "ModerationCommand",
    "MuteMember",
    "PeopleCommand",
    "PinMessage",
    "PostMessage",
    "React",
    "RemoveMember",
    "RevokeInvite",
    "RoomCommand",
    "SetPermissions",
    "SetRole",
    "SettingCommand",
    "SystemCommand",
    "TakeOver",
    "TrimHistory",
    "UnbanMember",
    "UnmuteMember",
    "UnpinMessage",
    "Unreact",
    "UpdateRoom",
    "items_referred",
    "messages_referred",
    "names_referred",
    "users_called",
]


class CreateRoom(Struct, frozen=True):
    """Bring the room into being with these members (the actor becomes owner); the first command of every room."""

    actor: str
    kind: Kind
    visibility: Visibility
    name: str
    topic: str
    epoch: str
    members: tuple[str, ...] = ()
    settings: RoomSettings = RoomSettings()


class UpdateRoom(Struct, frozen=True):
    """Change the given fields; None leaves a field as it is. `head_seq`, if given, must be where the room stands."""

    actor: str
    name: str | None = None
    topic: str | None = None
    visibility: Visibility | None = None
    settings: SettingsChanges | None = None
    head_seq: int | None = None


class ArchiveRoom(Struct, frozen=True):
    """Lay the room up, or (`archived` False) take it into use again; at `head_seq`, if that is given."""

    actor: str
    archived: bool
    head_seq: int | None = None


class DeleteRoom(Struct, frozen=True):
    """End the room for everybody."""

    actor: str


class SetPermissions(Struct, frozen=True):
    """Deviate from the roles' defaults: role -> permission -> granted, denied, or (None) as the default has it."""

    actor: str
    changes: dict[Role, dict[str, bool | None]]


class JoinRoom(Struct, frozen=True):
    """Become a member of a public room, or of any by an invite's id."""

    actor: str
    invite: str | None = None


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


class BanMember(Struct, frozen=True):
    """End `user`'s membership, if there is one, and keep them out."""

    actor: str
    user: str
    reason: str = ""


class UnbanMember(Struct, frozen=True):
    """Let `user` come back."""

    actor: str
    user: str


class MuteMember(Struct, frozen=True):
    """Take `user`'s voice, until then (milliseconds since the epoch) or until somebody gives it back."""

    actor: str
    user: str
    until: int | None = None
    reason: str = ""


class UnmuteMember(Struct, frozen=True):
    """Give `user` their voice back."""

    actor: str
    user: str


class CreateInvite(Struct, frozen=True):
    """Open a way in. `id` is made of a secret code, which whoever wants to come in has to know."""

    actor: str
    id: str
    role: Role = Role.MEMBER
    expires_at: int | None = None
    max_uses: int | None = None


class RevokeInvite(Struct, frozen=True):
    """Close a way in."""

    actor: str
    id: str


SettingCommand = UpdateRoom | ArchiveRoom | DeleteRoom | SetPermissions
MemberCommand = JoinRoom | LeaveRoom | AddMember | RemoveMember | SetRole
ModerationCommand = BanMember | UnbanMember | MuteMember | UnmuteMember | CreateInvite | RevokeInvite
PeopleCommand = SettingCommand | MemberCommand | ModerationCommand | MessageCommand
RoomCommand = PeopleCommand | SystemCommand
Command = CreateRoom | RoomCommand

WRITING = (CreateRoom, PostMessage, EditMessage, React, PinMessage, UnpinMessage)
"""What nobody does to somebody in a direct room where one of the two blocks the other. To take back is no writing."""


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
# It does not say that nothing was written: before a crash that decides a command anew, it may have been.
NOT_WRITTEN = Refusal(
    ErrorCode.STORAGE_UNAVAILABLE, "storage did not answer; the same client_msg_id may be sent again", (), 1.0
)
NOT_A_MEMBER = Refusal(ErrorCode.NOT_A_MEMBER, "join the room first")


def messages_referred(command: Command) -> tuple[str, ...]:
    """Name the messages that must be at hand to decide the command; of messages that go, their threads come later."""
    match command:
        case PostMessage():
            return tuple(message for message in (command.reply_to, command.thread_root) if message is not None)
        case EditMessage() | DeleteMessage() | ExpireMessage() | React() | Unreact() | PinMessage() | UnpinMessage():
            return (command.message,)
        case EraseReaction(message=message):
            return (message,)
        case BulkDelete(messages=messages) | EraseMessages(messages=messages):
            return messages
        case _:
            return ()


def items_referred(command: Command) -> tuple[tuple[str, str], ...]:
    """Name the items (kind, key) that must be at hand to decide the command."""
    match command:
        case React(actor=user, message=message, emoji=emoji) | Unreact(actor=user, message=message, emoji=emoji):
            return ((ItemKind.REACTION.value, reaction_key(message, emoji, user)),)
        case EraseReaction(user=user, message=message, emoji=emoji):
            return ((ItemKind.REACTION.value, reaction_key(message, emoji, user)),)
        case _:
            return ()


def names_referred(command: Command) -> tuple[str, ...]:
    """Give the folded names of users that must be resolved to decide the command."""
    return command.names if isinstance(command, PostMessage | EditMessage) else ()


def users_called(command: Command, named: Mapping[str, str]) -> tuple[str, ...]:
    """Give the users whom a text calls, members or not; `named` tells who is meant by its names."""
    if not isinstance(command, PostMessage | EditMessage):
        return ()
    ids = command.mentions if isinstance(command, PostMessage) else ()
    if not command.names:
        return tuple(dict.fromkeys(ids)) if ids else ()
    return tuple(dict.fromkeys((*(named[name] for name in command.names if name in named), *ids)))
