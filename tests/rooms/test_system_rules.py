"""Accounts that go, administrators who take over, and erasure: the rules, step by step."""

from __future__ import annotations

import json

import pytest
from immutables import Map
from msgspec.structs import replace

from justchat.rooms.commands import Command
from justchat.rooms.decide import decide
from justchat.rooms.items import Invite, reaction_key
from justchat.rooms.permissions import Kind, Role, Visibility
from justchat.rooms.project import is_audited
from justchat.rooms.state import RoomState
from justchat.rooms.system_commands import EndMembership, EraseMessages, EraseReaction, TakeOver
from justchat.wire.events import (
    SYSTEM,
    Event,
    InviteRevoked,
    MemberAdded,
    MemberRemoved,
    MemberRoleChanged,
    MemberUnbanned,
    MemberUnmuted,
    MessageGone,
    MessagesBulkDeleted,
    ReactionRemoved,
    RoomArchived,
    RoomDeleted,
    encode_event,
    event_name,
)
from storage.records import MemberRecord
from tests.rooms.scenes import ACTOR, BANNED, CONTEXT, MUTED, NOBODY, NOW, ROOM, THUMB, USERS, after, outcome, room
from tests.rooms.world import OWNER, CrashOnce, World, message, open_world

ADMIN = "u_server_admin"


def steps(state: RoomState, command: Command) -> list[Event]:
    """Ask over and over until nothing is left to change, and give what happened."""
    found: list[Event] = []
    while isinstance(event := decide(state, command, CONTEXT), Event):
        found.append(event)
        state = after(state, command, event)
        assert len(found) < 200
    assert outcome(state, command) == "unchanged", event
    return found


def members(state: RoomState, *roles: tuple[str, Role]) -> RoomState:
    """Give the room these members, the longest-standing first."""
    records = {user: MemberRecord(ROOM, user, role, seq, NOW) for seq, (user, role) in enumerate(roles, 1)}
    return replace(state, members=Map(records))


def group(*roles: tuple[str, Role]) -> RoomState:
    return members(room(), *roles)


# Memberships that end.


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.OWNER])
def test_a_member_who_is_not_needed_is_removed(role: Role) -> None:
    """Whatever their role: others are owners, so the room stays as it is."""
    assert steps(group(("u_1", Role.OWNER), ("u_2", role)), EndMembership(SYSTEM, "u_2")) == [MemberRemoved("u_2")]


def test_one_of_several_owners_is_removed_without_an_heir() -> None:
    """Nobody has to look for one."""
    state = group(("u_1", Role.OWNER), ("u_2", Role.OWNER))
    assert steps(state, EndMembership(SYSTEM, "u_1")) == [MemberRemoved("u_1")]


def test_the_last_owner_is_refused_until_somebody_has_looked_for_heirs() -> None:
    """A room does not know which accounts may have it, so it asks for them, and only where it needs them."""
    state = group(("u_1", Role.OWNER), ("u_2", Role.MEMBER))
    assert outcome(state, EndMembership(SYSTEM, "u_1")) == "last_owner"
    assert outcome(state, EndMembership(SYSTEM, "u_2")) == "yes"


@pytest.mark.parametrize(
    ("others", "heir"),
    [
        ([("u_2", Role.MEMBER), ("u_3", Role.ADMIN), ("u_4", Role.MODERATOR)], "u_3"),
        ([("u_2", Role.GUEST), ("u_3", Role.MEMBER), ("u_4", Role.MEMBER)], "u_3"),
        ([("u_3", Role.GUEST), ("u_2", Role.GUEST)], "u_3"),
    ],
    ids=["highest role", "longest there of the highest", "longest there"],
)
def test_a_room_passes_on_to_the_highest_of_whom_the_longest_there(others: list[tuple[str, Role]], heir: str) -> None:
    """In the order of roles first and of joining then, whatever the order in which the heirs are named."""
    state = group(("u_1", Role.OWNER), *others)
    role = dict(others)[heir]
    for heirs in (sorted(user for user, _ in others), sorted((user for user, _ in others), reverse=True)):
        found = steps(state, EndMembership(SYSTEM, "u_1", tuple(heirs)))
        assert found == [MemberRoleChanged(heir, role, Role.OWNER), MemberRemoved("u_1")]


