"""Who may do what, written out by hand: the expected outcome of every command for every role, kind and visibility.

Columns are the actor's roles; `visitor` is no member of a public room, `stranger` no member of a private one. A role
has the same rights in rooms of either visibility. A ` ` marks a cell that the rules do not honour yet: its test is
expected to fail, and says so loudly once it does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from justchat.rooms.commands import (
    AddMember,
    DeleteMessage,
    DeleteRoom,
    JoinRoom,
    LeaveRoom,
    PostMessage,
    RemoveMember,
    RoomCommand,
    SetRole,
    UpdateRoom,
)
from justchat.rooms.permissions import Kind, Role, Visibility
from tests.rooms.scenes import ACTOR, NOBODY, POSTED, USERS

_OTHER_VISIBILITY = {Visibility.PRIVATE: Visibility.PUBLIC, Visibility.PUBLIC: Visibility.PRIVATE}

GROUP = """
                 owner        admin        moderator    member       guest        visitor      stranger
rename           yes          yes          forbidden    forbidden    forbidden    not_a_member not_found
same_name        unchanged    unchanged    forbidden    forbidden    forbidden    not_a_member not_found
turn_visibility  yes          yes          forbidden    forbidden    forbidden    not_a_member not_found
delete_room      yes          forbidden    forbidden    forbidden    forbidden    not_a_member not_found
join             unchanged    unchanged    unchanged    unchanged    unchanged    yes          not_found
leave            yes          yes          yes          yes          yes          unchanged    unchanged
add_owner        yes          forbidden    forbidden    forbidden    forbidden    not_a_member not_found
add_admin        yes          yes          forbidden    forbidden    forbidden    not_a_member not_found
add_moderator    yes          yes          forbidden    forbidden    forbidden    not_a_member not_found
add_member       yes          yes          yes          forbidden    forbidden    not_a_member not_found
add_guest        yes          yes          forbidden    forbidden    forbidden    not_a_member not_found
add_present      unchanged    unchanged    unchanged    forbidden    forbidden    not_a_member not_found
add_self         unchanged    unchanged    unchanged    forbidden    forbidden    not_a_member not_found
remove_owner     yes          forbidden    forbidden    forbidden    forbidden    not_a_member not_found
remove_admin     yes          forbidden    forbidden    forbidden    forbidden    not_a_member not_found
remove_moderator yes          yes          forbidden    forbidden    forbidden    not_a_member not_found
remove_member    yes          yes          yes          forbidden    forbidden    not_a_member not_found
remove_guest     yes          yes          yes          forbidden    forbidden    not_a_member not_found
remove_nobody    unchanged    unchanged    unchanged    forbidden    forbidden    not_a_member not_found
remove_self      yes          yes          yes          yes          yes          unchanged    unchanged
role_of_member   yes          yes          forbidden    forbidden    forbidden    not_a_member not_found
role_of_nobody   not_found    not_found    forbidden    forbidden    forbidden    not_a_member not_found
post             yes          yes          yes          yes          forbidden    not_a_member not_found
reply            yes          yes          yes          yes          forbidden    not_a_member not_found
reply_to_gone    yes          yes          yes          yes          forbidden    not_a_member not_found
reply_to_unknown not_found    not_found    not_found    not_found    forbidden    not_a_member not_found
post_again       repeat       repeat       repeat       repeat       repeat       repeat       repeat
post_other       mismatch     mismatch     mismatch     mismatch     mismatch     mismatch     mismatch
delete_own       yes          yes          yes          yes          forbidden    not_a_member not_found
delete_other     yes          yes          yes          forbidden    forbidden    not_a_member not_found
delete_own_gone  unchanged    unchanged    unchanged    unchanged    forbidden    not_a_member not_found
delete_gone      unchanged    unchanged    unchanged    forbidden    forbidden    not_a_member not_found
delete_unknown   not_found    not_found    not_found    not_found    not_found    not_found    not_found
"""

# In a channel only moderators and above post.
CHANNEL = """
                 owner        admin        moderator    member       guest        visitor      stranger
post             yes          yes          yes          forbidden    forbidden    not_a_member not_found
reply            yes          yes          yes          forbidden    forbidden    not_a_member not_found
reply_to_gone    yes          yes          yes          forbidden    forbidden    not_a_member not_found
reply_to_unknown not_found    not_found    not_found    forbidden    forbidden    not_a_member not_found
"""

# In a direct room two people talk, and neither is set over the other.
DIRECT = """
                 owner        admin        moderator    member       guest        visitor      stranger
