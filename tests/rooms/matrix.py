"""Who may do what, written out by hand: the expected outcome of every command for every role, kind and visibility.

Columns are the actor's roles; `visitor` is no member of a public room, `stranger` no member of a private one, `banned`
is banned from a public room, and `muted` is a plain member without a voice. A role has the same rights in rooms of
either visibility. What each row does is in `tests.rooms.matrix_commands`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from justchat.rooms.permissions import Kind, Role, Visibility

GROUP = """
                 owner     admin     moderator member    guest     visitor      stranger  banned muted
rename           yes       yes       forbidden forbidden forbidden not_a_member not_found banned forbidden
same_name        unchanged unchanged forbidden forbidden forbidden not_a_member not_found banned forbidden
turn_visibility  yes       yes       forbidden forbidden forbidden not_a_member not_found banned forbidden
slow_mode        yes       yes       forbidden forbidden forbidden not_a_member not_found banned forbidden
archive          yes       yes       forbidden forbidden forbidden not_a_member not_found banned forbidden
take_up          unchanged unchanged forbidden forbidden forbidden not_a_member not_found banned forbidden
permissions      yes       yes       forbidden forbidden forbidden not_a_member not_found banned forbidden
no_permissions   unchanged unchanged forbidden forbidden forbidden not_a_member not_found banned forbidden
delete_room      yes       forbidden forbidden forbidden forbidden not_a_member not_found banned forbidden
join             unchanged unchanged unchanged unchanged unchanged yes          not_found banned unchanged
join_invited     unchanged unchanged unchanged unchanged unchanged yes          yes       banned unchanged
join_uninvited   unchanged unchanged unchanged unchanged unchanged not_found    not_found not_found unchanged
leave            yes       yes       yes       yes       yes       unchanged    unchanged unchanged yes
add_owner        yes       forbidden forbidden forbidden forbidden not_a_member not_found banned forbidden
add_admin        yes       yes       forbidden forbidden forbidden not_a_member not_found banned forbidden
add_moderator    yes       yes       forbidden forbidden forbidden not_a_member not_found banned forbidden
add_member       yes       yes       yes       forbidden forbidden not_a_member not_found banned forbidden
add_guest        yes       yes       forbidden forbidden forbidden not_a_member not_found banned forbidden
add_present      unchanged unchanged unchanged forbidden forbidden not_a_member not_found banned forbidden
add_banned       conflict  conflict  conflict  forbidden forbidden not_a_member not_found banned forbidden
remove_owner     yes       forbidden forbidden forbidden forbidden not_a_member not_found banned forbidden
remove_admin     yes       forbidden forbidden forbidden forbidden not_a_member not_found banned forbidden
remove_moderator yes       yes       forbidden forbidden forbidden not_a_member not_found banned forbidden
remove_member    yes       yes       yes       forbidden forbidden not_a_member not_found banned forbidden
remove_guest     yes       yes       yes       forbidden forbidden not_a_member not_found banned forbidden
remove_nobody    unchanged unchanged unchanged forbidden forbidden not_a_member not_found banned forbidden
remove_self      yes       yes       yes       yes       yes       unchanged    unchanged unchanged yes
role_of_member   yes       yes       forbidden forbidden forbidden not_a_member not_found banned forbidden
role_of_nobody   not_found not_found forbidden forbidden forbidden not_a_member not_found banned forbidden
ban_owner        yes       forbidden forbidden forbidden forbidden not_a_member not_found banned forbidden
ban_admin        yes       forbidden forbidden forbidden forbidden not_a_member not_found banned forbidden
ban_moderator    yes       yes       forbidden forbidden forbidden not_a_member not_found banned forbidden
ban_member       yes       yes       yes       forbidden forbidden not_a_member not_found banned forbidden
ban_guest        yes       yes       yes       forbidden forbidden not_a_member not_found banned forbidden
ban_nobody       yes       yes       yes       forbidden forbidden not_a_member not_found banned forbidden
ban_again        unchanged unchanged unchanged forbidden forbidden not_a_member not_found banned forbidden
ban_self         conflict  conflict  conflict  forbidden forbidden not_a_member not_found banned forbidden
unban            yes       yes       yes       forbidden forbidden not_a_member not_found banned forbidden
unban_nobody     unchanged unchanged unchanged forbidden forbidden not_a_member not_found banned forbidden
mute_owner       yes       forbidden forbidden forbidden forbidden not_a_member not_found banned forbidden
mute_admin       yes       forbidden forbidden forbidden forbidden not_a_member not_found banned forbidden
mute_moderator   yes       yes       forbidden forbidden forbidden not_a_member not_found banned forbidden
mute_member      yes       yes       yes       forbidden forbidden not_a_member not_found banned forbidden
mute_guest       yes       yes       yes       forbidden forbidden not_a_member not_found banned forbidden
mute_nobody      not_found not_found not_found forbidden forbidden not_a_member not_found banned forbidden
mute_again       unchanged unchanged unchanged forbidden forbidden not_a_member not_found banned forbidden
mute_self        conflict  conflict  conflict  forbidden forbidden not_a_member not_found banned forbidden
mute_in_the_past invalid   invalid   invalid   forbidden forbidden not_a_member not_found banned forbidden
unmute           yes       yes       yes       forbidden forbidden not_a_member not_found banned forbidden
unmute_member    unchanged unchanged unchanged forbidden forbidden not_a_member not_found banned forbidden
invite_owner     yes       forbidden forbidden forbidden forbidden not_a_member not_found banned forbidden
invite_admin     yes       yes       forbidden forbidden forbidden not_a_member not_found banned forbidden
invite_moderator yes       yes       forbidden forbidden forbidden not_a_member not_found banned forbidden
invite_member    yes       yes       yes       forbidden forbidden not_a_member not_found banned forbidden
invite_guest     yes       yes       forbidden forbidden forbidden not_a_member not_found banned forbidden
invite_again     unchanged unchanged unchanged forbidden forbidden not_a_member not_found banned forbidden
invite_too_late  invalid   invalid   invalid   forbidden forbidden not_a_member not_found banned forbidden
revoke           yes       yes       yes       forbidden forbidden not_a_member not_found banned forbidden
revoke_none      unchanged unchanged unchanged forbidden forbidden not_a_member not_found banned forbidden
post             yes       yes       yes       yes       forbidden not_a_member not_found banned muted
reply            yes       yes       yes       yes       forbidden not_a_member not_found banned muted
reply_to_gone    yes       yes       yes       yes       forbidden not_a_member not_found banned muted
reply_to_unknown not_found not_found not_found not_found forbidden not_a_member not_found banned muted
in_thread        yes       yes       yes       yes       forbidden not_a_member not_found banned muted
in_no_thread     not_found not_found not_found not_found forbidden not_a_member not_found banned muted
post_again       repeat    repeat    repeat    repeat    repeat    repeat       repeat    repeat repeat
post_other       mismatch  mismatch  mismatch  mismatch  mismatch  mismatch     mismatch  mismatch mismatch
edit_own         yes       yes       yes       yes       forbidden not_a_member not_found banned muted
edit_other       forbidden forbidden forbidden forbidden forbidden not_a_member not_found banned muted
edit_same        unchanged unchanged unchanged unchanged forbidden not_a_member not_found banned muted
edit_stale       stale     stale     stale     stale     forbidden not_a_member not_found banned muted
edit_gone        conflict  conflict  conflict  conflict  forbidden not_a_member not_found banned muted
edit_unknown     not_found not_found not_found not_found not_found not_found    not_found banned not_found
delete_own       yes       yes       yes       yes       forbidden not_a_member not_found banned yes
delete_other     yes       yes       yes       forbidden forbidden not_a_member not_found banned forbidden
delete_own_gone  unchanged unchanged unchanged unchanged forbidden not_a_member not_found banned unchanged
delete_gone      unchanged unchanged unchanged forbidden forbidden not_a_member not_found banned forbidden
delete_unknown   not_found not_found not_found not_found not_found not_found    not_found banned not_found
bulk_own         yes       yes       yes       yes       forbidden not_a_member not_found banned yes
bulk_mixed       yes       yes       yes       forbidden forbidden not_a_member not_found banned forbidden
bulk_gone        unchanged unchanged unchanged forbidden forbidden not_a_member not_found banned forbidden
bulk_unknown     not_found not_found not_found not_found forbidden not_a_member not_found banned not_found
bulk_none        unchanged unchanged unchanged unchanged unchanged unchanged    not_found banned unchanged
react            yes       yes       yes       yes       forbidden not_a_member not_found banned muted
react_again      unchanged unchanged unchanged unchanged forbidden not_a_member not_found banned muted
react_to_gone    conflict  conflict  conflict  conflict  forbidden not_a_member not_found banned muted
unreact          yes       yes       yes       yes       yes       yes          not_found banned yes
unreact_none     unchanged unchanged unchanged unchanged unchanged unchanged    not_found banned unchanged
pin              yes       yes       yes       forbidden forbidden not_a_member not_found banned muted
pin_again        unchanged unchanged unchanged forbidden forbidden not_a_member not_found banned muted
pin_gone         conflict  conflict  conflict  forbidden forbidden not_a_member not_found banned muted
pin_unknown      not_found not_found not_found not_found not_found not_found    not_found banned not_found
unpin            yes       yes       yes       forbidden forbidden not_a_member not_found banned muted
unpin_none       unchanged unchanged unchanged forbidden forbidden not_a_member not_found banned muted
expire           not_found not_found not_found not_found not_found not_found    not_found banned not_found
trim             forbidden forbidden forbidden forbidden forbidden forbidden    not_found banned forbidden
end_membership   forbidden forbidden forbidden forbidden forbidden forbidden    not_found banned forbidden
take_over        forbidden forbidden forbidden forbidden forbidden forbidden    not_found banned forbidden
erase_messages   forbidden forbidden forbidden forbidden forbidden forbidden    not_found banned forbidden
erase_reaction   forbidden forbidden forbidden forbidden forbidden forbidden    not_found banned forbidden
"""

# In a channel only moderators and above post.
CHANNEL = """
                 owner     admin     moderator member    guest     visitor      stranger  banned muted