def test_only_an_heir_inherits() -> None:
    """Whoever is not named gets nothing, nor does somebody who is named and not there."""
    state = group(("u_1", Role.OWNER), ("u_2", Role.ADMIN), ("u_3", Role.MEMBER))
    (changed, _) = steps(state, EndMembership(SYSTEM, "u_1", ("u_gone", "u_1", "u_3")))
    assert changed == MemberRoleChanged("u_3", Role.MEMBER, Role.OWNER)


def test_a_room_without_an_heir_is_left_without_an_owner() -> None:
    """There are members, but nobody who may have it: an administrator of the server can take it over."""
    state = group(("u_1", Role.OWNER), ("u_2", Role.ADMIN))
    assert steps(state, EndMembership(SYSTEM, "u_1", ())) == [MemberRemoved("u_1")]


def test_a_room_ends_with_its_last_member() -> None:
    """Whether they own it or are what is left of it; one that the server made for everybody does not."""
    for role in (Role.OWNER, Role.MEMBER):
        state = group(("u_1", role))
        assert steps(state, EndMembership(SYSTEM, "u_1")) == [RoomDeleted()]
        lobby = replace(state, created_by=SYSTEM)
        assert steps(lobby, EndMembership(SYSTEM, "u_1")) == [MemberRemoved("u_1")]


def test_what_hangs_on_a_membership_goes_with_it() -> None:
    """Invites that they made and a mute; those of others stay."""
    state = group(("u_1", Role.OWNER), ("u_2", Role.MODERATOR))
    invites = {name: Invite(name, by, 1, "member") for name, by in (("i_1", "u_2"), ("i_2", "u_2"), ("i_3", "u_1"))}
    mutes = state.held.mutes.set("u_2", state.held.mutes[MUTED])
    state = replace(state, held=replace(state.held, invites=Map(invites), mutes=mutes))
    first, *rest = steps(state, EndMembership(SYSTEM, "u_2"))
    assert first == MemberRemoved("u_2")
    assert sorted(map(event_name, rest)) == ["invite.revoked", "invite.revoked", "member.unmuted"]
    assert {event.id for event in rest if isinstance(event, InviteRevoked)} == {"i_1", "i_2"}
    assert MemberUnmuted("u_2") in rest


@pytest.mark.parametrize(("user", "lifted"), [(BANNED, MemberUnbanned(BANNED)), (MUTED, MemberUnmuted(MUTED))])
def test_what_is_held_against_an_account_ends_only_with_the_account(user: str, lifted: Event) -> None:
    """Who becomes a guest and is made a user again is banned and muted as before."""
    state = room(Role.OWNER)
    state = replace(state, members=state.members.delete(MUTED))
    assert steps(state, EndMembership(SYSTEM, user)) == [lifted]
    assert outcome(state, EndMembership(SYSTEM, user, for_good=False)) == "unchanged"


@pytest.mark.parametrize("user", [NOBODY, ACTOR])
def test_for_somebody_who_was_never_there_nothing_is_to_do(user: str) -> None:
    """Nor in a room that is deleted, whoever it was."""
    assert outcome(room(), EndMembership(SYSTEM, user, ())) == "unchanged"
    assert outcome(room(Role.OWNER, deleted_at=NOW), EndMembership(SYSTEM, user, ())) == "unchanged"
    assert outcome(None, EndMembership(SYSTEM, user, ())) == "not_found"


def test_a_direct_room_is_closed_and_its_two_stay_its_two() -> None:
    """The other one keeps what was said, and sees with whom."""
    state = members(room(kind=Kind.DIRECT), ("u_1", Role.OWNER), ("u_2", Role.MEMBER))
    assert outcome(state, EndMembership(SYSTEM, "u_1")) == "last_owner"
    assert steps(state, EndMembership(SYSTEM, "u_1", ("u_2",))) == [RoomArchived(True)]


