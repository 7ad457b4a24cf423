"""Every command x every permission x every caller, generated from the registries of both.

One table says which permission a command needs. A command or a permission that is new and has no row fails here; so
does a rule that asks for another permission than the table says, for none, or for one more.
"""

from __future__ import annotations

from typing import get_args

import pytest

from justchat.rooms.commands import (
    AddMember,
    ArchiveRoom,
    BanMember,
    BulkDelete,
    Command,
    CreateInvite,
    CreateRoom,
    DeleteMessage,
    DeleteRoom,
    EditMessage,
    EndMembership,
    EraseMessages,
    EraseReaction,
    ExpireMessage,
    JoinRoom,
    LeaveRoom,
    MuteMember,
    PinMessage,
    PostMessage,
    React,
    RemoveMember,
    RevokeInvite,
    RoomCommand,
    SetPermissions,
    SetRole,
    SystemCommand,
    TakeOver,
    TrimHistory,
    UnbanMember,
    UnmuteMember,
    UnpinMessage,
    Unreact,
    UpdateRoom,
)
from justchat.rooms.items import Report, report_item
from justchat.rooms.kept_commands import DismissReport, KeptCommand, ReportMessage, ScheduleMessage, Unschedule
from justchat.rooms.permissions import DEFAULTS, SPEAKING, Permission, Role, Visibility
from justchat.rooms.rules.kept_rules import decide_kept
from justchat.rooms.state import RoomState
from storage.records import DropItem, PutItem
from tests.rooms.scenes import ACTOR, BANNED, MUTED, NOBODY, NOW, THUMB, USERS, message, outcome, room

GUEST = USERS[Role.GUEST]
P = Permission
AnyCommand = RoomCommand | KeptCommand
REPORT = report_item(message("m_other"), Report("m_other", GUEST, "spam", NOW))
# The permission that a command needs, and a command of that kind that has something to change in the scene.
NEEDS: list[tuple[Permission | None, AnyCommand]] = [
    (P.ROOM_EDIT, UpdateRoom(ACTOR, name="Coffee")),
    (P.ROOM_EDIT, ArchiveRoom(ACTOR, archived=True)),
    (P.ROOM_DELETE, DeleteRoom(ACTOR)),
    (P.ROLES_MANAGE, SetPermissions(ACTOR, {Role.MEMBER: {"messages.delete_own": False}})),
    (P.ROLES_MANAGE, SetRole(ACTOR, USERS[Role.MEMBER], Role.GUEST)),
    (P.MEMBERS_INVITE, AddMember(ACTOR, NOBODY)),
    (P.MEMBERS_INVITE, CreateInvite(ACTOR, "i_new")),
    (P.MEMBERS_INVITE, RevokeInvite(ACTOR, "i_open")),
    (P.MEMBERS_REMOVE, RemoveMember(ACTOR, GUEST)),
    (P.MEMBERS_BAN, BanMember(ACTOR, GUEST)),
    (P.MEMBERS_BAN, UnbanMember(ACTOR, BANNED)),
    (P.MEMBERS_MUTE, MuteMember(ACTOR, GUEST)),
    (P.MEMBERS_MUTE, UnmuteMember(ACTOR, MUTED)),
    (P.MESSAGES_SEND, PostMessage(ACTOR, "new", "words", b"d")),
    (P.MESSAGES_EDIT_OWN, EditMessage(ACTOR, "m_own", "new words")),
    (P.MESSAGES_DELETE_OWN, DeleteMessage(ACTOR, "m_own")),
    (P.MESSAGES_DELETE_ANY, DeleteMessage(ACTOR, "m_other")),
    (P.MESSAGES_DELETE_OWN, BulkDelete(ACTOR, ("m_own",))),
    (P.MESSAGES_DELETE_ANY, BulkDelete(ACTOR, ("m_other", "m_reply"))),
    (P.REACTIONS_ADD, React(ACTOR, "m_own", THUMB)),
    (P.MESSAGES_PIN, PinMessage(ACTOR, "m_own")),
    (P.MESSAGES_PIN, UnpinMessage(ACTOR, "m_pinned")),
    (P.MESSAGES_SEND, ScheduleMessage(ACTOR, "s_1", NOW + 1, "words")),
    (P.MESSAGES_DELETE_ANY, DismissReport(ACTOR, "m_other", GUEST)),
    # Whoever may see the room may do these.
    (None, Unreact(ACTOR, "m_other", THUMB)),
    (None, ReportMessage(ACTOR, "m_other", "spam")),
]
# These ask for no permission: to go is everybody's right, and to take back what was not said yet; to come in depends on
# the room and on invites, and a room is created by whoever is its first owner.
FREE: set[type[Command | KeptCommand]] = {CreateRoom, JoinRoom, LeaveRoom, Unschedule}
# These nobody may do: they happen by themselves.
BY_ITSELF: set[type[Command | KeptCommand]] = {ExpireMessage, TrimHistory, *get_args(SystemCommand)}
# Permissions that no command asks for, and where they are asked for instead.
ELSEWHERE = {
    P.ROOM_VIEW: "every command but the free ones, as all that can be seen of the room",
    P.MENTIONS_ALL: "posts and edits whose text calls everybody; without it they call nobody",
    P.SLOW_MODE_BYPASS: "posts in slow mode",
    P.AUDIT_VIEW: "the list of audited events",
    P.FILES_ATTACH: "posts with files, once there are files",
    P.WEBHOOKS_MANAGE: "webhooks, once there are any",
}
CALLERS = {
    **{role.value: room(role) for role in Role},
    "visitor": room(visibility=Visibility.PUBLIC),
    "stranger": room(),
    "banned": room(visibility=Visibility.PUBLIC, banned=True),
    "banned stranger": room(banned=True),
    "muted": room(Role.MEMBER, muted=True),
}
NAMES = [f"{type(command).__name__}-{needed}" for needed, command in NEEDS]


