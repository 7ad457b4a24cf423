"""What a room keeps besides its members and messages, and how it is stored: as items, each under a kind and a key.

Those that decisions need (bans, mutes, invites, pins, who spoke last) are held in the room's state; those that only
listings need, or one command at a time (revisions, reactions, replies), stay in storage. A timer is an item with a due
time. Scheduled posts and reports follow from no entry, because they are not for everybody's eyes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

from justchat.wire.events import Message, MessageUpdated, ReactionAdded
from storage.records import ItemRecord


class ItemKind(StrEnum):
    """The kinds of items, with what their keys are."""

    BAN = "ban"  # user
    MUTE = "mute"  # user; due when it ends
    INVITE = "invite"  # id of the invite; due when it expires
    PIN = "pin"  # message
    SPOKE = "spoke"  # user, in slow mode
    RETENTION = "retention"  # ""
    SWEEP = "sweep"  # ""; due when there may be something to trim
    EXPIRY = "expiry"  # message; due when it expires
    REVISION = "revision"  # message/rev, from the second on: the first is in the message's own entry
    REACTION = "reaction"  # message/emoji/user
    REPLY = "reply"  # message/seq of the reply
    AUDIT = "audit"  # time.room.seq, unique over all rooms
    SCHEDULED = "scheduled"  # user/id; due when it is to be posted
    REPORT = "report"  # message/user
    DEPARTURE = "departure"  # user, whose traces in the room are still to be erased


TIMERS: Final = frozenset({ItemKind.MUTE, ItemKind.INVITE, ItemKind.SWEEP, ItemKind.EXPIRY, ItemKind.SCHEDULED})
"""Kinds that may have a due time."""

KEPT: Final = frozenset({ItemKind.SCHEDULED, ItemKind.REPORT, ItemKind.SWEEP, ItemKind.DEPARTURE})
"""Kinds that no entry accounts for, or not alone."""


class Ban(Struct, frozen=True):
    """Somebody who may not come back. `at` is milliseconds since the epoch."""

    user: str
    by: str
    at: int
    reason: str = ""


class Mute(Struct, frozen=True):
    """Somebody who may not speak, until then or (None) until somebody says so. Milliseconds since the epoch."""

    user: str
    by: str
    at: int
    until: int | None = None
    reason: str = ""


class Invite(Struct, frozen=True):
    """A way in for whoever knows its code. Times are milliseconds since the epoch."""

    id: str
    by: str
    at: int
    role: str
    expires_at: int | None = None
    max_uses: int | None = None
    uses: int = 0

    def is_open(self, now: int) -> bool:
        """Tell whether it still lets somebody in."""
        in_time = self.expires_at is None or now < self.expires_at
        return in_time and (self.max_uses is None or self.uses < self.max_uses)


class Pin(Struct, frozen=True):
    """A pinned message."""

    message: str
    message_seq: int
    by: str
    at: int


class Spoke(Struct, frozen=True):
    """When somebody last posted while the room was in slow mode."""

    user: str
    at: int


class Retention(Struct, frozen=True):
    """Up to which seq history is trimmed."""

    floor_seq: int


class Revision(Struct, frozen=True):
    """A message's text as an edit made it. So it follows from the event alone, whatever became of the message since."""

    rev: int
    body: str
    at: str


class Reaction(Struct, frozen=True):
    """One person's reaction. `at` is milliseconds since the epoch."""

    user: str
    emoji: str
    at: int


class Reply(Struct, frozen=True):
    """What is kept of a reply under its thread."""

    message: str


class Scheduled(Struct, frozen=True):
    """A post that waits for its time, with what `Content` has. `failed` is the code of the refusal that it met then.

    Times are milliseconds since the epoch, `expires_in` is seconds.
    """

    id: str
    user: str
    body: str
    send_at: int
    created_at: int
    reply_to: str | None = None
    thread_root: str | None = None
    mentions: tuple[str, ...] = ()
    expires_in: int | None = None
    failed: str | None = None


class Report(Struct, frozen=True):
    """What somebody told the moderators about a message."""

    message: str
    user: str
    reason: str
    at: int


_encode = msgspec.json.Encoder().encode


def ban_item(room: str, ban: Ban) -> ItemRecord:
    """Store a ban."""
    return ItemRecord(room, ItemKind.BAN.value, ban.user, _encode(ban), held=True)


