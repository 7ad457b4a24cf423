"""Coming in and looking back: invites open, over and used up, bans, laid-up rooms, and history from a point on."""

from __future__ import annotations

import pytest
from immutables import Map
from msgspec.structs import replace

from justchat.rooms.commands import (
    AddMember,
    BulkDelete,
    Command,
    CreateInvite,
    DeleteMessage,
    EditMessage,
    ExpireMessage,
    JoinRoom,
    LeaveRoom,
    PinMessage,
    PostMessage,
    React,
    RemoveMember,
    RevokeInvite,
    SetRole,
    Unreact,
)
from justchat.rooms.decide import Context, decide
from justchat.rooms.evolve import evolve
from justchat.rooms.items import Ban, Invite
from justchat.rooms.permissions import Kind, Role, Visibility
from justchat.rooms.rules.moderation_rules import INVITES_MAX
from justchat.rooms.state import RoomState, Stamp
from justchat.wire.events import (
    SYSTEM,
    InviteCreated,
    InviteRevoked,
    MemberAdded,
    MemberJoined,
    RoomSettings,
)
from storage.records import MemberRecord
from tests.rooms.scenes import ACTOR, BANNED, CONTEXT, NOBODY, NOW, ROOM, THUMB, USERS, outcome, room

NEWCOMERS = ["u_1", "u_2", "u_3"]
SINCE_JOIN = RoomSettings(history_visibility="since_join")
ARCHIVED = RoomSettings(archived=True)


def at(now: int) -> Context:
    return replace(CONTEXT, now=now)


def with_invite(invite: Invite, state: RoomState | None = None) -> RoomState:
    state = state or room(Role.MODERATOR)
    return replace(state, held=replace(state.held, invites=Map({invite.id: invite})))


def joined(state: RoomState, user: str, invite: str) -> RoomState:
    event = decide(state, JoinRoom(user, invite), CONTEXT)
    assert isinstance(event, MemberJoined)
    return evolve(state, event, Stamp(ROOM, state.head_seq + 1, NOW, user))


def test_an_invite_lets_in_as_many_as_it_says_and_counts_them() -> None:
    """Who is in already uses nothing up; the one too many hears no more than of an invite that never was."""
    state = with_invite(Invite("i_1", ACTOR, NOW, "guest", None, 2))
    assert outcome(state, JoinRoom(ACTOR, "i_1")) == "unchanged"
    for uses, user in enumerate(NEWCOMERS[:2], 1):
        state = joined(state, user, "i_1")
        assert (state.held.invites["i_1"].uses, state.role_of(user)) == (uses, Role.GUEST)
    assert decide(state, JoinRoom(NEWCOMERS[2], "i_1"), CONTEXT) == decide(state, JoinRoom("u_3", "i_none"), CONTEXT)
    assert outcome(state, JoinRoom(NEWCOMERS[0], "i_1")) == "unchanged"


def test_whoever_left_needs_a_place_of_the_invite_again() -> None:
    """Uses count who came in by it, not who is there."""
    state = joined(with_invite(Invite("i_1", ACTOR, NOW, "member", None, 1)), "u_1", "i_1")
    state = replace(state, members=state.members.delete("u_1"))
    assert outcome(state, JoinRoom("u_1", "i_1")) == "not_found"


@pytest.mark.parametrize(("now", "expected"), [(NOW - 1, "yes"), (NOW, "not_found"), (NOW + 1, "not_found")])
def test_an_invite_is_open_until_its_time(now: int, expected: str) -> None:
    """At that very moment it is over, whether or not its end was written down yet."""
    state = with_invite(Invite("i_1", ACTOR, 0, "member", NOW))
    assert outcome(state, JoinRoom(NOBODY, "i_1"), at(now)) == expected
    by_itself = "yes" if expected == "not_found" else "unchanged"
    assert outcome(state, RevokeInvite(SYSTEM, "i_1"), at(now)) == by_itself


def test_an_invite_without_an_end_does_not_end_by_itself() -> None:
    """Only who may revoke it closes it."""
    state = with_invite(Invite("i_1", ACTOR, 0, "member"))
    assert outcome(state, RevokeInvite(SYSTEM, "i_1"), at(2 * NOW)) == "unchanged"
    assert decide(state, RevokeInvite(ACTOR, "i_1"), CONTEXT) == InviteRevoked("i_1")


@pytest.mark.parametrize("visibility", Visibility)
def test_no_invite_and_no_public_room_lets_in_who_is_banned(visibility: Visibility) -> None:
    """They are not added either; whoever holds an open invite hears why."""
    state = room(Role.OWNER, visibility=visibility)
    assert outcome(state, JoinRoom(BANNED, "i_open")) == "banned"
    assert outcome(state, JoinRoom(BANNED)) == ("banned" if visibility is Visibility.PUBLIC else "not_found")
    assert outcome(state, AddMember(ACTOR, BANNED)) == "conflict"


