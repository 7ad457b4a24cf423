"""A room itself: how it begins, what changes in it and how it is said, laying it up, its permissions, and its end."""

from __future__ import annotations

from itertools import product

import pytest
from msgspec.structs import replace

from justchat.rooms.commands import (
    ArchiveRoom,
    CreateRoom,
    DeleteRoom,
    PostMessage,
    React,
    SetPermissions,
    Unreact,
    UpdateRoom,
)
from justchat.rooms.decide import decide
from justchat.rooms.permissions import DEFAULTS, Kind, Permission, Role, Visibility, defaults_of
from justchat.rooms.state import RoomState
from justchat.wire.errors import Refusal
from justchat.wire.events import (
    MemberView,
    Overrides,
    PermissionsUpdated,
    RoomArchived,
    RoomChanges,
    RoomCreated,
    RoomDeleted,
    RoomSettings,
    RoomUpdated,
    SettingsChanges,
)
from tests.rooms.scenes import ACTOR, CONTEXT, NOW, THUMB, USERS, after, outcome, room

CREATE = CreateRoom(ACTOR, Kind.GROUP, Visibility.PRIVATE, "Tea", "Cups", "e_1", ("u_2", ACTOR, "u_3", "u_2"))
POWER = ["guest", "member", "moderator", "admin", "owner"]


def test_a_room_is_created_with_its_maker_as_owner_and_each_other_once() -> None:
    """Members come in the order of asking, without repeats, and the maker is never demoted by the list."""
    settings = RoomSettings(slow_mode_seconds=5, retention_days=7)
    assert decide(None, replace(CREATE, settings=settings), CONTEXT) == RoomCreated(
        kind="group",
        visibility="private",
        name="Tea",
        topic="Cups",
        epoch="e_1",
        settings=settings,
        members=(MemberView(ACTOR, "owner"), MemberView("u_2", "member"), MemberView("u_3", "member")),
    )


@pytest.mark.parametrize("kind", [Kind.GROUP, Kind.CHANNEL])
@pytest.mark.parametrize("visibility", Visibility)
def test_anybody_may_create_a_room_once(kind: Kind, visibility: Visibility) -> None:
    """Creating what is there already changes nothing, so a repeat after a crash is harmless."""
    command = replace(CREATE, kind=kind, visibility=visibility)
    event = decide(None, command, CONTEXT)
    assert isinstance(event, RoomCreated)
    assert (event.kind, event.visibility) == (kind, visibility)
    assert outcome(room(Role.OWNER, kind=kind, visibility=visibility), command) == "unchanged"


@pytest.mark.parametrize(
    "changed",
    [
        {"visibility": Visibility.PUBLIC},
        {"members": ()},
        {"members": (ACTOR,)},
        {"members": ("u_2", "u_3")},
        {"settings": RoomSettings(read_only=True)},
    ],
    ids=str,
)
def test_a_direct_room_is_private_and_has_two_members_with_the_same_rights(changed: dict[str, object]) -> None:
    """The kind promises it, and no later command could repair it."""
    command = replace(CREATE, kind=Kind.DIRECT, members=("u_2",))
    event = decide(None, command, CONTEXT)
    assert isinstance(event, RoomCreated)
    state = after(None, command, event)
    assert state.allowed(ACTOR) == state.allowed("u_2")
    assert isinstance(decide(None, replace(command, **changed), CONTEXT), Refusal)


def test_the_other_side_finds_the_direct_room_made() -> None:
    """Who of the two asked first is chance: the second asking changes nothing."""
    assert outcome(room(Role.MEMBER, kind=Kind.DIRECT), replace(CREATE, actor="u_2", members=(ACTOR,))) == "unchanged"


def test_an_update_names_the_touched_fields_only() -> None:
    """A field that already has the wanted value is not in the event; an empty topic is a value like any other."""
    state = room(Role.ADMIN)
    command = UpdateRoom(ACTOR, name="Tea", topic="", visibility=Visibility.PUBLIC)
    assert decide(state, command, CONTEXT) == RoomUpdated(
        RoomChanges(topic="Cups", visibility="private"), RoomChanges(topic="", visibility="public")
    )
    assert outcome(state, UpdateRoom(ACTOR)) == "unchanged"