post             yes       yes       yes       forbidden forbidden not_a_member not_found banned muted
reply            yes       yes       yes       forbidden forbidden not_a_member not_found banned muted
reply_to_gone    yes       yes       yes       forbidden forbidden not_a_member not_found banned muted
reply_to_unknown not_found not_found not_found forbidden forbidden not_a_member not_found banned muted
in_thread        yes       yes       yes       forbidden forbidden not_a_member not_found banned muted
in_no_thread     not_found not_found not_found forbidden forbidden not_a_member not_found banned muted
"""

# In a direct room two people talk: whatever their roles, they have the same rights, and neither is set over the other.
# What is not in this table nobody may do in a direct room.
DIRECT = """
                 members      visitor      stranger
join             unchanged    not_found    not_found
join_invited     unchanged    not_found    not_found
join_uninvited   unchanged    not_found    not_found
leave            conflict     unchanged    unchanged
remove_self      conflict     unchanged    unchanged
post             yes          not_a_member not_found
reply            yes          not_a_member not_found
reply_to_gone    yes          not_a_member not_found
reply_to_unknown not_found    not_a_member not_found
in_thread        yes          not_a_member not_found
in_no_thread     not_found    not_a_member not_found
post_again       repeat       repeat       repeat
post_other       mismatch     mismatch     mismatch
edit_own         yes          not_a_member not_found
edit_same        unchanged    not_a_member not_found
edit_stale       stale        not_a_member not_found
edit_gone        conflict     not_a_member not_found
edit_unknown     not_found    not_found    not_found
delete_own       yes          not_a_member not_found
delete_own_gone  unchanged    not_a_member not_found
delete_unknown   not_found    not_found    not_found
bulk_own         yes          not_a_member not_found
bulk_unknown     not_found    not_a_member not_found
bulk_none        unchanged    unchanged    not_found
react            yes          not_a_member not_found
react_again      unchanged    not_a_member not_found
react_to_gone    conflict     not_a_member not_found
unreact          yes          yes          not_found
unreact_none     unchanged    unchanged    not_found
pin              yes          not_a_member not_found
pin_again        unchanged    not_a_member not_found
pin_gone         conflict     not_a_member not_found
pin_unknown      not_found    not_found    not_found
unpin            yes          not_a_member not_found
unpin_none       unchanged    not_a_member not_found
expire           not_found    not_found    not_found
trim             forbidden    forbidden    not_found
end_membership   forbidden    forbidden    not_found
take_over        forbidden    forbidden    not_found
erase_messages   forbidden    forbidden    not_found
erase_reaction   forbidden    forbidden    not_found
"""

# What the tables say shortly.
_CODES = {"mismatch": "idempotency_mismatch", "stale": "precondition_failed", "invalid": "validation_failed"}


class Case(NamedTuple):
    """One cell: who does what where, and what comes of it."""

    command: str
    kind: Kind
    visibility: Visibility
    column: str
    expected: str

    @property
    def role(self) -> Role | None:
        """The actor's role."""
        return Role.MEMBER if self.column == "muted" else Role(self.column) if self.column in set(Role) else None


