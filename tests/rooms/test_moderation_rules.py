"""Bans and mutes: who may lay hands on whom, the owners above all, and what ends by itself."""

from __future__ import annotations

from itertools import product

import pytest
from immutables import Map
from msgspec.structs import replace

from justchat.rooms.commands import BanMember, MuteMember, PostMessage, RevokeInvite, UnbanMember, UnmuteMember
from justchat.rooms.decide import Context, decide
from justchat.rooms.items import Ban, Mute
from justchat.rooms.permissions import Role
from justchat.rooms.rules import moderation_rules
from justchat.rooms.state import RoomState
from justchat.wire.errors import Refusal
from justchat.wire.events import SYSTEM, MemberBanned, MemberMuted, MemberUnmuted
from tests.rooms.matrix import table
from tests.rooms.scenes import ACTOR, BANNED, CONTEXT, MUTED, NOBODY, NOW, USERS, after, outcome, room
from tests.rooms.test_permissions import MANAGE

END = NOW + 60_000
END_TEXT = "2026-01-31T09:31:00.123Z"


def at(now: int) -> Context:
    return replace(CONTEXT, now=now)


def with_mute(until: int | None, user: str = MUTED, state: RoomState | None = None) -> RoomState:
    state = state or room(Role.MODERATOR)
    return replace(state, held=replace(state.held, mutes=Map({user: Mute(user, "u_admin", 0, until)})))


@pytest.mark.parametrize(("actor", "target"), list(product(Role, Role)))
def test_only_those_below_are_banned_muted_and_unmuted(actor: Role, target: Role) -> None:
    """The same order of power as for removing; without the permission nobody, whatever their rank."""
    moderates = actor in {Role.OWNER, Role.ADMIN, Role.MODERATOR}
    allowed = "yes" if moderates and table(MANAGE)[actor][target] == "yes" else "forbidden"
    user = USERS[target]
    state = room(actor)
    assert outcome(state, BanMember(ACTOR, user)) == allowed
    assert outcome(state, MuteMember(ACTOR, user)) == allowed
    assert outcome(with_mute(None, user, state), UnmuteMember(ACTOR, user)) == allowed


def test_the_last_owner_is_not_banned() -> None:
    """By a second owner either can be, and then there is one whom nobody can touch."""
    state = room(Role.OWNER)
    command = BanMember(ACTOR, USERS[Role.OWNER])
    event = decide(state, command, CONTEXT)
    assert event == MemberBanned(USERS[Role.OWNER])
    state = after(state, command, MemberBanned(USERS[Role.OWNER]))
    assert (state.owners(), USERS[Role.OWNER] in state.members) == (1, False)
    for actor in (*USERS.values(), NOBODY, SYSTEM):
        assert outcome(state, BanMember(actor, ACTOR)) != "yes"
    assert outcome(state, BanMember(SYSTEM, ACTOR)) == "last_owner"


def test_a_ban_ends_a_membership_and_is_remembered_with_its_reason() -> None:
    """Whoever is no member can be kept out as well."""
    state = room(Role.MODERATOR)
    for user in (USERS[Role.GUEST], NOBODY):
        state = after(state, BanMember(ACTOR, user, "spam"), MemberBanned(user, "spam"))
        assert user not in state.members
        assert state.held.bans[user] == Ban(user, ACTOR, NOW, "spam")
    assert outcome(state, BanMember(ACTOR, NOBODY, "another reason")) == "unchanged"
    assert outcome(state, UnbanMember(ACTOR, NOBODY)) == "yes"


def test_a_room_has_no_more_bans_than_its_state_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are there are still found there."""
    monkeypatch.setattr(moderation_rules, "BANS_MAX", 1)
    state = room(Role.MODERATOR)
    assert outcome(state, BanMember(ACTOR, NOBODY)) == "conflict"
    assert outcome(state, BanMember(ACTOR, BANNED)) == "unchanged"


def test_a_mute_is_changed_by_another_end_only() -> None:
    """A repeat changes nothing, also when it comes after the end that it asked for."""
    state = room(Role.MODERATOR)
    command = MuteMember(ACTOR, USERS[Role.MEMBER], END, "spam")
    event = decide(state, command, CONTEXT)
    assert event == MemberMuted(USERS[Role.MEMBER], END_TEXT, "spam")
    state = after(state, command, MemberMuted(USERS[Role.MEMBER], END_TEXT, "spam"))
    assert state.held.mutes[USERS[Role.MEMBER]] == Mute(USERS[Role.MEMBER], ACTOR, NOW, END, "spam")
    assert outcome(state, command, at(END + 1)) == "unchanged"
    assert outcome(state, replace(command, reason="another")) == "unchanged"
    assert outcome(state, replace(command, until=END + 1)) == "yes"
    assert decide(state, replace(command, until=None), CONTEXT) == MemberMuted(USERS[Role.MEMBER], None, "spam")


@pytest.mark.parametrize(("until", "now", "expected"), [
    (END, END - 1, "unchanged"), (END, END, "yes"), (END, END + 1, "yes"), (None, 2 * END, "unchanged"),
])  # fmt: skip
def test_a_mute_ends_by_itself_when_its_time_is_over(until: int | None, now: int, expected: str) -> None:
    """Not before, and one without an end never; until its end is written down the user has no voice."""
    state = with_mute(until)
    assert outcome(state, UnmuteMember(SYSTEM, MUTED), at(now)) == expected
    assert outcome(state, PostMessage(MUTED, "1", "words", b"d"), at(now)) == "muted"
    voiced = after(state, UnmuteMember(SYSTEM, MUTED), MemberUnmuted(MUTED))
    assert outcome(voiced, PostMessage(MUTED, "1", "words", b"d"), at(now)) == "yes"


def test_the_muted_hear_until_when() -> None:
    """The refusal says what a client can show."""
    refusal = decide(with_mute(END), PostMessage(MUTED, "1", "words", b"d"), CONTEXT)
    assert isinstance(refusal, Refusal)
    assert refusal.detail.endswith(END_TEXT)


def test_a_voice_is_given_back_to_who_has_left() -> None:
    """Mutes outlive memberships, so they can be lifted without one."""
    assert decide(with_mute(None, NOBODY), UnmuteMember(ACTOR, NOBODY), CONTEXT) == MemberUnmuted(NOBODY)


def test_what_is_due_in_a_room_that_is_gone_finds_none() -> None:
    """The answer to the system is the one that everybody gets."""
    state = replace(with_mute(0), deleted_at=NOW)
    assert outcome(state, UnmuteMember(SYSTEM, MUTED)) == outcome(state, RevokeInvite(SYSTEM, "i_open")) == "not_found"
    assert outcome(None, UnmuteMember(SYSTEM, MUTED)) == "not_found"