def test_a_direct_room_of_which_both_are_gone_is_deleted() -> None:
    """Also when it was closed for the first; not while one of the two may come back."""
    state = members(room(kind=Kind.DIRECT), ("u_1", Role.OWNER), ("u_2", Role.MEMBER))
    closed = after(state, EndMembership(SYSTEM, "u_1", ("u_2",)), RoomArchived(True))
    for each in (state, closed):
        assert steps(each, EndMembership(SYSTEM, "u_2", ())) == [RoomDeleted()]
    assert steps(state, EndMembership(SYSTEM, "u_2", (), for_good=False)) == [RoomArchived(True)]


# Administrators who take over.


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.OWNER])
def test_a_member_is_raised_to_owner(role: Role) -> None:
    """By the server, and it is said for whom."""
    changed = MemberRoleChanged(ACTOR, role, Role.OWNER, ADMIN)
    assert steps(room(role), TakeOver(SYSTEM, ACTOR, ADMIN)) == [changed]


@pytest.mark.parametrize("visibility", Visibility)
def test_somebody_outside_is_let_in_as_an_owner(visibility: Visibility) -> None:
    """Into a private room like into a public one, and into one that is laid up."""
    state = room(visibility=visibility)
    added = MemberAdded(ACTOR, Role.OWNER, ADMIN)
    assert steps(state, TakeOver(SYSTEM, ACTOR, ADMIN)) == [added]
    laid_up = replace(state, settings=replace(state.settings, archived=True))
    assert steps(laid_up, TakeOver(SYSTEM, ACTOR, ADMIN)) == [added]


def test_a_ban_does_not_keep_an_administrator_out() -> None:
    """It is lifted first: a member who is banned could do nothing."""
    found = steps(room(banned=True), TakeOver(SYSTEM, ACTOR, ADMIN))
    assert found == [MemberUnbanned(ACTOR, ADMIN), MemberAdded(ACTOR, Role.OWNER, ADMIN)]


def test_there_is_nothing_to_take_over_from_two_people_or_of_a_deleted_room() -> None:
    """Direct rooms belong to their two alone."""
    assert outcome(room(kind=Kind.DIRECT), TakeOver(SYSTEM, ACTOR, ADMIN)) == "conflict"
    assert outcome(room(deleted_at=NOW), TakeOver(SYSTEM, ACTOR, ADMIN)) == "not_found"
    assert outcome(None, TakeOver(SYSTEM, ACTOR, ADMIN)) == "not_found"
    assert outcome(room(Role.OWNER), TakeOver(SYSTEM, ACTOR, ADMIN)) == "unchanged"


def test_a_takeover_is_in_the_audit_log_with_the_administrator() -> None:
    """Whatever its step was; events of others say nothing of anybody."""
    for event in (
        MemberAdded(ACTOR, "owner", ADMIN),
        MemberRoleChanged(ACTOR, "member", "owner", ADMIN),
        MemberUnbanned(ACTOR, ADMIN),
    ):
        assert is_audited(event)
        assert json.loads(encode_event(event, room=ROOM, seq=1, ts=NOW, actor=SYSTEM))["data"]["by"] == ADMIN
        plain = replace(event, by=None)
        assert "by" not in json.loads(encode_event(plain, room=ROOM, seq=1, ts=NOW, actor=SYSTEM))["data"]


# Erasure.