# What anybody hears of a room that is deleted, never was, or may not be known; all else is `not_found`. To say that
# somebody who is not in has left tells nothing.
OUT_OF_SIGHT = {"leave": "unchanged", "remove_self": "unchanged"}


def table(text: str) -> dict[str, dict[str, str]]:
    """Read a table as row -> column -> cell."""
    header, *rows = (line.split() for line in text.strip().splitlines())
    return {name: dict(zip(header, cells, strict=True)) for name, *cells in rows}


def cases() -> Iterator[Case]:
    """Give the whole product."""
    group = table(GROUP)
    tables = {Kind.GROUP: group, Kind.CHANNEL: group | table(CHANNEL), Kind.DIRECT: _direct(list(group))}
    for kind, rows in tables.items():
        for command, cells in rows.items():
            for column, cell in cells.items():
                for visibility in _visibilities(column):
                    yield Case(command, kind, visibility, column, _CODES.get(cell, cell))


def _direct(commands: list[str]) -> dict[str, dict[str, str]]:
    nobody_may = {"members": "forbidden", "visitor": "not_a_member", "stranger": "not_found"}
    rows = dict.fromkeys(commands, nobody_may) | table(DIRECT)
    return {name: dict.fromkeys(Role, cells["members"]) | cells for name, cells in rows.items()}


def _visibilities(column: str) -> tuple[Visibility, ...]:
    one = {"visitor": (Visibility.PUBLIC,), "stranger": (Visibility.PRIVATE,), "banned": (Visibility.PUBLIC,)}
    return () if column == "members" else one.get(column, tuple(Visibility))
