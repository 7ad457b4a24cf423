"""Scheduled posts, and reports about messages: what follows from no entry. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from justchat.rooms.items import Report, Scheduled, report_item, scheduled_item
from justchat.rooms.kept_commands import (
    DismissReport,
    KeptCommand,
    ReportMessage,
    ScheduleMessage,
    Unschedule,
    item_named,
)
from justchat.rooms.permissions import Permission
from justchat.rooms.rules.decision import BLOCKED, Unchanged, hidden, may, seen
from justchat.rooms.state import RoomState
from justchat.wire.errors import ErrorCode, Refusal, invalid
from storage.records import DropItem, ItemRecord, PutItem

SCHEDULED_MAX: Final = 100
"""How many posts one user may have scheduled in one room, failed ones included."""

AHEAD_MAX_DAYS: Final = 366

_DAY_MS: Final = 86_400_000
_TOO_MANY = Refusal(ErrorCode.CONFLICT, f"a user has at most {SCHEDULED_MAX} scheduled posts in a room; remove some")
_TAKEN = Refusal(ErrorCode.IDEMPOTENCY_MISMATCH, "another post is scheduled under this id")
_DELETED = Refusal(ErrorCode.CONFLICT, "the message is deleted")

KeptDecision = PutItem | DropItem | Unchanged | Refusal

_scheduled = msgspec.json.Decoder(Scheduled)


def decide_kept(
    state: RoomState, command: KeptCommand, found: Sequence[ItemRecord], *, now: int, blocked: bool = False
) -> KeptDecision:
    """Decide one command. `found` is the item that it is about, if there is one; all of the user's for a schedule.

    `blocked` says that this is a direct room of two of whom one blocks the other.
    """
    kind, key = item_named(command)
    present = next((item for item in found if (item.kind, item.key) == (kind, key)), None)
    if isinstance(command, Unschedule):
        # Whoever left may still take back what they wanted to say.
        return Unchanged() if present is None else _drop(present)
    refusal = hidden(state, command.actor)
    if refusal:
        return refusal
    match command:
        case ScheduleMessage():
            if present is not None:
                return _repeat(command, present)
            decision = _schedule(state, command, len(found), now)
            return BLOCKED if blocked and isinstance(decision, PutItem) else decision
        case ReportMessage():
            return _report(state, command, present, now)
        case DismissReport():
            refusal = may(state, command.actor, Permission.MESSAGES_DELETE_ANY)
            return refusal or (Unchanged() if present is None else _drop(present))


def _repeat(command: ScheduleMessage, present: ItemRecord) -> KeptDecision:
    before = _scheduled.decode(present.doc)
    same = replace(before, failed=None) == scheduled_of(command, created_at=before.created_at)
    return Unchanged() if same else _TAKEN


def _schedule(state: RoomState, command: ScheduleMessage, count: int, now: int) -> KeptDecision:
    refusal = may(state, command.actor, Permission.MESSAGES_SEND)
    if refusal:
        return refusal
    for message in (command.reply_to, command.thread_root):
        if message is not None and isinstance(found := seen(state, message, command.actor), Refusal):
            return found
    if command.due_at <= now:
        return invalid("/send_at", "a scheduled post is sent in the future", code="past")
    if command.due_at > now + AHEAD_MAX_DAYS * _DAY_MS:
        return invalid("/send_at", f"a post is scheduled at most {AHEAD_MAX_DAYS} days ahead", code="out_of_range")
    if count >= SCHEDULED_MAX:
        return _TOO_MANY
    return PutItem(scheduled_item(state.id, scheduled_of(command, created_at=now)))


def scheduled_of(command: ScheduleMessage, *, created_at: int) -> Scheduled:
    """Make what a room keeps of a post that is to wait."""
    return Scheduled(
        id=command.id,
        user=command.actor,
        body=command.body,
        send_at=command.due_at,
        created_at=created_at,
        reply_to=command.reply_to,
        thread_root=command.thread_root,
        mentions=command.mentions,
        expires_in=command.expires_in,
    )


def _report(state: RoomState, command: ReportMessage, present: ItemRecord | None, now: int) -> KeptDecision:
    message = seen(state, command.message, command.actor)
    if isinstance(message, Refusal):
        return message
    if present is not None:
        return Unchanged()
    if message.deleted:
        return _DELETED
    return PutItem(report_item(message, Report(message.id, command.actor, command.reason, now)))


def _drop(item: ItemRecord) -> DropItem:
    return DropItem(item.room, item.kind, item.key)
