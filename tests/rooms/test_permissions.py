"""Permissions: the whole table of roles and rights, written out by hand, and what holds for any two roles."""

from __future__ import annotations

from itertools import pairwise

import pytest

from justchat.rooms.permissions import Kind, Permission, Role, Visibility, may_manage, permissions_of
from tests.rooms.matrix import table

# In groups.
RIGHTS = """
                    owner admin moderator member guest
room.view           yes   yes   yes       yes    yes
room.edit           yes   yes   no        no     no
room.delete         yes   no    no        no     no
members.invite      yes   yes   yes       no     no
members.remove      yes   yes   yes       no     no
roles.manage        yes   yes   no        no     no
messages.send       yes   yes   yes       yes    no
messages.delete_own yes   yes   yes       yes    no
messages.delete_any yes   yes   yes       no     no
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


def test_the_table_is_complete() -> None:
    """Every permission and every role of the code stands in the table, and the other way round."""
    rows = table(RIGHTS)
    assert rows.keys() == set(Permission)
    assert all(cells.keys() == set(Role) for cells in rows.values())


@pytest.mark.parametrize("visibility", Visibility)
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("role", Role)
def test_a_role_has_exactly_these_rights(role: Role, kind: Kind, visibility: Visibility) -> None:
    """Rights follow from the role; a channel's plain members do not post, and in a direct room nobody moderates."""
    expected = {permission for permission, cells in table(RIGHTS).items() if cells[role] == "yes"}
    if kind is Kind.CHANNEL and role is Role.MEMBER:
        expected -= {"messages.send"}
    if kind is Kind.DIRECT:
        expected -= {"messages.delete_any"}
    assert permissions_of(role, kind=kind, visibility=visibility) == expected


@pytest.mark.parametrize("kind", Kind)
def test_somebody_who_is_no_member_may_look_at_a_public_room_and_nothing_else(kind: Kind) -> None:
    """A private room gives strangers no right at all, not even to know of it."""
    assert permissions_of(None, kind=kind, visibility=Visibility.PUBLIC) == {"room.view"}
    assert permissions_of(None, kind=kind, visibility=Visibility.PRIVATE) == set()


def test_roles_rank_in_the_published_order() -> None:
    """owner > admin > moderator > member > guest, and no two are level."""
    assert sorted(Role, key=lambda role: role.rank) == POWER
    assert len({role.rank for role in Role}) == len(Role)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("visibility", Visibility)
def test_a_higher_role_never_lacks_a_right_of_a_lower_one(kind: Kind, visibility: Visibility) -> None:
    """Promotion takes nothing away, and joining takes nothing away from a visitor."""
    rights = [permissions_of(role, kind=kind, visibility=visibility) for role in (None, *map(Role, POWER))]
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
