"""What may be asked of a room that leads to no entry: it concerns the room and is for some eyes only.

These go through the room's inbox like every command, so that each is a point in the room's order, and are idempotent
like every command. Times are milliseconds since the epoch.
"""

from __future__ import annotations

from msgspec import Struct

from justchat.rooms.items import ItemKind, report_key, scheduled_key


class ScheduleMessage(Struct, frozen=True):
    """Post at `due_at`. The other fields are those of a post; `expires_in` is seconds, counted from then."""

    actor: str
    id: str
    due_at: int
    body: str
    reply_to: str | None = None
    thread_root: str | None = None
    mentions: tuple[str, ...] = ()
    expires_in: int | None = None


class Unschedule(Struct, frozen=True):
    """Do not post what the actor scheduled under this id, or put away that it failed."""

    actor: str
    id: str


class ReportMessage(Struct, frozen=True):
    """Tell the moderators about a message."""

    actor: str
    message: str
    reason: str


class DismissReport(Struct, frozen=True):
    """Put away what `user` reported about a message."""

    actor: str
    message: str
    user: str


KeptCommand = ScheduleMessage | Unschedule | ReportMessage | DismissReport


def messages_named(command: KeptCommand) -> tuple[str, ...]:
    """Name the messages that must be at hand to decide the command."""
    match command:
        case ScheduleMessage(reply_to=reply_to, thread_root=thread_root):
            return tuple(message for message in (reply_to, thread_root) if message is not None)
        case ReportMessage(message=message):
            return (message,)
        case _:
            return ()


def item_named(command: KeptCommand) -> tuple[ItemKind, str]:
    """Name the item that the command is about, by kind and key."""
    match command:
        case ScheduleMessage(actor=user, id=scheduled) | Unschedule(actor=user, id=scheduled):
            return ItemKind.SCHEDULED, scheduled_key(user, scheduled)
        case ReportMessage(message=message, actor=user) | DismissReport(message=message, user=user):
            return ItemKind.REPORT, report_key(message, user)