def mute_item(room: str, mute: Mute) -> ItemRecord:
    """Store a mute; one with an end is a timer."""
    return ItemRecord(room, ItemKind.MUTE.value, mute.user, _encode(mute), held=True, due_at=mute.until)


def invite_item(room: str, invite: Invite) -> ItemRecord:
    """Store an invite; one that expires is a timer."""
    return ItemRecord(room, ItemKind.INVITE.value, invite.id, _encode(invite), held=True, due_at=invite.expires_at)


def pin_item(room: str, pin: Pin) -> ItemRecord:
    """Store a pin."""
    return ItemRecord(room, ItemKind.PIN.value, pin.message, _encode(pin), held=True, seq=pin.message_seq)


def spoke_item(room: str, spoke: Spoke) -> ItemRecord:
    """Store when somebody spoke."""
    return ItemRecord(room, ItemKind.SPOKE.value, spoke.user, _encode(spoke), held=True)


def retention_item(room: str, floor_seq: int) -> ItemRecord:
    """Store how far history is trimmed."""
    return ItemRecord(room, ItemKind.RETENTION.value, "", _encode(Retention(floor_seq)), held=True)


def sweep_item(room: str, *, due_at: int) -> ItemRecord:
    """Store when to look for something to trim."""
    return ItemRecord(room, ItemKind.SWEEP.value, "", b"{}", due_at=due_at)


def expiry_item(message: Message, *, due_at: int) -> ItemRecord:
    """Store when a message expires."""
    return ItemRecord(message.room, ItemKind.EXPIRY.value, message.id, b"{}", due_at=due_at, seq=message.seq)


def revision_item(room: str, edit: MessageUpdated) -> ItemRecord:
    """Store the text that an edit made."""
    doc = _encode(Revision(edit.rev, edit.body, edit.edited_at))
    return ItemRecord(room, ItemKind.REVISION.value, revision_key(edit.id, edit.rev), doc, seq=edit.message_seq)


def reaction_item(room: str, added: ReactionAdded, *, at: int) -> ItemRecord:
    """Store a reaction. `at` is milliseconds since the epoch."""
    key = reaction_key(added.message, added.emoji, added.user)
    doc = _encode(Reaction(added.user, added.emoji, at))
    return ItemRecord(room, ItemKind.REACTION.value, key, doc, seq=added.message_seq)


def reply_item(reply: Message, *, root: str) -> ItemRecord:
    """Store that a message is a reply in a thread; its key lists a thread's replies in their order."""
    doc = _encode(Reply(reply.id))
    return ItemRecord(reply.room, ItemKind.REPLY.value, reply_key(root, reply.seq), doc, seq=reply.seq)


def scheduled_item(room: str, scheduled: Scheduled) -> ItemRecord:
    """Store a scheduled post; one that has failed waits for its author and is no timer any more."""
    due_at = None if scheduled.failed else scheduled.send_at
    key = scheduled_key(scheduled.user, scheduled.id)
    return ItemRecord(room, ItemKind.SCHEDULED.value, key, _encode(scheduled), due_at=due_at)


def report_item(message: Message, report: Report) -> ItemRecord:
    """Store a report, one for each reporter of a message."""
    key = report_key(report.message, report.user)
    return ItemRecord(message.room, ItemKind.REPORT.value, key, _encode(report), seq=message.seq)


def audit_item(room: str, seq: int, ts: int, body: bytes) -> ItemRecord:
    """Store an entry once more where it is found by time, over all rooms: `body` is the event."""
    return ItemRecord(room, ItemKind.AUDIT.value, f"{ts:015d}.{room}.{seq:012d}", body)


def departure_item(room: str, user: str) -> ItemRecord:
    """Store that a user has left this room whose traces here are still to be erased."""
    return ItemRecord(room, ItemKind.DEPARTURE.value, user, b"{}")


def revision_key(message: str, rev: int) -> str:
    """Name a revision."""
    return f"{message}/{rev:06d}"


def reaction_key(message: str, emoji: str, user: str) -> str:
    """Name a reaction; neither an emoji nor an id holds a slash."""
    return f"{message}/{emoji}/{user}"


def reply_key(root: str, seq: int) -> str:
    """Name a reply by its place in the thread."""
    return f"{root}/{seq:012d}"


def scheduled_key(user: str, scheduled: str) -> str:
    """Name a scheduled post by its author first, for only they may see it."""
    return f"{user}/{scheduled}"


def report_key(message: str, user: str) -> str:
    """Name a report by its message first, so that those about one message are listed together."""
    return f"{message}/{user}"