OLD_AND_NEW = [
    ("slow_mode_seconds", 0, 5),
    ("slow_mode_seconds", 5, 0),
    ("retention_days", None, 7),
    ("retention_days", 7, None),
    ("retention_days", 7, 3),
    ("history_visibility", "shared", "since_join"),
    ("read_only", False, True),
]


@pytest.mark.parametrize(("name", "old", "new"), OLD_AND_NEW)
def test_a_setting_changes_from_old_to_new(name: str, old: object, new: object) -> None:
    """The event holds the one setting, before and after, and the state all others as they were."""
    settings = replace(RoomSettings(retention_days=30, slow_mode_seconds=10), **{name: old})
    state = room(Role.ADMIN, settings=settings)
    named = {field: getattr(settings, field) for field in SettingsChanges.__struct_fields__}
    command = UpdateRoom(ACTOR, settings=SettingsChanges(**(named | {name: new})))
    before, now = (RoomChanges(settings=SettingsChanges(**{name: value})) for value in (old, new))
    event = decide(state, command, CONTEXT)
    assert event == RoomUpdated(before, now)
    assert after(state, command, event).settings == replace(settings, **{name: new})


def test_name_and_settings_change_in_one_event() -> None:
    """One action is one entry."""
    command = UpdateRoom(ACTOR, name="Coffee", settings=SettingsChanges(read_only=True, retention_days=None))
    assert decide(room(Role.OWNER), command, CONTEXT) == RoomUpdated(
        RoomChanges(name="Tea", settings=SettingsChanges(read_only=False)),
        RoomChanges(name="Coffee", settings=SettingsChanges(read_only=True)),
    )


def test_a_room_that_is_laid_up_is_not_changed_until_it_is_taken_up() -> None:
    """Neither its name nor its permissions; but it can be ended."""
    state = room(Role.OWNER, settings=RoomSettings(archived=True))
    assert outcome(state, UpdateRoom(ACTOR, name="Coffee")) == "conflict"
    assert outcome(state, SetPermissions(ACTOR, {Role.GUEST: {"reactions.add": True}})) == "conflict"
    assert outcome(state, Unreact(ACTOR, "m_other", THUMB)) == "conflict"
    assert outcome(state, ArchiveRoom(ACTOR, archived=True)) == "unchanged"
    assert outcome(state, DeleteRoom(ACTOR)) == "yes"
    command = ArchiveRoom(ACTOR, archived=False)
    event = decide(state, command, CONTEXT)
    assert event == RoomArchived(False)
    assert outcome(after(state, command, RoomArchived(False)), UpdateRoom(ACTOR, name="Coffee")) == "yes"


@pytest.mark.parametrize("role", Role)
def test_nobody_speaks_in_a_room_that_is_laid_up(role: Role) -> None:
    """Of whatever role."""
    state = room(role, settings=RoomSettings(archived=True))
    assert outcome(state, PostMessage(ACTOR, "new", "words", b"d")) == "forbidden"
    assert outcome(state, React(ACTOR, "m_own", THUMB)) == "forbidden"


def gives(role: Role, **changes: bool | None) -> SetPermissions:
    return SetPermissions(ACTOR, {role: {name.replace("__", "."): wanted for name, wanted in changes.items()}})


def changed(state: RoomState, command: SetPermissions) -> Overrides:
    event = decide(state, command, CONTEXT)
    assert isinstance(event, PermissionsUpdated)
    assert event.old == state.overrides
    return event.new


def test_permissions_deviate_for_a_role_and_come_back() -> None:
    """The event holds all deviations before and after; what agrees with the default is none."""
    state = room(Role.OWNER)
    first = changed(state, gives(Role.GUEST, messages__send=True, reactions__add=True))
    assert first == {"guest": {"messages.send": True, "reactions.add": True}}
    state = replace(state, overrides=first)
    second = changed(state, gives(Role.MEMBER, messages__send=False))
    assert second == first | {"member": {"messages.send": False}}
    state = replace(state, overrides=second)
    assert changed(state, gives(Role.GUEST, messages__send=None, reactions__add=False)) == {
        "member": {"messages.send": False}
    }
    assert changed(state, gives(Role.MEMBER, messages__send=True)) == first
    assert outcome(state, gives(Role.GUEST, messages__send=True)) == "unchanged"
    assert outcome(state, gives(Role.ADMIN, messages__send=True)) == "unchanged"


