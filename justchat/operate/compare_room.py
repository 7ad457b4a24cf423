"""The comparison of what a room has one of, or a few: its row, its members, and what is trimmed of its journal."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from justchat.operate.difference import Difference, wrong_fields
from justchat.operate.replay import Replay
from justchat.rooms.project import project_room
from justchat.rooms.state import bare_settings, stored_recent, stored_trimmed
from storage.records import DropMember, MemberRecord, PutMember, RoomRecord, RoomSnapshot, Trim


def _comparable(stored: RoomRecord, *, like: RoomRecord) -> RoomRecord:
    """Leave out what a row does not say that was written by an earlier version: who posted last, what is trimmed."""
    if stored.settings == like.settings:
        return stored
    try:
        same = (
            bare_settings(stored) == bare_settings(like)
            and set(stored_recent(stored)) <= set(stored_recent(like))
            and stored_trimmed(stored) in {0, stored_trimmed(like)}
        )
    except msgspec.MsgspecError:
        return stored
    return replace(stored, settings=like.settings) if same else stored


class RoomComparison:
    """Compares a room's snapshot with the replay."""

    __slots__ = ("_replay",)

    def __init__(self, replay: Replay) -> None:
        self._replay = replay

    async def compare(self, stored: RoomSnapshot) -> list[Difference]:
        """Compare as of the replay's head."""
        state = self._replay.state
        put = project_room(state)
        found: list[Difference] = []
        if stored.room is None:
            found.append(Difference(state.id, "row", "missing", put))
        elif _comparable(stored.room, like=put.room) != put.room:
            found.append(Difference(state.id, "row", wrong_fields(put.room, stored.room), put))
        members = {member.user: member for member in stored.members}
        users = sorted({*members, *state.members})
        compared = (self._member(user, state.members.get(user), members.get(user)) for user in users)
        found += (difference for difference in compared if difference is not None)
        if (seq := await self._replay.text_left()) is not None:
            problem = f"its text is still there, though history is trimmed up to {self._replay.floor_seq}"
            found.append(Difference(state.id, f"entry {seq}", problem, Trim(state.id, self._replay.floor_seq)))
        return found

    def _member(self, user: str, expected: MemberRecord | None, stored: MemberRecord | None) -> Difference | None:
        if expected == stored:
            return None
        room, what = self._replay.room, f"member {user}"
        if expected is None:
            return Difference(room, what, "superfluous", DropMember(room, user))
        problem = "missing" if stored is None else wrong_fields(expected, stored)
        return Difference(room, what, problem, PutMember(expected))