def test_a_room_that_is_laid_up_takes_nobody_in() -> None:
    """Neither the public nor the invited, nor by anybody's hand; who is in may go or be sent."""
    state = room(Role.OWNER, visibility=Visibility.PUBLIC, settings=ARCHIVED)
    assert outcome(state, JoinRoom(NOBODY)) == outcome(state, JoinRoom(NOBODY, "i_open")) == "conflict"
    assert outcome(state, AddMember(ACTOR, NOBODY)) == "forbidden"
    assert outcome(state, RemoveMember(ACTOR, USERS[Role.GUEST])) == "yes"
    assert outcome(state, LeaveRoom(USERS[Role.GUEST])) == "yes"


@pytest.mark.parametrize("present", [INVITES_MAX - 1, INVITES_MAX])
def test_a_room_has_no_more_invites_than_its_state_can_hold(present: int) -> None:
    """Those that are there are still found there."""
    state = room(Role.MODERATOR)
    invites = Map({f"i_{number}": Invite(f"i_{number}", ACTOR, NOW, "member") for number in range(present)})
    state = replace(state, held=replace(state.held, invites=invites))
    assert outcome(state, CreateInvite(ACTOR, "i_new")) == ("conflict" if present == INVITES_MAX else "yes")
    assert outcome(state, CreateInvite(ACTOR, "i_0")) == "unchanged"


def test_an_invite_says_who_made_it_when_and_what_it_gives() -> None:
    """Everything that it needs to decide about somebody later is in the event and its stamp."""
    state = room(Role.ADMIN)
    event = decide(state, CreateInvite(ACTOR, "i_new", Role.GUEST, NOW + 1, 5), CONTEXT)
    assert event == InviteCreated("i_new", "guest", "2026-01-31T09:30:00.124Z", 5)
    state = evolve(state, event, Stamp(ROOM, 11, NOW, ACTOR))
    assert state.held.invites["i_new"] == Invite("i_new", ACTOR, NOW, "guest", NOW + 1, 5)


@pytest.mark.parametrize("target", Role)
@pytest.mark.parametrize("actor", Role)
def test_an_invite_gives_no_more_than_adding_would(actor: Role, target: Role) -> None:
    """Whoever may not add somebody with a role may not invite them to it, and the other way round."""
    for kind in (Kind.GROUP, Kind.CHANNEL):
        state = room(actor, kind=kind)
        added = decide(state, AddMember(ACTOR, NOBODY, target), CONTEXT)
        invited = decide(state, CreateInvite(ACTOR, "i_new", target), CONTEXT)
        assert isinstance(added, MemberAdded) == isinstance(invited, InviteCreated)
        assert isinstance(added, MemberAdded) or added == invited


STANDING: list[tuple[Role | None, str, str | None]] = [
    (Role.OWNER, "admin", "admin"),
    (Role.ADMIN, "admin", "admin"),
    (Role.ADMIN, "owner", "member"),
    (Role.MODERATOR, "admin", "member"),
    (Role.MODERATOR, "moderator", "member"),
    (Role.MODERATOR, "member", "member"),
    (Role.MODERATOR, "guest", "guest"),
    (Role.MEMBER, "member", None),
    (Role.GUEST, "guest", None),
    (None, "member", None),
]


@pytest.mark.parametrize(("maker", "role", "given"), STANDING)
def test_an_invite_gives_no_more_than_its_maker_could_give_now(
    maker: Role | None, role: str, given: str | None
) -> None:
    """Whoever was an admin when they made it: at most a member comes of it, and nobody once they may not invite."""
    state = with_invite(Invite("i_1", ACTOR, NOW, role), room(maker))
    decision = decide(state, JoinRoom("u_1", "i_1"), CONTEXT)
    if given is None:
        assert decision == decide(state, JoinRoom("u_1", "i_none"), CONTEXT)
    else:
        assert decision == MemberJoined("u_1", given, "i_1")


def test_an_invite_of_somebody_banned_lets_nobody_in() -> None:
    """Whom a room keeps out brings nobody in either; lifting the ban does not help, being let in again does."""
    state = with_invite(Invite("i_1", BANNED, NOW, "member"))
    assert BANNED in state.held.bans
    assert outcome(state, JoinRoom("u_1", "i_1")) == "not_found"


def test_the_system_neither_sends_nor_brings_anybody() -> None:
    """It has no rank that could be above or below anybody's."""
    state = room(Role.OWNER)
    for command in (
        RemoveMember(SYSTEM, USERS[Role.GUEST]),
        AddMember(SYSTEM, NOBODY),
        CreateInvite(SYSTEM, "i_new"),
        SetRole(SYSTEM, USERS[Role.GUEST], Role.MEMBER),
    ):
        assert outcome(state, command) == "forbidden"


