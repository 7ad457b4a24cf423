"""What a timer asks for when it is due, and what becomes of one that led to nothing. Pure.

What a timer does is an ordinary command of SYSTEM, or of the author of a scheduled post, decided like any other; where
it changes something, the projection of the event takes care of the timer. Where it does not, the timer must not stay as
it is, or it would be due for ever: it goes, or is set to what the room's state says.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from justchat.rooms.commands import (
    Accepted,
    Answer,
    Command,
    ExpireMessage,
    PostMessage,
    RevokeInvite,
    TrimHistory,
    UnmuteMember,
)
from justchat.rooms.items import ItemKind, Scheduled, expiry_item, invite_item, mute_item, scheduled_item, sweep_item
from justchat.rooms.posts import Content, post_command
from justchat.rooms.project import SCHEDULED_PREFIX
from justchat.rooms.state import RoomState
from justchat.rooms.sweep import NOTHING, Sweep
from justchat.wire.errors import ErrorCode, Refusal
from justchat.wire.events import SYSTEM
from justchat.wire.times import epoch_ms
from storage.records import DropItem, ItemRecord, PutItem

_RETRY_MS: Final = 1000
# Refusals that say how the server does, and nothing about the post.
_PASSING: Final = frozenset({ErrorCode.STORAGE_UNAVAILABLE, ErrorCode.ROOM_OVERLOADED, ErrorCode.ROOM_UNAVAILABLE})

_scheduled = msgspec.json.Decoder(Scheduled)


class Firing(Struct, frozen=True):
    """Timers that are due together and what they ask for, one command each, and what a sweep among them found.

    `unknown` are of kinds that nobody knows here: a newer server may have left them. `mute` are posts whose authors'
    accounts are disabled.
    """

    items: tuple[ItemRecord, ...]
    commands: tuple[Command, ...]
    sweep: Sweep
    unknown: tuple[ItemRecord, ...] = ()
    mute: tuple[ItemRecord, ...] = ()


class Outcome(Struct, frozen=True):
    """What becomes of timers that did nothing: they are changed, or left to rest because there is nothing to change."""

    changes: tuple[PutItem | DropItem, ...]
    resting: tuple[ItemRecord, ...]


def authors_of(due: Sequence[ItemRecord]) -> set[str]:
    """Name the authors of the posts among these timers."""
    return {_scheduled.decode(item.doc).user for item in due if item.kind == ItemKind.SCHEDULED}


def firing_of(due: Sequence[ItemRecord], *, sweep: Sweep = NOTHING, disabled: Collection[str] = ()) -> Firing:
    """Say what timers ask for; `sweep` is what a sweep found, if there is a timer for one.

    `disabled` are those of the posts' authors who may do nothing any more, which rooms do not know.
    """
    mute = tuple(item for item in due if not authors_of((item,)).isdisjoint(disabled))
    asked = [(item, command_of(item, sweep=sweep)) for item in due if item not in mute]
    known = [(item, command) for item, command in asked if command is not None]
    unknown = tuple(item for item, command in asked if command is None)
    return Firing(tuple(item for item, _ in known), tuple(command for _, command in known), sweep, unknown, mute)


def outcome_of(firing: Firing, answers: Sequence[Answer], state: RoomState, *, now: int) -> Outcome:
    """Say what becomes of the timers, given the answers to their commands.

    `state` is that after the commands, with the messages still at hand that they referred to. `now` is milliseconds
    since the epoch.
    """
    changes: list[PutItem | DropItem] = [_failed(item, ErrorCode.FORBIDDEN) for item in firing.mute]
    resting = list(firing.unknown)
    for item, answer in zip(firing.items, answers, strict=True):
        change = follow_up(item, answer, state, sweep=firing.sweep, now=now)
        if change is not None:
            changes.append(change)
        elif not (isinstance(answer, Accepted) and answer.changed):
            resting.append(item)
    return Outcome(tuple(changes), tuple(resting))


def command_of(item: ItemRecord, *, sweep: Sweep) -> Command | None:
    """Say what a timer asks for; `sweep` is what one for a sweep found. None for a kind that is unknown here."""
    match item.kind:
        case ItemKind.MUTE:
            return UnmuteMember(SYSTEM, item.key)
        case ItemKind.INVITE:
            return RevokeInvite(SYSTEM, item.key)
        case ItemKind.EXPIRY:
            return ExpireMessage(SYSTEM, item.key)
        case ItemKind.SWEEP:
            return TrimHistory(SYSTEM, sweep.upto)
        case ItemKind.SCHEDULED:
            return _post(_scheduled.decode(item.doc))
        case _:
            return None


def _post(scheduled: Scheduled) -> PostMessage:
    content = Content(scheduled.reply_to, scheduled.thread_root, scheduled.mentions, scheduled.expires_in)
    return post_command(
        scheduled.user, client_msg_id=f"{SCHEDULED_PREFIX}{scheduled.id}", body=scheduled.body, content=content
    )


def follow_up(
    item: ItemRecord, answer: Answer, state: RoomState, *, sweep: Sweep, now: int
) -> PutItem | DropItem | None:
    """Say what becomes of one timer; None where there is nothing to change about it."""
    if item.kind == ItemKind.SWEEP:
        again_at = sweep.again_at
        return _drop(item) if again_at is None else PutItem(sweep_item(item.room, due_at=again_at))
    if isinstance(answer, Accepted) and answer.changed:
        return None
    if item.kind == ItemKind.SCHEDULED:
        return _not_posted(item, answer, now)
    wanted = _as_it_should_be(item, state)
    if wanted is None:
        return _drop(item)
    return None if wanted.due_at is not None and wanted.due_at <= now else PutItem(wanted)


def _not_posted(item: ItemRecord, answer: Answer, now: int) -> PutItem | DropItem:
    if not isinstance(answer, Refusal):
        return _drop(item)  # it was posted before
    if answer.retry_after_seconds is not None or answer.code in _PASSING:
        wait_ms = max(_RETRY_MS, round((answer.retry_after_seconds or 0) * 1000))
        return PutItem(replace(item, due_at=now + wait_ms))
    return _failed(item, answer.code)


def _failed(item: ItemRecord, code: ErrorCode) -> PutItem:
    """Keep a post that will not be sent for its author, with the reason."""
    return PutItem(scheduled_item(item.room, replace(_scheduled.decode(item.doc), failed=code.value)))


def _as_it_should_be(item: ItemRecord, state: RoomState) -> ItemRecord | None:
    """Give the timer as the room's state has it."""
    match item.kind:
        case ItemKind.MUTE:
            mute = state.held.mutes.get(item.key)
            return None if mute is None else mute_item(state.id, mute)
        case ItemKind.INVITE:
            invite = state.held.invites.get(item.key)
            return None if invite is None else invite_item(state.id, invite)
        case ItemKind.EXPIRY:
            message = state.loaded.get(item.key)
            if message is None or message.deleted or message.expires_at is None:
                return None
            return expiry_item(message, due_at=epoch_ms(message.expires_at))
        case _:
            return item


def _drop(item: ItemRecord) -> DropItem:
    return DropItem(item.room, item.kind, item.key)
