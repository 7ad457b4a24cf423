"""To whom a room may pass on whose last owner goes: accounts that can be members, people before bots.

The room itself makes one of them an owner, by who they are in it at that moment.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import Final

from justchat.accounts.identity import ServerRole
from justchat.accounts.membership import can_be_member
from justchat.rooms.direct import DIRECT_MEMBERS
from justchat.rooms.permissions import ROLES, Kind
from storage.ports import Directory
from storage.records import MemberRecord, UserRecord

HEIRS_MAX: Final = 100
"""How many are named: those who come first. All of them would have to leave at the same moment to be too few."""

_PAGE: Final = 500
_FOR_GOOD: Final = frozenset({"leaving", "erasing", "gone"})


async def heirs_of(directory: Directory, room: str, *, without: str) -> tuple[str, ...]:
    """Name the heirs of a room but for `without`, who goes; in a direct room the other one, if they are still there.

    Raises what the directory raises.
    """
    record = await directory.room(room)
    if record is None:
        return ()
    if record.kind == Kind.DIRECT:
        page = await directory.members(room, cursor=None, limit=DIRECT_MEMBERS)
        others = await directory.users(ids=[member.user for member in page.items if member.user != without])
        return tuple(user.id for user in others if user.state not in _FOR_GOOD)
    people, bots = await _candidates(directory, room, without=without)
    return tuple(member.user for member in (people or bots))


async def _candidates(
    directory: Directory, room: str, *, without: str
) -> tuple[list[MemberRecord], list[MemberRecord]]:
    people: list[MemberRecord] = []
    bots: list[MemberRecord] = []
    cursor: str | None = None
    while True:
        page = await directory.members(room, cursor=cursor, limit=_PAGE)
        accounts = await directory.users(ids=[member.user for member in page.items]) if page.items else []
        able = {user.id: user for user in accounts if can_be_member(user) and user.id != without}
        found = [member for member in page.items if member.user in able]
        people = _first([*people, *(member for member in found if not _is_bot(able[member.user]))])
        bots = _first([*bots, *(member for member in found if _is_bot(able[member.user]))])
        cursor = page.next_cursor
        if cursor is None:
            return people, bots


def _first(members: list[MemberRecord]) -> list[MemberRecord]:
    return nsmallest(HEIRS_MAX, members, key=lambda member: (-ROLES[member.role].rank, member.joined_seq, member.user))


def _is_bot(user: UserRecord) -> bool:
    return user.role == ServerRole.BOT