@pytest.mark.parametrize("deleted_at", [None, NOW])
def test_the_messages_of_one_author_become_tombstones(deleted_at: int | None) -> None:
    """Those that are there and still say something, also in a room that is deleted; of others none."""
    state = room(Role.MEMBER, deleted_at=deleted_at)
    names = ("m_own", "m_other", "m_own_gone", "m_unknown", "m_own")
    (event,) = steps(state, EraseMessages(SYSTEM, ACTOR, names))
    assert event == MessagesBulkDeleted((MessageGone("m_own", 2, 1),))
    (event,) = steps(state, EraseMessages(SYSTEM, USERS[Role.MEMBER], ("m_reply", *names)))
    assert event == MessagesBulkDeleted((MessageGone("m_reply", 6, 5, "m_other"), MessageGone("m_other", 3, 2)))


@pytest.mark.parametrize("deleted_at", [None, NOW])
def test_a_reaction_is_taken_back_for_somebody(deleted_at: int | None) -> None:
    """Once, in the name of who made it; where there is none nothing happens."""
    state = room(deleted_at=deleted_at)
    erase = EraseReaction(SYSTEM, ACTOR, "m_other", THUMB)
    assert steps(state, erase) == [ReactionRemoved("m_other", 3, ACTOR, THUMB)]
    assert outcome(state, replace(erase, message="m_own")) == "unchanged"
    assert outcome(state, replace(erase, message="m_unknown")) == "unchanged"
    gone = replace(state, reacted=Map({reaction_key("m_other_gone", THUMB, ACTOR): True}))
    assert outcome(gone, replace(erase, message="m_other_gone")) == "unchanged"


@pytest.mark.parametrize(
    "command",
    [
        EndMembership(OWNER, "u_2"),
        TakeOver(OWNER, OWNER, OWNER),
        EraseMessages(OWNER, OWNER, ()),
        EraseReaction(OWNER, OWNER, "m_2", "👍"),
    ],
    ids=lambda command: type(command).__name__,
)
async def test_nobody_but_the_server_asks_for_any_of_it(command: Command, autojump_clock: object) -> None:
    """Not even a room's owner; a stranger hears what strangers hear."""
    async with open_world() as world:
        await world.create("u_2")
        await world.do(message("hello"))
        assert await world.refusal(command) == "forbidden"
        assert await world.refusal(replace(command, actor="u_stranger")) == "not_found"
        assert await world.history() == ["room.created", "message.created"]


# On real rooms.


async def events_of(world: World) -> list[tuple[str, str]]:
    entries = await world.journal.read("r_1", after=0, limit=1000)
    return [(entry.type, entry.actor) for entry in entries]


async def test_everybody_hears_who_went_and_whose_the_room_is_now(autojump_clock: object) -> None:
    """As ordinary events of the server; the one who went hears of nothing later than that."""
    async with open_world() as world:
        await world.create("u_2", "u_3")
        _, sink = await world.attach("u_2")
        _, own = await world.attach(OWNER)
        while (await world.do(EndMembership(SYSTEM, OWNER, ("u_3", "u_2")))).changed:
            pass
        await world.do(message("and on", actor="u_2"))
        assert [frame["type"] for frame in sink.frames[1:]] == [
            "member.role_changed", "member.removed", "message.created",
        ]  # fmt: skip
        assert own.frames[-1]["type"] == "member.removed"
        assert own.cuts == [("removed", 3)]
        assert {actor for kind, actor in (await events_of(world))[1:3]} == {SYSTEM}
        page = await world.directory.members("r_1", cursor=None, limit=9)
        assert {member.user: member.role for member in page.items} == {"u_2": "owner", "u_3": "member"}


@pytest.mark.parametrize("point", ["before_commit", "after_commit", "before_fan_out", "after_fan_out"])
async def test_a_step_that_was_cut_off_is_taken_once(autojump_clock: object, point: str) -> None:
    """The room crashes around each commit: what comes of it is the same, and every step is there once."""
    crash = CrashOnce(point)
    async with open_world(fault=crash) as world:
        await world.create("u_2")
        for _ in range(4):
            crash.armed = True
            await world.do(EndMembership(SYSTEM, OWNER, ("u_2",)))
        assert await world.history() == ["room.created", "member.role_changed", "member.removed"]
        assert world.restarts() >= 1
