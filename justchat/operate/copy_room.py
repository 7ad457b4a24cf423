"""The copy of one room: its journal in pages, each with the messages that it created as they read now, then its items.

What a page writes ends with the room's row, current to the page's last entry, so the target always says how far it is;
the last page brings the members. A room that a former copy began is gone on with behind what the target has of it.
Entries whose text was trimmed or erased are copied without it, and what of it a former copy had brought goes there too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import ValidationError
from msgspec.structs import replace

from justchat.operate.copy_items import copy_items
from justchat.operate.refusals import CopyRefused
from justchat.operate.site import PAGE, Site
from justchat.operate.survey import CurrentRoom, current_room
from justchat.rooms.fold import event_of
from justchat.rooms.message_states import messages_touched, threads_touched
from storage.errors import Conflict, Unstorable
from storage.records import (
    TRIMMED,
    Append,
    Change,
    DropMember,
    Entry,
    MemberRecord,
    PutMember,
    PutMessage,
    PutRoom,
    Trim,
)


class RoomCopy:
    """Copies one room."""

    __slots__ = ("_advance", "_resumed", "_room", "_source", "_target")

    def __init__(self, source: Site, target: Site, room: str, *, advance: Callable[[int], None]) -> None:
        self._source = source
        self._target = target
        self._room = room
        self._advance = advance
        self._resumed = False

    async def run(self) -> None:
        """Copy what the target does not have yet. Raises CopyRefused, and what storage raises."""
        final = await current_room(self._source.journal, self._room)
        there = await self._target.journal.load_room(self._room)
        durable = 0 if there is None else there.head_seq
        done = 0 if there is None or there.room is None else there.room.applied_seq
        members = () if there is None else there.members
        self._resumed = done > 0
        if max(durable, done) > final.row.applied_seq:
            raise CopyRefused(f"the target has more of room {self._room} than the source: empty it and copy again")
        self._advance(done)
        await self._trim(min(durable, final.floor_seq))
        await self._erase(after=final.floor_seq, upto=durable)
        while done < final.row.applied_seq:
            # What is durable without its rows comes from a copy that was killed between the two.
            upto = durable if done < durable else final.row.applied_seq
            page = await self._page(after=done, upto=upto, final=final, members=members)
            await self._write(page, is_durable=done < durable)
            done = page.entries[-1].seq
            self._advance(len(page.entries))
        await copy_items(self._source.directory, self._target.directory, self._room)

    async def _trim(self, upto: int) -> None:
        """Forget in the target what the source has trimmed since a former copy: it may have been served meanwhile."""
        if upto > 0:
            entries = await self._entries(after=upto - 1, upto=upto)
            await self._target.journal.project(
                Append(self._room, tuple(entries), (Trim(self._room, upto),)), repair=True
            )

    async def _erase(self, *, after: int, upto: int) -> None:
        """Forget in the target what was erased in the source since a former copy."""
        while after < upto:
            entries = await self._entries(after=after, upto=upto)
            copied = await self._target.journal.read(self._room, after=after, upto=upto, limit=len(entries))
            texts = {entry.seq: (entry.body, entry.digest) for entry in copied if entry.type in TRIMMED}
            known = [entry for entry in entries if entry.seq in texts]
            erased = [entry for entry in known if texts[entry.seq] != (entry.body, entry.digest)]
            if erased:
                await self._target.journal.rewrite(erased)
            after = entries[-1].seq

    async def _page(self, *, after: int, upto: int, final: CurrentRoom, members: Sequence[MemberRecord]) -> Append:
        entries = await self._entries(after=after, upto=upto)
        last = entries[-1].seq
        changes = await self._messages(entries)
        if last == final.row.applied_seq:
            gone = {member.user for member in members} - {member.user for member in final.members}
            changes += [DropMember(self._room, user) for user in sorted(gone)]
            changes += [PutMember(member) for member in final.members]
        return Append(self._room, tuple(entries), (*changes, PutRoom(replace(final.row, applied_seq=last))))

    async def _entries(self, *, after: int, upto: int) -> list[Entry]:
        entries = await self._source.journal.read(self._room, after=after, upto=upto, limit=PAGE)
        if [entry.seq for entry in entries] != list(range(after + 1, after + 1 + len(entries))) or not entries:
            raise CopyRefused(f"entries of room {self._room} are missing behind {after}: its journal is damaged")
        return entries

    async def _messages(self, entries: Sequence[Entry]) -> list[Change]:
        first, last = entries[0].seq, entries[-1].seq
        found = await self._source.journal.messages(self._room, after=first - 1, upto=last, limit=len(entries) + 1)
        if len(found) > len(entries):
            raise CopyRefused(f"room {self._room} has more messages than entries: run `justchat storage check`")
        if self._resumed:
            # The source may have been served in between: what these entries change may have been copied before.
            found += await self._source.journal.messages_by_id(_changed_earlier(entries))
        return [PutMessage(message) for message in found]

    async def _write(self, page: Append, *, is_durable: bool) -> None:
        try:
            if is_durable:
                await self._target.journal.project(page)
            else:
                await self._target.journal.append([page])
        except Conflict as conflict:
            raise CopyRefused(f"the target holds something else ({conflict}): empty it and copy again") from conflict
        except Unstorable as error:
            raise CopyRefused(f"the target cannot hold what is in room {self._room}: {error}") from error


def _changed_earlier(entries: Sequence[Entry]) -> list[str]:
    """Return the messages that entries change and did not create; bytes that are no event change nothing."""
    created = {entry.message_id for entry in entries}
    found: set[str] = set()
    for entry in entries:
        if entry.message_id is not None:
            continue
        try:
            event = event_of(entry)
        except ValidationError:
            continue
        if event is not None:
            found.update(messages_touched(event), threads_touched(event))
    return sorted(found - created)
