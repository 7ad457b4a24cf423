"""Permissions: the whole table of roles and rights, written out by hand, and what holds for any two roles."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from msgspec.structs import replace

from justchat.rooms.permissions import (
    SPEAKING,
    Circumstances,
    Kind,
    Permission,
    Role,
    Visibility,
    defaults_of,
    may_manage,
    permissions_of,
)
from tests.rooms.matrix import table

# In groups. `read_only` is what is left to members in a room in which only moderators and above speak, `archived` what
# is left to an owner of a room that is laid up, and `muted` what is left to an owner who may not speak.
RIGHTS = """
                    owner admin moderator member guest direct read_only archived muted
room.view           yes   yes   yes       yes    yes   yes    yes       yes      yes
room.edit           yes   yes   no        no     no    no     no        yes      yes
room.delete         yes   no    no        no     no    no     no        yes      yes
members.invite      yes   yes   yes       no     no    no     no        no       yes
members.remove      yes   yes   yes       no     no    no     no        yes      yes
members.ban         yes   yes   yes       no     no    no     no        yes      yes
members.mute        yes   yes   yes       no     no    no     no        no       yes
roles.manage        yes   yes   no        no     no    no     no        yes      yes
messages.send       yes   yes   yes       yes    no    yes    no        no       no
messages.edit_own   yes   yes   yes       yes    no    yes    no        no       no
messages.delete_own yes   yes   yes       yes    no    yes    yes       no       yes
messages.delete_any yes   yes   yes       no     no    no     no        no       yes
messages.pin        yes   yes   yes       no     no    yes    no        no       no
reactions.add       yes   yes   yes       yes    no    yes    no        no       no
files.attach        yes   yes   yes       yes    no    yes    no        no       no
mentions.all        yes   yes   yes       no     no    no     no        no       no
slow_mode.bypass    yes   yes   yes       no     no    no     no        no       yes
webhooks.manage     yes   yes   no        no     no    no     no        no       yes
audit.view          yes   yes   yes       no     no    no     no        yes      yes
"""
# actor in rows, target in columns.
MANAGE = """
          owner admin moderator member guest
owner     yes   yes   yes       yes    yes
admin     no    no    yes       yes    yes
moderator no    no    no        yes    yes
member    no    no    no        no     yes
guest     no    no    no        no     no
"""
POWER = ["guest", "member", "moderator", "admin", "owner"]
ROOMS = [Circumstances(kind, visibility) for kind, visibility in product(Kind, Visibility)]


def column(name: str) -> set[str]:
    return {permission for permission, cells in table(RIGHTS).items() if cells[name] == "yes"}


def group(visibility: Visibility = Visibility.PRIVATE) -> Circumstances:
    return Circumstances(Kind.GROUP, visibility)


def test_the_table_is_complete() -> None:
    """Every permission and every role of the code stands in the table, and the other way round."""
    rows = table(RIGHTS)
    assert rows.keys() == set(Permission)
    others = {"direct", "read_only", "archived", "muted"}
    assert all(cells.keys() == set(Role) | others for cells in rows.values())


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: f"{room.kind}-{room.visibility}")
@pytest.mark.parametrize("role", Role)
def test_a_role_has_exactly_these_rights(role: Role, room: Circumstances) -> None:
    """Rights follow from the role; a channel's plain members do not post, and in a direct room both have the same."""
    expected = column("direct" if room.kind is Kind.DIRECT else role)
    if room.kind is Kind.CHANNEL and role is Role.MEMBER:
        expected -= {"messages.send"}
    assert permissions_of(role, room) == defaults_of(role, room.kind) == expected


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: f"{room.kind}-{room.visibility}")
def test_somebody_who_is_no_member_may_look_at_a_public_room_and_nothing_else(room: Circumstances) -> None:
    """A private room gives strangers no right at all, not even to know of it."""
    assert permissions_of(None, room) == ({"room.view"} if room.visibility is Visibility.PUBLIC else set())


def test_in_a_read_only_room_members_and_guests_are_silent() -> None:
    """Moderators and above speak as ever; members may still take back what they said."""
    for role, expected in {Role.MEMBER: column("read_only"), Role.GUEST: column("guest")}.items():
        assert permissions_of(role, replace(group(), read_only=True)) == expected
    for role in (Role.OWNER, Role.ADMIN, Role.MODERATOR):
        assert permissions_of(role, replace(group(), read_only=True)) == column(role)


