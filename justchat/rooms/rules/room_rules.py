"""Creating, changing, laying up and ending a room, and its deviations from the roles' defaults."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET
from msgspec.structs import asdict, replace

from justchat.rooms.commands import NO_SUCH_ROOM, ArchiveRoom, CreateRoom, DeleteRoom, SetPermissions, UpdateRoom
from justchat.rooms.permissions import Kind, Permission, Role, Visibility, defaults_of
from justchat.rooms.rules.decision import ARCHIVED, DIRECT, Context, Decision, Unchanged, may
from justchat.rooms.state import RoomState
from justchat.wire.errors import ErrorCode, Refusal, invalid
from justchat.wire.events import (
    SYSTEM,
    MemberView,
    PermissionsUpdated,
    RoomArchived,
    RoomChanges,
    RoomCreated,
    RoomDeleted,
    RoomSettings,
    RoomUpdated,
    SettingsChanges,
)

# To be a member is to see the room.
_DEVIABLE: Final = frozenset(permission.value for permission in Permission) - {Permission.ROOM_VIEW.value}
_MOVED_ON = Refusal(ErrorCode.PRECONDITION_FAILED, "something happened in the room meanwhile; look at it again first")
_BELOW_OWN = Refusal(ErrorCode.FORBIDDEN, "you can set the permissions of roles below your own only")


def create(command: CreateRoom) -> Decision:
    """Bring a room into being; one that the server itself makes has no owner."""
    others = dict.fromkeys(user for user in command.members if user != command.actor)
    if command.kind is Kind.DIRECT and not _is_private_pair(command, len(others)):
        return Refusal(ErrorCode.VALIDATION_FAILED, "a direct room is private, has two members and no settings")
    owners = () if command.actor == SYSTEM else (MemberView(command.actor, Role.OWNER),)
    members = (*owners, *(MemberView(user, Role.MEMBER) for user in others))
    return RoomCreated(
        kind=command.kind,
        visibility=command.visibility,
        name=command.name,
        topic=command.topic,
        epoch=command.epoch,
        settings=command.settings,
        members=members,
    )


def create_again(state: RoomState, command: CreateRoom, context: Context) -> Decision:
    """Find the room made; a direct room that was closed, for one of the two had no rooms, is taken into use again."""
    is_closed = state.kind is Kind.DIRECT and state.settings.archived and state.deleted_at is None
    if is_closed and command.kind is Kind.DIRECT and command.actor in state.members and not context.blocked:
        return RoomArchived(archived=False)
    return Unchanged()


def _is_private_pair(command: CreateRoom, others: int) -> bool:
    # Whoever made the room has another role than the other side; settings would tell the two apart.
    return others == 1 and command.visibility is Visibility.PRIVATE and command.settings == RoomSettings()


def update(state: RoomState, command: UpdateRoom) -> Decision:
    """Change name, topic, visibility and settings in one event."""
    refusal = may(state, command.actor, Permission.ROOM_EDIT)
    if refusal:
        return refusal
    if state.kind is Kind.DIRECT:
        return DIRECT
    if state.settings.archived:
        return ARCHIVED
    old: dict[str, str] = {}
    new: dict[str, str] = {}
    for field in ("name", "topic", "visibility"):
        before, after = getattr(state, field), getattr(command, field)
        if after is not None and after != before:
            old[field], new[field] = str(before), str(after)
    before_settings, after_settings = _settings(state.settings, command.settings)
    if not new and after_settings is None:
        return Unchanged()
    if _is_elsewhere(state, command.head_seq):
        return _MOVED_ON
    return RoomUpdated(
        RoomChanges(**old, settings=before_settings),
        RoomChanges(**new, settings=after_settings),
    )


def _settings(
    present: RoomSettings, wanted: SettingsChanges | None
) -> tuple[SettingsChanges | None, SettingsChanges | None]:
    """Give the settings that change, before and after."""
    if wanted is None:
        return None, None
    named = {name: value for name, value in asdict(wanted).items() if value is not UNSET}
    new = {name: value for name, value in named.items() if value != getattr(present, name)}
    if not new:
        return None, None
    return SettingsChanges(**{name: getattr(present, name) for name in new}), SettingsChanges(**new)


def archive(state: RoomState, command: ArchiveRoom) -> Decision:
    """Lay the room up, or take it into use again."""
    refusal = may(state, command.actor, Permission.ROOM_EDIT)
    if refusal:
        return refusal
    if state.kind is Kind.DIRECT:
        return DIRECT
    if state.settings.archived is command.archived:
        return Unchanged()
    return _MOVED_ON if _is_elsewhere(state, command.head_seq) else RoomArchived(command.archived)


def _is_elsewhere(state: RoomState, head_seq: int | None) -> bool:
    return head_seq is not None and head_seq != state.head_seq


def delete(state: RoomState, command: DeleteRoom) -> Decision:
    """End the room."""
    return may(state, command.actor, Permission.ROOM_DELETE) or RoomDeleted()


def delete_again(state: RoomState, command: DeleteRoom) -> Decision:
    """Say that the room is ended to who could have ended it; for anybody else there is none."""
    refusal = may(replace(state, deleted_at=None), command.actor, Permission.ROOM_DELETE)
    return NO_SUCH_ROOM if refusal else Unchanged()


def set_permissions(state: RoomState, command: SetPermissions) -> Decision:
    """Deviate from the defaults of roles below the actor's own, within what the actor may do."""
    refusal = may(state, command.actor, Permission.ROLES_MANAGE)
    if refusal:
        return refusal
    if state.kind is Kind.DIRECT:
        return DIRECT
    if state.settings.archived:
        return ARCHIVED
    own, allowed = state.role_of(command.actor), state.allowed(command.actor)
    new = {role: dict(changes) for role, changes in state.overrides.items()}
    for role, changes in command.changes.items():
        if own is None or role.rank >= own.rank:
            return _BELOW_OWN
        defaults, deviations = defaults_of(role, state.kind), new.setdefault(role.value, {})
        for name, wanted in changes.items():
            if name not in _DEVIABLE:
                return invalid(f"/{role}/{name}", "there is no such permission that a room can give or take")
            by_default = Permission(name) in defaults
            had = deviations.pop(name, by_default)
            has = by_default if wanted is None else wanted
            if has and not had and Permission(name) not in allowed:
                return Refusal(ErrorCode.FORBIDDEN, f"you cannot give {name}, which you do not have")
            if has is not by_default:
                deviations[name] = has
    new = {role: changes for role, changes in new.items() if changes}
    return Unchanged() if new == state.overrides else PermissionsUpdated(state.overrides, new)
