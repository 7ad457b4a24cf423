"""The rules, cell by cell: who may do what, which event comes of it, and that doing it twice changes nothing more."""

from __future__ import annotations

from typing import get_args

import pytest
from msgspec.structs import replace

from justchat.rooms.commands import (
    Command,
    CreateRoom,
    DeleteRoom,
    JoinRoom,
    LeaveRoom,
    PostMessage,
    RemoveMember,
    RoomCommand,
    UpdateRoom,
    messages_referred,
)
from justchat.rooms.decide import Repeat, decide
from justchat.rooms.permissions import Kind, Role, Visibility
from justchat.wire.errors import Refusal
from justchat.wire.events import (
    Event,
    MemberAdded,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    MemberRoleChanged,
    MemberView,
    Message,
    MessageCreated,
    MessageDeleted,
    RoomChanges,
    RoomCreated,
    RoomDeleted,
    RoomSettings,
    RoomUpdated,
)
from tests.rooms.matrix import OUT_OF_SIGHT, Case, cases, commands
from tests.rooms.scenes import ACTOR, CONTEXT, NOBODY, NOW, POSTED, USERS, after, outcome, room, word

CASES = list(cases())
ACCEPTED = [case for case in CASES if case.expected == "yes"]
PRIVATE = commands(Visibility.PRIVATE)
# Whoever repeats a post is told what became of it, even if they may not know of the room any more.
REPEATS = {"post_again": "repeat", "post_other": "idempotency_mismatch"}
CREATE = CreateRoom(ACTOR, Kind.GROUP, Visibility.PRIVATE, "Tea", "Cups", "e_1", ("u_2", ACTOR, "u_3", "u_2"))


def decided(case: Case) -> str:
    state = room(case.role, kind=case.kind, visibility=case.visibility)
    return outcome(state, commands(case.visibility)[case.command])


def test_every_command_is_in_the_matrix() -> None:
    """A new command must come with its rows, and each cell of the product is judged."""
    assert {type(command) for command in PRIVATE.values()} == set(get_args(RoomCommand))
    assert set(get_args(Command)) == {CreateRoom, *get_args(RoomCommand)}
    # Five roles in rooms of either visibility, the visitor in public and the stranger in private ones.
    assert len({case.name for case in CASES}) == len(CASES) == len(Kind) * len(PRIVATE) * (len(Role) * 2 + 2)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_command_has_its_outcome(case: Case) -> None:
    """Role, kind of room and visibility decide, exactly as the table has it."""
    assert decided(case) == case.expected


@pytest.mark.parametrize("name", PRIVATE)
@pytest.mark.parametrize("role", [*Role, None], ids=str)
@pytest.mark.parametrize("visibility", Visibility)
def test_a_deleted_room_does_not_exist_for_anybody(name: str, role: Role | None, visibility: Visibility) -> None:
    """Nothing follows the deletion, whatever is asked and whoever asks; only its owner hears that it is deleted."""
    state = room(role, visibility=visibility, deleted_at=NOW)
    expected = OUT_OF_SIGHT.get(name, "not_found")
    if (name, role) == ("delete_room", Role.OWNER):
        expected = "unchanged"
    expected = REPEATS.get(name, expected)
    assert outcome(state, commands(visibility)[name]) == expected


@pytest.mark.parametrize("name", [name for name in PRIVATE if name not in REPEATS])
def test_a_room_that_never_was_answers_as_one_that_may_not_be_known(name: str) -> None:
    """A stranger cannot tell a private room from none: it is the very same decision."""
    assert decide(None, PRIVATE[name], CONTEXT) == decide(room(None), PRIVATE[name], CONTEXT)
    assert outcome(None, PRIVATE[name]) == OUT_OF_SIGHT.get(name, "not_found")


def posted(reply_to: str | None = None) -> MessageCreated:
    """Give the event of the table's post."""
    at = "2026-01-31T09:30:00.123Z"
    return MessageCreated(Message("m_new", "r_1", 11, 6, 1, ACTOR, "words", at, "new", reply_to=reply_to))


MEMBER = USERS[Role.MEMBER]
EVENTS: dict[str, Event] = {
    "rename": RoomUpdated(RoomChanges(name="Tea"), RoomChanges(name="Coffee")),
    "turn_visibility": RoomUpdated(RoomChanges(visibility="private"), RoomChanges(visibility="public")),
    "delete_room": RoomDeleted(),
    "leave": MemberLeft(ACTOR),
    **{f"add_{role}": MemberAdded(NOBODY, role) for role in Role},
    **{f"remove_{role}": MemberRemoved(user) for role, user in USERS.items()},
    "remove_self": MemberLeft(ACTOR),
    "role_of_member": MemberRoleChanged(MEMBER, Role.MEMBER, Role.MODERATOR),
    "post": posted(),
    "reply": posted("m_other"),
    "reply_to_gone": posted("m_other_gone"),
    "delete_own": MessageDeleted("m_own", 2, 1),
    "delete_other": MessageDeleted("m_other", 2, 1),
}


def test_every_accepted_command_has_its_event_here() -> None:
    """Whatever an owner of a private group can change is among the events; a visitor's joining is the one besides."""
    assert EVENTS.keys() == {case.command for case in ACCEPTED if case.role is Role.OWNER}
    assert {case.command for case in ACCEPTED} - EVENTS.keys() == {"join"}


@pytest.mark.parametrize("name", EVENTS)
def test_an_accepted_command_gives_exactly_this_event(name: str) -> None:
    """The event says what changed, from what to what, and carries the next seq and number where it is a message."""
    assert decide(room(Role.OWNER), PRIVATE[name], CONTEXT) == EVENTS[name]


