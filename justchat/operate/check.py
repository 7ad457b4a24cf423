"""The check of a site: every room's journal is folded, and what is stored of the room is compared with what comes out.

It works on a site that is served at the same time: what differs while the room moves on is looked at again, at its new
head. A repair needs the site for itself, because a room that is awake goes on from what it loaded, and would write that
back. In memory it holds one room at a time: its members, and 24 bytes for each of its messages.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import groupby

import trio
from msgspec import Struct

from justchat.operate.difference import Difference, Report, wrong_fields
from justchat.operate.digest import short_digest
from justchat.operate.replay import Replay
from justchat.operate.site import PAGE
from justchat.operate.stored import LOWEST, messages_at, read_messages
from justchat.rooms.project import project_room
from storage.ports import Journal
from storage.records import (
    Append,
    DropMember,
    DropMessage,
    MemberRecord,
    MessageRecord,
    PutMember,
    PutMessage,
    RoomSnapshot,
)

# How long to wait before each further look at a room that moves on; after the last one what differs is believed.
_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 0.0)
# How long rows may be on their way in a store that commits the journal first.
_LATE_SECONDS = 1.0

Comparison = Callable[[RoomSnapshot], Awaitable[list[Difference]]]


class Totals(Struct):
    """What a check has seen so far."""

    rooms: int = 0
    entries: int = 0
    messages: int = 0
    differences: int = 0
    repaired: int = 0


class RoomCheck:
    """Checks one room that has a journal."""

    __slots__ = ("_journal", "_repair", "_replay", "_report", "_room", "_stuck", "_totals")

    def __init__(self, journal: Journal, room: str, *, repair: bool, report: Report, totals: Totals) -> None:
        self._journal = journal
        self._room = room
        self._repair = repair
        self._report = report
        self._totals = totals
        self._replay = Replay(journal, room, flawed=self._damaged)
        self._stuck: RoomSnapshot | None = None

    async def run(self) -> None:
        """Compare everything. Raises what storage raises."""
        await self._settle(self._compare_rows)
        after: int | None = LOWEST
        while after is not None and not self._replay.broken:
            stored, upto = await read_messages(self._journal, self._room, after=after)
            suspects = self._suspects(stored, after=after, upto=upto)
            for start in range(0, len(suspects), PAGE):
                await self._settle(partial(self._compare_messages, suspects[start : start + PAGE]))
            after = upto
        self._totals.rooms += 1
        self._totals.entries += self._replay.head_seq
        self._totals.messages += len(self._replay.messages)

    async def _settle(self, compare: Comparison) -> None:
        """Find out what differs, mend it if that is wanted, and report it."""
        found = await self._look(compare)
        if not found:
            return
        left = found
        if self._repair:
            await self._mend(found)
            left = await self._look(compare)
        for difference in (*found, *(new for new in left if new not in found)):
            self._tell(difference, repaired=difference not in left)

    async def _look(self, compare: Comparison) -> list[Difference]:
        """Compare, and again for as long as the room moves on and something differs."""
        found: list[Difference] = []
        for pause in _PAUSES:
            before = await self._snapshot()
            await self._replay.advance(before.head_seq)
            if self._replay.broken:
                return []
            found = await compare(before)
            if not found or await self._is_at_rest(before):
                return found
            await trio.sleep(pause)
        return found

    async def _is_at_rest(self, before: RoomSnapshot) -> bool:
        """Tell whether nothing has moved since, and nothing is on its way."""
        if before != await self._snapshot():
            return False
        is_current = before.room is not None and before.room.applied_seq == before.head_seq
        if is_current or self._repair or before == self._stuck:
            return True
        await trio.sleep(_LATE_SECONDS)
        self._stuck = await self._snapshot()
        return before == self._stuck

    async def _snapshot(self) -> RoomSnapshot:
        return await self._journal.load_room(self._room) or RoomSnapshot(None, (), 0)

    async def _compare_rows(self, stored: RoomSnapshot) -> list[Difference]:
        """Compare the room's row and its members."""
        state = self._replay.state
        put = project_room(state)
        found: list[Difference] = []
        if stored.room is None:
            found.append(Difference(self._room, "row", "missing", put))
        elif stored.room != put.room:
            found.append(Difference(self._room, "row", wrong_fields(put.room, stored.room), put))
        members = {member.user: member for member in stored.members}
        users = sorted({*members, *state.members})
        compared = (self._member(user, state.members.get(user), members.get(user)) for user in users)
        return [*found, *(difference for difference in compared if difference is not None)]

    def _member(self, user: str, expected: MemberRecord | None, stored: MemberRecord | None) -> Difference | None:
        if expected == stored:
            return None
        what = f"member {user}"
        if expected is None:
            return Difference(self._room, what, "superfluous", DropMember(self._room, user))
        problem = "missing" if stored is None else wrong_fields(expected, stored)
        return Difference(self._room, what, problem, PutMember(expected))

    def _suspects(self, stored: Sequence[MessageRecord], *, after: int, upto: int | None) -> list[int]:
        """Return the seqs in this range at which there is not exactly the one message that belongs there."""
        left = set(self._replay.messages.seqs(after=after, upto=upto))
        suspects: list[int] = []
        for seq, group in groupby(stored, key=lambda message: message.seq):
            if [short_digest(message) for message in group] != [self._replay.messages.get(seq)]:
                suspects.append(seq)
            left.discard(seq)
        return sorted({*suspects, *left})

    async def _compare_messages(self, seqs: Sequence[int], _: RoomSnapshot) -> list[Difference]:
        return [difference for seq in seqs for difference in await self._compare_at(seq)]

    async def _compare_at(self, seq: int) -> list[Difference]:
        """Compare what is stored at one seq with the message that belongs there, if one does."""
        stored = await messages_at(self._journal, self._room, seq)
        digest = self._replay.messages.get(seq)
        is_there = digest in [short_digest(message) for message in stored]
        expected = None if is_there else await self._replay.message(seq)
        found: list[Difference] = []
        if expected is not None and expected.id not in {message.id for message in stored}:
            found.append(Difference(self._room, _message(expected), "missing", PutMessage(expected)))
        for message in stored:
            if expected is not None and message.id == expected.id:
                problem = wrong_fields(expected, message)
                found.append(Difference(self._room, _message(message), problem, PutMessage(expected)))
            elif short_digest(message) != digest:
                drop = DropMessage(self._room, message.id)
                found.append(Difference(self._room, _message(message), "superfluous", drop))
        return found

    async def _mend(self, found: Sequence[Difference]) -> None:
        if self._replay.last is None:
            raise ValueError(f"{self._room}: nothing to mend from")
        changes = [difference.mend for difference in found if difference.mend is not None]
        rows = (*changes, project_room(self._replay.state))
        await self._journal.project(Append(self._room, (self._replay.last,), rows), repair=True)

    def _damaged(self, seq: int, problem: str) -> None:
        problem = f"damaged: {problem}; what is made of it and of what follows is not compared"
        self._tell(Difference(self._room, f"entry {seq}", problem), repaired=False)

    def _tell(self, difference: Difference, *, repaired: bool) -> None:
        self._totals.differences += 1
        self._totals.repaired += repaired
        self._report(difference, repaired)


def _message(message: MessageRecord) -> str:
    return f"message {message.id} (seq {message.seq})"