rename           conflict     conflict     forbidden    forbidden    forbidden    not_a_member not_found
same_name        conflict     conflict     forbidden    forbidden    forbidden    not_a_member not_found
turn_visibility  conflict     conflict     forbidden    forbidden    forbidden    not_a_member not_found
join             unchanged    unchanged    unchanged    unchanged    unchanged    conflict     not_found
leave            conflict     conflict     conflict     conflict     conflict     unchanged    unchanged
add_owner        conflict     conflict     conflict     forbidden    forbidden    not_a_member not_found
add_admin        conflict     conflict     conflict     forbidden    forbidden    not_a_member not_found
add_moderator    conflict     conflict     conflict     forbidden    forbidden    not_a_member not_found
add_member       conflict     conflict     conflict     forbidden    forbidden    not_a_member not_found
add_guest        conflict     conflict     conflict     forbidden    forbidden    not_a_member not_found
add_present      conflict     conflict     conflict     forbidden    forbidden    not_a_member not_found
add_self         conflict     conflict     conflict     forbidden    forbidden    not_a_member not_found
remove_owner     conflict     forbidden    forbidden    forbidden    forbidden    not_a_member not_found
remove_admin     conflict     forbidden    forbidden    forbidden    forbidden    not_a_member not_found
remove_moderator conflict     conflict     forbidden    forbidden    forbidden    not_a_member not_found
remove_member    conflict     conflict     conflict     forbidden    forbidden    not_a_member not_found
remove_guest     conflict     conflict     conflict     forbidden    forbidden    not_a_member not_found
remove_self      conflict     conflict     conflict     conflict     conflict     unchanged    unchanged
role_of_member   conflict     conflict     forbidden    forbidden    forbidden    not_a_member not_found
delete_other     forbidden    forbidden    forbidden    forbidden    forbidden    not_a_member not_found
delete_gone      forbidden    forbidden    forbidden    forbidden    forbidden    not_a_member not_found
"""


class Case(NamedTuple):
    """One cell: who does what where, and what comes of it."""

    command: str
    kind: Kind
    visibility: Visibility
    role: Role | None
    expected: str

    @property
    def name(self) -> str:
        """Say the case in one line."""
        return f"{self.command}-{self.kind}-{self.visibility}-{self.role or 'nobody'}"


# What anybody hears of a room that is deleted, never was, or may not be known; all else is `not_found`. To say that
# somebody who is not in has left tells nothing.
OUT_OF_SIGHT = {"leave": "unchanged", "remove_self": "unchanged"}


def commands(visibility: Visibility) -> dict[str, RoomCommand]:
    """Give the command of each row, for a room of this visibility."""
    member = USERS[Role.MEMBER]
    return {
        "rename": UpdateRoom(ACTOR, name="Coffee"),
        "same_name": UpdateRoom(ACTOR, name="Tea", topic="Cups", visibility=visibility),
        "turn_visibility": UpdateRoom(ACTOR, visibility=_OTHER_VISIBILITY[visibility]),
        "delete_room": DeleteRoom(ACTOR),
        "join": JoinRoom(ACTOR),
        "leave": LeaveRoom(ACTOR),
        **{f"add_{role}": AddMember(ACTOR, NOBODY, role) for role in Role},
        "add_present": AddMember(ACTOR, member),
        "add_self": AddMember(ACTOR, ACTOR),
        **{f"remove_{role}": RemoveMember(ACTOR, user) for role, user in USERS.items()},
        "remove_nobody": RemoveMember(ACTOR, NOBODY),
        "remove_self": RemoveMember(ACTOR, ACTOR),
        "role_of_member": SetRole(ACTOR, member, Role.MODERATOR),
        "role_of_nobody": SetRole(ACTOR, NOBODY, Role.MEMBER),
        "post": PostMessage(ACTOR, "new", "words", b"d"),
        "reply": PostMessage(ACTOR, "new", "words", b"d", "m_other"),
        "reply_to_gone": PostMessage(ACTOR, "new", "words", b"d", "m_other_gone"),
        "reply_to_unknown": PostMessage(ACTOR, "new", "words", b"d", "m_unknown"),
        "post_again": PostMessage(ACTOR, POSTED[0], "words", POSTED[1]),
        "post_other": PostMessage(ACTOR, POSTED[0], "other words", b"other"),
        "delete_own": DeleteMessage(ACTOR, "m_own"),
        "delete_other": DeleteMessage(ACTOR, "m_other"),
        "delete_own_gone": DeleteMessage(ACTOR, "m_own_gone"),
        "delete_gone": DeleteMessage(ACTOR, "m_other_gone"),
        "delete_unknown": DeleteMessage(ACTOR, "m_unknown"),
    }


def table(text: str) -> dict[str, dict[str, str]]:
    """Read a table as row -> column -> cell."""
    header, *rows = (line.split() for line in text.strip().splitlines())
    return {name: dict(zip(header, cells, strict=True)) for name, *cells in rows}


def cases() -> Iterator[Case]:
    """Give the whole product."""
    for kind, own in ((Kind.GROUP, ""), (Kind.CHANNEL, CHANNEL), (Kind.DIRECT, DIRECT)):
        rows = table(GROUP) | (table(own) if own else {})
        for command, cells in rows.items():
            for column, cell in cells.items():
                expected = "idempotency_mismatch" if cell == "mismatch" else cell
                for visibility in _visibilities(column):
                    role = Role(column) if column in set(Role) else None
                    yield Case(command, kind, visibility, role, expected)


def _visibilities(column: str) -> tuple[Visibility, ...]:
    return {"visitor": (Visibility.PUBLIC,), "stranger": (Visibility.PRIVATE,)}.get(column, tuple(Visibility))