def test_muting_outlives_a_membership() -> None:
    """Whoever goes and comes back has no voice, as before."""
    state = room(Role.MEMBER, visibility=Visibility.PUBLIC, muted=True)
    for command in (LeaveRoom(ACTOR), JoinRoom(ACTOR)):
        event = decide(state, command, CONTEXT)
        state = evolve(state, event, Stamp(ROOM, state.head_seq + 1, NOW, ACTOR))  # type: ignore[arg-type]
    assert ACTOR in state.members
    assert outcome(state, PostMessage(ACTOR, "new", "words", b"d")) == "muted"


def since_join(joined_seq: int, *, floor_seq: int = 0, role: Role = Role.MODERATOR) -> RoomState:
    """Make a room whose actor became a member at this seq, with messages at the seqs 2 to 7."""
    state = room(role, settings=SINCE_JOIN)
    member = MemberRecord(ROOM, ACTOR, role.value, joined_seq, 1_000)
    return replace(state, members=state.members.set(ACTOR, member), held=replace(state.held, floor_seq=floor_seq))


@pytest.mark.parametrize(("joined_seq", "floor_seq", "floor"), [(1, 0, 0), (5, 0, 4), (5, 2, 4), (5, 7, 7)])
def test_members_look_back_to_where_they_came_in(joined_seq: int, floor_seq: int, floor: int) -> None:
    """Their own coming is the first that they see; what is trimmed nobody sees."""
    assert since_join(joined_seq, floor_seq=floor_seq).floor_of(ACTOR) == floor


def test_who_is_no_member_sees_nothing_of_such_a_history() -> None:
    """In a room with shared history they see what is kept."""
    state = replace(since_join(5), visibility=Visibility.PUBLIC)
    assert state.floor_of(NOBODY) == state.head_seq
    shared = room(visibility=Visibility.PUBLIC)
    assert shared.floor_of(NOBODY) == 0
    assert replace(shared, held=replace(shared.held, floor_seq=3)).floor_of(NOBODY) == 3


def about(message: str) -> list[Command]:
    """Give everything that can be done to a message or with regard to it."""
    return [
        PostMessage(ACTOR, "new", "words", b"d", reply_to=message),
        PostMessage(ACTOR, "new", "words", b"d", thread_root=message),
        EditMessage(ACTOR, message, "new words"),
        DeleteMessage(ACTOR, message),
        BulkDelete(ACTOR, ("m_pinned", message)),
        React(ACTOR, message, THUMB),
        Unreact(ACTOR, message, THUMB),
        PinMessage(ACTOR, message),
    ]


@pytest.mark.parametrize("message", ["m_own", "m_other", "m_own_gone", "m_other_gone", "m_reply", "m_pinned"])
@pytest.mark.parametrize("trimmed", [True, False])
def test_a_message_below_the_floor_is_not_there(message: str, trimmed: bool) -> None:
    """Of what is above it everything is decided as ever; what is at or below it cannot be told from what never was."""
    state = since_join(1, floor_seq=5) if trimmed else since_join(6)
    seq = state.loaded[message].seq
    for command in about(message):
        hidden = outcome(state, command) == "not_found"
        assert hidden == (seq <= 5), command


def test_whoever_comes_back_sees_from_there() -> None:
    """A second membership begins at its own seq; a new role does not begin one."""
    state = since_join(1)
    for command in (LeaveRoom(ACTOR), AddMember(USERS[Role.OWNER], ACTOR)):
        event = decide(state, command, CONTEXT)
        state = evolve(state, event, Stamp(ROOM, state.head_seq + 1, NOW, command.actor))  # type: ignore[arg-type]
    assert state.floor_of(ACTOR) == 11
    assert outcome(state, DeleteMessage(ACTOR, "m_own")) == "not_found"


def test_the_system_sees_every_message_that_is_left() -> None:
    """What is due by itself does not depend on who may look back how far."""
    state = since_join(10, role=Role.GUEST)
    expiring = replace(state.loaded["m_other"], expires_at="2026-01-31T09:30:00.123Z")
    state = replace(state, loaded=state.loaded.set("m_other", expiring))
    assert outcome(state, ExpireMessage(SYSTEM, "m_other")) == "yes"


def test_an_owner_who_is_banned_nowhere_else_is_no_exception() -> None:
    """A ban that is there although its user is a member takes every right: nobody is half banned."""
    state = room(Role.OWNER)
    bans = state.held.bans.set(ACTOR, Ban(ACTOR, "u_2", NOW))
    state = replace(state, held=replace(state.held, bans=bans))
    assert state.allowed(ACTOR) == frozenset()