@pytest.mark.parametrize("role", Role)
def test_in_an_archived_room_nobody_speaks(role: Role) -> None:
    """What is left is to look, to set the members right, and to take the room up again or to end it."""
    archived = replace(group(), archived=True)
    assert permissions_of(role, archived) == column("archived") & column(role)
    assert permissions_of(None, replace(archived, visibility=Visibility.PUBLIC)) == {"room.view"}


@pytest.mark.parametrize("role", Role)
def test_whoever_is_muted_has_all_rights_but_those_of_speaking(role: Role) -> None:
    """Of whatever role."""
    assert permissions_of(role, group(), muted=True) == column("muted") & column(role) == column(role) - SPEAKING


@pytest.mark.parametrize("role", [*Role, None], ids=str)
def test_whoever_is_banned_has_no_right(role: Role | None) -> None:
    """Not even to look at a public room."""
    for visibility, muted in product(Visibility, [True, False]):
        assert permissions_of(role, group(visibility), muted=muted, banned=True) == frozenset()


@pytest.mark.parametrize("permission", Permission)
def test_an_override_gives_or_takes_one_right_of_one_role(permission: Permission) -> None:
    """All other rights, and those of the other roles, are as the defaults have them."""
    for role, yes in product(Role, [True, False]):
        room = replace(group(), overrides={role.value: {permission.value: yes}})
        expected = column(role) | {permission} if yes else column(role) - {permission}
        assert permissions_of(role, room) == expected
        assert all(permissions_of(other, room) == column(other) for other in Role if other is not role)


def test_no_override_lets_the_muted_speak_or_anybody_in_a_room_that_is_laid_up_or_read_only() -> None:
    """What holds for everybody comes after what a room gives to a role."""
    everything = {permission.value: True for permission in Permission}
    room = replace(group(), overrides={role.value: everything for role in Role})
    for role in Role:
        assert permissions_of(role, room) == set(Permission)
        assert permissions_of(role, room, muted=True) == set(Permission) - SPEAKING
        assert permissions_of(role, replace(room, archived=True)) == column("archived")
        silent = role in {Role.MEMBER, Role.GUEST}
        expected = set(Permission) - SPEAKING if silent else set(Permission)
        assert permissions_of(role, replace(room, read_only=True)) == expected


def test_overrides_do_not_concern_visitors() -> None:
    """Whatever guests may do: somebody who is no member is not one."""
    room = replace(group(Visibility.PUBLIC), overrides={"guest": {"messages.send": True}})
    assert permissions_of(None, room) == {"room.view"}


def test_roles_rank_in_the_published_order() -> None:
    """owner > admin > moderator > member > guest, and no two are level."""
    assert sorted(Role, key=lambda role: role.rank) == POWER
    assert len({role.rank for role in Role}) == len(Role)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: f"{room.kind}-{room.visibility}")
def test_a_higher_role_never_lacks_a_right_of_a_lower_one(room: Circumstances) -> None:
    """Promotion takes nothing away, and joining takes nothing away from a visitor."""
    for circumstances in (room, replace(room, read_only=True), replace(room, archived=True)):
        rights = [permissions_of(role, circumstances) for role in (None, *map(Role, POWER))]
        assert all(lower <= higher for lower, higher in pairwise(rights))


@pytest.mark.parametrize("actor", Role)
@pytest.mark.parametrize("target", Role)
def test_only_those_below_may_be_managed_and_owners_by_owners(actor: Role, target: Role) -> None:
    """Equals do not manage each other, except that any owner may remove or demote another."""
    assert may_manage(actor, target) == (table(MANAGE)[actor][target] == "yes")


def test_names_on_the_wire_are_the_published_ones() -> None:
    """Roles, kinds and visibilities are stored and sent under these names."""
    assert {role.value for role in Role} == set(POWER)
    assert {kind.value for kind in Kind} == {"direct", "group", "channel"}
    assert {visibility.value for visibility in Visibility} == {"private", "public"}
