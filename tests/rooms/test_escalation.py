"""Power in a room: nobody grants, changes or removes above themselves, and a room never loses its last owner."""

from __future__ import annotations

from itertools import product

import pytest
from msgspec.structs import replace

from justchat.rooms.commands import (
    AddMember,
    BanMember,
    CreateInvite,
    JoinRoom,
    LeaveRoom,
    MuteMember,
    RemoveMember,
    SetPermissions,
    SetRole,
)
from justchat.rooms.decide import decide
from justchat.rooms.permissions import Kind, Permission, Role, Visibility
from justchat.wire.events import Event, MemberAdded, MemberJoined, MemberRemoved, MemberRoleChanged
from tests.rooms.matrix import table
from tests.rooms.scenes import ACTOR, CONTEXT, NOBODY, USERS, after, outcome, room

POWER = ["guest", "member", "moderator", "admin", "owner"]

# The role that another member has in rows, the role they are to get in columns. Only owners and admins manage roles.
BY_OWNER = """
          owner     admin     moderator member    guest
owner     unchanged yes       yes       yes       yes
admin     yes       unchanged yes       yes       yes
moderator yes       yes       unchanged yes       yes
member    yes       yes       yes       unchanged yes
guest     yes       yes       yes       yes       unchanged
"""
BY_ADMIN = """
          owner     admin     moderator member    guest
owner     forbidden forbidden forbidden forbidden forbidden
admin     forbidden unchanged forbidden forbidden forbidden
moderator forbidden yes       unchanged yes       yes
member    forbidden yes       yes       unchanged yes
guest     forbidden yes       yes       yes       unchanged
"""
# The actor's own role in rows, the role they give themselves in columns; there is another owner. What one is already is
# no change, also for those who may not give roles.
OWN_ROLE = """
          owner     admin     moderator member    guest
owner     unchanged yes       yes       yes       yes
admin     forbidden unchanged yes       yes       yes
moderator forbidden forbidden unchanged forbidden forbidden
member    forbidden forbidden forbidden unchanged forbidden
guest     forbidden forbidden forbidden forbidden unchanged
"""
ROLES = {Role.OWNER: BY_OWNER, Role.ADMIN: BY_ADMIN}


@pytest.mark.parametrize(("actor", "kind"), list(product(Role, [Kind.GROUP, Kind.CHANNEL])))
def test_a_role_is_given_as_the_table_has_it(actor: Role, kind: Kind) -> None:
    """The whole cube of who, whom and what."""
    for target, new in product(Role, Role):
        expected = table(ROLES[actor])[target][new] if actor in ROLES else "forbidden"
        assert outcome(room(actor, kind=kind), SetRole(ACTOR, USERS[target], new)) == expected, (target, new)


@pytest.mark.parametrize("own", Role)
def test_an_own_role_is_given_as_the_table_has_it(own: Role) -> None:
    """One may step down, never up."""
    for new in Role:
        assert outcome(room(own), SetRole(ACTOR, ACTOR, new)) == table(OWN_ROLE)[own][new], new


@pytest.mark.parametrize("new", Role)
def test_somebody_outside_gives_and_has_no_role(new: Role) -> None:
    """Who is no member gives no role, and who is no member gets none by a change."""
    assert outcome(room(visibility=Visibility.PUBLIC), SetRole(ACTOR, USERS[Role.GUEST], new)) == "not_a_member"
    assert outcome(room(), SetRole(ACTOR, USERS[Role.GUEST], new)) == "not_found"
    assert outcome(room(Role.OWNER), SetRole(ACTOR, NOBODY, new)) == "not_found"


@pytest.mark.parametrize("new", [role for role in Role if role is not Role.OWNER])
def test_the_last_owner_does_not_step_down(new: Role) -> None:
    """Alone or among others, by their own hand or not: somebody else has to be an owner first."""
    alone = room(Role.OWNER, others=False)
    assert outcome(alone, SetRole(ACTOR, ACTOR, new)) == "last_owner"
    state = room(Role.OWNER)
    state = replace(state, members=state.members.delete(USERS[Role.OWNER]))
    assert outcome(state, SetRole(ACTOR, ACTOR, new)) == "last_owner"
    assert outcome(state, SetRole(ACTOR, ACTOR, Role.OWNER)) == "unchanged"


@pytest.mark.parametrize(("actor", "target"), list(product(Role, Role)))
def test_a_granted_role_is_never_above_the_giver(actor: Role, target: Role) -> None:
    """By adding or by changing, in any kind of room: what is given is at most what the giver has."""
    for kind, visibility, new in product(Kind, Visibility, Role):
        state = room(actor, kind=kind, visibility=visibility)
        for command in (AddMember(ACTOR, NOBODY, new), SetRole(ACTOR, USERS[target], new), SetRole(ACTOR, ACTOR, new)):
            event = decide(state, command, CONTEXT)
            if isinstance(event, MemberAdded | MemberRoleChanged):
                given = event.role if isinstance(event, MemberAdded) else event.new
                assert POWER.index(given) <= POWER.index(actor)


