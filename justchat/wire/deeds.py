"""What administrators do to the site as a whole: the audit log's own catalogue, beside the events of rooms.

A deed stands in the log as an event does, so that both are read alike, but belongs to no room and has no place in any
journal: `room` is empty and `seq` is 0.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from justchat.wire.events import EventFrame
from justchat.wire.times import rfc3339


class AuditFrame(EventFrame, frozen=True):
    """One line of the audit log: an event of a room, or a deed."""


class AccountCreated(Struct, frozen=True):
    """Somebody was given an account."""

    user: str
    role: str


class AccountDisabled(Struct, frozen=True):
    """Somebody is let in no more."""

    user: str


class AccountEnabled(Struct, frozen=True):
    """Somebody is let in again."""

    user: str


class AccountRoleChanged(Struct, frozen=True):
    """Somebody was given another server role."""

    user: str
    before: str
    after: str


class AccountDeleted(Struct, frozen=True):
    """Somebody's account was ended for them; `erase` is whether what they said goes, too."""

    user: str
    erase: bool


class RoomTakenOver(Struct, frozen=True):
    """Somebody was made an owner of a room from outside."""

    room: str
    user: str


class RoomDeletedByAdmin(Struct, frozen=True):
    """A room was ended from outside."""

    room: str


class InvitationCreated(Struct, frozen=True):
    """An invitation to register was made; `uses` null is without a bound."""

    name: str
    role: str
    uses: int | None


class InvitationRevoked(Struct, frozen=True):
    """An invitation to register is good no more."""

    invitation: str


Deed = (
    AccountCreated
    | AccountDisabled
    | AccountEnabled
    | AccountRoleChanged
    | AccountDeleted
    | RoomTakenOver
    | RoomDeletedByAdmin
    | InvitationCreated
    | InvitationRevoked
)

DEEDS: Final[dict[str, type[Deed]]] = {
    "user.created": AccountCreated,
    "user.disabled": AccountDisabled,
    "user.enabled": AccountEnabled,
    "user.role_changed": AccountRoleChanged,
    "user.deleted": AccountDeleted,
    "room.taken_over": RoomTakenOver,
    "room.deleted_by_admin": RoomDeletedByAdmin,
    "invitation.created": InvitationCreated,
    "invitation.revoked": InvitationRevoked,
}
_NAMES: Final = {struct: name for name, struct in DEEDS.items()}

SITE: Final = ""
"""What stands in the place of a room."""


def encode_deed(deed: Deed, *, ts: int, actor: str) -> bytes:
    """Make the bytes of a deed. `ts` is milliseconds since the epoch."""
    data = msgspec.Raw(msgspec.json.encode(deed))
    return msgspec.json.encode(AuditFrame(_NAMES[type(deed)], SITE, 0, rfc3339(ts), actor, data))