def test_in_a_channel_members_are_given_to_post_by_a_deviation() -> None:
    """There it is the default that they do not, so giving it deviates and taking it does not."""
    state = room(Role.OWNER, kind=Kind.CHANNEL)
    assert changed(state, gives(Role.MEMBER, messages__send=True)) == {"member": {"messages.send": True}}
    assert outcome(state, gives(Role.MEMBER, messages__send=False)) == "unchanged"
    assert outcome(room(Role.OWNER), gives(Role.MEMBER, messages__send=True)) == "unchanged"


@pytest.mark.parametrize(("actor", "target"), list(product(Role, Role)))
def test_permissions_are_set_for_roles_below_ones_own(actor: Role, target: Role) -> None:
    """By who may manage roles; nobody changes what their own role may do."""
    manages = actor in {Role.OWNER, Role.ADMIN}
    expected = "yes" if manages and POWER.index(target) < POWER.index(actor) else "forbidden"
    name = "messages.delete_any"
    wanted = name not in DEFAULTS[target]
    assert outcome(room(actor), SetPermissions(ACTOR, {target: {name: wanted}})) == expected


@pytest.mark.parametrize("kind", [Kind.GROUP, Kind.CHANNEL])
def test_nobody_gives_what_they_do_not_have(kind: Kind) -> None:
    """Neither by a deviation nor by taking back the one that withheld it. To take is to lose nothing oneself."""
    for permission in set(Permission) - {Permission.ROOM_VIEW}:
        by_default = permission in defaults_of(Role.MODERATOR, kind)
        withheld: Overrides = {"moderator": {permission.value: False}} if by_default else {}
        give, back, take = (gives(Role.MODERATOR, **{permission.value: wanted}) for wanted in (True, None, False))
        state = room(Role.ADMIN, kind=kind, overrides=withheld)
        has = permission in defaults_of(Role.ADMIN, kind)
        assert outcome(state, give) == ("yes" if has else "forbidden")
        assert outcome(state, back) == ("yes" if by_default else "unchanged")
        if permission is not Permission.ROLES_MANAGE:  # without that one an admin sets nothing at all
            state = replace(state, overrides=withheld | {"admin": {permission.value: False}})
            assert outcome(state, give) == "forbidden"
            assert outcome(state, back) == ("forbidden" if by_default else "unchanged")
            assert outcome(state, take) == "unchanged"
            if by_default:  # what they have anyway nobody has to give them
                state = replace(state, overrides={"admin": {permission.value: False}})
                assert outcome(state, give) == outcome(state, back) == "unchanged"


@pytest.mark.parametrize("name", ["room.view", "messages.sned", ""])
def test_what_no_room_can_give_or_take_is_refused(name: str) -> None:
    """To be a member is to see the room; and a misspelt permission is told, not stored."""
    for wanted in (True, False, None):
        assert outcome(room(Role.OWNER), SetPermissions(ACTOR, {Role.GUEST: {name: wanted}})) == "validation_failed"


def test_a_room_is_ended_by_who_may_and_only_they_hear_that_it_was() -> None:
    """Also by an admin to whom the room gives that right: the repeat of their command finds it done."""
    overrides: Overrides = {"admin": {"room.delete": True}}
    for role, expected in ((Role.OWNER, "unchanged"), (Role.ADMIN, "unchanged"), (Role.MODERATOR, "not_found")):
        state = after(room(role, overrides=overrides), DeleteRoom(USERS[Role.OWNER]), RoomDeleted())
        assert state.deleted_at == NOW
        assert outcome(state, DeleteRoom(ACTOR)) == expected
    assert outcome(room(Role.ADMIN, deleted_at=NOW), DeleteRoom(ACTOR)) == "not_found"


def test_a_room_that_is_gone_waits_for_nothing() -> None:
    """What would have ended by itself has ended with the room; who was banned is still known."""
    state = after(room(Role.OWNER), DeleteRoom(ACTOR), RoomDeleted())
    assert not state.held.mutes
    assert not state.held.invites
    assert state.held.bans
    assert state.held.pins
