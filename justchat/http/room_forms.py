"""What callers write about a room: the bodies that make one and change one, checked, and the commands they amount to.

Types and bounds are in the structs; what a type cannot say is checked here, all of it before anything is refused, so
that a form can mark every field that is wrong.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict

from justchat.http.answers import Refused
from justchat.rooms.commands import ArchiveRoom, CreateRoom, UpdateRoom
from justchat.rooms.permissions import Kind, Visibility
from justchat.wire.errors import ErrorCode, FieldProblem, Refusal
from justchat.wire.events import RoomSettings, SettingsChanges

NAME_MAX_CHARACTERS: Final = 100
TOPIC_MAX_CHARACTERS: Final = 1000
CREATE_MEMBERS_MAX: Final = 500

SlowMode = Annotated[int, Meta(ge=0, le=21_600)]
RetentionDays = Annotated[int, Meta(ge=1, le=3650)]
HistoryVisibility = Literal["shared", "since_join"]


class NewSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How a new room is set up. No room is archived from the start."""

    slow_mode_seconds: SlowMode = 0
    retention_days: RetentionDays | None = None
    history_visibility: HistoryVisibility = "shared"
    read_only: bool = False


class CreateBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A new room. `members` are usernames or user ids, besides the caller; a direct room has one, and nothing else."""

    kind: Kind
    name: str | UnsetType = UNSET
    visibility: Visibility = Visibility.PRIVATE
    topic: str = ""
    members: Annotated[tuple[str, ...], Meta(max_length=CREATE_MEMBERS_MAX)] = ()
    settings: NewSettings | UnsetType = UNSET


class SettingsPatch(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings to change. `retention_days` null keeps everything; `archived` stands alone."""

    slow_mode_seconds: SlowMode | UnsetType = UNSET
    retention_days: RetentionDays | UnsetType | None = UNSET
    history_visibility: HistoryVisibility | UnsetType = UNSET
    read_only: bool | UnsetType = UNSET
    archived: bool | UnsetType = UNSET


class UpdateBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A merge patch (RFC 7396): absent fields stay as they are."""

    name: str | UnsetType = UNSET
    topic: str | UnsetType = UNSET
    visibility: Visibility | UnsetType = UNSET
    settings: SettingsPatch | UnsetType = UNSET


create_body: Final = msgspec.json.Decoder(CreateBody)
update_body: Final = msgspec.json.Decoder(UpdateBody)


def refuse_fields(problems: list[FieldProblem], *, detail: str) -> None:
    """Refuse a body for all that is wrong with it, if anything is. Raises Refused."""
    if problems:
        raise Refused(Refusal(ErrorCode.VALIDATION_FAILED, detail, tuple(problems)))


def _name_problems(name: str) -> list[FieldProblem]:
    if 1 <= len(name) <= NAME_MAX_CHARACTERS and name.isprintable():
        return []
    return [FieldProblem("/name", "length", f"a name has 1 to {NAME_MAX_CHARACTERS} printable characters")]


def _topic_problems(topic: str) -> list[FieldProblem]:
    if len(topic) <= TOPIC_MAX_CHARACTERS:
        return []
    return [FieldProblem("/topic", "length", f"a topic has at most {TOPIC_MAX_CHARACTERS} characters")]


def check_new(body: CreateBody) -> None:
    """Check a new room's fields against each other. Raises Refused."""
    if body.kind is Kind.DIRECT:
        problems = _direct_problems(body)
    elif isinstance(body.name, UnsetType):
        problems = [FieldProblem("/name", "missing", f"a {body.kind} has a name")]
    else:
        problems = [*_name_problems(body.name.strip()), *_topic_problems(body.topic)]
    refuse_fields(problems, detail="the room cannot be made like this")


def _direct_problems(body: CreateBody) -> list[FieldProblem]:
    given = {
        "/name": body.name is not UNSET,
        "/visibility": body.visibility is not Visibility.PRIVATE,
        "/topic": body.topic != "",
        "/settings": body.settings is not UNSET,
    }
    problems = [
        FieldProblem(pointer, "not_allowed", "two people share a direct room as it is: give only whom it is with")
        for pointer, is_given in given.items()
        if is_given
    ]
    if len(body.members) != 1:
        problems.append(FieldProblem("/members", "length", "a direct room is with one other person"))
    return problems


def create_command(body: CreateBody, actor: str, *, epoch: str, members: tuple[str, ...]) -> CreateRoom:
    """Make the command for a group or channel that was checked; `members` are user ids."""
    settings = RoomSettings() if isinstance(body.settings, UnsetType) else RoomSettings(**asdict(body.settings))
    name = "" if isinstance(body.name, UnsetType) else body.name.strip()
    return CreateRoom(actor, body.kind, body.visibility, name, body.topic, epoch, members, settings)


def update_command(body: UpdateBody, actor: str) -> UpdateRoom | ArchiveRoom:
    """Make the command of a patch: one patch is one event, and archiving is an event of its own. Raises Refused."""
    patch = SettingsPatch() if isinstance(body.settings, UnsetType) else body.settings
    name = None if isinstance(body.name, UnsetType) else body.name.strip()
    topic = None if isinstance(body.topic, UnsetType) else body.topic
    visibility = None if isinstance(body.visibility, UnsetType) else body.visibility
    update = UpdateRoom(actor, name, topic, visibility, _settings_changes(patch))
    problems = [*([] if name is None else _name_problems(name)), *([] if topic is None else _topic_problems(topic))]
    if not isinstance(patch.archived, UnsetType) and update != UpdateRoom(actor):
        detail = "archiving stands alone: change the rest before or after"
        problems.append(FieldProblem("/settings/archived", "not_alone", detail))
    refuse_fields(problems, detail="the room cannot be changed like this")
    return update if isinstance(patch.archived, UnsetType) else ArchiveRoom(actor, patch.archived)


def _settings_changes(patch: SettingsPatch) -> SettingsChanges | None:
    changes = SettingsChanges(patch.slow_mode_seconds, patch.retention_days, patch.history_visibility, patch.read_only)
    return None if changes == SettingsChanges() else changes