def test_joining_gives_the_plain_role() -> None:
    """Whoever joins on their own becomes a member, never more."""
    assert decide(room(visibility=Visibility.PUBLIC), JoinRoom(ACTOR), CONTEXT) == MemberJoined(ACTOR, Role.MEMBER)


def test_an_update_names_the_touched_fields_only() -> None:
    """A field that already has the wanted value is not in the event; an empty topic is a value like any other."""
    state = room(Role.ADMIN)
    command = UpdateRoom(ACTOR, name="Tea", topic="", visibility=Visibility.PUBLIC)
    assert decide(state, command, CONTEXT) == RoomUpdated(
        RoomChanges(topic="Cups", visibility="private"), RoomChanges(topic="", visibility="public")
    )
    assert outcome(state, UpdateRoom(ACTOR)) == "unchanged"


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.name)
def test_a_command_decided_again_after_its_own_event_changes_nothing(
    case: Case, request: pytest.FixtureRequest
) -> None:
    """A crash between commit and answer is harmless: the repeat finds its work done, and says so with a yes."""
    state = room(case.role, kind=case.kind, visibility=case.visibility)
    command = commands(case.visibility)[case.command]
    event = decide(state, command, CONTEXT)
    assert isinstance(event, Event)
    assert outcome(after(state, command, event), command) in {"unchanged", "repeat"}


@pytest.mark.parametrize("own", ["leave", "remove_self"])
@pytest.mark.parametrize("others", [True, False])
def test_the_last_owner_does_not_leave(own: str, others: bool) -> None:
    """A room keeps an owner, also when nobody else is in it; with a second owner either may go."""
    state = room(Role.OWNER, others=others)
    if others:
        assert outcome(state, PRIVATE[own]) == "yes"
        state = replace(state, members=state.members.delete(USERS[Role.OWNER]))
    assert outcome(state, PRIVATE[own]) == "last_owner"
    assert outcome(state, DeleteRoom(ACTOR)) == "yes"


def test_a_post_is_known_by_its_sender_and_id_together() -> None:
    """Another user may use the same client_msg_id; the same user may post the same text under another one."""
    state = room(Role.MEMBER)
    again = PostMessage(ACTOR, POSTED[0], "words", POSTED[1])
    sent = state.sent[ACTOR, POSTED[0]]
    assert decide(state, again, CONTEXT) == Repeat(sent)
    assert outcome(state, replace(again, actor=MEMBER)) == "yes"
    assert outcome(state, replace(again, client_msg_id="new")) == "yes"


@pytest.mark.parametrize("digest", [b"", b"other", POSTED[1] + b"\0"])
def test_the_same_id_with_another_content_is_told_apart(digest: bytes) -> None:
    """Only the digest counts, also when the text that came along looks the same."""
    command = PostMessage(ACTOR, POSTED[0], "words", digest)
    assert outcome(room(Role.MEMBER), command) == "idempotency_mismatch"


def test_a_repeat_reports_what_happened_even_to_somebody_who_may_no_longer_post() -> None:
    """The post was made: silence now would make the client believe that it was not."""
    assert outcome(room(Role.GUEST), PostMessage(ACTOR, POSTED[0], "words", POSTED[1])) == "repeat"


def test_a_room_is_created_with_its_maker_as_owner_and_each_other_once() -> None:
    """Members come in the order of asking, without repeats, and the maker is never demoted by the list."""
    assert decide(None, CREATE, CONTEXT) == RoomCreated(
        kind="group",
        visibility="private",
        name="Tea",
        topic="Cups",
        epoch="e_1",
        settings=RoomSettings(),
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
    ("visibility", "members"),
    [(Visibility.PUBLIC, ("u_2",)), (Visibility.PRIVATE, ()), (Visibility.PRIVATE, ("u_2", "u_3"))],
    ids=["public", "one", "three"],
)
def test_a_direct_room_is_private_and_has_two_members(visibility: Visibility, members: tuple[str, ...]) -> None:
    """The kind promises it, and no later command could repair it."""
    command = replace(CREATE, kind=Kind.DIRECT, visibility=visibility, members=members)
    assert isinstance(decide(None, command, CONTEXT), Refusal)


def test_the_messages_that_a_command_needs_are_named() -> None:
    """Deletions and replies refer to a message; nothing else does."""
    referred = {name: messages_referred(command) for name, command in PRIVATE.items() if messages_referred(command)}
    assert referred == {
        "reply": ("m_other",),
        "reply_to_gone": ("m_other_gone",),
        "reply_to_unknown": ("m_unknown",),
        "delete_own": ("m_own",),
        "delete_other": ("m_other",),
        "delete_own_gone": ("m_own_gone",),
        "delete_gone": ("m_other_gone",),
        "delete_unknown": ("m_unknown",),
    }
    assert messages_referred(CREATE) == ()


def test_refusals_say_what_to_do() -> None:
    """Every refusal of the matrix has a text for people, and none repeats a stranger's own words."""
    for case in CASES:
        state = room(case.role, kind=case.kind, visibility=case.visibility)
        answer = decide(state, commands(case.visibility)[case.command], CONTEXT)
        if isinstance(answer, Refusal):
            assert len(answer.detail) > 10
            assert "Coffee" not in answer.detail


def test_a_decision_leaves_the_state_as_it_was() -> None:
    """Deciding is asking: the state before and after is one and the same value."""
    for role in (*Role, None):
        state = room(role)
        copy = room(role)
        for command in (*PRIVATE.values(), LeaveRoom(MEMBER), RemoveMember(MEMBER, MEMBER)):
            word(decide(state, command, CONTEXT))
            assert state == copy