def test_every_command_and_every_permission_has_its_row() -> None:
    """What is in the registries is in the table, and nothing is in two places."""
    with_row = {type(command) for _, command in NEEDS}
    assert with_row | FREE | BY_ITSELF == {*get_args(Command), *get_args(KeptCommand)}
    assert not with_row & (FREE | BY_ITSELF)
    needed = {permission for permission, _ in NEEDS if permission is not None}
    assert needed | ELSEWHERE.keys() == set(Permission)
    assert not needed & ELSEWHERE.keys()


def asked(state: RoomState, command: AnyCommand) -> str:
    """Decide, whether something follows that is an entry or not, and say the outcome in one word."""
    if not isinstance(command, KeptCommand):
        return outcome(state, command)
    decision = decide_kept(state, command, [REPORT], now=NOW)
    return "yes" if isinstance(decision, PutItem | DropItem) else getattr(decision, "code", decision)


def expected(caller: str, needed: Permission | None) -> str:
    """Say what a caller hears, from nothing but the defaults of the roles and the one table."""
    if caller in {"stranger", "banned stranger"}:
        return "not_found"
    if caller == "banned":
        return "banned"
    if needed is None:
        return "yes"
    if caller == "visitor":
        return "not_a_member"
    if caller == "muted":
        return "muted" if needed in SPEAKING else "yes" if needed in DEFAULTS[Role.MEMBER] else "forbidden"
    return "yes" if needed in DEFAULTS[Role(caller)] else "forbidden"


@pytest.mark.parametrize(("needed", "command"), NEEDS, ids=NAMES)
def test_a_command_is_for_those_who_have_its_permission(needed: Permission | None, command: AnyCommand) -> None:
    """Every caller of the product gets the answer that the table and the roles' defaults give, and no other."""
    answers = {caller: asked(state, command) for caller, state in CALLERS.items()}
    assert answers == {caller: expected(caller, needed) for caller in CALLERS}


def admin(allowed: set[Permission]) -> RoomState:
    """Make a room whose admins may do exactly this; the actor is one, so that no command fails for want of rank."""
    return room(Role.ADMIN, overrides={"admin": {permission.value: permission in allowed for permission in Permission}})


@pytest.mark.parametrize(("needed", "command"), NEEDS, ids=NAMES)
def test_a_command_asks_for_its_permission_and_for_no_other(needed: Permission | None, command: AnyCommand) -> None:
    """With all others it is refused, with it alone (and the sight of the room) it is done."""
    everything = set(Permission)
    for permission in everything - {P.ROOM_VIEW}:
        without = asked(admin(everything - {permission}), command)
        alone = asked(admin({P.ROOM_VIEW, permission}), command)
        assert without == ("forbidden" if permission is needed else "yes"), permission
        assert alone == ("yes" if needed in {permission, None} else "forbidden"), permission
    assert asked(admin(everything - {P.ROOM_VIEW}), command) == "not_found"


@pytest.mark.parametrize("caller", CALLERS)
def test_what_happens_by_itself_is_done_for_nobody(caller: str) -> None:
    """Neither an owner nor anybody else makes a message expire or history go, whatever they may do."""
    for state in (CALLERS[caller], admin(set(Permission))):
        assert outcome(state, ExpireMessage(ACTOR, "m_own")) in {"not_found", "banned"}
        assert outcome(state, TrimHistory(ACTOR, 5)) in {"forbidden", "not_found", "banned"}
        for command in (
            EndMembership(ACTOR, GUEST, ()),
            TakeOver(ACTOR, ACTOR, ACTOR),
            EraseMessages(ACTOR, USERS[Role.MEMBER], ("m_other",)),
            EraseReaction(ACTOR, ACTOR, "m_other", THUMB),
        ):
            assert outcome(state, command) in {"forbidden", "not_found", "banned"}
