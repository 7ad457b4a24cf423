"""What happens to a room and to who is in it: the structs behind the wire's `room.*`, `member.*`, `invite.*`."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

Overrides = dict[str, dict[str, bool]]
"""A room's deviations from the roles' defaults: role -> permission -> granted or not."""


class RoomSettings(Struct, frozen=True):
    """A room's settings that members may see. `retention_days` None keeps everything."""

    slow_mode_seconds: int = 0
    retention_days: int | None = None
    history_visibility: str = "shared"
    read_only: bool = False
    archived: bool = False


class MemberView(Struct, frozen=True):
    """A member as events name it."""

    user: str
    role: str


class RoomCreated(Struct, frozen=True):
    """Seq 1 of every room: who made it, how it is set up and who is in it."""

    kind: str
    visibility: str
    name: str
    topic: str
    epoch: str
    settings: RoomSettings
    members: tuple[MemberView, ...]


class SettingsChanges(Struct, frozen=True, omit_defaults=True):
    """The settings that a change touched; the others are absent. `retention_days` null keeps everything."""

    slow_mode_seconds: int | UnsetType = UNSET
    retention_days: int | UnsetType | None = UNSET
    history_visibility: str | UnsetType = UNSET
    read_only: bool | UnsetType = UNSET


class RoomChanges(Struct, frozen=True, omit_defaults=True):
    """The fields of a room that a change touched; the others are absent."""

    name: str | None = None
    topic: str | None = None
    visibility: str | None = None
    settings: SettingsChanges | None = None


class RoomUpdated(Struct, frozen=True):
    """Name, topic, visibility or settings changed: the touched fields before and after."""

    old: RoomChanges
    new: RoomChanges


class RoomArchived(Struct, frozen=True):
    """The room was laid up, read-only for everybody, or (`archived` false) taken into use again."""

    archived: bool


class RoomDeleted(Struct, frozen=True):
    """The room is gone; nothing follows."""


class MemberJoined(Struct, frozen=True, omit_defaults=True):
    """A user joined on their own, or by the invite with this id."""

    user: str
    role: str
    invite: str | None = None


class MemberLeft(Struct, frozen=True):
    """A user left on their own."""

    user: str


class MemberAdded(Struct, frozen=True, omit_defaults=True):
    """The actor added a user. `by` is there if the server did it for one of its administrators, and says for whom."""

    user: str
    role: str
    by: str | None = None


class MemberRemoved(Struct, frozen=True):
    """The actor removed a user: the last event of this room that the user receives."""

    user: str


class MemberRoleChanged(Struct, frozen=True, omit_defaults=True):
    """The actor gave a member another role. `by` is there if the server did it for one of its administrators."""

    user: str
    old: str
    new: str
    by: str | None = None


class MemberBanned(Struct, frozen=True, omit_defaults=True):
    """The actor banned a user, who stops being a member and cannot come back."""

    user: str
    reason: str = ""


class MemberUnbanned(Struct, frozen=True, omit_defaults=True):
    """A user may come back. `by` is there if the server did it for one of its administrators."""

    user: str
    by: str | None = None


class MemberMuted(Struct, frozen=True, omit_defaults=True):
    """A user may not post, edit or react, until then or (None) until somebody says so. It outlives a membership."""

    user: str
    until: str | None = None
    reason: str = ""


class MemberUnmuted(Struct, frozen=True):
    """A user may speak again: because somebody said so, or because the time was over."""

    user: str


class InviteCreated(Struct, frozen=True, omit_defaults=True):
    """An invite by link. Its code is told to its creator alone; `id` names it without letting anybody in."""

    id: str
    role: str
    expires_at: str | None = None
    max_uses: int | None = None


class InviteRevoked(Struct, frozen=True):
    """An invite lets nobody in any more."""

    id: str


class PermissionsUpdated(Struct, frozen=True):
    """The room's deviations from the roles' defaults, by role and permission, before and after."""

    old: Overrides
    new: Overrides
