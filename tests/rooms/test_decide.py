"""The rules, cell by cell: who may do what, which event comes of it, and that doing it twice changes nothing more."""

from __future__ import annotations

from collections import defaultdict
from typing import get_args

import pytest

from justchat.rooms.commands import Command, CreateRoom, LeaveRoom, RemoveMember, RoomCommand, messages_referred
from justchat.rooms.decide import decide
from justchat.rooms.permissions import Kind, Role, Visibility
from justchat.rooms.state import RoomState
from justchat.wire.errors import Refusal
from justchat.wire.events import (
    Event,
    InviteCreated,
    InviteRevoked,
    MemberAdded,
    MemberBanned,
    MemberJoined,
    MemberLeft,
    MemberMuted,
    MemberRemoved,
    MemberRoleChanged,
    MemberUnbanned,
    MemberUnmuted,
    Message,
    MessageCreated,
    MessageDeleted,
    MessageGone,
    MessagesBulkDeleted,
    MessageUpdated,
    PermissionsUpdated,
    PinAdded,
    PinRemoved,
    ReactionAdded,
    ReactionRemoved,
    RoomArchived,
    RoomChanges,
    RoomDeleted,
    RoomUpdated,
    SettingsChanges,
)
from tests.rooms.matrix import OUT_OF_SIGHT, Case, cases
from tests.rooms.matrix_commands import commands
from tests.rooms.scenes import ACTOR, AT, BANNED, CONTEXT, MUTED, NOBODY, NOW, THUMB, USERS, after, outcome, room, word

CASES = list(cases())
ACCEPTED = [case for case in CASES if case.expected == "yes"]
PRIVATE = commands(Visibility.PRIVATE)
# Whoever repeats a post is told what became of it, even if they may not know of the room any more.
REPEATS = {"post_again": "repeat", "post_other": "idempotency_mismatch"}
MEMBER = USERS[Role.MEMBER]
MUTE_END = "2026-01-31T09:31:00.123Z"


def state_of(case: Case) -> RoomState:
    return room(
        case.role,
        kind=case.kind,
        visibility=case.visibility,
        muted=case.column == "muted",
        banned=case.column == "banned",
    )


def by_row(chosen: list[Case]) -> dict[tuple[Kind, str], list[Case]]:
    found: dict[tuple[Kind, str], list[Case]] = defaultdict(list)
    for case in chosen:
        found[case.kind, case.command].append(case)
    return found


ROWS = by_row(CASES)
ACCEPTED_ROWS = by_row(ACCEPTED)


def test_every_command_is_in_the_matrix() -> None:
    """A new command must come with its rows, and each cell of the product is judged."""
    assert {type(command) for command in PRIVATE.values()} == set(get_args(RoomCommand))
    assert set(get_args(Command)) == {CreateRoom, *get_args(RoomCommand)}
    # Five roles and the muted in rooms of either visibility; the visitor and the banned in public ones, the stranger in
    # private ones. In direct rooms nobody is muted or banned.
    cells = {Kind.GROUP: 15, Kind.CHANNEL: 15, Kind.DIRECT: 12}
    assert {row: len(found) for row, found in ROWS.items()} == {
        (kind, name): cells[kind] for kind in Kind for name in PRIVATE
    }


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_a_command_has_its_outcome(row: tuple[Kind, str]) -> None:
    """Role, kind of room and visibility decide, exactly as the table has it."""
    wrong = {
        (case.column, case.visibility): (found, case.expected)
        for case in ROWS[row]
        if (found := outcome(state_of(case), commands(case.visibility)[case.command])) != case.expected
    }
    assert wrong == {}


@pytest.mark.parametrize("name", PRIVATE)
def test_a_deleted_room_does_not_exist_for_anybody(name: str) -> None:
    """Nothing follows the deletion, whatever is asked and whoever asks; only its owner hears that it is deleted."""
    for role in (*Role, None):
        for visibility in Visibility:
            state = room(role, visibility=visibility, deleted_at=NOW)
            expected = OUT_OF_SIGHT.get(name, "not_found")
            if (name, role) == ("delete_room", Role.OWNER):
                expected = "unchanged"
            expected = REPEATS.get(name, expected)
            assert outcome(state, commands(visibility)[name]) == expected, (role, visibility)


@pytest.mark.parametrize("name", [name for name in PRIVATE if name not in REPEATS])
def test_a_room_that_never_was_answers_as_one_that_may_not_be_known(name: str) -> None:
    """A stranger, banned or not, cannot tell a private room from none: it is the very same decision.

    Only who has an invite that is open knows more, unless they are banned, and then they hear so.
    """
    none = decide(None, PRIVATE[name], CONTEXT)
    assert word(none) == OUT_OF_SIGHT.get(name, "not_found")
    assert decide(room(deleted_at=NOW), PRIVATE[name], CONTEXT) == none
    if name == "join_invited":
        assert outcome(room(banned=True), PRIVATE[name]) == "banned"
    else:
        assert decide(room(), PRIVATE[name], CONTEXT) == decide(room(banned=True), PRIVATE[name], CONTEXT) == none


def posted(reply_to: str | None = None, thread_root: str | None = None) -> MessageCreated:
    """Give the event of the table's post."""
    message = Message("m_new", "r_1", 11, 7, 1, ACTOR, "words", AT, "new", reply_to=reply_to, thread_root=thread_root)
    return MessageCreated(message)