@pytest.mark.parametrize(("actor", "target"), list(product(Role, Role)))
def test_nobody_of_the_same_height_or_above_is_changed_or_removed(actor: Role, target: Role) -> None:
    """Only those strictly below can be touched; owners, who have nobody above, may touch each other."""
    if POWER.index(target) < POWER.index(actor) or actor is target is Role.OWNER:
        return
    for kind, visibility in product(Kind, Visibility):
        state = room(actor, kind=kind, visibility=visibility)
        assert not isinstance(decide(state, RemoveMember(ACTOR, USERS[target]), CONTEXT), Event)
        for new in Role:
            assert not isinstance(decide(state, SetRole(ACTOR, USERS[target], new), CONTEXT), Event)


@pytest.mark.parametrize(("actor", "target"), list(product(Role, Role)))
def test_no_right_that_a_room_gives_to_a_role_raises_its_rank(actor: Role, target: Role) -> None:
    """With every permission there is: what is given is at most the own role, and only those below are touched."""
    everything = {permission.value: True for permission in Permission}
    state = room(actor, overrides={role.value: everything for role in Role})
    below = POWER.index(target) < POWER.index(actor) or actor is target is Role.OWNER
    for command in (
        RemoveMember(ACTOR, USERS[target]),
        BanMember(ACTOR, USERS[target]),
        MuteMember(ACTOR, USERS[target]),
    ):
        assert isinstance(decide(state, command, CONTEXT), Event) == below
    for new in Role:
        above = POWER.index(new) > POWER.index(actor)
        for giving in (AddMember(ACTOR, NOBODY, new), CreateInvite(ACTOR, "i_new", new)):
            assert outcome(state, giving) == ("forbidden" if above else "yes")
        changed = isinstance(decide(state, SetRole(ACTOR, USERS[target], new), CONTEXT), Event)
        assert changed == (below and not above and new is not target)
    deviation = SetPermissions(ACTOR, {target: {"audit.view": False}})
    assert isinstance(decide(state, deviation, CONTEXT), Event) == (below and actor is not target)


@pytest.mark.parametrize("visibility", Visibility)
@pytest.mark.parametrize("kind", Kind)
def test_somebody_outside_touches_nobody(kind: Kind, visibility: Visibility) -> None:
    """A visitor can at most join, as a plain member."""
    state = room(kind=kind, visibility=visibility)
    for user, role in product([*USERS.values(), ACTOR, NOBODY], Role):
        for command in (AddMember(ACTOR, user, role), SetRole(ACTOR, user, role), RemoveMember(ACTOR, user)):
            assert not isinstance(decide(state, command, CONTEXT), Event)
    joined = decide(state, JoinRoom(ACTOR), CONTEXT)
    assert not isinstance(joined, MemberJoined) or joined.role == "member"


@pytest.mark.parametrize("kind", [Kind.GROUP, Kind.CHANNEL])
def test_owners_can_remove_each_other_down_to_one(kind: Kind) -> None:
    """The one who is left can neither go nor be sent away."""
    state = room(Role.OWNER, kind=kind)
    command = RemoveMember(ACTOR, USERS[Role.OWNER])
    event = decide(state, command, CONTEXT)
    assert event == MemberRemoved(USERS[Role.OWNER])
    state = after(state, command, MemberRemoved(USERS[Role.OWNER]))
    assert state.owners() == 1
    assert outcome(state, LeaveRoom(ACTOR)) == outcome(state, RemoveMember(ACTOR, ACTOR)) == "last_owner"
    assert outcome(state, RemoveMember(USERS[Role.ADMIN], ACTOR)) == "forbidden"


@pytest.mark.parametrize("new", Role)
@pytest.mark.parametrize("own", [Role.OWNER, Role.ADMIN])
def test_a_role_given_to_oneself_is_found_given_when_asked_again(own: Role, new: Role) -> None:
    """Stepping down, decided again after a crash, is done already, although the right to do it is gone."""
    state, command = room(own), SetRole(ACTOR, ACTOR, new)
    event = decide(state, command, CONTEXT)
    if not isinstance(event, MemberRoleChanged):
        assert table(OWN_ROLE)[own][new] != "yes"
        return
    assert outcome(after(state, command, event), command) == "unchanged"


@pytest.mark.parametrize(("target", "new"), list(product(Role, Role)))
@pytest.mark.parametrize("own", [Role.OWNER, Role.ADMIN])
def test_a_role_given_to_another_is_found_given_when_asked_again(own: Role, target: Role, new: Role) -> None:
    """A change decided again finds nothing left to change, also where the target now stands level with the giver."""
    state, command = room(own), SetRole(ACTOR, USERS[target], new)
    event = decide(state, command, CONTEXT)
    if isinstance(event, MemberRoleChanged):
        assert event == MemberRoleChanged(USERS[target], target, new)
        assert outcome(after(state, command, event), command) == "unchanged"
    else:
        assert table(ROLES[own])[target][new] != "yes"