EVENTS: dict[str, Event] = {
    "rename": RoomUpdated(RoomChanges(name="Tea"), RoomChanges(name="Coffee")),
    "turn_visibility": RoomUpdated(RoomChanges(visibility="private"), RoomChanges(visibility="public")),
    "slow_mode": RoomUpdated(
        RoomChanges(settings=SettingsChanges(slow_mode_seconds=0)),
        RoomChanges(settings=SettingsChanges(slow_mode_seconds=5)),
    ),
    "archive": RoomArchived(True),
    "permissions": PermissionsUpdated({}, {"guest": {"reactions.add": True}}),
    "delete_room": RoomDeleted(),
    "leave": MemberLeft(ACTOR),
    **{f"add_{role}": MemberAdded(NOBODY, role) for role in Role},
    **{f"remove_{role}": MemberRemoved(user) for role, user in USERS.items()},
    "remove_self": MemberLeft(ACTOR),
    "role_of_member": MemberRoleChanged(MEMBER, Role.MEMBER, Role.MODERATOR),
    **{f"ban_{role}": MemberBanned(user, "spam") for role, user in USERS.items()},
    "ban_nobody": MemberBanned(NOBODY),
    "unban": MemberUnbanned(BANNED),
    **{f"mute_{role}": MemberMuted(user, MUTE_END, "spam") for role, user in USERS.items()},
    "unmute": MemberUnmuted(MUTED),
    **{f"invite_{role}": InviteCreated("i_new", role, MUTE_END, 3) for role in Role},
    "revoke": InviteRevoked("i_open"),
    "post": posted(),
    "reply": posted("m_other"),
    "reply_to_gone": posted("m_other_gone"),
    "in_thread": posted(thread_root="m_other"),
    "edit_own": MessageUpdated("m_own", 2, 1, 2, "new words", AT),
    "delete_own": MessageDeleted("m_own", 2, 1),
    "delete_other": MessageDeleted("m_other", 3, 2, author=MEMBER),
    "bulk_own": MessagesBulkDeleted((MessageGone("m_own", 2, 1),)),
    "bulk_mixed": MessagesBulkDeleted((MessageGone("m_own", 2, 1), MessageGone("m_reply", 6, 5, "m_other"))),
    "react": ReactionAdded("m_own", 2, ACTOR, THUMB),
    "unreact": ReactionRemoved("m_other", 3, ACTOR, THUMB),
    "pin": PinAdded("m_own", 2),
    "unpin": PinRemoved("m_pinned", 7),
}


def test_every_accepted_command_has_its_event_here() -> None:
    """Whatever an owner of a private group can change is among the events; joining is what others can besides."""
    assert EVENTS.keys() == {case.command for case in ACCEPTED if case.role is Role.OWNER}
    assert {case.command for case in ACCEPTED} - EVENTS.keys() == {"join", "join_invited"}


@pytest.mark.parametrize("name", EVENTS)
def test_an_accepted_command_gives_exactly_this_event(name: str) -> None:
    """The event says what changed, from what to what, and carries the next seq and number where it is a message."""
    assert decide(room(Role.OWNER), PRIVATE[name], CONTEXT) == EVENTS[name]


def test_joining_gives_the_plain_role_or_the_one_of_the_invite() -> None:
    """Whoever joins on their own becomes a member, never more."""
    assert decide(room(visibility=Visibility.PUBLIC), PRIVATE["join"], CONTEXT) == MemberJoined(ACTOR, "member")
    assert decide(room(), PRIVATE["join_invited"], CONTEXT) == MemberJoined(ACTOR, "member", "i_open")


@pytest.mark.parametrize("row", ACCEPTED_ROWS, ids="-".join)
def test_a_command_decided_again_after_its_own_event_changes_nothing(row: tuple[Kind, str]) -> None:
    """A crash between commit and answer is harmless: the repeat finds its work done, and says so with a yes."""
    for case in ACCEPTED_ROWS[row]:
        state = state_of(case)
        command = commands(case.visibility)[case.command]
        event = decide(state, command, CONTEXT)
        assert isinstance(event, Event)
        assert outcome(after(state, command, event), command) in {"unchanged", "repeat"}, case


def test_the_messages_that_a_command_needs_are_named() -> None:
    """Whatever is done to messages or with regard to them needs them at hand; nothing else does."""
    referred = {name: messages_referred(command) for name, command in PRIVATE.items() if messages_referred(command)}
    of_one = {
        name: (message,)
        for name, command in PRIVATE.items()
        if isinstance(message := getattr(command, "message", None), str)
    }
    assert referred == of_one | {
        "reply": ("m_other",),
        "reply_to_gone": ("m_other_gone",),
        "reply_to_unknown": ("m_unknown",),
        "in_thread": ("m_other",),
        "in_no_thread": ("m_unknown",),
        "bulk_own": ("m_own",),
        "bulk_mixed": ("m_own", "m_reply", "m_own", "m_own_gone"),
        "bulk_gone": ("m_own_gone", "m_other_gone"),
        "bulk_unknown": ("m_own", "m_unknown"),
        "erase_messages": ("m_own",),
    }


def test_refusals_say_what_to_do() -> None:
    """Every refusal of the matrix has a text for people, and none repeats a stranger's own words."""
    for case in CASES:
        answer = decide(state_of(case), commands(case.visibility)[case.command], CONTEXT)
        if isinstance(answer, Refusal):
            assert len(answer.detail) > 10
            assert "Coffee" not in answer.detail
            assert "spam" not in answer.detail


def test_a_decision_leaves_the_state_as_it_was() -> None:
    """Deciding is asking: the state before and after is one and the same value."""
    for role in (*Role, None):
        state = room(role)
        copy = room(role)
        for command in (*PRIVATE.values(), LeaveRoom(MEMBER), RemoveMember(MEMBER, MEMBER)):
            word(decide(state, command, CONTEXT))
            assert state == copy
